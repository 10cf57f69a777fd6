//! The keys of the audit trail, one after the other: whoever has any of them can tell the trail
//! from another one, and nobody is let in between.

use std::sync::Arc;

use munjigi_audit::{Checkpoint, Directory, check_since, verify};
use munjigi_core::audit::Actor;
use munjigi_core::time::Span;
use munjigi_server::operate::Operator;
use munjigi_server::sequencer::{Looked, Sequencer};
use munjigi_server::{Config, EncryptionKey};
use munjigi_store::audit_log::StoredKey;
use munjigi_store::{Audit, Committed, StoreError, audit_log, each_backend};
use tempfile::TempDir;

use crate::harness::{MINJI, TestApp, config};

/// Something happens, and is signed; then the key is rotated, if somebody asked for it.
async fn happen(app: &TestApp, sequencer: &mut Sequencer) -> i64 {
    app.sign_in(MINJI).await;
    for _ in 0..2 {
        app.advance(1);
        sequencer.run(&app.app).await.unwrap();
    }
    app.advance(1);
    match sequencer.run(&app.app).await.unwrap() {
        Looked::Done { signed, .. } => signed,
        other => panic!("{other:?}"),
    }
}

each_backend! {
    async fn a_trail_goes_on_with_another_key_that_the_one_before_introduced(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        assert!(!operator.rotate_audit_key().await.unwrap(), "there is no trail yet");
        happen(&app, &mut sequencer).await;
        let first = sequencer.verifier();
        let kept = operator.audit_trail().await.unwrap().checkpoint.note;
        let kept = Checkpoint::open(&kept, &first).unwrap();
        let mut all = vec![first.clone()];
        for _ in 0..2 {
            assert!(operator.rotate_audit_key().await.unwrap());
            assert!(!operator.rotate_audit_key().await.unwrap(), "it is asked for already");
            happen(&app, &mut sequencer).await;
            all.push(sequencer.verifier());
        }
        assert!(all[0] != all[1] && all[1] != all[2]);
        assert!(all.iter().all(|key| key.name() == first.name()));
        let size = happen(&app, &mut sequencer).await;

        // Another node goes on with the key that signs by now.
        let other = TestApp::start_with(&database).await;
        other.advance(600);
        let mut second = Sequencer::new(&other.app).unwrap();
        assert!(happen(&other, &mut second).await > size);
        assert_eq!(second.verifier(), all[2]);

        let directory = TempDir::new().unwrap();
        let export = Directory::new(directory.path());
        operator.export_audit(&export).await.unwrap();
        for key in &all {
            let holds = verify(&export, key).unwrap();
            assert_eq!(*holds.keys.last(), all[2]);
            operator.verify_audit(key, &[]).await.unwrap().unwrap();
        }
        let holds = verify(&export, &first).unwrap();
        assert_eq!(check_since(&export, &holds, &kept), Ok(()));
        // Without its introductions the trail is signed by a stranger.
        std::fs::remove_file(directory.path().join("keys.ndjson")).unwrap();
        assert_eq!(verify(&export, &first).unwrap_err().exit_code(), 1);
        assert!(verify(&export, &all[2]).is_ok());
        operator.close().await;
    }

    /// One follows the other, also where the node that introduces it is an hour behind.
    async fn keys_stand_in_their_order_whatever_the_clocks_of_nodes_say(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        happen(&app, &mut sequencer).await;
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        operator.rotate_audit_key().await.unwrap();
        happen(&app, &mut sequencer).await;
        let one = sequencer.verifier().to_string();
        assert!(operator.rotate_audit_key().await.unwrap());
        operator.close().await;

        let created_at = app.clock.now().minus(Span::from_hours(1));
        let (vkey, note) = ("another".to_owned(), "a note".to_owned());
        let key = StoredKey { vkey, sealed: vec![1], note, created_at };
        let introduced = app.app.store.write(move |tx| {
            let log = audit_log::find(tx)?.unwrap();
            let introduced = audit_log::introduce(tx, &log, &key)?;
            Ok::<_, StoreError>(Committed::new(introduced, Audit::Routine("a test")))
        });
        assert!(introduced.await.unwrap());
        let keys = app.app.store.read(audit_log::keys).await.unwrap();
        assert_eq!(keys.iter().map(|it| &*it.vkey).collect::<Vec<_>>(), [&*one, "another"]);
    }

    async fn the_key_is_among_what_another_key_encryption_key_seals(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        happen(&app, &mut sequencer).await;
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        operator.rotate_audit_key().await.unwrap();
        happen(&app, &mut sequencer).await;
        let key = sequencer.verifier();
        operator.close().await;

        let new = || EncryptionKey::from_bytes(&[9; 32]).unwrap();
        let old = EncryptionKey::from_bytes(&[7; 32]).unwrap();
        let with = |key| Config { encryption_key: Arc::new(key), ..config(database.url().clone()) };
        let both = TestApp::start_from(with(new().with_previous(old))).await;
        let rows = both.app.store.read(audit_log::keys).await.unwrap();
        both.app.reseal(Actor::Operator).await.unwrap();
        let anew = both.app.store.read(audit_log::keys).await.unwrap();
        assert!(rows.len() == 1 && rows[0].sealed != anew[0].sealed);
        let alone = TestApp::start_from(with(new())).await;
        alone.advance(600);
        let mut later = Sequencer::new(&alone.app).unwrap();
        happen(&alone, &mut later).await;
        assert_eq!(later.verifier(), key);
    }
}
