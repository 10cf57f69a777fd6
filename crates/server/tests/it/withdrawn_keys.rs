//! Keys that were withdrawn, and what memory and rows say of them when they do not agree: after a
//! restore under running nodes, the rows are those of before and the memory is not.

use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::Span;
use munjigi_verify::RevocationKind;
use serde_json::json;

use crate::harness::*;

const ME: &str = "/api/v1/users/me";

/// As on a node that was told that a key was withdrawn, and whose rows are then those of before.
pub fn remember_the_end_of(app: &TestApp, kid: &str) -> Revocation {
    let told = Revocation::of_withdrawn_key(kid, app.clock.now(), Span::from_minutes(10));
    for verifier in [&app.app.verifier, &app.app.introspector] {
        let (kind, until) = (RevocationKind::Key, told.until.as_millis());
        verifier.revocations().announce(kind, &told.key, told.not_before, until);
    }
    told
}

/// A key that was withdrawn, and that a backup brings back, while nodes run that remember: it signs
/// nothing, what the others sign is of today, and it is withdrawn again.
#[tokio::test]
async fn a_withdrawn_key_that_a_backup_brings_back_signs_nothing_and_is_withdrawn_again() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let kid = async |algorithm: &str| {
        let keys = app.app.store.read(munjigi_store::keys::all).await.unwrap();
        let alive = keys.into_iter().filter(|it| it.algorithm == algorithm);
        let mut alive = alive.filter(|it| it.destroyed_at.is_none()).collect::<Vec<_>>();
        alive.pop().unwrap().kid
    };
    let forget = ["RS256", "ES256"];
    for algorithm in forget {
        let withdrawn = kid(algorithm).await;
        let told = remember_the_end_of(&app, &withdrawn);
        app.app.reload().await.unwrap();
        app.advance(10);
        let body = json!({"email": MINJI.0, "password": MINJI.1});
        let answer = app.post("/api/v1/users/signin", body).await;
        match algorithm {
            "RS256" => answer.expect(200),
            // There is no other one to sign with.
            _ => answer.expect(503),
        };

        app.app.catch_up().await.unwrap();
        assert_ne!(kid(algorithm).await, withdrawn, "another one has followed");
        let again = app.sign_in(MINJI).await;
        let iat = claims(&again.access)["iat"].as_i64().unwrap();
        assert!((iat - app.clock.now().as_seconds()).abs() <= 2, "{algorithm}: iat {iat}");
        app.read_as(ME, &again.access).await.expect(200);
        let read =
            |tx: &mut munjigi_store::ReadTx<'_>| munjigi_store::revocations::since(tx, 0, 100);
        let feed = app.app.store.read(read).await.unwrap();
        let announced = feed.iter().find(|it| it.key == withdrawn).expect("in the feed");
        assert_eq!(announced.not_before, told.not_before);
    }
}

/// Whatever memory and rows say: no token is given an `iat` that has not come.
#[tokio::test]
async fn no_token_is_of_a_time_that_has_not_come() {
    let app = TestApp::start().await;
    let subject = claims(&app.sign_in(MINJI).await.access)["sub"].as_str().unwrap().to_owned();
    let now = app.clock.now();
    let until = now.plus(Span::from_minutes(10)).as_millis();
    for verifier in [&app.app.verifier, &app.app.introspector] {
        let (kind, before) = (RevocationKind::User, now.as_seconds() + 60);
        verifier.revocations().announce(kind, &subject, before, until);
    }
    let body = json!({"email": MINJI.0, "password": MINJI.1});
    app.post("/api/v1/users/signin", body.clone()).await.expect(503);
    app.sign_in(JUN).await;
    app.advance(59);
    app.post("/api/v1/users/signin", body).await.expect(200);
}
