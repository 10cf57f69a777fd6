//! Secrets that single APIs share (HS256, by explicit choice): they open that API and nothing else.

use std::sync::Arc;

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_server::operate::Operator;
use munjigi_server::operate::epochs::Said;
use munjigi_server::{App, Config, EncryptionKey, jobs};
use munjigi_store::testing::Database;
use munjigi_store::{DatabaseUrl, ReadTx, api_secrets, each_backend, revocations};
use munjigi_token::{Algorithm, KeySet, SigningKey};
use munjigi_verify::{Clock, RevocationKind, Verifier};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims, config};
use crate::signing_keys::told;
use crate::withdrawn_keys::remember_the_end_of;

const API: &str = "urn:shares";
const OTHER: &str = "urn:shares-too";
const PLAIN: &str = "urn:plain";
const APIS: &str = "/api/v1/admin/apis";
const DAY: u64 = 24 * 3_600;
/// Where a token opens something of ours.
const DOORS: &[&str] = &["/api/v1/users/me", "/api/v1/admin/stats", "/oauth2/userinfo"];

fn header(token: &str) -> Value {
    let header = munjigi_token::base64url::decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

/// A server with three APIs, and a robot that asks for tokens and introspects for one of them.
struct Stage {
    app: TestApp,
    admin: String,
    robot: String,
}

impl Stage {
    async fn new() -> Self {
        Self::on(TestApp::start().await).await
    }

    async fn on(app: TestApp) -> Self {
        let admin = app.admin().await;
        let body = json!({
            "client_id": "robot", "name": "robot", "first_party": true,
            "grant_types": ["client_credentials"],
        });
        let made = app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await.expect(201);
        for audience in [API, OTHER, PLAIN] {
            let body = json!({"audience": audience, "client_id": "robot"});
            app.call(Method::POST, APIS, &admin, body).await.expect(201);
        }
        Self { robot: made.text("/client_secret"), app, admin }
    }

    async fn share(&self, audience: &str, body: Value) -> Answer {
        let path = format!("{APIS}/{}/secrets", audience.replace(':', "%3A"));
        let admin = self.app.sign_in(JUN).await.access;
        self.app.call(Method::POST, &path, &admin, body).await
    }

    async fn shared(&self, audience: &str, body: Value) -> (String, Vec<u8>) {
        let answer = self.share(audience, body).await.expect(201);
        (answer.text("/kid"), answer.text("/secret").into_bytes())
    }

    async fn ask(&self, resources: &[&str]) -> Answer {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(resources.iter().map(|resource| ("resource", *resource)));
        self.app.form_as(("robot", &self.robot), "/oauth2/token", &form).await
    }

    async fn token(&self, audience: &str) -> String {
        self.ask(&[audience]).await.expect(200).text("/access_token")
    }

    async fn is_active(&self, token: &str) -> bool {
        let told = self.app.introspect(("robot", &self.robot), token).await;
        told["active"].as_bool().unwrap()
    }

    /// The API, which has these secrets and nothing else.
    fn verifier(&self, audience: &str, secrets: &[&(String, Vec<u8>)]) -> Verifier {
        let builder = Verifier::with_keys(ISSUER, audience, KeySet::default());
        let add = |builder: munjigi_verify::Builder, it: &&(String, Vec<u8>)| {
            builder.danger_hs256_shared_secret(&it.0, &it.1)
        };
        let builder = secrets.iter().fold(builder, add).algorithms(&[Algorithm::Hs256]);
        let clock = Clock::stopped_at(self.app.clock.now().as_seconds());
        builder.clock(clock).build().unwrap()
    }
}

#[tokio::test]
async fn tokens_for_an_api_that_shares_a_secret_are_hs256_and_for_it_alone() {
    let stage = Stage::new().await;
    assert_eq!(header(&stage.token(API).await)["alg"], "ES256");
    let secret = stage.shared(API, json!({"at_once": true})).await;
    assert!(secret.1.starts_with(b"mj_hs_") && secret.1.len() >= 6 + 43, "256 bits");

    let token = stage.token(API).await;
    assert_eq!(header(&token)["alg"], "HS256");
    assert_eq!(header(&token)["kid"], secret.0);
    assert_eq!(header(&token)["typ"], "at+jwt");
    assert!(stage.verifier(API, &[&secret]).verify_now(&token).is_ok());
    assert_eq!(header(&stage.token(PLAIN).await)["alg"], "ES256", "nobody else's are");
    for both in [[API, PLAIN], [PLAIN, API]] {
        let answer = stage.ask(&both).await.expect(400);
        assert_eq!(answer.text("/error"), "invalid_target");
        assert!(answer.text("/error_description").contains("shares a secret"));
    }
    let second = stage.shared(OTHER, json!({"at_once": true})).await;
    let answer = stage.ask(&[API, OTHER]).await.expect(400);
    assert_eq!(answer.text("/error"), "invalid_target", "each has a secret of its own");
    assert!(stage.verifier(OTHER, &[&second]).verify_now(&token).is_err());

    assert!(stage.is_active(&token).await);
    let jwks = stage.app.get("/.well-known/jwks.json").await.expect(200);
    let jwks = String::from_utf8(jwks.bytes).unwrap();
    assert!(!jwks.contains(&secret.0) && !jwks.contains("\"oct\"") && !jwks.contains("HS256"));
    let list = stage.app.read_as(&format!("{APIS}/urn%3Ashares/secrets"), &stage.admin).await;
    let list = list.expect(200);
    assert_eq!(list.json()["items"][0]["state"], "active");
    let told = String::from_utf8(list.bytes).unwrap();
    assert!(!told.contains("mj_hs_") && !told.contains("sealed"), "told once: {told}");
}

/// JW-01 of the attack kit: whoever has an API's secret, or a public key of ours, makes tokens that
/// open nothing here.
#[tokio::test]
async fn jw_01_no_api_of_ours_takes_an_hs256_token() {
    let stage = Stage::new().await;
    let app = &stage.app;
    let (kid, secret) = stage.shared(API, json!({"at_once": true})).await;
    let jun = app.sign_in(JUN).await.access;
    let good = claims(&jun);
    let genuine = header(&jun)["kid"].as_str().unwrap().to_owned();
    let stored = app.app.store.read(munjigi_store::keys::all).await.unwrap();
    let jwk = stored.into_iter().find(|key| key.kid == genuine).unwrap().jwk.unwrap();
    let members: Value = serde_json::from_str(&jwk).unwrap();
    let number = |name| munjigi_token::base64url::decode(members[name].as_str().unwrap()).unwrap();
    let point = [vec![4], number("x"), number("y")].concat();
    let keys = [secret.clone(), jwk.clone().into_bytes(), [jwk.as_bytes(), b"\n"].concat(), point];
    for door in DOORS {
        assert_eq!(app.read_as(door, &jun).await.status, 200, "{door}");
    }
    for (key, name) in keys.iter().flat_map(|key| [(key, &kid), (key, &genuine)]) {
        let key = SigningKey::hs256_shared_secret(name, key).unwrap();
        for aud in [json!(ISSUER), json!([ISSUER, API]), json!(API)] {
            let mut forged = good.clone();
            forged["aud"] = aud.clone();
            let token = key.sign("at+jwt", &forged).unwrap();
            for door in DOORS {
                assert_eq!(app.read_as(door, &token).await.status, 401, "{door} {aud}");
            }
            // With its own secret an API can tell itself what it likes, and nobody else.
            let is_its_own = aud == json!(API) && *name == kid && keys[0] == secret;
            let told = stage.is_active(&token).await;
            assert!(!told || is_its_own, "{aud} {name}");
        }
    }
    // Another API's client is told nothing of it.
    let token = stage.token(API).await;
    assert_eq!(app.introspect(app.web(), &token).await, json!({"active": false}));
}

#[tokio::test]
async fn a_secret_takes_the_place_of_another_one_while_both_are_taken() {
    let stage = Stage::new().await;
    let first = stage.shared(API, json!({})).await;
    assert_eq!(header(&stage.token(API).await)["alg"], "ES256", "the API has to be given it first");
    stage.app.advance(DAY);
    stage.app.app.catch_up().await.unwrap();
    let before = stage.token(API).await;
    assert_eq!(header(&before)["kid"], first.0);

    let next = stage.shared(API, json!({})).await;
    stage.share(API, json!({})).await.expect(409);
    assert_eq!(header(&stage.token(API).await)["kid"], first.0);
    stage.app.advance(DAY);
    stage.app.app.catch_up().await.unwrap();
    let after = stage.token(API).await;
    assert_eq!(header(&after)["kid"], next.0);
    let api = stage.verifier(API, &[&first, &next]);
    assert!(api.verify_now(&after).is_ok());
    assert!(stage.is_active(&after).await);

    stage.app.advance(2 * 3_600);
    jobs::run(&stage.app.app).await.unwrap();
    stage.app.app.catch_up().await.unwrap();
    let left = stage.app.app.store.read(api_secrets::all).await.unwrap();
    assert_eq!(left.iter().map(|it| &it.kid).collect::<Vec<_>>(), [&next.0]);
    // It is over, whatever a token of it says.
    let mut lasting = claims(&before);
    let now = stage.app.clock.now().as_seconds();
    (lasting["iat"], lasting["exp"]) = (json!(now), json!(now + 600));
    let by = |it: &(String, Vec<u8>)| {
        SigningKey::hs256_shared_secret(&it.0, &it.1).unwrap().sign("at+jwt", &lasting).unwrap()
    };
    assert!(!stage.is_active(&by(&first)).await);
    assert!(stage.is_active(&by(&next)).await);
}

#[tokio::test]
async fn what_is_taken_away_is_dead_at_once_and_announced() {
    let stage = Stage::new().await;
    let secret = stage.shared(API, json!({"at_once": true})).await;
    let token = stage.token(API).await;
    assert!(stage.is_active(&token).await);
    let path = format!("{APIS}/urn%3Ashares/secrets");
    stage.app.act_as(Method::DELETE, &path, &stage.admin).await.expect(204);
    assert!(!stage.is_active(&token).await);
    assert_eq!(header(&stage.token(API).await)["alg"], "ES256");
    let read = |tx: &mut ReadTx<'_>| revocations::since(tx, 0, 10);
    let announced = stage.app.app.store.read(read).await.unwrap();
    assert!(announced.iter().any(|entry| entry.key == secret.0), "{announced:?}");
    stage.app.act_as(Method::DELETE, &path, &stage.admin).await.expect(204);
    for none in ["urn%3Anone", "x", "http%3A%2F%2Flocalhost%3A8000"] {
        let path = format!("{APIS}/{none}/secrets");
        stage.app.act_as(Method::DELETE, &path, &stage.admin).await.expect(404);
        stage.app.call(Method::POST, &path, &stage.admin, json!({})).await.expect(404);
        stage.app.read_as(&path, &stage.admin).await.expect(404);
    }
}

/// RFC 7009: its client gives such a token back as any other.
#[tokio::test]
async fn an_hs256_token_that_is_given_back_is_dead() {
    let stage = Stage::new().await;
    stage.shared(API, json!({"at_once": true})).await;
    let token = stage.token(API).await;
    let robot = ("robot", stage.robot.as_str());
    stage.app.form_as(robot, "/oauth2/revoke", &[("token", &token)]).await.expect(200);
    assert!(!stage.is_active(&token).await);
}

/// A person's, too: with everything of its grant.
#[tokio::test]
async fn a_persons_hs256_token_that_is_given_back_ends_their_grant() {
    let stage = Stage::new().await;
    stage.shared(API, json!({"at_once": true})).await;
    let grants = json!({
        "grant_types": ["password", "refresh_token", "client_credentials"], "audiences": [API],
    });
    let path = "/api/v1/admin/clients/robot";
    stage.app.call(Method::PATCH, path, &stage.admin, grants).await.expect(200);
    let robot = ("robot", stage.robot.as_str());
    let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    let tokens = stage.app.form_as(robot, "/oauth2/token", &form).await.tokens();
    assert_eq!(header(&tokens.access)["alg"], "HS256");
    assert!(stage.is_active(&tokens.access).await);
    stage.app.form_as(robot, "/oauth2/revoke", &[("token", &tokens.access)]).await.expect(200);
    assert!(!stage.is_active(&tokens.access).await);
    let form = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)];
    stage.app.form_as(robot, "/oauth2/token", &form).await.expect(400);
}

each_backend! {
    /// Whoever has an API's secret writes what its tokens say, and a public client proves nothing:
    /// together they end nobody's grant, and write nothing into the feed.
    async fn an_api_ends_nothing_by_a_token_that_it_made_itself(database) {
        let stage = Stage::on(TestApp::start_with(&database).await).await;
        let app = &stage.app;
        let (kid, secret) = stage.shared(API, json!({"at_once": true})).await;
        let key = SigningKey::hs256_shared_secret(&kid, &secret).unwrap();
        let genuine = claims(&stage.token(API).await);
        let victim = app.sign_in(MINJI).await;
        let theirs = claims(&victim.access);
        let feed = |tx: &mut ReadTx<'_>| revocations::since(tx, 0, 1_000);
        let before = app.app.store.read(feed).await.unwrap();

        let spa = json!("spa");
        let forged = |sub: &Value, client: &Value, gid: &Value, jti: &Value| {
            let mut forged = genuine.clone();
            forged["sub"] = sub.clone();
            forged["client_id"] = client.clone();
            forged["gid"] = gid.clone();
            forged["jti"] = jti.clone();
            key.sign("at+jwt", &forged).unwrap()
        };
        let proved = genuine["jti"].as_str().unwrap();
        let of_none = format!("{}.{}", theirs["jti"].as_str().unwrap(), "A".repeat(22));
        for jti in [json!("x"), json!(proved), json!(of_none), theirs["jti"].clone()] {
            let none = [json!("a\u{0}b"), json!("x")];
            let gids = [&theirs["gid"], &genuine["gid"], &none[0], &none[1]];
            for gid in gids {
                for sub in [&spa, &theirs["sub"]] {
                    let form = [("client_id", "spa"), ("token", &forged(sub, &spa, gid, &jti))];
                    app.form("/oauth2/revoke", &form).await.expect(200);
                }
                // The client of the victim's grant, too, proves nothing.
                for sub in [&theirs["sub"], &theirs["client_id"]] {
                    let token = forged(sub, &theirs["client_id"], gid, &jti);
                    app.form("/oauth2/revoke", &[("token", &token)]).await.expect(200);
                }
            }
        }
        assert_eq!(app.app.store.read(feed).await.unwrap(), before);
        app.read_as(DOORS[0], &victim.access).await.expect(200);
        app.refresh(&victim.refresh).await.expect(200);
    }
}

/// A restore ends what was given since, whichever client it was given to: also one that is not in
/// the backup. The API that follows the feed knows by its own secret.
#[tokio::test]
async fn a_restore_ends_the_tokens_of_a_shared_secret_whosever_they_are() {
    let database = Database::sqlite();
    let stage = Stage::on(TestApp::start_with(&database).await).await;
    let (app, secret) = (&stage.app, stage.shared(API, json!({"at_once": true})).await);
    let token = stage.token(API).await;
    let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
    operator.begin_epoch(Said::Restored).await.unwrap().unwrap();
    operator.close().await;

    let verifier = stage.verifier(API, &[&secret]);
    let feed = |tx: &mut ReadTx<'_>| revocations::since(tx, 0, 1_000);
    let told = app.app.store.read(feed).await.unwrap();
    for it in told.iter().filter(|it| it.key == secret.0) {
        let (kind, until) = (RevocationKind::Key, it.until.as_millis());
        verifier.revocations().announce(kind, &it.key, it.not_before, until);
    }
    assert!(verifier.verify_now(&token).is_err(), "{told:?}");

    // What it is given in this very second is good.
    app.app.catch_up().await.unwrap();
    let again = stage.token(API).await;
    assert_eq!(header(&again)["kid"], secret.0, "the secret goes on");
    assert!(stage.is_active(&again).await);
    assert!(claims(&again)["iat"].as_i64() > claims(&token)["iat"].as_i64());
}

/// A secret that was taken away, and that a backup brings back, while nodes run that remember.
#[tokio::test]
async fn a_secret_that_a_backup_brings_back_signs_nothing_and_is_taken_away_again() {
    let stage = Stage::new().await;
    let app = &stage.app;
    let (kid, _) = stage.shared(API, json!({"at_once": true})).await;
    let (other, _) = stage.shared(OTHER, json!({"at_once": true})).await;
    remember_the_end_of(app, &kid);
    app.app.reload().await.unwrap();
    assert_eq!(header(&stage.token(API).await)["alg"], "ES256");

    app.app.catch_up().await.unwrap();
    let left = app.app.store.read(api_secrets::all).await.unwrap();
    assert_eq!(left.iter().map(|it| &it.kid).collect::<Vec<_>>(), [&other], "and no other one");
    let read = |tx: &mut ReadTx<'_>| revocations::since(tx, 0, 100);
    let feed = app.app.store.read(read).await.unwrap();
    assert_eq!(feed.iter().filter(|it| it.key == kid).count(), 1);
    app.app.catch_up().await.unwrap();
    assert_eq!(told(app, Kind::ApiSecretsDeleted).await, 1, "once");
    assert_eq!(header(&stage.token(OTHER).await)["kid"], other);
}

/// Sealed like the keys, and sealed anew with them; nothing of it stands in the database in clear.
#[tokio::test]
async fn a_shared_secret_is_sealed_and_goes_over_to_another_key_with_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let database = DatabaseUrl::SqliteFile(directory.path().join("m.db"));
    let of = |byte| EncryptionKey::from_bytes(&[byte; 32]).unwrap();
    let app = TestApp::start_from(config(database.clone())).await;
    let admin = app.admin().await;
    app.call(Method::POST, APIS, &admin, json!({"audience": API})).await.expect(201);
    let path = format!("{APIS}/urn%3Ashares/secrets");
    let body = json!({"at_once": true});
    let secret = app.call(Method::POST, &path, &admin, body).await.expect(201).text("/secret");
    let row = app.app.store.read(api_secrets::all).await.unwrap().remove(0);
    let has =
        |bytes: &[u8]| bytes.windows(8).any(|it| secret.as_bytes().windows(8).any(|s| s == it));
    assert!(!has(&row.sealed));

    let both = Arc::new(of(9).with_previous(of(7)));
    let next = Config { encryption_key: both, ..config(database.clone()) };
    let next = App::start(next, app.clock.clone()).await.unwrap();
    next.reseal(munjigi_core::audit::Actor::Operator).await.unwrap();
    let alone = Config { encryption_key: of(9).into(), ..config(database) };
    let alone = App::start(alone, app.clock.clone()).await.unwrap();
    let now = app.clock.now();
    let signer = alone.snapshot().api_secrets.signer(API, now).cloned().unwrap();
    let expected = SigningKey::hs256_shared_secret(&row.kid, secret.as_bytes()).unwrap();
    let sign = |key: &SigningKey| key.sign("at+jwt", &json!({"a": 1})).unwrap();
    assert_eq!(sign(&signer), sign(&expected));
}

#[tokio::test]
async fn the_trail_tells_when_a_secret_is_given_and_taken_away() {
    let stage = Stage::new().await;
    let secret = stage.share(API, json!({})).await.expect(201).text("/secret");
    let path = format!("{APIS}/urn%3Ashares/secrets");
    stage.app.act_as(Method::DELETE, &path, &stage.admin).await.expect(204);
    for kind in [Kind::ApiSecretCreated, Kind::ApiSecretsDeleted] {
        assert_eq!(told(&stage.app, kind).await, 1, "{}", kind.as_str());
    }
    use munjigi_store::audit::{self, AuditFilter};
    let page = munjigi_store::page::Page::first(200);
    let read = move |tx: &mut ReadTx<'_>| audit::list(tx, &page, &AuditFilter::default());
    let events = stage.app.app.store.read(read).await.unwrap();
    assert!(!format!("{:?}", events.items).contains(&secret));
}
