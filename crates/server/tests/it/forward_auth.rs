//! `/forward-auth`, asked in the shapes in which proxies ask: nginx and Caddy are run for real by
//! `e2e`, Traefik and Envoy are played here.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::possession::Holder;

const API: &str = "http://localhost:8001";

/// Every header about the caller.
const TOLD: [&str; 5] =
    ["x-auth-subject", "x-auth-client", "x-auth-scope", "x-auth-roles", "x-auth-groups"];

/// Asks by a method about a bearer of a token, with what else a proxy sends along.
async fn ask(app: &TestApp, method: &str, asked: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap());
    let request = request.uri(format!("/forward-auth?{asked}"));
    let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
    app.send(request.body(Body::empty()).unwrap()).await
}

async fn ask_as(app: &TestApp, asked: &str, token: &str) -> Answer {
    ask(app, "GET", asked, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn a_good_token_passes_and_every_header_is_told() {
    let app = TestApp::start().await;
    let minji = app.sign_in(MINJI).await.access;
    let answer = ask_as(&app, &format!("audience={API}"), &minji).await.expect(200);
    assert!(answer.bytes.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let claims = claims(&minji);
    assert_eq!(answer.header("x-auth-subject"), claims["sub"].as_str());
    assert_eq!(answer.header("x-auth-client"), claims["client_id"].as_str());
    assert_eq!(answer.header("x-auth-scope"), claims["scope"].as_str());
    assert_eq!(answer.header("x-auth-roles"), Some("user"));
    // Nothing to say is said, so that a proxy overwrites what a client said.
    assert_eq!(answer.header("x-auth-groups"), Some(""));
    let refused = ask(&app, "GET", &format!("audience={API}"), &[]).await.expect(401);
    assert_eq!(refused.header("cache-control"), Some("no-store"));
    assert!(TOLD.iter().all(|name| refused.header(name).is_none()));
}

/// RFC 6750 §3.1: what is missing is told apart from what is wrong.
#[tokio::test]
async fn what_the_place_requires_has_to_be_met() {
    let app = TestApp::start().await;
    let (minji, jun) = (app.sign_in(MINJI).await.access, app.sign_in(JUN).await.access);
    let at = |more: &str| format!("audience={API}{more}");
    for (asked, minjis, juns) in [
        (at("&scope=events:read"), 200, 200),
        (at("&scope=events:read+events:write"), 200, 200),
        (at("&scope=events:read+events:nothing"), 403, 403),
        (at("&role=admin"), 403, 200),
        (at("&role=manager,user"), 200, 200),
        (at("&role=admin&role=user"), 403, 200),
        (at("&permission=nothing:at-all"), 403, 403),
        (at(&format!("&audience={ISSUER}")), 200, 200),
        ("audience=http://elsewhere.example".to_owned(), 400, 400),
        // A mistake of the configuration lets nobody through.
        ("role=user".to_owned(), 400, 400),
        (at("&role="), 400, 400),
        (at("&rolle=user"), 400, 400),
        (String::new(), 400, 400),
    ] {
        for (token, expected) in [(&minji, minjis), (&jun, juns)] {
            let answer = ask_as(&app, &asked, token).await;
            assert_eq!(answer.status, expected, "{asked}: {}", answer.shown());
            if expected == 403 {
                let challenge = answer.header("www-authenticate").unwrap();
                assert!(challenge.contains("insufficient_scope"), "{challenge}");
            }
        }
    }
}

/// Envoy appends the path and the query of the client to what it is configured with, and asks by
/// the client's own method; Traefik and Caddy tell of both in headers.
#[tokio::test]
async fn nothing_that_a_client_says_but_its_token_decides() {
    let app = TestApp::start().await;
    let token = app.sign_in(MINJI).await.access;
    let bearer = format!("Bearer {token}");
    let configured = format!("audience={API}&role=admin&uri=");
    let open = format!("audience={API}&role=user&uri=");
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        for appended in ["/a", "/a?role=user", "/?uri=&audience=x&role=", "/a?b#c&uri=&role=user"] {
            let path = appended.replace('#', "%23");
            let headers = [
                ("authorization", bearer.as_str()),
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/public?role=user"),
                ("x-forwarded-host", "elsewhere.example"),
                ("x-original-uri", "/public"),
                ("x-original-url", "/public"),
                ("x-auth-roles", "admin"),
                ("x-auth-subject", "jun"),
            ];
            let refused = ask(&app, method, &format!("{configured}{path}"), &headers).await;
            assert_eq!(refused.status, 403, "{method} {appended}");
            let admitted = ask(&app, method, &format!("{open}{path}"), &headers).await;
            assert_eq!(admitted.status, 200, "{method} {appended}");
            assert_eq!(admitted.header("x-auth-roles"), Some("user"));
        }
    }
}

#[tokio::test]
async fn only_one_bearer_token_in_the_header_is_a_token() {
    let app = TestApp::start().await;
    let token = app.sign_in(MINJI).await.access;
    let (bearer, at) = (format!("Bearer {token}"), format!("audience={API}"));
    let twice = [("authorization", bearer.as_str()), ("authorization", "Bearer x")];
    ask(&app, "GET", &at, &twice).await.expect(400);
    for wrong in ["", "Bearer", "Bearer x.y.z", "Basic dTpw", &format!("Token {token}")] {
        ask(&app, "GET", &at, &[("authorization", wrong)]).await.expect(401);
    }
    // Cookies of the browser that is signed in here do not speak for it elsewhere.
    let cookie = format!("__Host-munjigi-session={token}");
    ask(&app, "GET", &at, &[("cookie", &cookie)]).await.expect(401);
    ask(&app, "GET", &format!("{at}&access_token={token}"), &[]).await.expect(400);
    let long = format!("Bearer {}", "a".repeat(9_000));
    ask(&app, "GET", &at, &[("authorization", &long)]).await.expect(401);
    ask(&app, "GET", &at, &[("authorization", &format!("bearer  {token}"))]).await.expect(200);
}

#[tokio::test]
async fn a_token_of_another_kind_or_audience_or_one_that_is_over_does_not_pass() {
    let app = TestApp::start().await;
    let at = format!("audience={API}");
    let (id, secret) = app.web();
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let own = [&form[..], &[("resource", ISSUER)]].concat();
    let own = app.form("/oauth2/token", &own).await.expect(200).text("/access_token");
    let answer = ask_as(&app, &at, &own).await.expect(401);
    assert_eq!(answer.text("/code"), "wrong_audience");
    ask_as(&app, &format!("audience={ISSUER}"), &own).await.expect(200);

    let tokens = app.sign_in(MINJI).await;
    ask_as(&app, &at, &tokens.refresh).await.expect(401);
    ask_as(&app, &at, &tokens.access).await.expect(200);
    app.act_as(Method::POST, "/api/v1/users/signout", &tokens.access).await.expect(204);
    let answer = ask_as(&app, &at, &tokens.access).await.expect(401);
    assert_eq!(answer.text("/code"), "revoked");

    let token = app.sign_in(MINJI).await.access;
    let jun = app.sign_in(JUN).await.access;
    let path = format!("/api/v1/admin/apis/{}/disable", "http:%2F%2Flocalhost:8001");
    app.call(Method::POST, &path, &jun, json!({})).await.expect(204);
    ask_as(&app, &at, &token).await.expect(401);
    app.advance(601);
    ask_as(&app, &format!("audience={ISSUER}"), &token).await.expect(401);
}

/// RFC 9449 §7.1: a token that is bound to a key is nobody's who just has it; and a proof for this
/// address says nothing about the request that the proxy asks about.
#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_refused_with_a_proof_and_without() {
    let holder = Holder::start().await;
    let (id, secret) = holder.app.web();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("resource", API),
    ];
    let token = holder.send("/oauth2/token", &form).await.expect(200).text("/access_token");
    let at = format!("audience={API}");
    let proof = holder.proof_beside("GET", "/forward-auth", &token);
    for scheme in ["Bearer", "DPoP"] {
        let said = format!("{scheme} {token}");
        for headers in [vec![], vec![("dpop", proof.as_str())]] {
            let headers = [vec![("authorization", said.as_str())], headers].concat();
            let answer = ask(&holder.app, "GET", &at, &headers).await.expect(401);
            assert_eq!(answer.text("/code"), "sender_constrained");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
        }
    }
}
