//! What has to hold across every fault because somebody outside goes by it: the tree of the audit
//! trail and its anchors, the beat that tells a restored database from the one that was left, and
//! what one node ended, for the others.

use std::path::Path;

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_server::anchors::Anchors;
use munjigi_server::operate::Operator;
use munjigi_server::operate::audit::own_key;
use munjigi_server::sequencer::{Looked, Sequencer};
use munjigi_server::{Config, Failure};
use munjigi_store::testing::{Database, take_back};
use munjigi_store::{audit_log, epochs};
use serde_json::json;

use crate::epochs::{epoch, stop};
use crate::harness::{JUN, MINJI, TestApp, config};
use crate::signing_keys::told;

/// Nothing here asks more of the database than this.
const MOST: u32 = 200;

/// Does something in which a call fails; whether it came to that.
async fn run_with_fault<T>(
    app: &TestApp,
    at: u32,
    run: impl Future<Output = Result<T, Failure>>,
) -> bool {
    let faults = app.app.store.faults();
    faults.fail_at(at);
    let said = run.await;
    let struck = faults.stop();
    assert_eq!(said.is_err(), struck, "fault {at}: {:?}", said.err());
    struck
}

/// How far the tree was before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    First,
    /// This node wrote it, has something to add, and is asked for another key.
    Growing,
    /// Another node wrote it, and is gone.
    TakenOver,
}

/// The tree of a server of its own.
struct Tree {
    app: TestApp,
    database: Database,
    sequencer: Sequencer,
}

impl Tree {
    async fn at(stage: Stage, database: Database) -> Self {
        let app = TestApp::start_with(&database).await;
        app.sign_in(MINJI).await;
        let mut tree = Self { sequencer: Sequencer::new(&app.app).unwrap(), app, database };
        if stage != Stage::First {
            tree.sequencer.run(&tree.app.app).await.unwrap();
            tree.app.sign_in(JUN).await;
            tree.app.advance(1);
        }
        if stage == Stage::Growing {
            let operator = tree.operator().await;
            assert!(operator.rotate_audit_key().await.unwrap());
            operator.close().await;
        }
        if stage == Stage::TakenOver {
            tree.forget();
        }
        tree
    }

    /// The node is another one from now on, and the lease of the one before is over.
    fn forget(&mut self) {
        self.app.advance(60);
        self.sequencer = Sequencer::new(&self.app.app).unwrap();
    }

    async fn operator(&self) -> Operator {
        let clock = self.app.clock.clone();
        Operator::open(self.database.url().clone(), clock).await.unwrap()
    }

    /// Every event has one place or waits for one, and what is signed holds; how many there are.
    async fn check(&self, place: &str) -> (u64, u64) {
        let read = self.app.app.store.read(|tx| {
            let (log, waiting) = (audit_log::find(tx)?, audit_log::count_unnumbered(tx)?);
            Ok::<_, munjigi_store::StoreError>((
                log,
                audit_log::leaves(tx, 0, 1_000)?.len(),
                waiting,
            ))
        });
        let (log, leaves, waiting) = read.await.unwrap();
        let (size, signed) = log.map_or((0, 0), |log| (log.size, log.signed_size));
        assert_eq!(i64::try_from(leaves).unwrap(), size, "{place}");
        if signed > 0 {
            let operator = self.operator().await;
            let key = own_key(&operator.audit_trail().await.unwrap()).unwrap();
            let holds = operator.verify_audit(&key, &[]).await.unwrap();
            let holds = holds.unwrap_or_else(|finding| panic!("{place}: {finding:?}"));
            assert_eq!(i64::try_from(holds.checkpoint.size).unwrap(), signed, "{place}");
            operator.close().await;
        }
        (u64::try_from(size + waiting).unwrap(), u64::try_from(signed).unwrap())
    }

    /// Goes on where the fault broke it off, until there is nothing to do.
    async fn complete(&mut self, place: &str) {
        for _ in 0..3 {
            self.app.advance(1);
            let looked = self.sequencer.run(&self.app.app).await.unwrap();
            assert!(!matches!(looked, Looked::Refused(_)), "{place}: {looked:?}");
        }
        let (all, signed) = self.check(place).await;
        assert_eq!(signed, all, "{place}");
    }
}

/// The node that the fault struck goes on itself, or is gone and another one does.
async fn of_the_tree(stage: Stage, is_gone: bool) {
    of_the_tree_on(async || Some(Database::sqlite()), stage, is_gone).await;
}

async fn of_the_tree_on(fresh: impl AsyncFn() -> Option<Database>, stage: Stage, is_gone: bool) {
    for at in 1..MOST {
        let Some(database) = fresh().await else { return };
        let mut tree = Tree::at(stage, database).await;
        let place = format!("{stage:?}, fault {at}");
        let (before, _) = tree.check(&place).await;
        let app = tree.app.clone();
        let struck = run_with_fault(&app, at, tree.sequencer.run(&app.app)).await;
        let (after, _) = tree.check(&place).await;
        assert!(after >= before, "{place}: an event is gone");
        if is_gone {
            tree.forget();
        }
        tree.complete(&place).await;
        if !struck {
            eprintln!("{stage:?}, {} places", at - 1);
            return;
        }
    }
    panic!("{stage:?}: the sequencer never comes to an end");
}

#[tokio::test]
async fn of_a_tree_that_is_begun() {
    of_the_tree(Stage::First, false).await;
}

#[tokio::test]
async fn of_a_tree_that_is_begun_by_a_node_that_ends() {
    of_the_tree(Stage::First, true).await;
}

#[tokio::test]
async fn of_a_tree_that_grows_and_gets_another_key() {
    of_the_tree(Stage::Growing, false).await;
}

#[tokio::test]
async fn of_a_tree_that_grows_and_gets_another_key_by_a_node_that_ends() {
    of_the_tree(Stage::Growing, true).await;
}

#[tokio::test]
async fn of_a_tree_that_is_taken_over() {
    of_the_tree(Stage::TakenOver, false).await;
}

/// What is pushed there travels with the commit, and is undone by the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_tree_that_grows_on_postgresql() {
    of_the_tree_on(Database::postgres, Stage::Growing, false).await;
}

/// An anchor is told once, though the first time the database could not be asked for what.
#[tokio::test]
async fn of_anchors() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anchors");
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    let anchors = vec![format!("file:{}", file.display()).parse().unwrap()];
    let config = Config { anchors, ..config(Database::memory().url().clone()) };
    let app = TestApp::start_from(config).await;
    app.sign_in(MINJI).await;
    Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap();
    let mut anchors = Anchors::default();
    for at in 1.. {
        let struck = run_with_fault(&app, at, anchors.run(&app.app)).await;
        assert_eq!(lines(&file), usize::from(!struck), "fault {at}");
        if !struck {
            assert!(at > 1);
            break;
        }
    }
    assert_eq!((anchors.run(&app.app).await.unwrap(), lines(&file)), (0, 1));
}

/// A fault is no restore: nothing is ended, by this server or by the next one on the same file.
#[tokio::test]
async fn of_the_beat_of_the_rows() {
    for at in 1..MOST {
        let database = Database::sqlite();
        let app = TestApp::start_with(&database).await;
        app.app.keep_epoch().await.unwrap();
        let tokens = app.sign_in(MINJI).await;
        let struck = run_with_fault(&app, at, app.app.keep_epoch()).await;
        let known = |app: &TestApp| app.app.store.remembered().unwrap().beat;
        let beat = app.app.store.read(epochs::beat).await.unwrap();
        assert!(known(&app) <= beat, "fault {at}: more is known than there is");
        app.app.keep_epoch().await.unwrap();
        let beat = app.app.store.read(epochs::beat).await.unwrap();
        assert_eq!((known(&app), epoch(&app).await), (beat, (1, false)), "fault {at}");
        stop(app).await;

        let app = TestApp::start_with(&database).await;
        assert_eq!(epoch(&app).await, (1, false), "fault {at}");
        app.refresh(&tokens.refresh).await.tokens();
        if !struck {
            assert!(at > 1);
            return;
        }
    }
    panic!("the beat never comes to an end");
}

/// A restore that was noticed ends everything, once, though that was broken off.
#[tokio::test]
async fn of_a_restore_under_a_server() {
    for at in 1..MOST {
        let database = Database::sqlite();
        let app = TestApp::start_with(&database).await;
        let tokens = app.sign_in(MINJI).await;
        for _ in 0..2 {
            app.sign_in(JUN).await;
            app.app.keep_epoch().await.unwrap();
        }
        take_back(&app.app.store, 2).await.unwrap();

        let struck = run_with_fault(&app, at, app.app.keep_epoch()).await;

        let (number, is_over) = epoch(&app).await;
        let began = i64::try_from(told(&app, Kind::EpochBegan).await).unwrap();
        assert_eq!((began, is_over), (number - 1, number == 2), "fault {at}");
        if number == 2 {
            app.refresh(&tokens.refresh).await.expect(400);
        }
        for _ in 0..2 {
            app.app.keep_epoch().await.unwrap();
            assert_eq!(epoch(&app).await, (2, true), "fault {at}");
            assert_eq!(told(&app, Kind::EpochBegan).await, 1, "fault {at}");
        }
        app.refresh(&tokens.refresh).await.expect(400);
        let again = app.sign_in(MINJI).await;
        app.refresh(&again.refresh).await.tokens();
        if !struck {
            eprintln!("a restore, {} places", at - 1);
            return;
        }
    }
    panic!("a restore never comes to an end");
}

/// I4: what one node ended, another one that could not look at first knows when it could.
#[tokio::test]
async fn of_looks_at_what_other_nodes_ended() {
    let database = Database::sqlite();
    let (app, other) = (TestApp::start_with(&database).await, TestApp::start_with(&database).await);
    for at in 1..MOST {
        let token = app.sign_in(MINJI).await.access;
        assert!(app.app.verifier.verify_now(&token).is_ok());
        other.advance(1);
        app.advance(1);
        let out = "/api/v1/users/signout";
        other.call(Method::POST, out, &token, json!({})).await.expect(204);
        other.set("client_unused_ttl", &format!("{}d", 30 + at)).await;

        let struck = run_with_fault(&app, at, app.app.catch_up()).await;

        app.app.catch_up().await.unwrap();
        assert!(app.app.verifier.verify_now(&token).is_err(), "fault {at}");
        if !struck {
            assert!(at > 2);
            return;
        }
    }
    panic!("a look never comes to an end");
}
