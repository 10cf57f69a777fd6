//! P13 of the security design, where it is hard: rows that become older under servers that run, and
//! files that are put back with everything that stands beside them.

use std::time::Duration;

use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, DatabaseUrl, StoreError, Value, each_backend};

use crate::harness::*;

async fn epoch(app: &TestApp) -> (i64, bool) {
    let read = |tx: &mut munjigi_store::ReadTx<'_>| munjigi_store::epochs::find(tx);
    let epoch = app.app.store.read(read).await.unwrap().unwrap();
    (epoch.number, epoch.ended_before.is_some())
}

/// Writes past everything that a server does.
async fn plant(app: &TestApp, sql: &'static str, parameters: Vec<Value>) {
    let written = app.app.store.write(move |tx| {
        tx.exec(sql, parameters.clone())?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test")))
    });
    written.await.unwrap();
}

/// The rows become older under servers that run, as those of a base backup that is started as it
/// was. The node through which that is done has written something since it looked.
async fn take_back(app: &TestApp, beats: i64) {
    let sql = "UPDATE counter SET value = value - $1 WHERE name = 'beat'";
    plant(app, sql, vec![Value::Int(beats)]).await;
}

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
            take_back(&app, 3).await;
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
}
