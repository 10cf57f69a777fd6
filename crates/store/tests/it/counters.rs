//! Counters.

use munjigi_store::{Committed, StoreError, counters, each_backend};

use crate::sample::*;

each_backend! {
    async fn the_reference_version_grows_with_what_is_committed(database) {
        let store = database.store().await;
        assert_eq!(read(&store, counters::reference_version).await, 1);
        assert_eq!(write(&store, counters::bump_reference).await, Ok(2));
        let undone = write(&store, |tx| {
            counters::bump_reference(tx)?;
            Err::<(), _>(StoreError::ForeignKey)
        }).await;
        assert!(undone.is_err());
        assert_eq!(read(&store, counters::reference_version).await, 2);
        assert_eq!(write(&store, |tx| counters::reference_version(tx)).await, Ok(2));
        let silent = store.write(|tx| {
            counters::bump_reference(tx).map(Committed::nothing)
        }).await;
        assert_eq!(silent, Err(StoreError::Unaudited));
    }
}
