//! P13 of the security design, where it is hard: rows that become older under servers that run, and
//! files that are put back with everything that stands beside them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use munjigi_server::operate::Operator;
use munjigi_server::operate::epochs::Said;
use munjigi_store::testing::{Database, revive_at_each_epoch, take_back};
use munjigi_store::{DatabaseUrl, each_backend};

use crate::epochs::{epoch, stop};
use crate::harness::*;

/// As a server does by itself every five seconds. A file has one server, so they take turns there.
async fn both_look(database: &Database, app: &TestApp, other: &TestApp) {
    let looks = async {
        match database.url() {
            DatabaseUrl::Postgres(_) => {
                let (one, another) = tokio::join!(app.app.keep_epoch(), other.app.keep_epoch());
                one.and(another).unwrap();
            }
            DatabaseUrl::SqliteFile(_) | DatabaseUrl::SqliteMemory => {
                app.app.keep_epoch().await.unwrap();
                other.app.keep_epoch().await.unwrap();
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), looks).await;
    ended.expect("they do not begin epochs without end");
}

each_backend! {
    /// Each server that runs sees for itself that the rows are older; they settle it between them,
    /// once. Their clocks stand still, so that the second time only the number can tell.
    async fn one_restore_makes_one_epoch_however_many_servers_see_it(database) {
        let (app, other) =
            (TestApp::start_with(&database).await, TestApp::start_with(&database).await);
        for restored in 1..=2 {
            let tokens = app.sign_in(MINJI).await;
            for _ in 0..3 {
                app.sign_in(JUN).await;
                both_look(&database, &app, &other).await;
            }
            take_back(&app.app.store, 3).await.unwrap();
            both_look(&database, &app, &other).await;
            assert_eq!(epoch(&app).await, (1 + restored, true));
            app.refresh(&tokens.refresh).await.expect(400);

            let again = other.sign_in(MINJI).await;
            for _ in 0..2 {
                both_look(&database, &app, &other).await;
            }
            assert_eq!(epoch(&app).await, (1 + restored, true), "it is settled once");
            other.refresh(&again.refresh).await.tokens();
        }
    }

    /// A server looks before it moves the beat on: otherwise it would hide from itself, and from
    /// the others, that the rows are older by one.
    async fn rows_that_are_older_by_one_beat_are_noticed_by_a_server_that_wrote_on_them(database) {
        let app = TestApp::start_with(&database).await;
        for _ in 0..2 {
            app.sign_in(JUN).await;
            app.app.keep_epoch().await.unwrap();
        }
        assert_eq!(epoch(&app).await, (1, false), "nothing has happened");
        take_back(&app.app.store, 1).await.unwrap();
        both_look(&database, &app, &app).await;
        assert_eq!(epoch(&app).await, (2, true));
    }

    /// One write is enough for that, also where nothing was written for a while.
    async fn a_single_write_after_a_quiet_time_moves_the_beat_on(database) {
        let app = TestApp::start_with(&database).await;
        app.sign_in(JUN).await;
        app.app.keep_epoch().await.unwrap();
        app.app.keep_epoch().await.unwrap();
        let before = app.app.store.read(munjigi_store::epochs::beat).await.unwrap();
        take_back(&app.app.store, 0).await.unwrap();
        app.app.keep_epoch().await.unwrap();
        let beat = app.app.store.read(munjigi_store::epochs::beat).await.unwrap();
        assert_eq!(beat, before + 1);
    }
}

/// What is given after everything was ended, and before the epoch is there, is ended with it.
#[tokio::test]
async fn what_is_given_while_an_epoch_begins_is_ended_too() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    let tokens = app.sign_in(MINJI).await;
    revive_at_each_epoch(&app.app.store).await.unwrap();
    let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
    operator.begin_epoch(Said::Restored).await.unwrap().unwrap();
    operator.close().await;

    assert_eq!(epoch(&app).await, (2, true));
    app.refresh(&tokens.refresh).await.expect(400);
}

/// How people put back a directory.
const WAYS: [&str; 4] = [
    "cp -a \"$1/.\" \"$2\"",
    "for file in \"$1\"/*; do cat \"$file\" > \"$2/${file##*/}\"; done",
    "tar -C \"$1\" -cf - . | tar -C \"$2\" -xf -",
    "rm \"$2\"/* && cp -a \"$1/.\" \"$2\"",
];

fn copy(way: &str, from: &Path, to: &Path) {
    let done = Command::new("sh").args(["-ec", way, "sh"]).args([from, to]).status();
    assert!(done.unwrap().success(), "{way}");
}

/// A minute after the others, since the clock of each begins at the same moment, and no token is of
/// the second in which something was ended.
async fn start_later(database: &Database) -> TestApp {
    let app = TestApp::start_with(database).await;
    app.advance(60);
    app
}

/// A backup of everything, with what stands beside the file, however it is put back, and however
/// often the server has written since: twice, since a file system uses two numbers by turns.
#[tokio::test]
async fn a_directory_that_is_put_back_is_noticed_however_that_is_done() {
    let database = Database::sqlite();
    let DatabaseUrl::SqliteFile(path) = database.url() else { panic!("a file") };
    let directory = path.parent().unwrap();
    let mut app = start_later(&database).await;
    let mut number = 1;
    for (way, beats) in WAYS.into_iter().flat_map(|way| [(way, 1), (way, 2)]) {
        let (revoked, mut kept) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
        app.app.keep_epoch().await.unwrap();
        stop(app).await;
        let backup = tempfile::tempdir().unwrap();
        copy(WAYS[0], directory, backup.path());

        app = start_later(&database).await;
        assert_eq!(epoch(&app).await.0, number, "{way}: it was only started again");
        app.form("/oauth2/revoke", &[("token", &revoked.refresh)]).await.expect(200);
        for _ in 0..beats {
            kept = app.refresh(&kept.refresh).await.tokens();
            app.app.keep_epoch().await.unwrap();
        }
        stop(app).await;
        for end in ["-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{end}", path.display())));
        }
        copy(way, backup.path(), directory);

        app = start_later(&database).await;
        number += 1;
        assert_eq!(epoch(&app).await, (number, true), "{way}, {beats} beats later");
        app.refresh(&revoked.refresh).await.expect(400);
    }
}
