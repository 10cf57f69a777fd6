//! How signing keys come and go: by themselves, withdrawn, sealed anew; and when each last signed.

use http::Method;
use munjigi_core::audit::{Actor, Kind};
use munjigi_server::keys::State;
use munjigi_server::{App, Config, EncryptionKey, Failure, Resealed, Rotation, Withdrawn, jobs};
use munjigi_store::each_backend;
use munjigi_store::keys::{self, Purpose, StoredKey};
use munjigi_store::testing::Database;
use munjigi_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::harness::{Answer, JUN, MINJI, TestApp, claims, config};

const KEYS: &str = "/api/v1/admin/keys";
const ME: &str = "/api/v1/users/me";
const DAY: u64 = 24 * 3_600;

async fn stored(app: &App) -> Vec<StoredKey> {
    app.store.read(keys::all).await.unwrap()
}

/// The signing keys of an algorithm, the oldest first.
async fn line(app: &TestApp) -> Vec<StoredKey> {
    let mut all = stored(&app.app).await;
    all.retain(|key| key.purpose == Purpose::Sign && key.algorithm == "ES256");
    all
}

async fn states(app: &TestApp) -> Vec<State> {
    let line = line(app).await;
    line.iter().map(|key| State::of(key, &line, app.clock.now())).collect()
}

async fn published(app: &TestApp) -> Vec<String> {
    let keys = app.get("/.well-known/jwks.json").await.expect(200).json();
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn signer(token: &str) -> String {
    let header = munjigi_token::base64url::decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn rotate(app: &TestApp, rotation: Rotation) -> String {
    let event = app.app.system_event(Kind::KeyCreated).unwrap();
    app.app.rotate_key(Algorithm::Es256, rotation, event).await.unwrap().kid
}

/// How often something of this kind stands in the trail.
pub async fn told(app: &TestApp, kind: Kind) -> usize {
    use munjigi_store::audit::{self, AuditFilter};
    let page = munjigi_store::page::Page::first(200);
    let listed = app.app.store.read(move |tx| audit::list(tx, &page, &AuditFilter::default()));
    listed.await.unwrap().items.iter().filter(|event| event.kind == kind.as_str()).count()
}

/// Another node on the same database, with the same clock.
async fn another_node(app: &TestApp, database: &Database) -> App {
    App::start(config(database.url().clone()), app.clock.clone()).await.unwrap()
}

each_backend! {
    async fn of_two_nodes_that_make_the_next_key_at_once_one_makes_it(database) {
        let app = TestApp::start_with(&database).await;
        let other = another_node(&app, &database).await;
        for round in 1..=5 {
            let before = told(&app, Kind::KeyCreated).await;
            app.advance(90 * DAY - DAY);
            app.app.catch_up().await.unwrap();
            let both = tokio::join!(app.app.rotate_due_keys(), other.rotate_due_keys());
            both.0.unwrap();
            both.1.unwrap();
            let waiting = states(&app).await.iter().filter(|it| **it == State::Pending).count();
            assert_eq!(waiting, 1, "round {round}");
            assert_eq!(told(&app, Kind::KeyCreated).await, before + 1, "and one says so");
            app.advance(DAY);
            app.app.catch_up().await.unwrap();
            other.catch_up().await.unwrap();
            jobs::run(&app.app).await.unwrap();
        }
        assert_eq!(line(&app).await.len(), 6);
    }

    async fn of_two_operators_who_rotate_at_once_one_makes_the_key(database) {
        let app = TestApp::start_with(&database).await;
        let other = another_node(&app, &database).await;
        let event = || app.app.system_event(Kind::KeyCreated).unwrap();
        let (one, two) = tokio::join!(
            app.app.rotate_key(Algorithm::Es256, Rotation::Scheduled, event()),
            other.rotate_key(Algorithm::Es256, Rotation::Scheduled, event()),
        );
        assert_eq!(one.unwrap().kid, two.unwrap().kid);
        assert_eq!(states(&app).await, [State::Active, State::Pending]);
    }

    async fn a_key_that_two_nodes_withdraw_at_once_has_one_successor(database) {
        let app = TestApp::start_with(&database).await;
        let other = another_node(&app, &database).await;
        let bad = line(&app).await[0].kid.clone();
        let withdraw = async |app: &App| {
            let event = |kind| app.system_event(kind).unwrap();
            let events = (event(Kind::KeyWithdrawn), event(Kind::KeyCreated));
            app.withdraw_key(&bad, events).await.unwrap()
        };
        let (one, two) = tokio::join!(withdraw(&app.app), withdraw(&other));
        let both = [one, two];
        assert!(both.contains(&Withdrawn::Before), "{both:?}");
        assert!(both.iter().any(|it| matches!(it, Withdrawn::Now { successor: Some(_), .. })));
        assert_eq!(states(&app).await, [State::Destroyed, State::Active]);
        assert_eq!(told(&app, Kind::KeyWithdrawn).await, 1);
    }

    /// On every node, its cache of verified tokens included, without a restart.
    async fn a_withdrawn_key_is_gone_on_every_node(database) {
        let app = TestApp::start_with(&database).await;
        let other = another_node(&app, &database).await;
        let token = app.sign_in(MINJI).await.access;
        // Remembered as verified before.
        assert!(other.verifier.verify_now(&token).is_ok());
        let admin = app.sign_in(JUN).await.access;
        let withdraw = format!("{KEYS}/{}/withdraw", signer(&token));
        app.act_as(Method::POST, &withdraw, &admin).await.expect(200);
        other.catch_up().await.unwrap();
        assert!(other.verifier.verify_now(&token).is_err());
        assert!(!other.snapshot().keys.published().contains(&signer(&token)));
        let now = app.clock.now();
        let there = other.snapshot().keys.active(Algorithm::Es256, now).unwrap().kid().to_owned();
        let here = app.app.snapshot().keys.active(Algorithm::Es256, now).unwrap().kid().to_owned();
        assert_eq!(there, here);
    }

    async fn keys_are_sealed_anew_under_another_key_while_servers_run(database) {
        let app = TestApp::start_with(&database).await;
        let of = |byte| EncryptionKey::from_bytes(&[byte; 32]).unwrap();
        let start = async |kek: EncryptionKey| {
            let encryption_key = kek.into();
            let config = Config { encryption_key, ..config(database.url().clone()) };
            App::start(config, app.clock.clone()).await
        };
        let refresh = app.sign_in(MINJI).await.refresh;
        // A key that is not the one says so, and does nothing.
        let error = start(of(9)).await.err().unwrap();
        assert!(matches!(error, Failure::Keys(_)), "{error}");
        assert!(error.to_string().contains("keys.previous_encryption_key_file"), "{error}");
        let wrong = start(of(9).with_previous(of(8))).await.err().unwrap();
        assert!(matches!(wrong, Failure::Keys(_)), "{wrong}");

        let next = start(of(9).with_previous(of(7))).await.unwrap();
        let many = stored(&next).await.iter().filter(|key| key.sealed.is_some()).count();
        let resealed = next.reseal(Actor::Operator).await.unwrap();
        assert_eq!(resealed, Resealed { anew: many, before: 0 });
        let again = next.reseal(Actor::Operator).await.unwrap();
        assert_eq!(again, Resealed { anew: 0, before: many });
        assert_eq!(told(&app, Kind::KeyResealed).await, many);

        // A node that was not told goes on with what it has open: it signs, and it follows.
        app.app.catch_up().await.unwrap();
        let access = app.sign_in(MINJI).await.access;
        app.read_as(ME, &access).await.expect(200);
        assert!(next.verifier.verify_now(&access).is_ok());
        // Of a key that it cannot open it knows the public half; others sign with it.
        let event = next.system_event(Kind::KeyCreated).unwrap();
        let made = next.rotate_key(Algorithm::Es256, Rotation::AtOnce, event).await.unwrap();
        app.app.catch_up().await.unwrap();
        assert!(published(&app).await.contains(&made.kid));
        assert_ne!(signer(&app.sign_in(MINJI).await.access), made.kid);

        // The old key alone starts nothing any more, and is not needed.
        assert!(matches!(start(of(7)).await.err().unwrap(), Failure::Keys(_)));
        let alone = start(of(9)).await.unwrap();
        assert!(alone.verifier.verify_now(&access).is_ok());
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let router = munjigi_server::router(&alone);
        let request = http::Request::post("/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(format!("{}={}&{}={}", form[0].0, form[0].1, form[1].0,
                form[1].1)));
        let answer = tower::ServiceExt::oneshot(router, request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200, "the root key is the same");
    }

    /// Killed in the middle, some rows are sealed under one key and some under the other.
    async fn a_resealing_that_was_broken_off_is_gone_on_with(database) {
        let app = TestApp::start_with(&database).await;
        let of = |byte| EncryptionKey::from_bytes(&[byte; 32]).unwrap();
        let kek = of(9).with_previous(of(7));
        let first = line(&app).await[0].clone();
        let was = first.sealed.clone().unwrap();
        let anew = kek.reseal(&format!("key/{}", first.kid), &was).unwrap().unwrap();
        let write = app.app.store.write(move |tx| {
            assert!(keys::reseal(tx, &first.kid, &was, &anew)?);
            let audit = munjigi_store::Audit::Routine("as far as it came");
            Ok::<_, munjigi_store::StoreError>(munjigi_store::Committed::new((), audit))
        });
        write.await.unwrap();
        let config = config(database.url().clone());
        for alone in [of(7), of(9)] {
            let config = Config { encryption_key: alone.into(), ..config.clone() };
            assert!(App::start(config, app.clock.clone()).await.is_err(), "both are needed");
        }
        let both = Config { encryption_key: kek.into(), ..config.clone() };
        let both = App::start(both, app.clock.clone()).await.unwrap();
        let done = both.reseal(Actor::Operator).await.unwrap();
        assert_eq!(done.before, 1);
        assert!(done.anew >= 1);
        let alone = Config { encryption_key: of(9).into(), ..config };
        App::start(alone, app.clock.clone()).await.unwrap();
    }
}

/// Pending for a day, active, retiring until nothing of it is alive, destroyed: by itself, and
/// every token is taken while it lives.
#[tokio::test]
async fn a_key_is_followed_by_the_next_one_before_it_is_too_old() {
    let app = TestApp::start().await;
    app.set("signing_key_lifetime", "10d").await;
    let first = line(&app).await[0].kid.clone();
    app.advance(9 * DAY - 60);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(states(&app).await, [State::Active], "a minute too early");
    assert_eq!(signer(&app.sign_in(MINJI).await.access), first);

    app.advance(60);
    app.app.catch_up().await.unwrap();
    assert_eq!(states(&app).await, [State::Active, State::Pending]);
    let next = line(&app).await[1].clone();
    assert_eq!(next.activates_at.since(app.clock.now()).as_seconds(), 24 * 3_600);
    assert_eq!(published(&app).await.len(), 2);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(states(&app).await.len(), 2, "one is enough");

    app.advance(DAY - 1);
    let before = app.sign_in(MINJI).await.access;
    assert_eq!(signer(&before), first);
    app.advance(1);
    app.app.catch_up().await.unwrap();
    assert_eq!(states(&app).await, [State::Retiring, State::Active]);
    let after = app.sign_in(MINJI).await.access;
    assert_eq!(signer(&after), next.kid);
    for token in [&before, &after] {
        app.read_as(ME, token).await.expect(200);
    }
    app.advance(2 * 3_600);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(states(&app).await, [State::Destroyed, State::Active]);
    assert_eq!(published(&app).await, [next.kid]);
}

#[tokio::test]
async fn switched_off_no_key_is_replaced_however_old() {
    let app = TestApp::start().await;
    app.set("signing_key_lifetime", "off").await;
    app.advance(400 * DAY);
    app.app.catch_up().await.unwrap();
    jobs::run(&app.app).await.unwrap();
    assert_eq!(states(&app).await, [State::Active]);
}

/// A server that was down for a year: the next key is published for a day all the same.
#[tokio::test]
async fn an_overdue_key_signs_on_until_the_next_one_was_published_for_a_day() {
    let app = TestApp::start().await;
    app.advance(400 * DAY);
    app.app.catch_up().await.unwrap();
    assert_eq!(states(&app).await, [State::Active, State::Pending]);
    let next = line(&app).await[1].clone();
    assert_eq!(next.activates_at.since(app.clock.now()).as_seconds(), 24 * 3_600);
}

/// JW-07 of the attack kit: nobody signs with a key that is yet to begin, or with one that is over.
#[tokio::test]
async fn jw_07_tokens_of_a_pending_or_a_retired_key_are_refused() {
    let app = TestApp::start().await;
    let old = {
        let snapshot = app.app.snapshot();
        snapshot.keys.active(Algorithm::Es256, app.clock.now()).unwrap().clone()
    };
    let genuine = app.sign_in(MINJI).await.access;
    let mut lasting = claims(&genuine);
    lasting["exp"] = json!(lasting["iat"].as_i64().unwrap() + 10_000_000);
    let by = |key: &SigningKey| key.sign("at+jwt", &lasting).unwrap();
    let next = rotate(&app, Rotation::Scheduled).await;
    let stored = line(&app).await.into_iter().find(|key| key.kid == next).unwrap();
    let sealed = stored.sealed.unwrap();
    let kek = EncryptionKey::from_bytes(&[7; 32]).unwrap();
    let plain = kek.open(&format!("key/{next}"), &sealed).unwrap();
    let pending = SigningKey::from_pkcs8(Algorithm::Es256, &next, &plain).unwrap();
    assert!(published(&app).await.contains(&next), "others have to know it by then");

    assert_eq!(app.read_as(ME, &by(&old)).await.status, 200);
    assert_eq!(app.read_as(ME, &by(&pending)).await.status, 401);
    assert_eq!(app.introspect(app.web(), &by(&pending)).await, json!({"active": false}));

    app.advance(DAY);
    app.app.catch_up().await.unwrap();
    assert_eq!(app.read_as(ME, &by(&pending)).await.status, 200, "it signs now");
    // Retired, and its private half not destroyed yet: no job has run.
    app.advance(2 * 3_600);
    app.app.catch_up().await.unwrap();
    assert_eq!(app.read_as(ME, &by(&old)).await.status, 401);
    assert!(!published(&app).await.contains(&old.kid().to_owned()));
}

/// Whoever has the key writes the claims: no `iat` and no kind of token helps, and the cache of
/// verified tokens does not either. What people hold besides goes on.
#[tokio::test]
async fn nothing_of_a_withdrawn_key_is_taken_and_everybody_stays_signed_in() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await.access;
    let tokens = app.sign_in(MINJI).await;
    let thief = {
        let snapshot = app.app.snapshot();
        snapshot.keys.active(Algorithm::Es256, app.clock.now()).unwrap().clone()
    };
    app.read_as(ME, &tokens.access).await.expect(200);
    let withdraw = format!("{KEYS}/{}/withdraw", thief.kid());
    let answer = app.act_as(Method::POST, &withdraw, &admin).await.expect(200);
    let successor = answer.text("/successor");
    assert_ne!(successor, thief.kid());
    assert_eq!(published(&app).await, std::slice::from_ref(&successor));

    let mut forged = claims(&tokens.access);
    for iat in [0, 1, 60, 3_600] {
        app.advance(iat);
        let now = app.clock.now().as_seconds();
        (forged["iat"], forged["exp"]) = (json!(now), json!(now + 600));
        let token = thief.sign("at+jwt", &forged).unwrap();
        assert_eq!(app.read_as(ME, &token).await.status, 401, "{iat}");
    }
    assert_eq!(app.read_as(ME, &tokens.access).await.status, 401);

    let anew = app.refresh(&tokens.refresh).await.tokens();
    assert_eq!(signer(&anew.access), successor);
    app.read_as(ME, &anew.access).await.expect(200);
    let row = line(&app).await.into_iter().find(|key| key.kid == thief.kid()).unwrap();
    assert_eq!((row.sealed, row.withdrawn_at.is_some()), (None, true));
    assert_eq!(told(&app, Kind::KeyWithdrawn).await, 1);

    // Again, it is gone already; and what is no signing key cannot be.
    let admin = app.sign_in(JUN).await.access;
    let again = app.act_as(Method::POST, &withdraw, &admin).await.expect(200);
    assert_eq!(again.json(), json!({"successor": null}));
    for none in ["root", "none", "%00", "%20"] {
        let path = format!("{KEYS}/{none}/withdraw");
        app.act_as(Method::POST, &path, &admin).await.expect(404);
    }
}

/// The spare is known to every verifier already; a fresh key is not.
#[tokio::test]
async fn the_key_that_waits_takes_the_place_of_a_withdrawn_one() {
    let app = TestApp::start().await;
    let first = line(&app).await[0].kid.clone();
    let spare = rotate(&app, Rotation::Scheduled).await;
    let admin = app.sign_in(JUN).await.access;
    let path = format!("{KEYS}/{first}/withdraw");
    let answer = app.act_as(Method::POST, &path, &admin).await.expect(200);
    assert_eq!(answer.text("/successor"), spare);
    assert_eq!(signer(&app.sign_in(MINJI).await.access), spare);
    assert_eq!(states(&app).await, [State::Destroyed, State::Active]);
}

/// What signs was to retire for the one that is gone: it signs on until another one follows it.
#[tokio::test]
async fn a_key_that_waits_and_is_withdrawn_is_replaced_by_another_one_that_waits() {
    let app = TestApp::start().await;
    let spare = rotate(&app, Rotation::Scheduled).await;
    app.advance(3_600);
    let admin = app.sign_in(JUN).await.access;
    let path = format!("{KEYS}/{spare}/withdraw");
    let other = app.act_as(Method::POST, &path, &admin).await.expect(200).text("/successor");
    assert_eq!(states(&app).await, [State::Active, State::Destroyed, State::Pending]);
    let line = line(&app).await;
    assert!(line[0].retires_at > Some(line[2].activates_at));
    app.advance(DAY);
    app.app.catch_up().await.unwrap();
    assert_eq!(signer(&app.sign_in(MINJI).await.access), other);
}

/// It is announced in the transaction in which it happens, to whoever follows.
#[tokio::test]
async fn a_withdrawal_is_in_the_feed() {
    let app = TestApp::start().await;
    let kid = line(&app).await[0].kid.clone();
    let admin = app.sign_in(JUN).await.access;
    app.act_as(Method::POST, &format!("{KEYS}/{kid}/withdraw"), &admin).await.expect(200);
    let read = |tx: &mut munjigi_store::ReadTx<'_>| munjigi_store::revocations::since(tx, 0, 10);
    let entries = app.app.store.read(read).await.unwrap();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.kind, &entry.key), (munjigi_core::oauth::revocation::Kind::Key, &kid));
}

#[tokio::test]
async fn the_list_shows_states_and_last_use_and_no_private_half() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await.access;
    let list = async || app.read_as(KEYS, &admin).await.expect(200);
    let es256 = |answer: &Answer| {
        let all = answer.json()["items"].as_array().unwrap().clone();
        all.into_iter().find(|key| key["algorithm"] == "ES256").unwrap()
    };
    let shown = es256(&list().await);
    assert_eq!((shown["state"].as_str(), shown["last_used_at"].as_str()), (Some("active"), None));
    assert!(shown.get("sealed").is_none() && shown.get("jwk").is_none());

    // Signing wrote nothing; the job does, to five minutes.
    app.advance(437);
    app.sign_in(MINJI).await;
    assert_eq!(es256(&list().await)["last_used_at"], Value::Null);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(es256(&list().await)["last_used_at"], "2026-01-01T00:05:00Z");
    let version = app.app.snapshot().version;
    app.sign_in(MINJI).await;
    jobs::run(&app.app).await.unwrap();
    app.app.catch_up().await.unwrap();
    assert_eq!(app.app.snapshot().version, version, "nobody reads everything again for it");
    app.read_as(&format!("{KEYS}?x=1"), &admin).await.expect(400);
}

#[tokio::test]
async fn administrators_rotate_by_http() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await.access;
    let rotate =
        async |body: Value| app.call(Method::POST, &format!("{KEYS}/rotate"), &admin, body).await;
    let next = rotate(json!({})).await.expect(200);
    assert_eq!(next.text("/state"), "pending");
    let same = rotate(json!({"algorithm": "ES256"})).await.expect(200);
    assert_eq!(same.text("/kid"), next.text("/kid"), "one next key is enough");
    let now = rotate(json!({"at_once": true})).await.expect(200);
    assert_eq!((now.text("/kid"), now.text("/state")), (next.text("/kid"), "active".to_owned()));
    assert_eq!(signer(&app.sign_in(MINJI).await.access), next.text("/kid"));
    app.read_as(ME, &admin).await.expect(200);
    let fresh = rotate(json!({"at_once": true})).await.expect(200);
    assert_ne!(fresh.text("/kid"), next.text("/kid"));
    let first = rotate(json!({"algorithm": "EdDSA"})).await.expect(200);
    assert_eq!(first.text("/state"), "active", "the first of its kind does not wait");
    assert!(told(&app, Kind::KeyActivated).await == 1 && told(&app, Kind::KeyCreated).await >= 3);
    for bad in [json!({"algorithm": "HS256"}), json!({"algorithm": "none"})] {
        rotate(bad).await.expect(422);
    }
}

#[tokio::test]
async fn a_retired_key_is_destroyed_and_the_trail_says_so() {
    let app = TestApp::start().await;
    rotate(&app, Rotation::AtOnce).await;
    app.advance(3 * 3_600);
    assert_eq!(told(&app, Kind::KeyDestroyed).await, 0);
    jobs::run(&app.app).await.unwrap();
    assert_eq!(told(&app, Kind::KeyDestroyed).await, 1);
    assert_eq!(line(&app).await[0].sealed, None);
}

/// The next key is the next one, also where the clock was set back, or stands still.
#[tokio::test]
async fn a_key_follows_the_one_before_it_whatever_the_clock_says() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        let next = rotate(&app, Rotation::AtOnce).await;
        assert_eq!(signer(&app.sign_in(MINJI).await.access), next);
    }
    let states = states(&app).await;
    assert_eq!(states.iter().filter(|it| **it == State::Active).count(), 1, "{states:?}");
}
