//! The audit trail over HTTP (C2SP tlog-tiles): what a verifier elsewhere reads is what was signed,
//! and nobody reads it who may not.

use std::io;

use http::Method;
use munjigi_audit::{Finding, Leaf, Log, VerifierKey, news, verify};
use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::EventId;
use munjigi_server::sequencer::Sequencer;
use munjigi_store::testing::{Tampering, tamper};
use munjigi_store::{Audit, Committed, StoreError};

use crate::harness::{Answer, MINJI, TestApp};

const LOG: &str = "/api/v1/audit";

/// Every file that a verifier asked for, as the server gave it.
struct Fetched(std::collections::BTreeMap<String, Vec<u8>>);

impl Log for Fetched {
    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

struct Trail {
    app: TestApp,
    admin: String,
    person: String,
    sequencer: Sequencer,
    /// How many events were written by hand.
    made: i64,
}

impl Trail {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let (admin, person) = (app.admin().await, app.sign_in(MINJI).await.access);
        let sequencer = Sequencer::new(&app.app).unwrap();
        Self { app, admin, person, sequencer, made: 0 }
    }

    /// So many events, and a signature.
    async fn grow(&mut self, events: i64) {
        let now = self.app.app.clock.now();
        let events = (self.made..self.made + events).map(|number| {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&number.to_be_bytes());
            let (actor, address, request_id) = (Actor::Anonymous, None, None);
            let origin = Origin { at: now, actor, address, request_id };
            let event = Event::new(EventId::from_parts(now, random), Kind::AccessRefused, origin);
            event.with("asked", "canary")
        });
        let events: Vec<_> = events.collect();
        self.made += events.len() as i64;
        let write = move |_: &mut munjigi_store::Tx<'_>| {
            Ok::<_, StoreError>(Committed::new((), Audit::Records(events.clone())))
        };
        if self.made > 0 {
            self.app.app.store.write(write).await.unwrap();
        }
        // After 256 the rest is signed a second later.
        for _ in 0..2 {
            self.app.advance(1);
            self.sequencer.run(&self.app.app).await.unwrap();
        }
    }

    fn key(&self) -> VerifierKey {
        self.sequencer.verifier()
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.read_as(&format!("{LOG}/{path}"), &self.admin).await
    }

    /// The log as it is given out.
    async fn fetched(&self) -> Fetched {
        let mut files = std::collections::BTreeMap::new();
        let note = self.get("checkpoint").await.expect(200).bytes;
        let size = String::from_utf8(note.clone()).unwrap();
        let size: u64 = size.lines().nth(1).unwrap().parse().unwrap();
        files.insert("checkpoint".to_owned(), note);
        for tile in munjigi_audit::tiles_of(size) {
            files.insert(tile.path(), self.get(&tile.path()).await.expect(200).bytes);
        }
        Fetched(files)
    }
}

#[tokio::test]
async fn what_is_read_over_http_verifies_and_goes_on_from_what_was_read_before() {
    let mut trail = Trail::start().await;
    trail.get("checkpoint").await.expect(404);
    trail.get("tile/0/000.p/1").await.expect(404);
    trail.grow(5).await;
    let first = trail.fetched().await;
    let verified = verify(&first, &trail.key()).unwrap();
    let old = first.checkpoint().unwrap();
    trail.grow(300).await;
    let second = trail.fetched().await;
    assert_eq!(
        verify(&second, &trail.key()).unwrap().checkpoint.size,
        verified.checkpoint.size + 300
    );
    let news = news(&second, &trail.key(), &old).unwrap();
    assert_eq!((news.entries.0, news.entries.1.len()), (verified.checkpoint.size, 300));
    let leaf = Leaf::parse(&news.entries.1[299]).unwrap();
    assert_eq!(leaf.kind, Kind::AccessRefused.as_str());
    // What could be erased is not given out, nor is what nobody signed yet.
    let entries = trail.get("tile/entries/000").await.expect(200);
    let shown = String::from_utf8_lossy(&entries.bytes).into_owned();
    assert!(!shown.contains("canary") && shown.contains("\"pii\""), "{shown}");
    trail.get("personal.ndjson").await.expect(404);
}

#[tokio::test]
async fn a_tile_is_kept_for_ever_and_the_checkpoint_never() {
    let mut trail = Trail::start().await;
    trail.grow(300).await;
    for path in ["tile/0/000", "tile/entries/000", "tile/0/001.p/3", "tile/0/000.p/200"] {
        let answer = trail.get(path).await.expect(200);
        let kept = answer.header("cache-control");
        assert_eq!(kept, Some("private, max-age=31536000, immutable"), "{path}");
    }
    assert_eq!(trail.get("tile/0/000").await.bytes.len(), 256 * 32);
    let part = trail.get("tile/0/000.p/200").await.bytes;
    assert_eq!(part, trail.get("tile/0/000").await.bytes[..200 * 32]);
    assert_eq!(trail.get("checkpoint").await.header("cache-control"), Some("no-store"));
    for path in [
        "tile/0/001",
        "tile/entries/001",
        "tile/0/001.p/255",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/x000/000",
        "tile/data/000",
        "tile/9999999999/000",
        "tile/63/000.p/1",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
    ] {
        trail.get(path).await.expect(404);
    }
}

#[tokio::test]
async fn what_was_changed_after_it_was_read_is_a_fork() {
    let mut trail = Trail::start().await;
    trail.grow(20).await;
    let kept = trail.get("checkpoint").await.expect(200);
    let kept = String::from_utf8(kept.bytes).unwrap();
    // Whoever has the database and the key begins anew, without one of the events.
    tamper(&trail.app.app.store, Tampering::EventDeleted, 3).await.unwrap();
    tamper(&trail.app.app.store, Tampering::Restored, 0).await.unwrap();
    trail.sequencer = Sequencer::new(&trail.app.app).unwrap();
    trail.grow(0).await;
    let shorter = news(&trail.fetched().await, &trail.key(), &kept).unwrap_err();
    assert_eq!(shorter.exit_code(), 3, "{shorter}");
    trail.grow(20).await;
    let other = news(&trail.fetched().await, &trail.key(), &kept).unwrap_err();
    assert!(matches!(other, Finding::Forked(_)), "{other}");
}

#[tokio::test]
async fn the_trail_is_for_whoever_may_see_what_happened() {
    let mut trail = Trail::start().await;
    trail.grow(3).await;
    let scope = "admin audit:read";
    let secret = trail.app.make_client(&trail.admin, "watch", scope).await;
    let token = trail.app.own_token(("watch", &secret), Some(scope)).await.text("/access_token");
    let person = trail.person.clone();
    for path in ["checkpoint", "tile/entries/000.p/1"] {
        let path = format!("{LOG}/{path}");
        trail.app.read_as(&path, &token).await.expect(200);
        trail.app.read_as(&path, &person).await.expect(403);
        trail.app.get(&path).await.expect(401);
        trail.app.act_as(Method::POST, &path, &token).await.expect(405);
    }
}
