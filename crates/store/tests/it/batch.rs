//! SQLite's batches: many closures, one flush, and all of them told the same.

use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, StoreError, params};

use crate::executor::{Gate, TABLES, add_parent, all_names};

/// On one disk flush travels what waited while the last one was under way.
#[tokio::test]
async fn sqlite_commits_many_writers_at_once() {
    let database = Database::sqlite();
    let store = database.store_with(TABLES).await;
    let gate = Gate::close(&store).await;
    let mut calls: Vec<_> = (0..64_i64)
        .map(|id| {
            Box::pin(store.write(move |tx| {
                add_parent(tx, id, &id.to_string())?;
                Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
            }))
        })
        .collect();
    for call in &mut calls {
        assert!(futures_util::FutureExt::now_or_never(call.as_mut()).is_none());
    }
    assert_eq!(gate.open().await, Ok(()));
    for call in calls {
        assert_eq!(call.await, Ok(()));
    }

    let statistics = store.statistics();
    assert!(statistics.commits < 64 / 8, "{statistics:?}");
    assert!(statistics.largest_batch > 8, "{statistics:?}");
    assert_eq!(all_names(&store).await.len(), 64);
}

/// They were told nothing yet, so nobody is told a lie: a batch stands or falls as one.
#[tokio::test]
async fn a_commit_that_fails_fails_every_closure_of_its_batch() {
    let store = Database::sqlite().store_with(TABLES).await;
    let gate = Gate::close(&store).await;
    let mut calls: Vec<_> = (1..=5_i64)
        .map(|id| {
            Box::pin(store.write(move |tx| {
                if id == 3 {
                    tx.exec("INSERT INTO late (parent_id) VALUES ($1)", params![7_i64])?;
                } else {
                    add_parent(tx, id, &id.to_string())?;
                }
                Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
            }))
        })
        .collect();
    for call in &mut calls {
        assert!(futures_util::FutureExt::now_or_never(call.as_mut()).is_none());
    }
    assert_eq!(gate.open().await, Err(StoreError::ForeignKey));
    for call in calls {
        assert_eq!(call.await, Err(StoreError::ForeignKey));
    }
    assert!(all_names(&store).await.is_empty());
}
