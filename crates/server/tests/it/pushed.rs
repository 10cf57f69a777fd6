//! Authorization requests that are pushed (RFC 9126), by clients that sign and by others.

use http::{Method, Request};
use munjigi_store::each_backend;
use munjigi_token::Algorithm;
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::possession::Holder;
use crate::private_key_jwt::{Robot, jwks_of};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, challenge};

const PAR: &str = "/oauth2/par";
const TOKEN: &str = "/oauth2/token";
const ELSEWHERE: &str = "https://other.example/callback";

/// A request of the public demo client, changed.
fn asked(change: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
    let challenge = challenge(VERIFIER);
    let mut parameters = vec![
        ("client_id", "spa"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in change {
        parameters.retain(|(other, _)| other != name);
        parameters.extend(value.map(|value| (*name, value)));
    }
    parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

async fn push(app: &TestApp, change: &[(&str, Option<&str>)]) -> Answer {
    app.form(PAR, &borrowed(&asked(change))).await
}

/// The reference of a request that was taken.
async fn pushed(app: &TestApp, change: &[(&str, Option<&str>)]) -> String {
    push(app, change).await.expect(201).text("/request_uri")
}

/// The address that a client sends the browser to.
fn referring(client_id: &str, reference: &str, further: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", client_id).append_pair("request_uri", reference);
    format!("/oauth2/authorize?{}", query.extend_pairs(further).finish())
}

async fn start() -> Visitor {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    Visitor::of(&app)
}

impl Visitor {
    /// Through sign-in and consent, from a reference on.
    async fn go(&self, url: &str) -> Answer {
        let answer = self.open(url).await;
        let answer = self.sign_in(answer, MINJI).await;
        self.follow_to_client(answer, "allow").await
    }
}

async fn redeem(app: &TestApp, code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    app.form(TOKEN, &form).await
}

#[tokio::test]
async fn what_was_pushed_is_what_the_person_is_asked() {
    let minji = start().await;
    let answer = push(&minji.app, &[]).await.expect(201);
    let reference = answer.text("/request_uri");
    assert!(reference.starts_with("urn:ietf:params:oauth:request_uri:"), "{reference}");
    assert_eq!(answer.json()["expires_in"], 60);
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let answer = minji.go(&referring("spa", &reference, &[])).await;
    assert!(answer.location().unwrap().starts_with(CALLBACK));
    assert_eq!(answer.brings("state").as_deref(), Some("s-1"));
    assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER));
    let tokens = redeem(&minji.app, &answer.brings("code").unwrap()).await.expect(200);
    assert_eq!(claims(&tokens.text("/id_token"))["nonce"], "n-1");
}

/// PK-05 of the attack kit: what the browser says beside the reference is of no interest.
/// `state-only-outside-request-object-not-used`,
/// `ensure-different-state-inside-and-outside-request-object`, `-nonce-`.
#[tokio::test]
async fn nothing_beside_the_reference_counts() {
    let minji = start().await;
    let reference = pushed(&minji.app, &[("state", None)]).await;
    let further = [
        ("state", "planted"),
        ("nonce", "planted"),
        ("scope", "openid admin"),
        ("redirect_uri", ELSEWHERE),
        ("response_mode", "form_post"),
        ("prompt", "none"),
        ("code_challenge", "planted"),
    ];
    let answer = minji.go(&referring("spa", &reference, &further)).await;
    assert!(answer.location().unwrap().starts_with(CALLBACK));
    assert_eq!(answer.brings("state"), None);
    let tokens = redeem(&minji.app, &answer.brings("code").unwrap()).await.expect(200);
    assert_eq!(claims(&tokens.text("/id_token"))["nonce"], "n-1");
    assert_eq!(tokens.text("/scope"), "email openid profile");
}

/// `par-ensure-reused-request-uri-prior-to-auth-completion-succeeds`,
/// `par-attempt-reuse-request_uri`; PK-05 of the attack kit.
#[tokio::test]
async fn a_page_may_be_loaded_again_until_there_is_a_code_and_then_not_any_more() {
    let minji = start().await;
    let reference = pushed(&minji.app, &[]).await;
    let url = referring("spa", &reference, &[]);
    for _ in 0..2 {
        assert!(minji.open(&url).await.location().unwrap().starts_with("/login?flow="));
    }
    minji.go(&url).await.brings("code").expect("a code");

    let again = minji.open(&url).await;
    assert!(again.location().unwrap().starts_with(CALLBACK));
    assert_eq!(again.brings("error").as_deref(), Some("invalid_request_uri"));
    assert_eq!(again.brings("state").as_deref(), Some("s-1"));
    assert_eq!(again.brings("iss").as_deref(), Some(ISSUER));
    let stranger = Visitor::of(&minji.app).open(&url).await;
    assert_eq!(stranger.brings("error").as_deref(), Some("invalid_request_uri"));
}

each_backend! {
    /// PK-05 of the attack kit: also when two pages of one person finish at the same time.
    async fn one_reference_brings_one_code_whoever_is_first(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of(&app);
        let first = pushed(&app, &[]).await;
        minji.go(&referring("spa", &first, &[])).await.brings("code").expect("a code");
        // By now nobody has to be asked: each look ends in a code, or in none.
        let url = referring("spa", &pushed(&app, &[]).await, &[]);
        let all = futures_util::future::join_all((0..8).map(|_| minji.open(&url))).await;
        let codes = all.iter().filter(|answer| answer.brings("code").is_some()).count();
        assert_eq!(codes, 1);
        for answer in all.iter().filter(|answer| answer.brings("code").is_none()) {
            assert_eq!(answer.brings("error").as_deref(), Some("invalid_request_uri"));
        }
    }
}

/// `par-attempt-to-use-expired-request_uri`, `par-attempt-to-use-request_uri-for-different-client`.
#[tokio::test]
async fn a_reference_is_for_its_client_and_for_a_minute() {
    let minji = start().await;
    let reference = pushed(&minji.app, &[]).await;
    for (other, status) in [("swagger", 400), ("nobody", 400), ("", 400)] {
        let answer = minji.open(&referring(other, &reference, &[])).await;
        assert_eq!(answer.status, status, "{other}");
        assert!(answer.header("location").is_none(), "{other}");
    }
    for made_up in ["urn:ietf:params:oauth:request_uri:x", &format!("{}A", &reference[..76])] {
        let answer = minji.open(&referring("spa", made_up, &[])).await;
        assert!(answer.header("location").is_none() && answer.status == 400, "{made_up}");
    }
    let twice = referring("spa", &reference, &[("request_uri", &reference)]);
    assert_eq!(minji.open(&twice).await.status, 400);

    // Whoever came in time may take theirs.
    let in_time = minji.open(&referring("spa", &reference, &[])).await;
    minji.app.advance(61);
    let late = minji.open(&referring("spa", &reference, &[])).await;
    assert_eq!(late.brings("error").as_deref(), Some("invalid_request_uri"));
    munjigi_server::jobs::run(&minji.app.app).await.unwrap();
    let gone = minji.open(&referring("spa", &reference, &[])).await;
    assert!(gone.header("location").is_none() && gone.status == 400, "it is forgotten");
    let way = in_time.location().unwrap().replace("/login", "/oauth2/authorize");
    let answer = minji.sign_in(in_time, MINJI).await;
    let answer = minji.follow_to_client(answer, "allow").await;
    answer.brings("code").expect("a code");
    // Forgotten or not, it had its code.
    let again = minji.open(&way).await;
    assert_eq!(again.brings("error").as_deref(), Some("invalid_request_uri"));
}

/// RFC 9126 §2.3; `par-authorization-request-containing-request_uri-form-param`,
/// `par-without-duplicate-parameters`, `par-ensure-pkce-required`, `par-plain-pkce-rejected`,
/// `ensure-request-object-without-redirect-uri-fails`, `ensure-registered-redirect-uri`.
#[tokio::test]
async fn what_is_wrong_is_told_when_it_is_pushed() {
    let minji = start().await;
    let reference = pushed(&minji.app, &[]).await;
    for (name, value, error) in [
        ("request_uri", Some(reference.as_str()), "invalid_request"),
        ("request_uri", Some("https://a.example/r"), "invalid_request"),
        ("request", Some("eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        ("redirect_uri", None, "invalid_request"),
        ("redirect_uri", Some(ELSEWHERE), "invalid_request"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", Some("code id_token"), "unsupported_response_type"),
        ("scope", Some("admin"), "invalid_scope"),
        ("resource", Some("https://nobody.example"), "invalid_target"),
        ("dpop_jkt", Some("short"), "invalid_request"),
    ] {
        let answer = push(&minji.app, &[(name, value)]).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.shown());
        assert_eq!(answer.text("/error"), error, "{name} {value:?}");
    }
    let mut twice = asked(&[]);
    twice.push(("state".to_owned(), "s-2".to_owned()));
    let answer = minji.app.form(PAR, &borrowed(&twice)).await.expect(400);
    assert_eq!(answer.text("/error"), "invalid_request");
    let long = "x".repeat(9_000);
    let answer = push(&minji.app, &[("unknown", Some(&long))]).await.expect(400);
    assert_eq!(answer.text("/error"), "invalid_request");
    push(&minji.app, &[("client_id", Some("nobody"))]).await.expect(401);
    push(&minji.app, &[("client_id", None)]).await.expect(400);
    push(&minji.app, &[("unknown", Some("1"))]).await.expect(201);
}

/// `par-attempt-invalid-http-method`.
#[tokio::test]
async fn a_request_is_pushed_by_post_alone() {
    let minji = start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(method).uri(PAR).body(axum::body::Body::empty());
        minji.app.send(request.unwrap()).await.expect(405);
    }
}

/// RFC 9126 §2: with the same proof as at the token endpoint.
#[tokio::test]
async fn a_client_proves_itself_when_it_pushes() {
    let minji = start().await;
    let admin = minji.app.admin().await;
    let body = json!({
        "client_id": "shop",
        "name": "Shop",
        "grant_types": ["authorization_code"],
        "redirect_uris": [CALLBACK],
        "scope": "openid profile email",
    });
    let made = minji.app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await;
    let secret = made.expect(201).text("/client_secret");
    let named = asked(&[("client_id", Some("shop"))]);
    minji.app.form(PAR, &borrowed(&named)).await.expect(401);
    minji.app.form_as(("shop", "wrong"), PAR, &borrowed(&named)).await.expect(401);
    minji.app.form_as(("shop", &secret), PAR, &borrowed(&named)).await.expect(201);
    let unnamed = asked(&[("client_id", None)]);
    let answer = minji.app.form_as(("shop", &secret), PAR, &borrowed(&unnamed)).await.expect(201);
    let url = referring("shop", &answer.text("/request_uri"), &[]);
    minji.go(&url).await.brings("code").expect("a code");
    // Another's request.
    minji.app.form_as(("shop", &secret), PAR, &borrowed(&asked(&[]))).await.expect(400);
    let body = asked(&[("client_id", Some("shop")), ("client_secret", Some(&secret))]);
    let answer = minji.app.form(PAR, &borrowed(&body)).await.expect(201);
    assert!(!answer.shown().contains(&secret));
}

/// RFC 9126 §5, §6; `ensure-unsigned-authorization-request-without-using-par-fails`.
#[tokio::test]
async fn clients_that_have_to_push_cannot_ask_by_the_browser() {
    let minji = start().await;
    let by_browser = {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("/oauth2/authorize?{}", query.extend_pairs(borrowed(&asked(&[]))).finish())
    };
    minji.app.set("require_pushed_authorization_requests", "on").await;
    let document = minji.app.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["require_pushed_authorization_requests"], true);
    let answer = minji.open(&by_browser).await;
    assert_eq!(answer.brings("error").as_deref(), Some("invalid_request"));
    minji.app.set("require_pushed_authorization_requests", "off").await;
    minji.open(&by_browser).await.expect(303);

    let admin = minji.app.admin().await;
    let only = json!({"metadata": {"require_pushed_authorization_requests": true}});
    minji.app.call(Method::PATCH, "/api/v1/admin/clients/spa", &admin, only).await.expect(200);
    let answer = minji.open(&by_browser).await;
    assert_eq!(answer.brings("error").as_deref(), Some("invalid_request"));
    let url = referring("spa", &pushed(&minji.app, &[]).await, &[]);
    minji.go(&url).await.brings("code").expect("a code");
}

/// `request-uri-unsigned-supported-correctly-or-rejected-as-unsupported`: only what was pushed.
#[tokio::test]
async fn no_other_reference_is_followed() {
    let minji = start().await;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(borrowed(&asked(&[])));
    query.append_pair("request_uri", "https://a.example/request");
    let answer = minji.open(&format!("/oauth2/authorize?{}", query.finish())).await;
    assert_eq!(answer.brings("error").as_deref(), Some("request_uri_not_supported"));
}

/// RFC 9449 §10.1; `ensure-dpopproof-at-par-endpoint-binding-success`,
/// `ensure-mismatched-dpop-jkt-fails`.
#[tokio::test]
async fn a_proof_beside_a_pushed_request_binds_its_code() {
    let minji = start().await;
    let holder = Holder::of(&minji.app);
    let pairs = asked(&[]);
    let form = borrowed(&pairs);
    let reference = holder.send(PAR, &form).await.expect(201).text("/request_uri");
    let code = minji.go(&referring("spa", &reference, &[])).await.brings("code").unwrap();
    let redemption = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = holder.send(TOKEN, &redemption).await.expect(200);
    assert_eq!(tokens.text("/token_type"), "DPoP");

    let reference = holder.send(PAR, &form).await.expect(201).text("/request_uri");
    let again = minji.open(&referring("spa", &reference, &[])).await;
    let code = again.brings("code").unwrap();
    let thief = Holder::of(&minji.app);
    let mut stolen = redemption;
    stolen[2] = ("code", code.as_str());
    assert_eq!(thief.send(TOKEN, &stolen).await.expect(400).text("/error"), "invalid_grant");

    let jkt = thief.jkt();
    let other = asked(&[("dpop_jkt", Some(&jkt))]);
    let answer = holder.send(PAR, &borrowed(&other)).await.expect(400);
    assert_eq!(answer.text("/error"), "invalid_dpop_proof");
    let own = holder.jkt();
    let same = asked(&[("dpop_jkt", Some(&own))]);
    holder.send(PAR, &borrowed(&same)).await.expect(201);
    let unfresh = holder.post(PAR, &form, &[&holder.proof("POST", PAR, |_| ())]).await.expect(400);
    assert_eq!(unfresh.text("/error"), "use_dpop_nonce");
    assert!(unfresh.header("dpop-nonce").is_some());
}

/// FAPI 2.0 §5.3, all of it together: pushed, signed for, challenged, bound to a key.
/// `happy-flow`, `par-test-par-endpoint-url-as-audience-fails`,
/// `ensure-client-id-in-token-endpoint`, `ensure-authorization-code-is-bound-to-client`.
#[tokio::test]
async fn the_strictest_client_gets_its_person_through() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let mut robot = Robot::start_at(app.clone(), Algorithm::Ps256, json!({})).await;
    make_strict(&robot, "bank").await;
    robot.id = "bank";
    let holder = Holder::of(&app);
    let jun = Visitor::of(&app);
    let pairs = asked(&[("client_id", None)]);
    let nonce = holder.nonce().await;
    let send = async |path: &str, assertion: String, form: &[(&str, &str)]| {
        let proof = holder.proof("POST", path, |claims| claims["nonce"] = json!(nonce));
        let kind = munjigi_core::oauth::assertion::ASSERTION_TYPE;
        let said = [("client_assertion_type", kind), ("client_assertion", assertion.as_str())];
        holder.post(path, &[form, &said[..]].concat(), &[&proof]).await
    };

    for wrong in
        [json!(format!("{ISSUER}{PAR}")), json!([ISSUER]), json!(format!("{ISSUER}{TOKEN}"))]
    {
        let assertion = robot.assertion(|claims| claims["aud"] = wrong);
        send(PAR, assertion, &borrowed(&pairs)).await.expect(401);
    }
    let answer = send(PAR, robot.assertion(|_| ()), &borrowed(&pairs)).await.expect(201);
    let reference = answer.text("/request_uri");
    let answer = jun.open(&referring("bank", &reference, &[])).await;
    let answer = jun.sign_in(answer, JUN).await;
    let answer = jun.follow_to_client(answer, "allow").await;
    let code = answer.brings("code").unwrap();
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = send(TOKEN, robot.assertion(|_| ()), &redemption).await.expect(200);
    assert_eq!(tokens.text("/token_type"), "DPoP");
    let refresh = tokens.text("/refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    send(TOKEN, robot.assertion(|_| ()), &refresh).await.expect(200);
    let again = send(TOKEN, robot.assertion(|_| ()), &redemption).await.expect(400);
    assert_eq!(again.text("/error"), "invalid_grant");
    send(TOKEN, robot.assertion(|_| ()), &refresh).await.expect(400);
}

/// Registers a client as FAPI 2.0 wants it.
async fn make_strict(robot: &Robot, id: &str) {
    let admin = robot.app.admin().await;
    let body: Value = json!({
        "client_id": id,
        "name": id,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid profile email",
        "metadata": {
            "jwks": jwks_of(&[&robot.key]),
            "token_endpoint_auth_signing_alg": "PS256",
            "require_pushed_authorization_requests": true,
            "dpop_bound_access_tokens": true,
        },
    });
    robot.app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await.expect(201);
}
