//! APIs, by the audience of their tokens (RFC 8707). Reference data: every write moves the
//! snapshot's version on.

use munjigi_core::oauth::api::{Api, Audience};
use munjigi_core::time::Timestamp;

use crate::page::{Listed, Page};
use crate::{ReadTx, Result, Row, StoreError, Tx, counters, params};

/// What [`StoreError::Unique`] names when there is such an API already.
pub const AUDIENCE_TAKEN: &str = "api.audience";

/// Adds an API.
///
/// # Errors
/// `Unique` with [`AUDIENCE_TAKEN`]; `ForeignKey` when there is no such client.
pub fn insert(tx: &mut Tx<'_>, api: &Api) -> Result<()> {
    tx.exec(
        "INSERT INTO api (audience, name, access_ttl, algorithm, client_id, created_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            api.audience,
            api.name,
            api.access_ttl,
            api.algorithm.as_str(),
            api.client_id,
            api.created_at,
            api.disabled_at,
        ],
    )?;
    counters::reference_changed(tx)
}

/// The API with this audience.
pub fn find(tx: &mut ReadTx<'_>, audience: &str) -> Result<Option<Api>> {
    let row = tx.find_row(
        "SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api WHERE audience = $1",
        params![audience],
    )?;
    row.map(from_row).transpose()
}

/// Every API, by audience. APIs are few.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<Api>> {
    let rows = tx.rows(
        "SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api ORDER BY audience",
        params![],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// APIs, by audience.
pub fn list(tx: &mut ReadTx<'_>, page: &Page<Audience>) -> Result<Listed<Api, Audience>> {
    let rows = tx.rows(
        "SELECT audience, name, access_ttl, algorithm, client_id, created_at, disabled_at
         FROM api WHERE audience > $1 ORDER BY audience LIMIT $2",
        params![page.key().map_or("", String::as_str), page.rows()],
    )?;
    let apis = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(apis, |api| api.audience.clone()))
}

/// Writes name, lifetime, algorithm and client; false when there is no such API.
///
/// # Errors
/// `ForeignKey` when there is no such client.
pub fn update(tx: &mut Tx<'_>, api: &Api) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE api SET name = $2, access_ttl = $3, algorithm = $4, client_id = $5
         WHERE audience = $1",
        params![api.audience, api.name, api.access_ttl, api.algorithm.as_str(), api.client_id],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Disables an API since `disabled_at`, or enables it again (`None`); false when it was that
/// already, or is not there.
pub fn set_disabled(
    tx: &mut Tx<'_>,
    audience: &str,
    disabled_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = match disabled_at {
        Some(since) => tx.exec(
            "UPDATE api SET disabled_at = $2 WHERE audience = $1 AND disabled_at IS NULL",
            params![audience, since],
        ),
        None => tx.exec(
            "UPDATE api SET disabled_at = NULL WHERE audience = $1 AND disabled_at IS NOT NULL",
            params![audience],
        ),
    }?;
    counters::reference_changed_if(tx, changed)
}

/// Deletes an API; false when it is not there.
pub fn delete(tx: &mut Tx<'_>, audience: &str) -> Result<bool> {
    let changed = tx.exec("DELETE FROM api WHERE audience = $1", params![audience])?;
    counters::reference_changed_if(tx, changed)
}

fn from_row(mut row: Row) -> Result<Api> {
    let algorithm: String = row.take(3)?;
    let unknown = || StoreError::Corrupt("an API has an unknown algorithm".to_owned());
    Ok(Api {
        audience: row.take(0)?,
        name: row.take(1)?,
        access_ttl: row.take(2)?,
        algorithm: algorithm.parse().map_err(|_| unknown())?,
        client_id: row.take(4)?,
        created_at: row.take(5)?,
        disabled_at: row.take(6)?,
    })
}
