//! `POST /oauth2/token`: the password and client_credentials grants, client authentication, and
//! what is refused.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use crate::harness::{JUN, MINJI, TestApp, claims};

const TOKEN: &str = "/oauth2/token";

/// S2: the form exactly as FastAPI's OAuth2PasswordRequestForm sends it, with its empty parameters.
#[tokio::test]
async fn fastapis_password_form_is_answered() {
    let app = TestApp::start().await;
    let full = [
        ("grant_type", "password"),
        ("username", "minji"),
        ("password", MINJI.1),
        ("scope", ""),
        ("client_id", ""),
        ("client_secret", ""),
    ];
    let answer = app.form(TOKEN, &full).await.expect(200);
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let short = [("username", MINJI.0), ("password", MINJI.1)];
    app.form(TOKEN, &short).await.expect(200);
    let named = [("username", MINJI.0), ("password", MINJI.1), ("client_id", "swagger")];
    let tokens = app.form(TOKEN, &named).await.tokens();
    assert_eq!(claims(&tokens.access)["client_id"], "swagger");
}

/// RFC 9068 §2.2: the claims of an access token.
#[tokio::test]
async fn an_access_token_has_the_claims_of_rfc_9068() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(JUN).await;
    let header = tokens.access.split('.').next().unwrap();
    let header = munjigi_token::base64url::decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));

    let said = claims(&tokens.access);
    assert_eq!(said["iss"], "http://localhost:8000");
    assert_eq!(said["aud"], json!(["http://localhost:8000", "http://localhost:8001"]));
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 600);
    assert_eq!(said["roles"], json!(["admin", "user"]));
    assert_eq!(said["auth_time"], said["iat"]);
    for name in ["sub", "jti", "sid", "gid", "client_id", "scope"] {
        assert!(said[name].is_string(), "{name}");
    }
    assert!(said["scope"].as_str().unwrap().contains("admin"));
    let plain = app.sign_in(MINJI).await;
    assert!(!claims(&plain.access)["scope"].as_str().unwrap().contains("admin"));
}

/// LG-01: one sentence for all causes.
#[tokio::test]
async fn wrong_unknown_and_impossible_are_refused_alike() {
    let app = TestApp::start().await;
    let mut seen = Vec::new();
    for (username, password) in [
        (MINJI.0, "wrong-password"),
        ("nobody@demo.local", "wrong-password"),
        ("nobody", "wrong-password"),
        ("not a name\u{0}", "wrong-password"),
        (MINJI.0, &"x".repeat(2_000)),
    ] {
        seen.push(app.form(TOKEN, &[("username", username), ("password", password)]).await.shown());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let sentence = "user name or password is wrong";
    let one = format!(r#"400 {{"error":"invalid_grant","error_description":"{sentence}"}}"#);
    assert_eq!(seen[0], one);
}

/// RFC 6749 §4.4: a client on its own behalf; nothing is written for it.
#[tokio::test]
async fn client_credentials_are_for_clients_that_prove_themselves_and_write_nothing() {
    let app = TestApp::start().await;
    let before = app.app.store.statistics().writes;
    let form = [("grant_type", "client_credentials"), ("scope", "events:read")];

    let answer = app.form_as(app.web(), TOKEN, &form).await.expect(200);

    assert_eq!(app.app.store.statistics().writes, before);
    assert!(answer.json().get("refresh_token").is_none());
    let said = claims(&answer.text("/access_token"));
    assert_eq!((&said["sub"], &said["client_id"]), (&json!("web"), &json!("web")));
    assert_eq!(said["scope"], "events:read");
    let public = [("grant_type", "client_credentials"), ("client_id", "spa")];
    assert_eq!(app.form(TOKEN, &public).await.expect(400).text("/error"), "unauthorized_client");
}

/// RFC 6749 §2.3 and §5.2.
#[tokio::test]
async fn a_client_that_does_not_prove_itself_is_refused() {
    let app = TestApp::start().await;
    let grant = ("grant_type", "client_credentials");
    for (client, status) in [(("web", "wrong"), 401), (("nobody", "x"), 401), (("spa", "x"), 401)] {
        let answer = app.form_as(client, TOKEN, &[grant]).await.expect(status);
        assert_eq!(answer.text("/error"), "invalid_client");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="munjigi""#));
    }
    let without = app.form(TOKEN, &[grant, ("client_id", "web")]).await.expect(401);
    assert_eq!(without.text("/error"), "invalid_client");
    let (id, secret) = app.web();
    let posted = [grant, ("client_id", id), ("client_secret", secret)];
    app.form(TOKEN, &posted).await.expect(200);
    let twice = app.form_as(app.web(), TOKEN, &posted).await.expect(400);
    assert_eq!(twice.text("/error"), "invalid_request");
    let other = app.form_as(app.web(), TOKEN, &[grant, ("client_id", "spa")]).await.expect(400);
    assert_eq!(other.text("/error"), "invalid_request");
}

/// A refused client is written into the audit trail.
#[tokio::test]
async fn a_refused_client_is_audited() {
    use munjigi_store::audit::{self, AuditFilter};
    let app = TestApp::start().await;
    app.advance(1);
    app.form_as(("web", "wrong"), TOKEN, &[("grant_type", "client_credentials")]).await.expect(401);
    let filter = AuditFilter::default();
    let page = munjigi_store::page::Page::first(1);
    let listed = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    assert_eq!(listed.items[0].kind.to_string(), "client_refused");
}

/// M15: a grant that the client was not given, one that nobody has, and none.
#[tokio::test]
async fn only_known_grants_that_the_client_has_are_answered() {
    let app = TestApp::start().await;
    let spa = [
        ("client_id", "spa"),
        ("grant_type", "password"),
        ("username", "minji"),
        ("password", "x"),
    ];
    assert_eq!(app.form(TOKEN, &spa).await.expect(400).text("/error"), "unauthorized_client");
    let implicit = [("grant_type", "urn:ietf:params:oauth:grant-type:magic")];
    assert_eq!(
        app.form(TOKEN, &implicit).await.expect(400).text("/error"),
        "unsupported_grant_type"
    );
    assert_eq!(app.form(TOKEN, &[("x", "y")]).await.expect(400).text("/error"), "invalid_request");
    let nameless = [("grant_type", "password"), ("password", "x")];
    assert_eq!(app.form(TOKEN, &nameless).await.expect(400).text("/error"), "invalid_request");
}

/// RFC 8707: a token for one API, with its own lifetime.
#[tokio::test]
async fn a_resource_decides_audience_and_lifetime() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await;
    let api =
        json!({"audience": "https://short.example", "name": "Short", "access_ttl_seconds": 1});
    app.call(Method::POST, "/api/v1/admin/apis", &admin.access, api).await.expect(201);
    let form =
        [("username", "minji"), ("password", MINJI.1), ("resource", "https://short.example")];

    let answer = app.form(TOKEN, &form).await.expect(200);

    assert_eq!(answer.json()["expires_in"], 1);
    assert_eq!(claims(&answer.text("/access_token"))["aud"], "https://short.example");
    let unknown =
        [("username", "minji"), ("password", MINJI.1), ("resource", "https://no.example")];
    assert_eq!(app.form(TOKEN, &unknown).await.expect(400).text("/error"), "invalid_target");
    let third = [("grant_type", "client_credentials"), ("resource", "https://short.example")];
    let third = app.form_as(app.web(), TOKEN, &third).await.expect(400);
    assert_eq!(third.text("/error"), "invalid_target");
}

/// RFC 6749 §3.2: what is not a well-formed form, and DS-02.
#[tokio::test]
async fn malformed_forms_are_refused_with_a_code() {
    let app = TestApp::start().await;
    let send = |content_type: &'static str, body: Vec<u8>| {
        let app = app.clone();
        let request = Request::post(TOKEN).header("content-type", content_type);
        async move { app.send(request.body(Body::from(body)).unwrap()).await }
    };
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, status) in [
        ("application/json", b"{}".to_vec(), 415),
        (form, b"scope=a&scope=b".to_vec(), 400),
        (form, b"a=%zz".to_vec(), 400),
        (form, vec![0xff, 0xfe], 400),
        (form, b"".to_vec(), 400),
        (form, vec![b'a'; 70_000], 413),
    ] {
        let answer = send(content_type, body).await.expect(status);
        assert!(answer.text("/error").starts_with("invalid_"), "{}", answer.shown());
        assert!(answer.header("x-request-id").is_some());
    }
}

/// LG-05: one budget for an account, whichever of its names is used, and in parallel.
#[tokio::test]
async fn guesses_share_one_budget_by_every_name_and_in_parallel() {
    let app = TestApp::start().await;
    let mut under_way = Vec::new();
    for number in 0..20 {
        let app = app.clone();
        under_way.push(tokio::spawn(async move {
            let name = ["minji", "MINJI", "minji@demo.local", "Minji@Demo.Local"][number % 4];
            app.form(TOKEN, &[("username", name), ("password", "wrong-guess")])
                .await
                .status
                .as_u16()
        }));
    }
    let mut looked_at = 0;
    for answer in under_way {
        looked_at += usize::from(answer.await.unwrap() == 400);
    }
    assert_eq!(looked_at, 5, "five guesses are free, the others wait");

    let throttled = app.form(TOKEN, &[("username", "minji"), ("password", MINJI.1)]).await;
    assert_eq!(throttled.status.as_u16(), 429);
    assert!(throttled.header("retry-after").is_some());
    app.advance(2);
    app.form(TOKEN, &[("username", "minji"), ("password", MINJI.1)]).await.expect(200);
}
