//! Signing out, as the OpenID conformance suite asks for it (RP-Initiated Logout, Back-Channel
//! Logout, Front-Channel Logout), with a client that listens on a real port.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{Method, StatusCode};
use munjigi_core::account::Password;
use munjigi_core::audit::Kind as EventKind;
use munjigi_core::oauth::metadata::{Metadata, WebUri};
use munjigi_server::operate::Operator;
use munjigi_server::outbox;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::outbox::Kind;
use munjigi_store::page::Page;
use munjigi_store::{Audit, Committed, DatabaseUrl, StoreError, clients, each_backend};
use munjigi_token::{Unverified, base64url};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, request};

const LOGOUT: &str = "/oauth2/logout";
const BYE: &str = "http://localhost:3000/bye?from=us";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Changes what a demo client registered.
async fn register(app: &TestApp, id: &str, change: impl Fn(&mut Metadata) + Send + 'static) {
    let id = id.parse().unwrap();
    let written = app.app.store.write(move |tx| {
        let mut client = clients::find(tx, &id)?.unwrap();
        change(&mut client.metadata);
        clients::update(tx, &client)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test")))
    });
    written.await.unwrap();
    app.app.reload().await.unwrap();
}

async fn start() -> Visitor {
    start_on(TestApp::start().await).await
}

async fn start_on(app: TestApp) -> Visitor {
    app.app.ensure_rsa_key().await.unwrap();
    register(&app, "spa", |it| it.post_logout_redirect_uris = vec![BYE.to_owned()]).await;
    Visitor::of(&app)
}

/// What the client holds after a sign-in.
struct SignedIn {
    id_token: String,
    access_token: String,
}

impl SignedIn {
    fn claim(&self, name: &str) -> String {
        claims(&self.id_token)[name].as_str().unwrap().to_owned()
    }
}

impl Visitor {
    /// Signs in at the public demo client.
    async fn enter(&self, who: (&str, &str)) -> SignedIn {
        let answer = self.open(&request(&[])).await;
        let mut answer = self.sign_in(answer, who).await;
        for _ in 0..4 {
            let to = answer.location().unwrap();
            if to.starts_with("http") {
                break;
            }
            answer = match to.starts_with("/consent") {
                true => self.consent(answer, "allow").await,
                false => self.open(&to).await,
            };
        }
        let code = answer.brings("code").expect("a code");
        let parameters = [
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let tokens = self.app.form("/oauth2/token", &parameters).await.expect(200);
        SignedIn { id_token: tokens.text("/id_token"), access_token: tokens.text("/access_token") }
    }

    async fn log_out(&self, parameters: &[(&str, &str)]) -> Answer {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        self.open(&format!("{LOGOUT}?{}", query.extend_pairs(parameters).finish())).await
    }

    /// Whether `prompt=none` finds somebody.
    async fn is_signed_in(&self) -> bool {
        let answer = self.open(&request(&[("prompt", Some("none"))])).await;
        match answer.brings("error") {
            None => answer.brings("code").is_some(),
            Some(error) => {
                assert_eq!(error, "login_required");
                false
            }
        }
    }
}

/// The question, and nothing done, and no way to the client.
#[track_caller]
fn assert_asks(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.shown());
    assert!(answer.page().contains(r#"name="action" value="sign-out""#), "{}", answer.page());
    assert!(!answer.page().contains("/bye") && !answer.page().contains("evil"));
    assert_eq!(answer.header("set-cookie"), None);
}

/// The page that says so, without a way to the client.
#[track_caller]
fn assert_signed_out(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.shown());
    assert!(answer.page().contains("You are signed out"), "{}", answer.page());
    assert!(!answer.page().contains("/bye") && !answer.page().contains("evil"));
}

/// `oidcc-rp-initiated-logout-discovery-endpoint-verification`, and those of back and front
/// channel.
#[tokio::test]
async fn discovery_says_where_and_how_one_signs_out() {
    let app = TestApp::start().await;
    let document = app.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["end_session_endpoint"], format!("{ISSUER}{LOGOUT}"));
    for name in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ] {
        assert_eq!(document[name], json!(true), "{name}");
    }
}

each_backend! {
    /// `oidcc-rp-initiated-logout`.
    async fn a_client_with_a_hint_signs_its_person_out_and_has_them_back(database) {
        let minji = start_on(TestApp::start_with(&database).await).await;
        let held = minji.enter(MINJI).await;
        assert!(minji.is_signed_in().await);

        let parameters = [
            ("id_token_hint", held.id_token.as_str()),
            ("post_logout_redirect_uri", BYE),
            ("state", "s 1"),
            ("client_id", "spa"),
        ];
        let answer = minji.log_out(&parameters).await.expect(303);
        assert_eq!(answer.location().unwrap(), format!("{BYE}&state=s+1"));
        assert_eq!(minji.cookie("__Host-munjigi-session"), None);
        assert!(!minji.is_signed_in().await);
        minji.app.read_as("/oauth2/userinfo", &held.access_token).await.expect(401);
        assert!(minji.app.trail(&held.claim("sub")).await.contains(&"signed_out".to_owned()));
        // Once more, as somebody whose client did not hear of it: the same way back.
        let again = minji.log_out(&parameters).await.expect(303);
        assert_eq!(again.location().unwrap(), format!("{BYE}&state=s+1"));
    }
}

/// A cookie that was stolen before is of no use after.
#[tokio::test]
async fn the_cookie_of_a_session_that_was_signed_out_opens_nothing() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    let cookie = minji.cookie("__Host-munjigi-session").unwrap();
    minji.log_out(&[("id_token_hint", &held.id_token)]).await.expect(200);
    minji.plant("__Host-munjigi-session", &cookie);
    assert!(!minji.is_signed_in().await);
}

/// `oidcc-rp-initiated-logout-bad-post-logout-redirect-uri`,
/// `oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri`; RU-09 of the attack kit.
#[tokio::test]
async fn an_address_that_is_not_registered_is_not_gone_to() {
    let added = format!("{BYE}&more=1");
    for bad in
        ["https://evil.example/bye", "http://localhost:3000/bye", &added, "/x", "javascript:evil"]
    {
        let minji = start().await;
        let held = minji.enter(MINJI).await;
        let parameters = [
            ("id_token_hint", held.id_token.as_str()),
            ("post_logout_redirect_uri", bad),
            ("state", "s-1"),
        ];
        assert_signed_out(&minji.log_out(&parameters).await);
        assert!(!minji.is_signed_in().await, "{bad}");
    }
}

/// `oidcc-rp-initiated-logout-modified-id-token-hint`,
/// `oidcc-rp-initiated-logout-bad-id-token-hint`.
#[tokio::test]
async fn a_hint_that_is_no_id_token_of_ours_is_not_believed() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    let payload = held.id_token.split('.').nth(1).unwrap();
    let none = base64url::encode(br#"{"alg":"none","typ":"JWT"}"#);
    let unsigned = format!("{none}.{payload}.");
    let mut other = claims(&held.id_token);
    other["aud"] = json!("web");
    let (header, signature) =
        (held.id_token.split('.').next().unwrap(), held.id_token.split('.').nth(2).unwrap());
    let modified =
        format!("{header}.{}.{signature}", base64url::encode(other.to_string().as_bytes()));
    for bad in [&unsigned, &modified, &held.access_token, "x", "a.b.c"] {
        let parameters =
            [("id_token_hint", bad), ("post_logout_redirect_uri", BYE), ("state", "s-1")];
        assert_asks(&minji.log_out(&parameters).await);
    }
    // A good one, said to be of another client.
    let good = ("id_token_hint", held.id_token.as_str());
    let parameters = [good, ("client_id", "web"), ("post_logout_redirect_uri", BYE)];
    assert_asks(&minji.log_out(&parameters).await);
    assert!(minji.is_signed_in().await);
}

/// Whoever has a key that was withdrawn can write hints.
#[tokio::test]
async fn a_hint_of_a_withdrawn_key_is_not_believed() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    let app = &minji.app.app;
    let header = base64url::decode(held.id_token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let event = |kind| app.system_event(kind).unwrap();
    let events = (event(EventKind::KeyWithdrawn), event(EventKind::KeyCreated));
    app.withdraw_key(header["kid"].as_str().unwrap(), events).await.unwrap();
    let parameters = [("id_token_hint", held.id_token.as_str()), ("post_logout_redirect_uri", BYE)];
    assert_asks(&minji.log_out(&parameters).await);
    assert!(minji.is_signed_in().await);
}

/// `oidcc-rp-initiated-logout-no-id-token-hint`, `oidcc-rp-initiated-logout-no-params`,
/// `oidcc-rp-initiated-logout-only-state`; RU-09 of the attack kit.
#[tokio::test]
async fn without_a_hint_the_person_is_asked_and_stays_here() {
    let minji = start().await;
    minji.enter(MINJI).await;
    for parameters in [
        &[][..],
        &[("state", "s-1")],
        &[("post_logout_redirect_uri", BYE), ("state", "s-1")],
        &[("client_id", "spa"), ("post_logout_redirect_uri", BYE)],
    ] {
        assert_asks(&minji.log_out(parameters).await);
        assert!(minji.is_signed_in().await, "{parameters:?}");
    }
    let answer = minji.send(LOGOUT, &[("action", "sign-out")]).await;
    assert_signed_out(&answer);
    assert!(!minji.is_signed_in().await);
    // Nobody is asked who is not there.
    assert_signed_out(&minji.log_out(&[("post_logout_redirect_uri", BYE)]).await);
}

/// `oidcc-rp-initiated-logout-no-post-logout-redirect-uri`, `oidcc-rp-initiated-logout-no-state`.
#[tokio::test]
async fn without_an_address_there_is_a_page_and_without_a_state_none_comes_back() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    let hint = ("id_token_hint", held.id_token.as_str());
    assert_signed_out(&minji.log_out(&[hint, ("state", "s-1")]).await);
    assert!(!minji.is_signed_in().await);

    let held = minji.enter(MINJI).await;
    let hint = ("id_token_hint", held.id_token.as_str());
    let answer = minji.log_out(&[hint, ("post_logout_redirect_uri", BYE)]).await;
    assert_eq!(answer.expect(303).location().as_deref(), Some(BYE));
    assert!(!minji.is_signed_in().await);
}

/// RP-Initiated Logout §2, §4: an ID token is a hint long after it has expired.
#[tokio::test]
async fn a_hint_may_be_old() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    minji.app.advance(6 * 3600);
    assert_signed_out(&minji.log_out(&[("id_token_hint", &held.id_token)]).await);
    assert!(!minji.is_signed_in().await);
}

/// RP-Initiated Logout §2: both methods have to be supported.
#[tokio::test]
async fn a_client_may_post_and_what_decides_is_its_hint() {
    let minji = start().await;
    let held = minji.enter(MINJI).await;
    // Another site's form answers no question of ours.
    for site in ["cross-site", "same-site"] {
        let forged = minji.send_from(site, LOGOUT, &[("action", "sign-out"), ("request", "x")]);
        let forged = forged.await.expect(303);
        assert_eq!(forged.location().as_deref(), Some(LOGOUT));
        assert_asks(&minji.follow(forged).await);
        assert!(minji.is_signed_in().await);
    }
    let fields = [
        ("id_token_hint", held.id_token.as_str()),
        ("post_logout_redirect_uri", BYE),
        ("state", "s-1"),
    ];
    let answer = minji.send_from("cross-site", LOGOUT, &fields).await.expect(303);
    assert!(answer.location().unwrap().starts_with("/oauth2/logout?id_token_hint="));
    let answer = minji.follow(answer).await;
    assert_eq!(answer.location().unwrap(), format!("{BYE}&state=s-1"));
    assert!(!minji.is_signed_in().await);
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_refused_with_a_page() {
    let minji = start().await;
    minji.enter(MINJI).await;
    let twice = minji.open(&format!("{LOGOUT}?state=a&state=b")).await;
    assert_eq!(twice.status, 400);
    let long = minji.open(&format!("{LOGOUT}?state={}", "a".repeat(9_000))).await;
    assert_eq!(long.status, 400);
    let long = "a".repeat(9_000);
    assert_eq!(minji.send_from("cross-site", LOGOUT, &[("state", &long)]).await.status, 400);
    assert!(minji.is_signed_in().await);
}

/// Somebody else uses the browser now: it is they who are asked, and the client has its own back.
#[tokio::test]
async fn a_hint_about_somebody_else_asks_who_is_there_and_then_goes_on() {
    let browser = start().await;
    let minji = browser.enter(MINJI).await;
    browser.log_out(&[("id_token_hint", &minji.id_token)]).await.expect(200);
    browser.enter(JUN).await;

    let hint = ("id_token_hint", minji.id_token.as_str());
    let parameters = [hint, ("post_logout_redirect_uri", BYE), ("state", "s-1")];
    let asked = browser.log_out(&parameters).await;
    assert_asks(&asked);
    assert!(asked.page().contains("Demo single-page application asks to sign you out"));
    let policy = asked.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http://localhost:3000"), "{policy}");
    let sealed = asked.page().split(r#"name="request" value=""#).nth(1).unwrap().to_owned();
    let sealed = sealed.split('"').next().unwrap();
    assert!(browser.is_signed_in().await);

    let fields = [("action", "sign-out"), ("request", sealed)];
    let answer = browser.send(LOGOUT, &fields).await.expect(303);
    assert_eq!(answer.location().unwrap(), format!("{BYE}&state=s-1"));
    assert!(!browser.is_signed_in().await);
    // An hour later the way back is forgotten; so is one that nobody here has sealed.
    browser.app.advance(3_600);
    assert_signed_out(&browser.send(LOGOUT, &fields).await);
    assert_signed_out(&browser.send(LOGOUT, &[("action", "sign-out"), ("request", "x")]).await);
}

/// A client of the person's, which hears logout tokens on a real port.
#[derive(Clone)]
struct Listener {
    uri: String,
    /// What it answers.
    status: Arc<Mutex<StatusCode>>,
    /// What came.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/back?x=1", listener.local_addr().unwrap());
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let it = Self { uri, status, heard: Arc::default() };
        let hear = async |State(it): State<Self>, body: String| {
            it.heard.lock().unwrap().push(body);
            *it.status.lock().unwrap()
        };
        let router = Router::new().route("/back", post(hear)).with_state(it.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        it
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    /// The logout tokens that came.
    fn tokens(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let token = |body: &String| body.strip_prefix("logout_token=").unwrap().to_owned();
        heard.iter().map(token).collect()
    }

    async fn told_by(&self, app: &TestApp, client: &str) {
        let uri = WebUri::parse(&self.uri).unwrap();
        register(app, client, move |it| it.backchannel_logout_uri = Some(uri.clone())).await;
    }
}

async fn sent(app: &TestApp) -> usize {
    outbox::run(&app.app).await.unwrap()
}

/// What the audit trail says of deliveries that failed.
async fn failures(app: &TestApp) -> Vec<String> {
    let filter = AuditFilter { kind: Some(EventKind::DeliveryFailed), ..AuditFilter::default() };
    let page = Page::first(100);
    let found = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    found.items.into_iter().map(|event| serde_json::to_string(&event.detail).unwrap()).collect()
}

each_backend! {
    /// `oidcc-backchannel-rp-initiated-logout`.
    async fn a_client_is_told_of_a_sign_out_from_behind(database) {
        let minji = start_on(TestApp::start_with(&database).await).await;
        let client = Listener::start().await;
        client.told_by(&minji.app, "spa").await;
        client.told_by(&minji.app, "web").await;
        let held = minji.enter(MINJI).await;
        let parameters =
            [("id_token_hint", held.id_token.as_str()), ("post_logout_redirect_uri", BYE)];
        minji.log_out(&parameters).await.expect(303);
        assert!(!minji.is_signed_in().await);
        assert_eq!(sent(&minji.app).await, 1, "the other client was not let in");
        assert_eq!(sent(&minji.app).await, 0);

        let tokens = client.tokens();
        let keys = minji.app.app.snapshot().keys.published().clone();
        let token = Unverified::parse(&tokens[0]).unwrap().verify(&keys).unwrap();
        assert_eq!(token.header().typ.as_deref(), Some("logout+jwt"));
        assert_eq!(token.header().alg.as_str(), "RS256");
        let said = claims(&tokens[0]);
        let members: Vec<&String> = said.as_object().unwrap().keys().collect();
        assert_eq!(members, ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]);
        assert_eq!(said["iss"], ISSUER);
        assert_eq!(said["aud"], "spa");
        assert_eq!(said["sub"], held.claim("sub"));
        assert_eq!(said["sid"], held.claim("sid"));
        assert_eq!(said["events"], json!({EVENT: {}}));
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 120);
        assert!(said["jti"].is_string());
        // It is no ID token: nobody is signed out by it.
        let held = minji.enter(MINJI).await;
        assert_asks(&minji.log_out(&[("id_token_hint", &tokens[0])]).await);
        assert_eq!(held.claim("sub"), said["sub"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a_client_that_does_not_hear_is_told_again_with_a_fresh_token() {
    let minji = start().await;
    let client = Listener::start().await;
    client.told_by(&minji.app, "spa").await;
    let held = minji.enter(MINJI).await;
    client.answers(503);
    minji.log_out(&[("id_token_hint", &held.id_token)]).await.expect(200);
    assert_eq!(sent(&minji.app).await, 0);
    minji.app.advance(59);
    assert_eq!((sent(&minji.app).await, client.tokens().len()), (0, 1));
    minji.app.advance(1);
    client.answers(204);
    assert_eq!(sent(&minji.app).await, 1);
    let said: Vec<Value> = client.tokens().iter().map(|token| claims(token)).collect();
    assert_eq!(said[1]["iat"].as_i64().unwrap() - said[0]["iat"].as_i64().unwrap(), 60);
    assert_ne!(said[0]["jti"], said[1]["jti"]);
    assert_eq!(said[0]["sid"], said[1]["sid"]);
    assert!(failures(&minji.app).await.is_empty());
}

/// Back-Channel Logout §2.8: 400 says that it was read and will not be done.
#[tokio::test]
async fn a_client_that_refuses_or_must_not_be_reached_is_given_up_at_once() {
    let minji = start().await;
    let client = Listener::start().await;
    client.told_by(&minji.app, "spa").await;
    client.answers(400);
    let held = minji.enter(MINJI).await;
    minji.log_out(&[("id_token_hint", &held.id_token)]).await.expect(200);
    assert_eq!(sent(&minji.app).await, 0);
    minji.app.advance(100_000);
    assert_eq!((sent(&minji.app).await, client.tokens().len()), (0, 1));
    let failed = failures(&minji.app).await;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].contains("it answered with status 400"), "{failed:?}");

    // AD-06 of the attack kit.
    let inner = WebUri::parse("https://169.254.169.254/latest").unwrap();
    let put = move |it: &mut Metadata| it.backchannel_logout_uri = Some(inner.clone());
    register(&minji.app, "spa", put).await;
    let held = minji.enter(MINJI).await;
    minji.log_out(&[("id_token_hint", &held.id_token)]).await.expect(200);
    assert_eq!(sent(&minji.app).await, 0);
    assert_eq!(failures(&minji.app).await.len(), 2);
}

/// How many logout tokens wait.
async fn queued(app: &TestApp) -> usize {
    let now = app.app.clock.now();
    let due = app.app.store.read(move |tx| munjigi_store::outbox::due(tx, now, 100));
    let due = due.await.unwrap();
    due.iter().filter(|due| due.parcel.kind == Kind::Logout).count()
}

const MY_SESSIONS: &str = "/api/v1/users/me/sessions";

/// However a session ends, what it let in is told of it: none of the ways may forget.
#[tokio::test]
async fn every_way_of_ending_a_session_tells_its_clients() {
    let directory = tempfile::tempdir().unwrap();
    let database = DatabaseUrl::SqliteFile(directory.path().join("munjigi.db"));
    let app = TestApp::start_from(crate::harness::config(database.clone())).await;
    let put = |it: &mut Metadata| {
        it.backchannel_logout_uri = WebUri::parse("https://client.example/back");
    };
    register(&app, "first-party", put).await;
    let admin = app.sign_in(JUN).await.access;
    let sid = |token: &str| claims(token)["sid"].as_str().unwrap().to_owned();
    let operator = Operator::open(database, app.clock.clone()).await.unwrap();
    let mut told = 0;
    let mut expect = async |app: &TestApp, more: usize, way: &str| {
        told += more;
        assert_eq!(queued(app).await, told, "{way}");
    };

    app.sign_up("way@test.com", "a good password").await;
    let way = ("way@test.com", "a good password");
    let (one, two) = (app.sign_in(way).await.access, app.sign_in(way).await.access);
    app.act_as(Method::DELETE, &format!("{MY_SESSIONS}/{}", sid(&two)), &one).await.expect(204);
    expect(&app, 1, "ended in the list of sessions").await;
    app.act_as(Method::POST, "/api/v1/users/signout", &one).await.expect(204);
    expect(&app, 1, "signed out by the API").await;
    // What has ended is not told of twice.
    app.act_as(Method::POST, "/api/v1/users/signout", &one).await.expect(401);
    expect(&app, 0, "signed out again").await;

    let (one, _, _) =
        (app.sign_in(way).await.access, app.sign_in(way).await, app.sign_in(way).await);
    let body = json!({"current_password": way.1, "new_password": "another password"});
    app.call(Method::POST, "/api/v1/users/me/password", &one, body).await.expect(204);
    expect(&app, 2, "the others, by a changed password").await;
    let way = (way.0, "another password");
    let third = Password::parse("a third password".to_owned()).unwrap();
    operator.reset_password(way.0, third).await.unwrap();
    expect(&app, 1, "by an operator's new password").await;

    let way = (way.0, "a third password");
    let id = claims(&app.sign_in(way).await.access)["sub"].as_str().unwrap().to_owned();
    let account = format!("/api/v1/admin/users/{id}");
    app.act_as(Method::POST, &format!("{account}/disable"), &admin).await;
    expect(&app, 1, "disabled by an administrator").await;
    app.act_as(Method::POST, &format!("{account}/enable"), &admin).await;
    // So many endings in one second make the next token wait for the end of them.
    app.advance(5);
    app.sign_in(way).await;
    operator.disable_user(way.0).await.unwrap();
    expect(&app, 1, "disabled by an operator").await;
    operator.enable_user(way.0).await.unwrap();
    app.sign_in(way).await;
    app.act_as(Method::DELETE, &account, &admin).await.expect(204);
    expect(&app, 1, "deleted by an administrator").await;

    for by_operator in [false, true] {
        app.sign_up(way.0, way.1).await;
        let token = app.sign_in(way).await.access;
        match by_operator {
            true => drop(operator.delete_user(way.0).await.unwrap()),
            false => {
                let body = json!({"password": way.1});
                app.call(Method::DELETE, "/api/v1/users/me", &token, body).await.expect(204);
            }
        }
        expect(&app, 1, "deleted by its owner or an operator").await;
    }
    operator.close().await;
}

/// `oidcc-frontchannel-rp-initiated-logout`.
#[tokio::test]
async fn a_client_is_told_of_a_sign_out_by_a_frame_of_the_page() {
    let minji = start().await;
    let put = |it: &mut Metadata| {
        it.frontchannel_logout_uri = WebUri::parse("https://app.example/front?a=b");
    };
    register(&minji.app, "spa", put).await;
    let held = minji.enter(MINJI).await;
    let parameters = [
        ("id_token_hint", held.id_token.as_str()),
        ("post_logout_redirect_uri", BYE),
        ("state", "s-1"),
    ];
    // The page first, so that its frames are loaded; then the client.
    let answer = minji.log_out(&parameters).await.expect(200);
    let page = answer.page();
    let src = page.split("<iframe").nth(1).unwrap().split("src=\"").nth(1).unwrap();
    let src = src.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let src = url::Url::parse(&src).unwrap();
    assert_eq!(src.origin().ascii_serialization(), "https://app.example");
    let pairs: Vec<(String, String)> = src.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("a", "b"), pair("iss", ISSUER), pair("sid", &held.claim("sid"))]);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.ends_with("; script-src 'self'; frame-src https://app.example"), "{policy}");
    let onward = format!("{BYE}&state=s-1");
    let page = page.replace("&#38;", "&").replace("&amp;", "&");
    assert!(page.contains(&format!("href=\"{onward}\"")), "{page}");
    assert!(!minji.is_signed_in().await);

    // Who is not there is not signed out of anything.
    let again = minji.log_out(&[("id_token_hint", &held.id_token)]).await.expect(200);
    assert!(!again.page().contains("<iframe"));
    assert!(!again.header("content-security-policy").unwrap().contains("frame-src"));
}
