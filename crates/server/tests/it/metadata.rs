//! Discovery and keys: what is advertised works, nothing of a request gets into it, and keys go
//! through their states.

use axum::body::Body;
use http::{Method, Request};
use munjigi_core::audit::Kind;
use munjigi_server::keys::State;
use munjigi_server::{Config, Mode, Rotation, jobs, page_routes, routes};
use munjigi_store::{DatabaseUrl, each_backend};
use munjigi_token::Algorithm;
use serde_json::{Value, json};

use crate::cast::PASSWORD;
use crate::harness::{Answer, ISSUER, MINJI, TestApp, config};
use crate::private_key_jwt::Robot;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const SERVER_METADATA: &str = "/.well-known/oauth-authorization-server";
const JWKS: &str = "/.well-known/jwks.json";
const ME: &str = "/api/v1/users/me";
const DAY: u64 = 24 * 3600;

async fn with_header(app: &TestApp, path: &str, header: (&str, &str)) -> Answer {
    app.send(Request::get(path).header(header.0, header.1).body(Body::empty()).unwrap()).await
}

/// The `kid`s that are published.
async fn published(app: &TestApp) -> Vec<String> {
    let keys = app.get(JWKS).await.expect(200).json();
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The `kid` that signed a token.
fn signer(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&munjigi_token::base64url::decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn rotate(app: &TestApp, rotation: Rotation) -> String {
    let event = app.app.system_event(Kind::KeyCreated).unwrap();
    app.app.rotate_key(Algorithm::Es256, rotation, event).await.unwrap().kid
}

async fn own_token(app: &TestApp) -> String {
    app.own_token(app.web(), None).await.expect(200).text("/access_token")
}

/// RFC 8414 §2 and OpenID Connect Discovery 1.0 §3: two documents, one text.
#[tokio::test]
async fn both_metadata_documents_are_the_same() {
    let app = TestApp::start().await;
    let (one, other) = (app.get(DISCOVERY).await.expect(200), app.get(SERVER_METADATA).await);
    assert_eq!(one.bytes, other.expect(200).bytes);
    let document = one.json();
    assert_eq!(document["issuer"], ISSUER);
    for name in [
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(!document[name].is_null(), "{name} is required");
    }
}

/// RFC 8414 §3.1 and §5, OpenID Connect Discovery 1.0 §4.1: an issuer with a path is looked for in
/// four places, and all of them say the same.
#[tokio::test]
async fn an_issuer_with_a_path_answers_in_every_layout_with_the_path_and_without_it() {
    let issuer = "http://localhost:8000/auth/shop";
    let config = Config { issuer: issuer.to_owned(), ..config(DatabaseUrl::SqliteMemory) };
    let app = TestApp::start_from(config).await;
    let first = app.get("/.well-known/oauth-authorization-server/auth/shop").await.expect(200);
    assert_eq!(first.json()["issuer"], issuer);
    for path in [
        "/.well-known/openid-configuration/auth/shop",
        "/auth/shop/.well-known/openid-configuration",
        "/auth/shop/.well-known/oauth-authorization-server",
        DISCOVERY,
        SERVER_METADATA,
    ] {
        let answer = app.get(path).await.expect(200);
        assert_eq!(answer.bytes, first.bytes, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    for wrong in [
        "/.well-known/openid-configuration/auth",
        "/.well-known/oauth-authorization-server/auth/shop/more",
        "/.well-known/oauth-authorization-server/other",
        "/auth/.well-known/openid-configuration",
        "/auth/shops/.well-known/openid-configuration",
    ] {
        app.get(wrong).await.expect(404);
    }
    // What the document names is there, whether a proxy takes the path away or not.
    let jwks = first.text("/jwks_uri");
    let whole = app.get(jwks.strip_prefix("http://localhost:8000").unwrap()).await.expect(200);
    assert_eq!(whole.bytes, app.get(JWKS).await.expect(200).bytes);
    let form = [("grant_type", "client_credentials")];
    app.form_as(app.web(), "/auth/shop/oauth2/token", &form).await.expect(200);
    app.form_as(app.web(), "/oauth2/token", &form).await.expect(200);
    app.form_as(app.web(), "/auth/oauth2/token", &form).await.expect(404);
}

#[tokio::test]
async fn an_issuer_without_a_path_has_no_metadata_of_another() {
    let app = TestApp::start().await;
    for path in [
        "/.well-known/openid-configuration/auth",
        "/.well-known/oauth-authorization-server/auth",
        "/auth/.well-known/openid-configuration",
    ] {
        app.get(path).await.expect(404);
    }
}

/// It says what works, and nothing else: each URL has a route, each grant is known.
#[tokio::test]
async fn everything_that_is_advertised_works() {
    let app = TestApp::start().await;
    let document = app.get(DISCOVERY).await.json();
    let mut urls = 0;
    for (name, value) in document.as_object().unwrap() {
        let Some(path) = value.as_str().and_then(|url| url.strip_prefix(ISSUER)) else { continue };
        if path.is_empty() {
            continue;
        }
        urls += 1;
        let all = routes(Mode::Serve).into_iter().chain(page_routes(Mode::Serve));
        let known: Vec<_> = all.filter(|it| it.path == path).collect();
        assert!(!known.is_empty(), "{name} names {path}");
        for route in known {
            let method: Method = route.method.parse().unwrap();
            let request = Request::builder().method(method).uri(path);
            let status = app.send(request.body(Body::empty()).unwrap()).await.status.as_u16();
            assert!(![404, 405].contains(&status) && status < 500, "{name}: {status}");
        }
    }
    assert!(urls >= 6, "{document}");
    for grant in document["grant_types_supported"].as_array().unwrap() {
        let form = [("grant_type", grant.as_str().unwrap()), ("client_id", "spa")];
        let answer = app.form("/oauth2/token", &form).await;
        assert_ne!(answer.text("/error"), "unsupported_grant_type", "{grant}");
    }
    let robot = Robot::start_at(app.clone(), Algorithm::Es256, json!({})).await;
    let (id, secret) = app.web();
    let form = [("grant_type", "client_credentials")];
    let posted = [form[0], ("client_id", id), ("client_secret", secret)];
    for method in document["token_endpoint_auth_methods_supported"].as_array().unwrap() {
        match method.as_str().unwrap() {
            "client_secret_basic" => app.form_as((id, secret), "/oauth2/token", &form).await,
            "client_secret_post" => app.form("/oauth2/token", &posted).await,
            "none" => {
                let form = [("username", "minji"), ("password", MINJI.1), ("client_id", "swagger")];
                app.form("/oauth2/token", &form).await
            }
            "private_key_jwt" => robot.ask(&robot.assertion(|_| ())).await,
            other => panic!("{other} is advertised and not tested"),
        }
        .expect(200);
    }
    // That each of them works, `signing.rs` shows; RS256 is made in the first moment.
    let algorithms = "id_token_signing_alg_values_supported";
    assert_eq!(document[algorithms], json!(["ES256", "PS256", "EdDSA"]));
    app.app.ensure_rsa_key().await.unwrap();
    let document = app.get(DISCOVERY).await.json();
    assert_eq!(document[algorithms], json!(["RS256", "ES256", "PS256", "EdDSA"]));
}

/// A role's scopes are advertised while the role is enabled.
#[tokio::test]
async fn scopes_of_roles_are_advertised_while_they_are_enabled() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let advertised = async || {
        let document = app.get(DISCOVERY).await.json();
        document["scopes_supported"].as_array().unwrap().contains(&json!("stage:open"))
    };
    assert!(!advertised().await);
    let body = json!({"name": "stage", "scope": "stage:open"});
    let role = "/api/v1/admin/roles";
    app.call(Method::POST, role, &admin, body).await.expect(201);
    assert!(advertised().await);
    app.act_as(Method::POST, &format!("{role}/stage/disable"), &admin).await.expect(204);
    assert!(!advertised().await);
}

/// RFC 9110 §13.1.2: a copy that is fresh is not sent again; lists and weak tags count too.
#[tokio::test]
async fn documents_have_entity_tags_and_may_be_kept_and_read_anywhere() {
    let app = TestApp::start().await;
    for path in [JWKS, DISCOVERY, SERVER_METADATA] {
        let first = app.get(path).await.expect(200);
        assert_eq!(first.header("content-type"), Some("application/json"));
        assert_eq!(first.header("access-control-allow-origin"), Some("*"));
        assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
        let tag = first.header("etag").unwrap();
        assert!(tag.starts_with('"') && tag.ends_with('"'));
        for known in
            [tag, "*", &format!("W/{tag}"), &format!("\"other\", {tag}"), &format!("\"a\",W/{tag}")]
        {
            let answer = with_header(&app, path, ("if-none-match", known)).await;
            assert_eq!(answer.status.as_u16(), 304, "{path} {known}");
            assert!(answer.bytes.is_empty());
            assert_eq!(answer.header("etag"), Some(tag));
        }
        for other in ["\"other\"", "other", "", &tag[1..], &tag.to_uppercase()] {
            let answer = with_header(&app, path, ("if-none-match", other)).await;
            assert_eq!(answer.status.as_u16(), 200, "{path} {other}");
        }
        let head = app.send(Request::head(path).body(Body::empty()).unwrap()).await.expect(200);
        assert_eq!((head.bytes.len(), head.header("etag")), (0, Some(tag)));
    }
}

/// RFC 7517 §4: the public halves, with everything that a verifier needs, and nothing more.
#[tokio::test]
async fn the_key_set_has_public_members_only() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    for algorithm in [Algorithm::Ps256, Algorithm::EdDsa] {
        let event = app.app.system_event(Kind::KeyCreated).unwrap();
        app.app.rotate_key(algorithm, Rotation::AtOnce, event).await.unwrap();
    }
    let keys = app.get(JWKS).await.expect(200).json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 4);
    for key in keys {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        match key["alg"].as_str().unwrap() {
            "ES256" => assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]),
            "RS256" | "PS256" => assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]),
            "EdDSA" => assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]),
            other => panic!("{other}"),
        }
        assert_eq!(key["use"], "sig");
    }
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
}

/// WB-05 of the attack kit: nothing of a request gets into a document.
#[tokio::test]
async fn documents_are_the_same_whatever_the_request_claims_about_the_host() {
    let app = TestApp::serving().await;
    for path in [DISCOVERY, SERVER_METADATA, JWKS, "/openapi.json"] {
        let plain = app.get(path).await.expect(200);
        for header in [
            ("host", "evil.example"),
            ("host", "localhost:9"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-prefix", "/evil"),
            ("x-forwarded-for", "a"),
            ("x-original-url", "/evil"),
            ("forwarded", "host=evil.example;proto=https;for=1.1.1.1"),
            ("origin", "https://evil.example"),
            ("x-request-id", "evil"),
        ] {
            let answer = with_header(&app, path, header).await.expect(200);
            assert_eq!(answer.bytes, plain.bytes, "{path} {header:?}");
            assert_eq!(answer.header("etag"), plain.header("etag"));
            assert_ne!(answer.header("x-request-id"), Some("evil"));
        }
        let absolute = format!("http://evil.example{path}");
        assert_eq!(app.get(&absolute).await.expect(200).bytes, plain.bytes);
    }
    let docs = with_header(&app, "/docs", ("host", "evil.example")).await;
    assert_eq!(docs.header("location"), Some("http://localhost:8000/docs/"));
}

each_backend! {
    /// `architecture.md`, Keys: the next key is published at least a day before it is used.
    async fn a_scheduled_key_is_published_at_once_and_signs_a_day_later(database) {
        let app = TestApp::start_with(&database).await;
        let old = signer(&own_token(&app).await);
        let before = app.get(JWKS).await.header("etag").unwrap().to_owned();
        app.advance(1);

        let new = rotate(&app, Rotation::Scheduled).await;

        assert_eq!(published(&app).await.len(), 2);
        let changed = with_header(&app, JWKS, ("if-none-match", &before)).await;
        assert_eq!(changed.status.as_u16(), 200, "a changed document is sent");
        assert_eq!(signer(&own_token(&app).await), old);
        app.advance(DAY - 1);
        app.app.catch_up().await.unwrap();
        let last = own_token(&app).await;
        assert_eq!(signer(&last), old);
        app.advance(1);
        app.app.catch_up().await.unwrap();
        assert_eq!(signer(&own_token(&app).await), new);
        assert_eq!(published(&app).await.len(), 2);
        assert_eq!(app.introspect(app.web(), &last).await["active"], true, "old tokens verify");

        // The longest life that any token may have, and an hour more.
        app.advance(2 * 3600 - 1);
        jobs::run(&app.app).await.unwrap();
        assert_eq!(published(&app).await.len(), 2);
        app.advance(1);
        jobs::run(&app.app).await.unwrap();
        assert_eq!(published(&app).await, std::slice::from_ref(&new));
        assert_eq!(signer(&own_token(&app).await), new);
        let stored = app.app.store.read(munjigi_store::keys::all).await.unwrap();
        let destroyed = stored.iter().find(|key| key.kid == old).unwrap();
        assert!(destroyed.sealed.is_none(), "its private half is gone");
        let now = app.app.clock.now();
        assert_eq!(State::of(destroyed, &stored, now), State::Destroyed);
    }

    /// In an emergency a new key signs at once; whoever is signed in stays so.
    async fn a_key_of_the_moment_signs_at_once_and_old_tokens_still_verify(database) {
        let app = TestApp::start_with(&database).await;
        app.sign_up("rotates@test.com", PASSWORD).await;
        let tokens = app.sign_in(("rotates@test.com", PASSWORD)).await;
        let old = signer(&tokens.access);
        app.advance(1);

        let new = rotate(&app, Rotation::AtOnce).await;

        app.read_as(ME, &tokens.access).await.expect(200);
        let next = app.refresh(&tokens.refresh).await.tokens();
        assert_eq!(signer(&next.access), new);
        app.read_as(ME, &next.access).await.expect(200);
        let mut both = published(&app).await;
        both.sort();
        let mut expected = vec![old, new];
        expected.sort();
        assert_eq!(both, expected);
    }

    /// Nodes agree on the keys without talking: what one made, the other publishes and takes.
    async fn a_key_that_one_node_made_is_every_nodes(database) {
        let app = TestApp::start_with(&database).await;
        let other = TestApp::start_with(&database).await;
        assert_eq!(published(&app).await, published(&other).await);
        app.advance(1);
        other.advance(1);

        let new = rotate(&app, Rotation::AtOnce).await;
        let token = own_token(&app).await;
        assert_eq!(signer(&token), new);

        other.app.catch_up().await.unwrap();
        assert_eq!(published(&app).await, published(&other).await);
        assert_eq!(other.introspect(other.web(), &token).await["active"], true);
        assert_eq!(signer(&own_token(&other).await), new);
    }
}
