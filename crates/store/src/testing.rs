//! For tests only (cargo feature `testing`): fresh databases of both kinds. Nothing of the product
//! may use it.

use crate::{ReadTx, Result, Store, StoreError};

/// Asks the store's database whether it understands these statements; the ones that it does not.
pub async fn prepare_all(
    store: &Store,
    statements: Vec<String>,
) -> Result<Vec<(String, StoreError)>> {
    store
        .read(move |tx: &mut ReadTx<'_>| {
            let mut refused = Vec::new();
            for sql in &statements {
                if let Err(error) = tx.check(sql) {
                    refused.push((sql.clone(), error));
                }
            }
            Ok(refused)
        })
        .await
}
