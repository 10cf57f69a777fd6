//! P1, DS-07: what a server acknowledged survives `kill -9`, and happens once. The whole campaign
//! is `munjigi-e2e crash` (e2e/src/main.rs).

use munjigi_e2e::crash::{Campaign, Report, Sabotage};
use munjigi_e2e::production::Production;
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;

async fn on_sqlite(cycles: u32, sabotage: Option<Sabotage>) -> Report {
    Campaign { cycles, seed: 20_261_121, sabotage }.run(Production::on_sqlite()).await
}

fn holds(report: &Report, cycles: u32) {
    assert_eq!(report.violations, Vec::<String>::new(), "{report:?}");
    assert_eq!(report.cycles, cycles);
    // A campaign in which nothing happened, or nothing was under way, would show nothing.
    assert!(report.acknowledged > u64::from(cycles), "{report:?}");
    assert!(report.in_doubt > u64::from(cycles), "{report:?}");
    assert!(report.checked > 10 * u64::from(cycles), "{report:?}");
    // More events than one tile has, looked at on the way and at the end.
    assert!(report.looks > 5 && report.events > 256, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_two_hundred_kills_on_sqlite() {
    holds(&on_sqlite(200, None).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_hundred_kills_on_postgresql() {
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
    let campaign = Campaign { cycles: 100, seed: 7, sabotage: None };
    holds(&campaign.run(Production::on_postgres(url)).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_forgets_what_it_acknowledged_is_noticed() {
    let report = on_sqlite(10, Some(Sabotage::LoseWrites)).await;
    let is_lost = |it: &String| it.contains("a grant that was acknowledged is gone");
    assert!(report.violations.iter().any(is_lost), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_that_lacks_events_is_noticed() {
    let report = on_sqlite(3, Some(Sabotage::LoseEvents)).await;
    let is_missing = |it: &String| it.starts_with("no event tells");
    assert!(report.violations.iter().any(is_missing), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_changed_between_two_lives_is_noticed() {
    let report = on_sqlite(6, Some(Sabotage::ChangeEvent)).await;
    let found = &report.violations;
    assert!(found.len() == 1 && found[0].contains("tampered"), "{report:?}");
}

/// The tree holds in itself, and its signature is right: only what was kept outside shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trail_that_is_begun_anew_between_two_lives_is_noticed() {
    let report = on_sqlite(6, Some(Sabotage::BeginTrailAnew)).await;
    let found = &report.violations;
    assert!(found.len() == 1 && found[0].contains("forked"), "{report:?}");
}
