//! The audit trail as a tree: every event gets one place, one node at a time gives it, and nothing
//! is signed that does not go on from what was signed before.

use munjigi_audit::{Checkpoint, Directory, Finding, VerifierKey};
use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::{EventId, UserId};
use munjigi_core::time::Timestamp;
use munjigi_server::audit_keeping;
use munjigi_server::operate::Operator;
use munjigi_server::operate::audit::own_key;
use munjigi_server::sequencer::{Looked, Refused, Sequencer};
use munjigi_server::{App, Clock};
use munjigi_store::testing::{Database, Tampering, tamper};
use munjigi_store::{Audit, Committed, StoreError, audit_log, each_backend};
use tempfile::TempDir;

use crate::harness::*;

/// Writes events, each of a moment of its own from `first` on.
async fn happen(app: &TestApp, first: i64, count: i64) {
    let events = (first..first + count).map(|number| {
        let at = Timestamp::from_millis(BEGINNING * 1_000 + number);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&number.to_be_bytes());
        let address = Some("203.0.113.9".parse().unwrap());
        let origin = Origin { at, actor: Actor::Anonymous, address, request_id: None };
        let event = Event::new(EventId::from_parts(at, random), Kind::SignInRefused, origin);
        event.with("number", number)
    });
    let events: Vec<Event> = events.collect();
    let written = app
        .app
        .store
        .write(move |_| Ok::<_, StoreError>(Committed::new((), Audit::Records(events.clone()))));
    written.await.unwrap();
}

async fn operator(app: &TestApp, database: &Database) -> (Operator, VerifierKey) {
    let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
    let key = own_key(&operator.audit_trail().await.unwrap()).unwrap();
    (operator, key)
}

async fn verdict(app: &TestApp, database: &Database) -> Result<u64, Finding> {
    let (operator, key) = operator(app, database).await;
    let holds = operator.verify_audit(&key, &[]).await.unwrap();
    operator.close().await;
    holds.map(|holds| holds.checkpoint.size)
}

fn signed(looked: Looked) -> i64 {
    match looked {
        Looked::Done { signed, .. } => signed,
        other => panic!("{other:?}"),
    }
}

async fn waiting(app: &TestApp) -> i64 {
    app.app.store.read(audit_log::count_unnumbered).await.unwrap()
}

each_backend! {
    async fn every_event_gets_a_place_and_the_trail_holds_without_the_server(database) {
        let app = TestApp::start_with(&database).await;
        let somebody = app.sign_up("new@example.com", "seven bridges at night").await;
        app.sign_in(MINJI).await;
        app.post("/api/v1/users/login", serde_json::json!({})).await;
        let before = waiting(&app).await;
        assert!(before > 2);
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let looked = sequencer.run(&app.app).await.unwrap();
        assert_eq!(looked, Looked::Done { numbered: before as usize, signed: before });
        assert_eq!(waiting(&app).await, 0);
        assert_eq!(verdict(&app, &database).await, Ok(before as u64));

        let (operator, key) = operator(&app, &database).await;
        assert_eq!(key, sequencer.verifier());
        assert_eq!(key.name(), "localhost:8000/audit");
        let directory = TempDir::new().unwrap();
        let export = Directory::new(directory.path());
        operator.export_audit(&export).await.unwrap();
        let verified = munjigi_audit::verify(&export, &key).unwrap();
        assert_eq!((verified.checkpoint.size, verified.personal), (before as u64, before as u64));

        // A proof needs neither the server nor the export.
        let page = munjigi_store::page::Page::first(200);
        let listed = operator.list_events(page, Default::default()).await.unwrap();
        for event in listed.items {
            let proof = operator.prove_event(event.id).await.unwrap();
            assert_eq!(proof.check(&key).map(|checkpoint| checkpoint.size), Ok(before as u64));
            assert!(String::from_utf8(proof.entry).unwrap().contains(&event.id.to_string()));
        }

        // What tells about somebody is erased, and the trail holds; the erasure is an event, too.
        let erased = operator.erase_from_audit(somebody.parse().unwrap()).await.unwrap();
        assert!(erased > 0);
        let nobody = UserId::from_random([0; 16]);
        assert_eq!(operator.erase_from_audit(nobody).await.unwrap(), 0);
        operator.export_audit(&export).await.unwrap();
        let verified = munjigi_audit::verify(&export, &key).unwrap();
        assert_eq!(verified.personal, before as u64 - erased);
        app.advance(1);
        assert_eq!(signed(sequencer.run(&app.app).await.unwrap()), before + 1);
        assert_eq!(operator.verify_audit(&key, &[]).await.unwrap().unwrap().erased, erased);
        assert!(app.trail(&somebody).await.contains(&"personal_data_erased".to_owned()));
        operator.close().await;
    }

    async fn an_event_that_was_committed_late_gets_its_place_all_the_same(database) {
        let app = TestApp::start_with(&database).await;
        happen(&app, 1_000, 3).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let first = signed(sequencer.run(&app.app).await.unwrap());
        // Older by its id than everything that has a place.
        happen(&app, -5_000, 2).await;
        app.advance(1);
        assert_eq!(signed(sequencer.run(&app.app).await.unwrap()), first + 2);
        assert_eq!(verdict(&app, &database).await, Ok(first as u64 + 2));
    }

    async fn a_checkpoint_is_signed_for_every_256_events_or_after_a_second(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let first = signed(sequencer.run(&app.app).await.unwrap());
        happen(&app, 0, 600).await;
        let looked = sequencer.run(&app.app).await.unwrap();
        assert_eq!(looked, Looked::Done { numbered: 600, signed: first + 512 });
        app.advance(1);
        let looked = sequencer.run(&app.app).await.unwrap();
        assert_eq!(looked, Looked::Done { numbered: 0, signed: first + 600 });
        assert_eq!(verdict(&app, &database).await, Ok(first as u64 + 600));
    }

    async fn a_node_that_falls_silent_is_followed_by_another(database) {
        let app = TestApp::start_with(&database).await;
        let mut one = Sequencer::new(&app.app).unwrap();
        let mut two = Sequencer::new(&app.app).unwrap();
        let first = signed(one.run(&app.app).await.unwrap());
        happen(&app, 0, 300).await;
        assert_eq!(two.run(&app.app).await.unwrap(), Looked::Elsewhere);
        app.advance(11);
        // It takes over and computes the tree from what was signed.
        assert_eq!(signed(two.run(&app.app).await.unwrap()), first + 256);
        app.advance(1);
        assert_eq!(signed(two.run(&app.app).await.unwrap()), first + 300);
        happen(&app, 1_000, 300).await;
        assert_eq!(one.run(&app.app).await.unwrap(), Looked::Elsewhere);
        app.advance(11);
        one.run(&app.app).await.unwrap();
        app.advance(1);
        assert_eq!(signed(one.run(&app.app).await.unwrap()), first + 600);
        assert_eq!(verdict(&app, &database).await, Ok(first as u64 + 600));
    }

    /// A node whose clock was ahead by a day holds the tree until tomorrow, and dies. Nobody waits
    /// for tomorrow: that it does nothing is seen by one's own clock.
    async fn a_lease_of_a_node_whose_clock_was_ahead_is_not_waited_for(database) {
        let app = TestApp::start_with(&database).await;
        let ahead = Clock::stopped_at(BEGINNING + 86_400);
        let other = App::start(config(database.url().clone()), ahead).await.unwrap();
        let first = signed(Sequencer::new(&other).unwrap().run(&other).await.unwrap());
        let mut one = Sequencer::new(&app.app).unwrap();
        assert_eq!(one.run(&app.app).await.unwrap(), Looked::Elsewhere);

        happen(&app, 0, 300).await;
        for _ in 0..10 {
            assert_eq!(one.run(&app.app).await.unwrap(), Looked::Elsewhere);
            app.advance(1);
        }
        assert_eq!(signed(one.run(&app.app).await.unwrap()), first + 256);
        app.advance(86_400);
        assert_eq!(signed(one.run(&app.app).await.unwrap()), first + 300);
        assert_eq!(verdict(&app, &database).await, Ok(first as u64 + 300));
    }

    /// Hand-over while others write: places are given once, without a gap.
    async fn nodes_that_quarrel_write_one_tree(database) {
        let app = TestApp::start_with(&database).await;
        let nodes = (0..3).map(|node| {
            let app = app.clone();
            tokio::spawn(async move {
                let mut sequencer = Sequencer::new(&app.app).unwrap();
                for round in 0..12 {
                    happen(&app, node * 100_000 + round * 100, 7).await;
                    app.advance(11);
                    match sequencer.run(&app.app).await {
                        Ok(Looked::Refused(refused)) => panic!("{refused}"),
                        Ok(Looked::Elsewhere | Looked::Done { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let nodes: Vec<_> = nodes.collect();
        for node in nodes {
            node.await.unwrap();
        }
        app.advance(11);
        happen(&app, -1, 1).await;
        let total = signed(Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap());
        assert_eq!(waiting(&app).await, 0);
        assert!(total >= 3 * 12 * 7);
        assert_eq!(verdict(&app, &database).await, Ok(total as u64));
    }

    /// AU-01, on the tables.
    async fn au_01_whatever_is_done_to_the_tables_is_found(database) {
        let app = TestApp::start_with(&database).await;
        happen(&app, 0, 300).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        sequencer.run(&app.app).await.unwrap();
        app.advance(1);
        let size = signed(sequencer.run(&app.app).await.unwrap());
        let (operator, key) = operator(&app, &database).await;
        let note = operator.audit_trail().await.unwrap().checkpoint.note;
        let kept = [Checkpoint::open(&note, &key).unwrap()];
        assert_eq!(operator.verify_audit(&key, &kept).await.unwrap().err(), None);
        // Each is found before what was done to a later place.
        let done = [
            (Tampering::EventChanged, 260, Some(260)),
            (Tampering::LeafChanged, 261, Some(261)),
            (Tampering::LeavesSwapped, 262, Some(262)),
            (Tampering::TileChanged, 263, Some(263)),
            (Tampering::TileDeleted, 290, Some(256)),
            (Tampering::EventDeleted, 250, Some(250)),
            (Tampering::LeafDeleted, 200, Some(200)),
            (Tampering::RolledBack, 0, None),
        ];
        for (what, place, found_at) in done {
            assert!(tamper(&app.app.store, what, place).await.unwrap() > 0, "{what:?}");
            let finding = operator.verify_audit(&key, &kept).await.unwrap().unwrap_err();
            match &finding {
                Finding::Tampered(at, _) | Finding::Incomplete(at, _) => {
                    assert_eq!(*at, found_at, "{what:?}: {finding}");
                }
                Finding::Forked(_) => assert_eq!(what, Tampering::RolledBack),
                Finding::Unreadable(why) => panic!("{what:?}: {why}"),
            }
            // The first four undo themselves.
            if (260..290).contains(&place) {
                tamper(&app.app.store, what, place).await.unwrap();
            }
        }
        assert!(size > 300);
        operator.close().await;
    }
}

each_backend! {
    async fn events_are_forgotten_by_the_setting_and_the_trail_holds(database) {
        let app = TestApp::start_with(&database).await;
        happen(&app, 0, 600).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        sequencer.run(&app.app).await.unwrap();
        app.advance(40 * 86_400);
        app.set("audit_retention", "30d").await;
        // What is not signed yet is kept.
        happen(&app, 1_000, 1).await;
        let before = signed(sequencer.run(&app.app).await.unwrap());
        happen(&app, 2_000, 1).await;
        let forgotten = audit_keeping::forget(&app.app).await.unwrap();
        assert_eq!(forgotten, before as u64);
        assert_eq!(waiting(&app).await, 1);
        assert_eq!(audit_keeping::forget(&app.app).await.unwrap(), 0);
        app.advance(1);
        let after = signed(sequencer.run(&app.app).await.unwrap());
        assert_eq!(verdict(&app, &database).await, Ok(after as u64));
        let (operator, key) = operator(&app, &database).await;
        let erased = operator.verify_audit(&key, &[]).await.unwrap().unwrap().erased;
        assert_eq!(erased, forgotten);
        operator.close().await;
    }
}

each_backend! {
    /// Without a salt nothing holds what is personal to its leaf, so nothing of it may be there;
    /// and only the oldest events are ever forgotten.
    async fn what_was_erased_is_neither_forged_nor_a_way_to_lose_events(database) {
        let app = TestApp::start_with(&database).await;
        happen(&app, 1_000, 30).await;
        let size = signed(Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap());
        assert_eq!(verdict(&app, &database).await, Ok(size as u64));
        let place = size - 10;
        tamper(&app.app.store, Tampering::EventForgotten, place).await.unwrap();
        let missing = Finding::incomplete(Some(place as u64), "the event is missing");
        assert_eq!(verdict(&app, &database).await, Err(missing));
        tamper(&app.app.store, Tampering::ErasedForged, place - 1).await.unwrap();
        let what = "the event is not what its leaf was made of";
        let forged = Finding::tampered(Some(place as u64 - 1), what);
        assert_eq!(verdict(&app, &database).await, Err(forged));
    }
}

each_backend! {
    /// It has no leaf, so who looks at the leaves only does not see it.
    async fn an_event_that_was_put_in_is_found(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let size = signed(sequencer.run(&app.app).await.unwrap());
        assert_eq!(verdict(&app, &database).await, Ok(size as u64));
        // Waiting for a place is nothing wrong.
        happen(&app, 1_000, 3).await;
        assert_eq!(verdict(&app, &database).await, Ok(size as u64));
        assert_eq!(tamper(&app.app.store, Tampering::EventInserted, 0).await.unwrap(), 1);
        let finding = verdict(&app, &database).await.unwrap_err();
        assert!(matches!(finding, Finding::Tampered(Some(0), _)), "{finding}");
    }
}

each_backend! {
    /// A leaf of what was there before would keep its salt, and not fit the event.
    async fn what_was_read_before_an_erasure_gets_no_place(database) {
        let app = TestApp::start_with(&database).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        sequencer.run(&app.app).await.unwrap();
        let somebody = app.sign_up("new@example.com", "seven bridges at night").await;
        let read = app.app.store.read(|tx| {
            let (log, events) = (audit_log::find(tx)?.unwrap(), audit_log::unnumbered(tx, 256)?);
            Ok::<_, StoreError>((log, events))
        });
        let (from, events) = read.await.unwrap();
        assert!(events.iter().any(|event| event.address.is_some() || !event.detail.is_empty()));
        let (operator, _) = operator(&app, &database).await;
        assert!(operator.erase_from_audit(somebody.parse().unwrap()).await.unwrap() > 0);
        operator.close().await;

        let leaves = events.iter().zip(from.size..).map(|(event, seq)| audit_log::StoredLeaf {
            seq,
            event_id: event.id,
            entry: munjigi_server::audit_leaf::leaf(event, &[7; 32]).to_entry(),
            salt: Some([7; 32]),
        });
        let leaves = leaves.collect();
        let held_until = from.held_until;
        let growth = audit_log::Growth { from, leaves, tiles: vec![], root: [7; 32], held_until };
        let grown = app.app.store.write(move |tx| {
            let grown = audit_log::grow(tx, &growth)?;
            Ok::<_, StoreError>(Committed::new(grown, Audit::Routine("a test grows the tree")))
        });
        assert!(!grown.await.unwrap(), "it reads them again");
        app.advance(1);
        let size = signed(sequencer.run(&app.app).await.unwrap());
        assert_eq!(waiting(&app).await, 0);
        assert_eq!(verdict(&app, &database).await, Ok(size as u64));
    }
}

each_backend! {
    /// C2SP tlog-checkpoint: what a node signed it goes by, whatever a restored database says.
    async fn a_node_signs_nothing_on_a_database_that_was_restored(database) {
        let app = TestApp::start_with(&database).await;
        let mut one = Sequencer::new(&app.app).unwrap();
        let size = signed(one.run(&app.app).await.unwrap());
        tamper(&app.app.store, Tampering::Restored, 0).await.unwrap();
        let looked = one.run(&app.app).await.unwrap();
        let behind = Refused("it has gone back behind what this node signed");
        assert_eq!(looked, Looked::Refused(behind));
        assert_eq!(waiting(&app).await, size);

        // Another node, which has signed nothing yet, signs as much of other leaves.
        app.advance(11);
        let mut two = Sequencer::new(&app.app).unwrap();
        assert_eq!(signed(two.run(&app.app).await.unwrap()), size);
        happen(&app, 1_000, 1).await;
        app.advance(11);
        let other = Refused("its checkpoint is not the one that this node signed");
        assert_eq!(one.run(&app.app).await.unwrap(), Looked::Refused(other));
        assert_eq!(waiting(&app).await, 1);
    }
}

/// C2SP tlog-checkpoint: a log must not sign what is inconsistent with what it signed.
#[tokio::test]
async fn nothing_is_signed_on_a_tree_that_was_changed() {
    for what in [Tampering::TileChanged, Tampering::TileDeleted, Tampering::RolledBack] {
        let database = Database::sqlite();
        let app = TestApp::start_with(&database).await;
        happen(&app, 0, 30).await;
        let mut sequencer = Sequencer::new(&app.app).unwrap();
        let size = signed(sequencer.run(&app.app).await.unwrap());
        tamper(&app.app.store, what, 7).await.unwrap();
        happen(&app, 1_000, 1).await;
        app.advance(11);
        let mut other = Sequencer::new(&app.app).unwrap();
        let looked = other.run(&app.app).await.unwrap();
        assert!(matches!(looked, Looked::Refused(Refused(_))), "{what:?} {looked:?}");
        let log = app.app.store.read(audit_log::find).await.unwrap().unwrap();
        assert_eq!((log.signed_size, log.size), (size, size));
        // People sign in all the same.
        app.sign_in(MINJI).await;
    }
}

/// The name of a trail is that of its beginning: what was kept of it stays good when the issuer is
/// called otherwise, or `munjigi dev` listens elsewhere.
#[tokio::test]
async fn a_trail_keeps_its_name_when_the_issuer_moves() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    let mut sequencer = Sequencer::new(&app.app).unwrap();
    let before = signed(sequencer.run(&app.app).await.unwrap());
    let elsewhere = munjigi_server::Config {
        issuer: "http://localhost:9000".to_owned(),
        ..config(database.url().clone())
    };
    let moved = TestApp::start_from(elsewhere).await;
    happen(&moved, 0, 1).await;
    moved.advance(60);
    let mut other = Sequencer::new(&moved.app).unwrap();
    assert_ne!(other.verifier(), sequencer.verifier());
    assert!(signed(other.run(&moved.app).await.unwrap()) > before);
    assert_eq!(other.verifier(), sequencer.verifier());
    assert!(verdict(&moved, &database).await.is_ok());
}

#[tokio::test]
async fn a_trail_that_another_key_began_is_not_gone_on_with() {
    let app = TestApp::start().await;
    let stranger = munjigi_audit::Signer::from_seed("localhost:8000/audit", &[1; 32]).unwrap();
    let long_ago = Timestamp::from_millis(0);
    let log = audit_log::Log {
        vkey: stranger.verifier().to_string(),
        size: 0,
        root: munjigi_audit::empty_root(),
        signed_size: 0,
        signed_at: long_ago,
        term: 1,
        holder: [1; 16],
        held_until: long_ago,
        rotation_asked_at: None,
    };
    let written = app.app.store.write(move |tx| {
        let begun = audit_log::begin(tx, &log)?;
        Ok::<_, StoreError>(Committed::new(begun, Audit::Routine("a test begins a trail")))
    });
    assert!(written.await.unwrap());
    happen(&app, 0, 1).await;
    let looked = Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap();
    assert_eq!(looked, Looked::Refused(Refused("it was begun by another key")));
    assert!(waiting(&app).await > 0);
}
