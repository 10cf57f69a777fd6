//! Clients that prove themselves by an assertion that they sign (`private_key_jwt`, RFC 7523,
//! OpenID Connect Core §9, FAPI 2.0 §5.3.3), at every endpoint that asks who calls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use http::Method;
use munjigi_core::audit::Kind;
use munjigi_core::oauth::assertion::ASSERTION_TYPE;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::each_backend;
use munjigi_store::page::Page;
use munjigi_token::{Algorithm, Jwks, SigningKey};
use serde_json::{Value, json};

use crate::harness::{Answer, BEGINNING, ISSUER, TestApp};

/// A client with a key of its own, and the requests that it makes.
pub struct Robot {
    pub app: TestApp,
    pub key: SigningKey,
    pub id: &'static str,
    made: AtomicUsize,
}

pub fn jwks_of(keys: &[&SigningKey]) -> Value {
    let keys = keys.iter().map(|key| key.public_jwk().unwrap()).collect();
    serde_json::to_value(Jwks { keys }).unwrap()
}

impl Robot {
    pub async fn start(algorithm: Algorithm) -> Self {
        Self::start_at(TestApp::start().await, algorithm, json!({})).await
    }

    /// Registers a client that signs, with further metadata.
    pub async fn start_at(app: TestApp, algorithm: Algorithm, further: Value) -> Self {
        let key = SigningKey::generate(algorithm).unwrap();
        let mut metadata = json!({"jwks": jwks_of(&[&key])});
        for (name, value) in further.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        register(&app, "robot", metadata).await.expect(201);
        Self { app, key, id: "robot", made: AtomicUsize::new(0) }
    }

    pub fn claims(&self) -> Value {
        let now = self.app.app.clock.now().as_seconds();
        let jti = self.made.fetch_add(1, Ordering::Relaxed).to_string();
        json!({
            "iss": self.id, "sub": self.id, "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60,
        })
    }

    pub fn assertion(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.key.sign("JWT", &claims).unwrap()
    }

    /// A form with an assertion.
    pub async fn send(&self, path: &str, assertion: &str, form: &[(&str, &str)]) -> Answer {
        let mut parameters =
            vec![("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        parameters.extend(form);
        self.app.form(path, &parameters).await
    }

    /// A token of its own.
    pub async fn ask(&self, assertion: &str) -> Answer {
        self.send("/oauth2/token", assertion, &[("grant_type", "client_credentials")]).await
    }

    /// Fails unless the assertion is refused as it has to be.
    async fn refused(&self, assertion: &str, what: &str) -> Answer {
        let answer = self.ask(assertion).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.shown());
        assert_eq!(answer.text("/error"), "invalid_client", "{what}");
        answer
    }
}

pub async fn register(app: &TestApp, id: &str, metadata: Value) -> Answer {
    let admin = app.admin().await;
    let body = json!({
        "client_id": id,
        "name": id,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "events:read",
        "audiences": ["http://localhost:8001"],
        "metadata": metadata,
    });
    app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await
}

/// Why clients were refused, newest first.
async fn reasons(app: &TestApp) -> Vec<String> {
    let page = Page::first(20);
    let filter = AuditFilter::default();
    let listed = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    let refused = listed.items.into_iter().filter(|it| it.kind == Kind::ClientRefused.as_str());
    refused.map(|event| event.detail["reason"].to_string()).collect()
}

/// `oidcc-ensure-client-assertion-with-iss-aud-succeeds`, fapi2
/// `ensure-client-assertion-in-token-endpoint`, `ensure-client-id-in-token-endpoint`: the client is
/// named by its assertion, and may say it, too.
#[tokio::test]
async fn a_client_proves_itself_by_what_it_signs() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256] {
        let robot = Robot::start(algorithm).await;
        let answer = robot.ask(&robot.assertion(|_| ())).await.expect(200);
        assert_eq!(answer.text("/token_type"), "Bearer");
        let form = [("grant_type", "client_credentials"), ("client_id", "robot")];
        robot.send("/oauth2/token", &robot.assertion(|_| ()), &form).await.expect(200);
        let form = [("grant_type", "client_credentials"), ("client_id", "web")];
        let other = robot.send("/oauth2/token", &robot.assertion(|_| ()), &form).await.expect(401);
        assert_eq!(other.text("/error"), "invalid_client");
    }
}

/// ASVS 10.4.10: at every endpoint that asks who calls.
#[tokio::test]
async fn every_endpoint_that_asks_who_calls_takes_an_assertion() {
    let robot = Robot::start(Algorithm::Es256).await;
    let token = robot.ask(&robot.assertion(|_| ())).await.expect(200).text("/access_token");
    let form = [("token", token.as_str())];
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        robot.send(path, &robot.assertion(|_| ()), &form).await.expect(200);
        let wrong = robot.assertion(|claims| claims["aud"] = json!(format!("{ISSUER}{path}")));
        robot.send(path, &wrong, &form).await.expect(401);
    }
}

each_backend! {
    /// JW-11 of the attack kit; RFC 7523 §3, 7.
    async fn an_assertion_is_good_once_however_many_come_at_the_same_time(database) {
        let app = TestApp::start_with(&database).await;
        let robot = Robot::start_at(app, Algorithm::Es256, json!({})).await;
        let assertion = robot.assertion(|_| ());
        let all = futures_util::future::join_all((0..8).map(|_| robot.ask(&assertion))).await;
        assert_eq!(all.iter().filter(|answer| answer.status == 200).count(), 1);
        assert_eq!(all.iter().filter(|answer| answer.status == 401).count(), 7);
        let again = robot.refused(&assertion, "once more").await;
        assert_eq!(again.text("/error_description"), "the assertion was used before");
        let form = [("token", "x")];
        robot.send("/oauth2/revoke", &assertion, &form).await.expect(401);
        assert!(reasons(&robot.app).await[0].contains("used before"));
    }
}

/// JW-11 of the attack kit; fapi2 `par-test-array-as-audience-fails` and its siblings,
/// `ensure-client-assertion-with-exp-is-5-minutes-in-past-fails`, `-with-wrong-aud-fails`,
/// `-with-no-sub-fails`,
/// `par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails`.
#[tokio::test]
async fn an_assertion_says_what_it_has_to_and_nothing_else() {
    let robot = Robot::start(Algorithm::Es256).await;
    let now = BEGINNING;
    for (claim, wrong) in [
        ("iss", json!("web")),
        ("sub", json!("web")),
        ("aud", json!([ISSUER])),
        ("aud", json!([ISSUER, "https://other.example"])),
        ("aud", json!(format!("{ISSUER}/oauth2/token"))),
        ("aud", json!(format!("{ISSUER}/oauth2/par"))),
        ("aud", json!("https://other.example")),
        ("exp", json!(now - 300)),
        ("exp", json!(now + 48 * 3600)),
        ("exp", json!("soon")),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("jti", json!("")),
        ("jti", json!(1)),
    ] {
        let what = format!("{claim} {wrong}");
        robot.refused(&robot.assertion(|claims| claims[claim] = wrong), &what).await;
    }
    for claim in ["iss", "sub", "aud", "exp", "jti"] {
        let without = robot.assertion(|claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        let form = [("grant_type", "client_credentials"), ("client_id", "robot")];
        let answer = robot.send("/oauth2/token", &without, &form).await.expect(401);
        assert_eq!(answer.text("/error"), "invalid_client", "{claim}");
    }
    // fapi2 `par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted`.
    robot.ask(&robot.assertion(|claims| claims["nbf"] = json!(now + 8))).await.expect(200);
}

/// JW-11 of the attack kit; fapi2 `ensure-signed-client-assertion-with-RS256-fails`.
#[tokio::test]
async fn an_assertion_is_signed_by_the_client_with_the_algorithm_that_it_registered() {
    let app = TestApp::start().await;
    let only = json!({"token_endpoint_auth_signing_alg": "PS256"});
    let robot = Robot::start_at(app, Algorithm::Ps256, only).await;
    robot.ask(&robot.assertion(|_| ())).await.expect(200);
    let rsa = SigningKey::generate(Algorithm::Rs256).unwrap();
    let refused = robot.refused(&rsa.sign("JWT", &robot.claims()).unwrap(), "RS256").await;
    assert_eq!(
        refused.text("/error_description"),
        "alg of the assertion is not registered for the client"
    );
    let other = SigningKey::generate(Algorithm::Ps256).unwrap();
    robot.refused(&other.sign("JWT", &robot.claims()).unwrap(), "another key").await;
    let secret = SigningKey::hs256_shared_secret("1", &[7; 32]).unwrap();
    robot.refused(&secret.sign("JWT", &robot.claims()).unwrap(), "HS256").await;
    let good = robot.assertion(|_| ());
    let (payload, _) = good.split_once('.').unwrap().1.split_once('.').unwrap();
    let none = munjigi_token::base64url::encode(br#"{"alg":"none"}"#);
    robot.refused(&format!("{none}.{payload}."), "none").await;
    robot.refused(&good[..good.len() - 8], "cut").await;
    robot.refused("nonsense", "nonsense").await;
    let request = robot.key.sign("oauth-authz-req+jwt", &robot.claims()).unwrap();
    robot.refused(&request, "a request object").await;
    let typed = robot.key.sign("client-authentication+jwt", &robot.claims()).unwrap();
    robot.ask(&typed).await.expect(200);
    // What was refused spent nothing.
    robot.ask(&good).await.expect(200);
}

/// RFC 7517 §4.4: `alg` of a key is optional; what the client registered says what it is for.
#[tokio::test]
async fn a_key_that_does_not_name_its_algorithm_is_for_the_one_that_the_client_registered() {
    let app = TestApp::start().await;
    for algorithm in [Algorithm::Ps256, Algorithm::Rs256] {
        let key = SigningKey::generate(algorithm).unwrap();
        let mut jwks = jwks_of(&[&key]);
        jwks["keys"][0].as_object_mut().unwrap().remove("alg");
        let id = if algorithm == Algorithm::Ps256 { "silent-ps" } else { "silent-rs" };
        let only = json!({"jwks": jwks, "token_endpoint_auth_signing_alg": algorithm.as_str()});
        register(&app, id, only).await.expect(201);
        let robot = Robot { app: app.clone(), key, id, made: AtomicUsize::new(0) };
        robot.ask(&robot.assertion(|_| ())).await.expect(200);
        let other = SigningKey::generate(algorithm).unwrap();
        robot.refused(&other.sign("JWT", &robot.claims()).unwrap(), "another key").await;
    }
}

/// JW-11 of the attack kit: a bad signature beside a good secret; RFC 6749 §2.3.
#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let robot = Robot::start(Algorithm::Es256).await;
    let (id, secret) = robot.app.web();
    let forged = SigningKey::generate(Algorithm::Es256).unwrap();
    let forged = forged.sign("JWT", &robot.claims()).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &forged),
    ];
    let both = [&form[..], &[("client_secret", secret)]].concat();
    let answer = robot.app.form("/oauth2/token", &both).await.expect(400);
    assert_eq!(answer.text("/error"), "invalid_request");
    let header = robot.app.form_as((id, secret), "/oauth2/token", &form).await.expect(400);
    assert_eq!(header.text("/error"), "invalid_request");
    // A client with a secret has no keys, and one with keys no secret.
    robot.app.form("/oauth2/token", &form).await.expect(401);
    let form = [("grant_type", "client_credentials")];
    robot.app.form_as(("robot", "mj_cs_x"), "/oauth2/token", &form).await.expect(401);
    let form = [("grant_type", "client_credentials"), ("client_id", "robot")];
    robot.app.form("/oauth2/token", &form).await.expect(401);
    for (name, value) in [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "a.b.c")]
    {
        let answer = robot.app.form("/oauth2/token", &[form[0], (name, value)]).await.expect(400);
        assert_eq!(answer.text("/error"), "invalid_request", "{name} alone");
    }
    let other = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let form = [form[0], ("client_assertion_type", other), ("client_assertion", &forged)];
    robot.app.form("/oauth2/token", &form).await.expect(400);
}

/// The keys of a client at an address of its own, and how often they were asked for.
struct KeyServer {
    uri: String,
    asked: Arc<AtomicUsize>,
    document: Arc<Mutex<Value>>,
}

impl KeyServer {
    async fn start(document: Value) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/keys", listener.local_addr().unwrap());
        let (asked, document) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(document)));
        let (count, text) = (Arc::clone(&asked), Arc::clone(&document));
        let answer = get(async move || {
            count.fetch_add(1, Ordering::Relaxed);
            text.lock().unwrap().to_string()
        });
        let router = Router::new().route("/keys", answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { uri, asked, document }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// `registration-jwks-uri`, `refresh-token-rp-key-rotation`: keys that a client publishes are read
/// when they are needed, and its next key works when it is used.
#[tokio::test]
async fn keys_that_a_client_publishes_are_read_and_read_again_when_they_change() {
    let app = TestApp::start().await;
    let first = SigningKey::generate(Algorithm::Es256).unwrap();
    let server = KeyServer::start(jwks_of(&[&first])).await;
    register(&app, "robot", json!({"jwks_uri": server.uri})).await.expect(201);
    let robot = Robot { app, key: first, id: "robot", made: AtomicUsize::new(0) };
    for _ in 0..3 {
        robot.ask(&robot.assertion(|_| ())).await.expect(200);
    }
    assert_eq!(server.asked(), 1);

    let second = SigningKey::generate(Algorithm::Es256).unwrap();
    *server.document.lock().unwrap() = jwks_of(&[&second]);
    robot.app.advance(31);
    robot.ask(&second.sign("JWT", &robot.claims()).unwrap()).await.expect(200);
    assert_eq!(server.asked(), 2);
    robot.app.advance(31);
    robot.refused(&robot.assertion(|_| ()), "a key that is gone").await;
}

/// An unknown key cannot make us ask without end, and nothing that cannot hold makes us ask at all.
#[tokio::test]
async fn strangers_cannot_make_us_ask_for_keys_over_and_over() {
    let app = TestApp::start().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let server = KeyServer::start(jwks_of(&[&key])).await;
    register(&app, "robot", json!({"jwks_uri": server.uri})).await.expect(201);
    let robot = Robot { app, key, id: "robot", made: AtomicUsize::new(0) };
    robot.refused(&robot.assertion(|claims| claims["aud"] = json!("x")), "for another").await;
    assert_eq!(server.asked(), 0);

    let forged: Vec<_> = (0..10)
        .map(|_| SigningKey::generate(Algorithm::Es256).unwrap())
        .map(|key| key.sign("JWT", &robot.claims()).unwrap())
        .collect();
    futures_util::future::join_all(forged.iter().map(|it| robot.refused(it, "forged"))).await;
    assert_eq!(server.asked(), 1);
    robot.ask(&robot.assertion(|_| ())).await.expect(200);
    robot.app.advance(31);
    robot.refused(&forged[0], "forged").await;
    assert_eq!(server.asked(), 2);

    // While nobody answers, the keys at hand go on, and strangers bring nothing down.
    *server.document.lock().unwrap() = json!("broken");
    robot.app.advance(31);
    let forged = SigningKey::generate(Algorithm::Es256).unwrap();
    robot.refused(&forged.sign("JWT", &robot.claims()).unwrap(), "forged").await;
    robot.ask(&robot.assertion(|_| ())).await.expect(200);
}

/// Many clients that registered themselves may name one host, each another address of it. It is
/// asked ten times a minute for one of their addresses, and thirty times for all of them; a client
/// that an administrator made is none of them, and what was read serves everybody.
#[tokio::test]
async fn a_host_is_asked_for_the_keys_of_strangers_so_often_and_no_more() {
    let app = TestApp::start().await;
    app.open_registration().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let server = KeyServer::start(jwks_of(&[&key])).await;
    register(&app, "robot", json!({"jwks_uri": server.uri})).await.expect(201);
    let robot = Robot { app, key, id: "robot", made: AtomicUsize::new(0) };
    let mut strangers = Vec::new();
    for number in 0..33 {
        let body = json!({
            "client_name": "Robot", "redirect_uris": ["https://robot.example/cb"],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": format!("{}?{number}", server.uri),
        });
        let theirs = robot.app.at(&format!("203.0.113.{number}"));
        strangers.push(theirs.post("/oauth2/register", body).await.expect(201).text("/client_id"));
    }
    assert_eq!(server.asked(), 0, "nobody needs them yet");
    // Anything that asks who calls.
    let calls = async |stranger: &str, from: &str| {
        let assertion = robot.assertion(|claims| {
            (claims["iss"], claims["sub"]) = (json!(stranger), json!(stranger));
        });
        let form = [
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
            ("token", "x"),
        ];
        robot.app.at(from).form("/oauth2/revoke", &form).await.status.as_u16()
    };

    for (index, stranger) in strangers.iter().take(11).enumerate() {
        let expected = if index < 10 { 200 } else { 401 };
        assert_eq!(calls(stranger, "198.51.100.1").await, expected, "{index}");
    }
    assert_eq!(server.asked(), 10);
    assert_eq!(calls(&strangers[0], "198.51.100.1").await, 200, "they are at hand");
    for (index, stranger) in strangers.iter().enumerate().skip(10) {
        let from = format!("198.51.100.{}", index / 10 + 1);
        let expected = if index < 30 { 200 } else { 401 };
        assert_eq!(calls(stranger, &from).await, expected, "{index} from {from}");
    }
    assert_eq!(server.asked(), 30);
    robot.ask(&robot.assertion(|_| ())).await.expect(200);
    assert_eq!(server.asked(), 31, "whom an administrator made is served");

    robot.app.advance(60);
    assert_eq!(calls(&strangers[32], "198.51.100.4").await, 200);
    assert_eq!(server.asked(), 32);
}

/// The other metadata of a client that signs is checked when it is registered.
#[tokio::test]
async fn a_client_that_signs_has_keys_and_no_secret() {
    let app = TestApp::start().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    register(&app, "a", json!({})).await.expect(422);
    let both = json!({"jwks": jwks_of(&[&key]), "jwks_uri": "https://a.example/keys"});
    register(&app, "b", both).await.expect(422);
    let made = register(&app, "c", json!({"jwks": jwks_of(&[&key])})).await.expect(201);
    assert!(made.json()["client_secret"].is_null());
    let admin = app.admin().await;
    let rotate = "/api/v1/admin/clients/c/rotate-secret";
    app.act_as(Method::POST, rotate, &admin).await.expect(409);
}
