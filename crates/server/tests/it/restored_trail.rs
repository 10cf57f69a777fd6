//! The audit trail after a backup was restored (docs/guide/backup.md, docs/guide/audit.md): it goes
//! on from the backup, its first word says so, and whoever kept a checkpoint of what was lost sees
//! that the trail parted from it.

use std::path::{Path, PathBuf};

use munjigi_audit::{Checkpoint, Finding, VerifierKey};
use munjigi_server::operate::Operator;
use munjigi_server::operate::audit::own_key;
use munjigi_server::operate::epochs::Said;
use munjigi_server::sequencer::{Looked, Refused, Sequencer};
use munjigi_store::testing::{Database, Tampering, tamper};
use munjigi_store::{DatabaseUrl, ReadTx, audit_log, each_backend};

use crate::harness::*;

/// What somebody outside keeps.
struct Kept {
    key: VerifierKey,
    newest: Checkpoint,
}

async fn operator(app: &TestApp, database: &Database) -> Operator {
    Operator::open(database.url().clone(), app.clock.clone()).await.unwrap()
}

/// Everything is signed by this node; what somebody outside keeps of it.
async fn sign(app: &TestApp, sequencer: &mut Sequencer, database: &Database) -> Kept {
    let looked = sequencer.run(&app.app).await.unwrap();
    assert!(matches!(looked, Looked::Done { .. }), "{looked:?}");
    assert_eq!(app.app.store.read(audit_log::count_unnumbered).await.unwrap(), 0);
    let operator = operator(app, database).await;
    let trail = operator.audit_trail().await.unwrap();
    operator.close().await;
    let key = own_key(&trail).unwrap();
    let newest = Checkpoint::open(&trail.checkpoint.note, &key).unwrap();
    let size = i64::try_from(newest.size).unwrap();
    assert!(matches!(looked, Looked::Done { signed, .. } if signed == size), "{looked:?}");
    Kept { key, newest }
}

/// What `munjigi audit verify --vkey … --since …` finds: the size of a trail that holds.
async fn verify(
    app: &TestApp,
    database: &Database,
    key: &VerifierKey,
    since: &[Checkpoint],
) -> Result<u64, Finding> {
    let operator = operator(app, database).await;
    let holds = operator.verify_audit(key, since).await.unwrap();
    operator.close().await;
    holds.map(|holds| holds.checkpoint.size)
}

fn forked(found: &Result<u64, Finding>) -> bool {
    matches!(found, Err(Finding::Forked(_)))
}

/// The files of a database, copied with nothing running on it.
fn copy(from: &Path, to: &Path) {
    for end in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        drop(std::fs::remove_file(name(to)));
        drop(std::fs::copy(name(from), name(to)));
    }
}

/// A server on the database as it is, some time after the one before.
async fn start(database: &Database, later: u64) -> (TestApp, Sequencer) {
    let app = TestApp::start_with(database).await;
    app.advance(later);
    let sequencer = Sequencer::new(&app.app).unwrap();
    (app, sequencer)
}

async fn stop(app: TestApp) {
    app.app.keep_epoch().await.unwrap();
    app.app.store.clone().close().await;
}

#[tokio::test]
async fn a_trail_goes_on_from_the_backup_and_whoever_kept_more_sees_that_it_parted() {
    let database = Database::sqlite();
    let DatabaseUrl::SqliteFile(file) = database.url().clone() else { panic!("a file") };
    let backup = file.with_extension("backup");
    let (app, mut sequencer) = start(&database, 0).await;
    app.sign_in(MINJI).await;
    let in_backup = sign(&app, &mut sequencer, &database).await;
    stop(app).await;
    copy(&file, &backup);

    let (app, mut sequencer) = start(&database, 20).await;
    for _ in 0..6 {
        app.sign_in(JUN).await;
    }
    let lost = sign(&app, &mut sequencer, &database).await;
    assert!(lost.newest.size >= in_backup.newest.size + 6);
    let since = [in_backup.newest.clone(), lost.newest.clone()];
    assert_eq!(verify(&app, &database, &in_backup.key, &since).await, Ok(lost.newest.size));
    stop(app).await;
    copy(&backup, &file);

    // As long as there is less than was lost, a kept checkpoint tells of a rollback …
    let (app, mut sequencer) = start(&database, 40).await;
    let found = verify(&app, &database, &lost.key, std::slice::from_ref(&lost.newest)).await;
    assert!(forked(&found), "{found:?}");
    let after = sign(&app, &mut sequencer, &database).await;
    assert_eq!(after.key, in_backup.key);
    assert!(after.newest.size < lost.newest.size, "{} signed", after.newest.size);
    let found = verify(&app, &database, &lost.key, std::slice::from_ref(&lost.newest)).await;
    assert!(forked(&found), "{found:?}");

    // … and of a fork once there is as much and more, which holds by itself.
    while sign(&app, &mut sequencer, &database).await.newest.size <= lost.newest.size {
        app.sign_in(JUN).await;
        app.advance(2);
    }
    let found = verify(&app, &database, &lost.key, &[lost.newest]).await;
    assert!(forked(&found), "{found:?}");
    let since = [in_backup.newest.clone(), after.newest];
    let holds = verify(&app, &database, &in_backup.key, &since).await;
    assert!(holds.is_ok(), "{holds:?}");

    // The first event behind the backup says why.
    let first = i64::try_from(in_backup.newest.size).unwrap();
    let read = move |tx: &mut ReadTx<'_>| audit_log::leaves(tx, first, 1);
    let leaves = app.app.store.read(read).await.unwrap();
    assert!(leaves[0].0.entry.contains("epoch_began"), "{}", leaves[0].0.entry);
}

each_backend! {
    /// A node that ran all the while signs nothing on older rows until somebody vouches that they
    /// were restored; then it goes on from them, and what it signed before shows the fork.
    async fn a_running_node_goes_on_from_a_backup_when_the_restore_is_told(database) {
        let (app, mut sequencer) = start(&database, 0).await;
        app.sign_in(MINJI).await;
        let lost = sign(&app, &mut sequencer, &database).await;
        tamper(&app.app.store, Tampering::Restored, 0).await.unwrap();
        let behind = Refused("it has gone back behind what this node signed");
        assert_eq!(sequencer.run(&app.app).await.unwrap(), Looked::Refused(behind));

        let operator = operator(&app, &database).await;
        operator.begin_epoch(Said::Restored).await.unwrap().unwrap();
        operator.close().await;
        app.app.catch_up().await.unwrap();
        app.advance(20);
        let after = sign(&app, &mut sequencer, &database).await;
        assert!(after.newest.size > lost.newest.size);
        assert_eq!(verify(&app, &database, &after.key, &[]).await, Ok(after.newest.size));
        let found = verify(&app, &database, &lost.key, &[lost.newest]).await;
        assert!(forked(&found), "{found:?}");
    }
}
