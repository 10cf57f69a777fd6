//! PK-03, RT-02, RT-05: more than 30,000 contended presentations of things that are good once. The
//! whole campaign is `munjigi-e2e contention` (e2e/src/main.rs).

use munjigi_e2e::contention::{Contention, Kind, Tally, split};
use munjigi_e2e::production::Production;
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;

const SLICE: Contention = Contention { codes: 190, refreshes: 160, revocations: 60, others: 10 };

fn holds(tally: &Tally) {
    assert_eq!(tally.violations, Vec::<String>::new());
    assert_eq!((tally.redeemed, tally.rotated), (SLICE.codes, SLICE.refreshes));
    let kinds = Kind::ALL.map(|kind| (kind, SLICE.others));
    assert_eq!(tally.others, kinds.into_iter().collect());
    // Otherwise each end came before whatever it was to end.
    assert!(tally.beside_a_revocation > 0, "{tally:?}");
    assert_eq!(tally.presentations, 32 * (190 + 160 + 60 + 11 * 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_good_once_is_good_once_for_a_crowd_at_one_node() {
    holds(&SLICE.run(&mut [Production::on_sqlite()]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_good_once_is_good_once_for_a_crowd_at_three_nodes() {
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
    let first = Production::on_postgres(url);
    let (second, third) = (first.another_node(), first.another_node());
    holds(&SLICE.run(&mut [first, second, third]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_do_not_know_of_each_other_are_noticed() {
    let tally = split(5).await;
    for what in [
        "a code was redeemed 2 times",
        "VerificationLink was taken 2 times",
        "RecoveryLink was taken 2 times",
        "ChangeNewLink was taken 2 times",
        "ChangeOldLink was taken 2 times",
        "UndoLink was taken 2 times",
    ] {
        let noticed = tally.violations.iter().filter(|it| *it == what).count();
        assert_eq!(noticed, 5, "{what}: {tally:?}");
    }
}
