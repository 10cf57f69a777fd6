//! Several nodes over one PostgreSQL: each has a store of its own, as processes have.

use std::collections::BTreeSet;

use munjigi_core::oauth::revocation::{Kind, Revocation};
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, Store, StoreError, revocations};

async fn node(database: &Database) -> Store {
    let mut options = database.options();
    options.pool_size = 16;
    Store::open(options).await.unwrap()
}

async fn announce(store: Store, number: u32) -> Result<i64, StoreError> {
    let now = Timestamp::from_millis(5_000);
    let revocation =
        Revocation::now(Kind::User, format!("user-{number}"), now, Span::from_minutes(10));
    let written = store.write(move |tx| {
        // As an ending does: what was announced for the same key before counts.
        let before = revocations::not_before(tx, Kind::User, &revocation.key)?;
        let seq = revocations::announce(tx, &revocation.clone().after(before))?;
        Ok(Committed::new(seq, Audit::Routine("a test")))
    });
    written.await
}

/// Every ending takes the next place in the feed from one row. Those who come at once make each
/// other lose, and none of them may be told so for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_endings_at_once_at_three_nodes_all_come_into_the_feed() {
    let Some(database) = Database::postgres().await else { return };
    let nodes = [node(&database).await, node(&database).await, node(&database).await];
    let calls: Vec<_> = (0_u32..600)
        .map(|number| {
            let node = nodes[usize::try_from(number).unwrap() % nodes.len()].clone();
            tokio::spawn(announce(node, number))
        })
        .collect();
    let mut places = BTreeSet::new();
    for call in calls {
        places.insert(call.await.unwrap().unwrap());
    }
    assert_eq!(places, (1..=600).collect());
}
