//! Which key signs what a client is told: ID tokens and UserInfo by the algorithm that it
//! registered, with a key that is there from the next request on, and that is rotated like every
//! other.

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_core::oauth::client::Client;
use munjigi_core::oidc::at_hash::at_hash;
use munjigi_server::{Rotation, jobs};
use munjigi_store::{Audit, Committed, StoreError, clients, each_backend};
use munjigi_token::{Algorithm, Jwks, KeySet, Unverified};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, MINJI, TestApp, claims};
use crate::visitor::{Visitor, code, request, start};

const JWKS: &str = "/.well-known/jwks.json";
const DAY: u64 = 24 * 3600;

/// Says what else is known of the public demo client.
async fn register(app: &TestApp, admin: &str, metadata: Value) {
    let body = json!({ "metadata": metadata });
    app.call(Method::PATCH, "/api/v1/admin/clients/spa", admin, body).await.expect(200);
}

/// The answer to a code of somebody who has just signed in.
async fn tokens(app: &TestApp) -> Answer {
    let minji = Visitor::of(app);
    minji.redeem(&code(&minji, &request(&[])).await).await.expect(200)
}

/// The published keys of an algorithm, as the JSON that a client reads.
async fn published(app: &TestApp, algorithm: &str) -> Vec<String> {
    let keys = app.get(JWKS).await.expect(200).json();
    let keys = keys["keys"].as_array().unwrap().iter();
    let same = keys.filter(|key| key["alg"] == algorithm);
    same.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Algorithm, key and type of a token that verifies by what is published.
async fn verified(app: &TestApp, token: &str) -> (String, String, Option<String>) {
    let jwks = Jwks::parse(&app.get(JWKS).await.expect(200).bytes).unwrap();
    let verified = Unverified::parse(token).unwrap().verify(&KeySet::from_jwks(&jwks)).unwrap();
    let header = verified.header();
    (header.alg.to_string(), header.kid.clone().unwrap(), header.typ.clone())
}

each_backend! {
    /// OpenID Connect Registration §2, `oidcc-idtoken-rs256`, `oidcc-userinfo-rs256`: what is
    /// advertised works, from the next request on.
    async fn a_client_has_its_tokens_signed_by_whatever_it_asks_for(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let admin = app.admin().await;
        let discovery = app.get("/.well-known/openid-configuration").await.expect(200).json();
        let advertised = &discovery["id_token_signing_alg_values_supported"];
        assert_eq!(*advertised, json!(["RS256", "ES256", "PS256", "EdDSA"]));
        assert_eq!(*advertised, discovery["userinfo_signing_alg_values_supported"]);
        for algorithm in advertised.as_array().unwrap() {
            register(&app, &admin, json!({
                "id_token_signed_response_alg": algorithm,
                "userinfo_signed_response_alg": algorithm,
            })).await;

            let answer = tokens(&app).await;

            let access_token = answer.text("/access_token");
            let id_token = answer.text("/id_token");
            let (alg, _, typ) = verified(&app, &id_token).await;
            assert_eq!((json!(alg), typ.as_deref()), (algorithm.clone(), Some("JWT")));
            let known: Algorithm = alg.parse().unwrap();
            assert_eq!(claims(&id_token)["at_hash"], json!(at_hash(known, &access_token)));

            let told = app.read_as("/oauth2/userinfo", &access_token).await.expect(200);
            assert_eq!(told.header("content-type"), Some("application/jwt"));
            assert_eq!(told.header("cache-control"), Some("no-store"));
            let told = String::from_utf8(told.bytes).unwrap();
            let (alg, _, typ) = verified(&app, &told).await;
            assert_eq!((json!(alg), typ), (algorithm.clone(), None));
            let told = claims(&told);
            // OpenID Connect Core §5.3.2.
            assert_eq!((&told["iss"], &told["aud"]), (&json!(ISSUER), &json!("spa")));
            assert_eq!(told["sub"], claims(&id_token)["sub"]);
            assert_eq!(told["email"], json!(MINJI.0));

            let form = [
                ("grant_type", "refresh_token"), ("client_id", "spa"),
                ("refresh_token", &*answer.text("/refresh_token")),
            ];
            let next = app.form("/oauth2/token", &form).await.expect(200);
            assert_eq!(json!(verified(&app, &next.text("/id_token")).await.0), *algorithm);
        }
        register(&app, &admin, json!({})).await;
        let answer = tokens(&app).await;
        let told = app.read_as("/oauth2/userinfo", &answer.text("/access_token")).await.expect(200);
        assert_eq!(told.header("content-type"), Some("application/json"));
        assert!(told.json().get("aud").is_none());
    }

    /// Nodes agree on the first key of an algorithm without talking, also when it was asked for at
    /// the command line while none of them ran.
    async fn an_algorithm_has_one_first_key_whoever_makes_it(database) {
        let app = TestApp::start_with(&database).await;
        let other = TestApp::start_with(&database).await;
        for algorithm in ["EdDSA", "PS256"] {
            assert!(published(&app, algorithm).await.is_empty());
        }
        ask_at_the_command_line(&app, Algorithm::EdDsa).await;

        let (one, two) = tokio::join!(app.app.catch_up(), other.app.catch_up());

        one.unwrap();
        two.unwrap();
        for node in [&app, &other] {
            node.app.catch_up().await.unwrap();
            assert_eq!(published(node, "EdDSA").await.len(), 1);
        }
        assert_eq!(published(&app, "EdDSA").await, published(&other, "EdDSA").await);

        ask_at_the_command_line(&other, Algorithm::Ps256).await;
        let third = TestApp::start_with(&database).await;
        assert_eq!(published(&third, "PS256").await.len(), 1);
        app.app.catch_up().await.unwrap();
        assert_eq!(published(&app, "PS256").await, published(&third, "PS256").await);
    }

    /// `oidcc-server-rotate-keys`: the next key is published before it signs, the last one until
    /// what it signed is over; whatever the algorithm.
    async fn keys_of_every_algorithm_are_rotated_alike(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let algorithms = [Algorithm::Ps256, Algorithm::EdDsa];
        let mut before = Vec::new();
        for algorithm in algorithms {
            register(&app, &admin, json!({"id_token_signed_response_alg": algorithm})).await;
            let first = tokens(&app).await.text("/id_token");
            before.push((algorithm, verified(&app, &first).await.1, first));
        }
        app.advance(1);
        let mut next = Vec::new();
        for algorithm in algorithms {
            let event = app.app.system_event(Kind::KeyCreated).unwrap();
            let key = app.app.rotate_key(algorithm, Rotation::Scheduled, event).await.unwrap();
            next.push(key.kid);
        }
        for (at, days) in [0, 1].into_iter().enumerate() {
            app.advance(days * DAY);
            app.app.catch_up().await.unwrap();
            let admin = app.admin().await;
            for ((algorithm, old, first), new) in before.iter().zip(&next) {
                let mut both = published(&app, algorithm.as_str()).await;
                both.sort();
                let mut expected = vec![old.clone(), new.clone()];
                expected.sort();
                assert_eq!(both, expected);
                register(&app, &admin, json!({"id_token_signed_response_alg": algorithm})).await;
                let signs = [old, new][at];
                let id_token = tokens(&app).await.text("/id_token");
                assert_eq!(verified(&app, &id_token).await.1, *signs);
                assert_eq!(verified(&app, first).await.1, *old, "what was signed still verifies");
            }
        }
        // The longest life that any token may have, and an hour more.
        app.advance(2 * 3600);
        jobs::run(&app.app).await.unwrap();
        for ((algorithm, ..), new) in before.iter().zip(&next) {
            assert_eq!(published(&app, algorithm.as_str()).await, std::slice::from_ref(new));
        }
    }
}

/// Changes the demo client in the database alone, as the command line does, which has no key to
/// seal others with.
async fn ask_at_the_command_line(app: &TestApp, algorithm: Algorithm) {
    let written = app.app.store.write(move |tx| {
        let spa = clients::find(tx, &"spa".parse().unwrap())?.unwrap();
        let mut metadata = spa.metadata.clone();
        metadata.userinfo_signed_response_alg = Some(algorithm);
        clients::update(tx, &Client { metadata, ..spa })?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test changes a client")))
    });
    written.await.unwrap();
}

/// Nobody waits a day for the first key of an algorithm: until it signs, none does.
#[tokio::test]
async fn the_first_key_of_an_algorithm_signs_at_once_however_it_is_made() {
    let minji = start().await;
    let app = &minji.app;
    let event = app.app.system_event(Kind::KeyCreated).unwrap();
    let key = app.app.rotate_key(Algorithm::Ps256, Rotation::Scheduled, event).await.unwrap();
    assert_eq!(key.activates_at, key.created_at);
    let admin = app.admin().await;
    register(app, &admin, json!({"id_token_signed_response_alg": "PS256"})).await;
    let id_token = tokens(app).await.text("/id_token");
    assert_eq!(verified(app, &id_token).await.1, key.kid);
}

/// JW-06 of the attack kit: a signed answer of UserInfo is no token and no hint, and neither is
/// taken for it.
#[tokio::test]
async fn a_signed_userinfo_answer_opens_nothing() {
    let minji = start().await;
    let admin = minji.app.admin().await;
    register(&minji.app, &admin, json!({"userinfo_signed_response_alg": "RS256"})).await;
    let answer = minji.redeem(&code(&minji, &request(&[])).await).await.expect(200);
    let told = minji.app.read_as("/oauth2/userinfo", &answer.text("/access_token")).await;
    let told = String::from_utf8(told.expect(200).bytes).unwrap();
    minji.app.read_as("/oauth2/userinfo", &told).await.expect(401);
    let hinted = minji.open(&request(&[("id_token_hint", Some(&told))])).await;
    assert_eq!(hinted.brings("error").as_deref(), Some("invalid_request"));
}
