//! Several nodes over one PostgreSQL: they come and go, and so does the database under them. The
//! whole campaigns are `munjigi-e2e failover` and `munjigi-e2e upgrade` (e2e/src/main.rs).

use std::time::Duration;

use munjigi_e2e::failover::{self, End, Standby};
use munjigi_e2e::nodes::{self, Left};
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::{Database, first_schema};

async fn database() -> Option<String> {
    let database = Database::postgres().await?;
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
    Some(url.clone())
}

/// P4, DS-07.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_primary_with_a_synchronous_standby_is_killed() {
    let Some(report) = failover::run(1, 7, (Standby::Synchronous, End::Killed)).await else {
        return;
    };
    assert_eq!(report.violations, Vec::<String>::new(), "{report:?}");
    assert!(report.kills == 1 && report.acknowledged > 0 && report.checked > 0, "{report:?}");
    assert!(report.looks >= 2, "before the kill and afterwards: {report:?}");
}

/// The same of one that hangs: connections stay, new ones are taken, and nobody says anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_primary_with_a_synchronous_standby_hangs() {
    let Some(report) = failover::run(1, 7, (Standby::Synchronous, End::Hung)).await else { return };
    assert_eq!(report.violations, Vec::<String>::new(), "{report:?}");
    assert!(report.kills == 1 && report.acknowledged > 0 && report.checked > 0, "{report:?}");
}

/// Planted: a standby that had fallen behind is promoted. What is missing is noticed by the
/// campaign; and by the servers, which end everything that was given before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_was_behind_is_noticed() {
    let Some(report) = failover::run(1, 7, (Standby::Behind, End::Killed)).await else { return };
    let is_lost = |wrong: &String| wrong.contains("a grant that was acknowledged is gone");
    assert!(report.violations.iter().any(is_lost), "{report:?}");
    let trail = report.violations.iter().any(|wrong| wrong.contains("the audit trail: "));
    assert!(trail, "what was signed is gone: {report:?}");
}

/// I7: one chain, whoever writes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_goes_on_with_the_trail_when_its_node_is_killed() {
    let Some(url) = database().await else { return };
    let seen = nodes::hand_over(&url, Left::AsItWas).await;
    assert_eq!((seen.failed, &seen.wrong), (0, &None), "{seen:?}");
    assert!(seen.answered > 50, "{seen:?}");
}

/// Planted: what another node signs holds in itself, and does not go on from what was signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_that_forks_the_trail_is_noticed() {
    let Some(url) = database().await else { return };
    let seen = nodes::hand_over(&url, Left::Nothing).await;
    assert!(seen.wrong.as_ref().is_some_and(|wrong| wrong.contains("forked")), "{seen:?}");
}

/// A database with the tables of the first version that landed is taken over, and nodes replace
/// each other on it, under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_replace_each_other_without_a_failed_request() {
    let Some(url) = database().await else { return };
    let url = tokio::task::block_in_place(|| first_schema(&url).unwrap());
    let seen = nodes::roll(&url, Duration::from_secs(2)).await;
    assert_eq!(seen.failed, 0, "{seen:?}");
    assert!(seen.answered > 50, "{seen:?}");
}

/// P13: a base backup that is restored begins its own line of time only if it is told to; the
/// servers that ran all the while see that it is older, and revive nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_backup_that_is_restored_under_running_servers_revives_nothing() {
    let Some(wrong) = nodes::restore().await else { return };
    assert_eq!(wrong, Vec::<String>::new());
}
