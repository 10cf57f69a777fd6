//! Clients whose id is the address of a document (Client ID Metadata Document), and what the
//! authorization specification of MCP (2026-07-28) asks of an authorization server: walked through
//! as a client of it does.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Request;
use munjigi_server::Config;
use munjigi_server::config::Outbound;
use munjigi_store::{DatabaseUrl, clients};
use munjigi_token::{Expectation, Jwks, KeySet, Typ};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{Answer, ISSUER, MINJI, TestApp, claims, config};
use crate::visitor::{VERIFIER, Visitor, challenge, code};

const BACK: &str = "http://127.0.0.1:7777/callback";
const PLANNER: &str = "http://localhost:8001";
const DISCOVERY: &str = "/.well-known/oauth-authorization-server";

/// Somebody who publishes a document, and counts who reads it.
struct Publisher {
    id: String,
    said: Arc<Mutex<(String, String)>>,
    read: Arc<Mutex<u32>>,
}

impl Publisher {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = Arc::new(Mutex::new((String::new(), String::new())));
        let publisher = Self {
            id: format!("http://127.0.0.1:{port}/client.json"),
            said: Arc::clone(&said),
            read: Arc::default(),
        };
        let read = Arc::clone(&publisher.read);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 4_096];
                let _heard = stream.read(&mut heard).await;
                *read.lock().unwrap() += 1;
                let (head, body) = said.lock().unwrap().clone();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                let _sent = stream.write_all(answer.as_bytes()).await;
            }
        });
        publisher.publishes(&publisher.document());
        publisher
    }

    fn document(&self) -> Value {
        json!({
            "client_id": self.id, "client_name": "Agent", "redirect_uris": [BACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        })
    }

    fn publishes(&self, document: &Value) {
        self.says("200 OK\r\ncontent-type: application/json", &document.to_string());
    }

    fn says(&self, head: &str, body: &str) {
        *self.said.lock().unwrap() = (head.to_owned(), body.to_owned());
    }

    fn times_read(&self) -> u32 {
        *self.read.lock().unwrap()
    }

    fn request(&self, more: &[(&str, &str)]) -> String {
        request(&self.id, BACK, more)
    }

    async fn redeem(&self, app: &TestApp, code: &str, more: &[(&str, &str)]) -> Answer {
        redeem(app, &self.id, code, (BACK, more)).await
    }
}

fn request(client_id: &str, back: &str, more: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", client_id),
        ("redirect_uri", back),
        ("response_type", "code"),
        ("state", "s-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    query.extend_pairs(more);
    format!("/oauth2/authorize?{}", query.finish())
}

async fn redeem(
    app: &TestApp,
    id: &str,
    code: &str,
    (back, more): (&str, &[(&str, &str)]),
) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("redirect_uri", back),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    form.extend(more);
    app.form("/oauth2/token", &form).await
}

async fn refresh(app: &TestApp, id: &str, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut form =
        vec![("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", token)];
    form.extend(more);
    app.form("/oauth2/token", &form).await
}

async fn start() -> TestApp {
    let app = TestApp::start().await;
    app.set("client_documents", "on").await;
    app.app.ensure_rsa_key().await.unwrap();
    app
}

/// Whether the request of a client gets further than an error page.
async fn is_known(app: &TestApp, request: &str) -> bool {
    let answer = Visitor::of(app).open(request).await;
    assert!([303, 400].contains(&answer.status.as_u16()), "{}", answer.shown());
    answer.status == 303
}

#[tokio::test]
async fn a_document_speaks_for_its_client_and_its_hosts_are_shown() {
    let app = start().await;
    let publisher = Publisher::start().await;
    let visitor = Visitor::of(&app);
    let answer = visitor.open(&publisher.request(&[("scope", "openid email")])).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let page = visitor.follow(answer).await.expect(200).page();
    assert!(page.contains("Agent"), "{page}");
    assert_eq!(page.matches("<strong><bdi>127.0.0.1</bdi></strong>").count(), 2, "{page}");
    assert_eq!(page.matches("class=\"caution\"").count(), 2, "{page}");
    let stored = async || {
        let id = publisher.id.parse().unwrap();
        app.app.store.read(move |tx| clients::find(tx, &id)).await.unwrap()
    };
    assert!(stored().await.is_none(), "nothing is written before a person says yes");

    let given = code(&Visitor::of(&app), &publisher.request(&[("scope", "openid email")])).await;
    let tokens = publisher.redeem(&app, &given, &[]).await.tokens();

    assert_eq!(claims(&tokens.access)["client_id"], publisher.id.as_str());
    assert_eq!(claims(&tokens.access)["aud"], ISSUER);
    let told = app.read_as("/oauth2/userinfo", &tokens.access).await.expect(200);
    assert_eq!(told.text("/email"), MINJI.0);
    assert_eq!(publisher.times_read(), 1, "it is kept for as long as it says");
    let row = stored().await.expect("a row, now that somebody said yes");
    let admin = app.admin().await;
    let key: String = url::form_urlencoded::byte_serialize(publisher.id.as_bytes()).collect();
    let shown = app.read_as(&format!("/api/v1/admin/clients/{key}"), &admin).await.expect(200);
    assert_eq!(shown.text("/origin"), "document");
    assert!(row.secrets.is_empty());
}

#[tokio::test]
async fn a_client_on_ones_own_machine_is_asked_about_each_time() {
    let app = start().await;
    let publisher = Publisher::start().await;
    let visitor = Visitor::of(&app);
    code(&visitor, &publisher.request(&[])).await;
    app.advance(1);
    let again = visitor.follow(visitor.open(&publisher.request(&[])).await).await;
    assert!(again.expect(200).page().contains("Agent"), "the same question again");
    let silent = visitor.open(&publisher.request(&[("prompt", "none")])).await;
    assert_eq!(silent.brings("error").as_deref(), Some("consent_required"));
}

/// §3 and §4 of the draft: whoever publishes something else is nobody.
#[tokio::test]
async fn what_is_no_good_document_is_no_client_and_gets_a_page() {
    let app = start().await;
    let publisher = Publisher::start().await;
    for (name, value) in [
        ("client_id", json!("https://other.example/client.json")),
        ("client_id", Value::Null),
        ("client_secret", json!("s3cret")),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("redirect_uris", json!(["javascript:alert(1)"])),
        ("redirect_uris", json!([])),
        ("jwks_uri", json!("https://10.0.0.1/keys")),
        ("client_name", json!("x".repeat(20_000))),
    ] {
        let mut document = publisher.document();
        document[name] = value.clone();
        publisher.publishes(&document);
        assert!(!is_known(&app, &publisher.request(&[])).await, "{name}: {value}");
        app.advance(61);
    }
    let good = publisher.document().to_string();
    for (head, body) in [
        ("404 Not Found", ""),
        ("500 Oops", &*good),
        ("200 OK", "<html>"),
        ("200 OK", "[]"),
        ("200 OK", r#"{"client_id":"a","client_id":"b"}"#),
        ("302 Found\r\nlocation: /other.json", &good),
        ("201 Created", &good),
    ] {
        publisher.says(head, body);
        assert!(!is_known(&app, &publisher.request(&[])).await, "{head}");
        app.advance(61);
    }
    publisher.publishes(&publisher.document());
    assert!(is_known(&app, &publisher.request(&[])).await, "what was wrong is not remembered");
    // A redirect URI that the document does not name is a page, too.
    let other = request(&publisher.id, "http://127.0.0.1:7777/other", &[]);
    assert!(!is_known(&app, &other).await);
}

/// AD-06 of the attack kit.
#[tokio::test]
async fn ad_06_nobody_is_asked_whom_this_server_may_not_reach() {
    let outbound = Outbound::default();
    let config = Config { outbound, mcp: true, ..config(DatabaseUrl::SqliteMemory) };
    let app = TestApp::start_from(config).await;
    let publisher = Publisher::start().await;
    let inner = publisher.id.replace("http://", "https://");
    for id in [publisher.id.as_str(), &inner, "https://169.254.169.254/latest/meta-data"] {
        assert!(!is_known(&app, &request(id, BACK, &[])).await, "{id}");
        let form = [("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", "x")];
        app.form("/oauth2/token", &form).await.expect(401);
    }
    assert_eq!(publisher.times_read(), 0, "nobody came by");
}

#[tokio::test]
async fn addresses_are_no_clients_unless_that_is_switched_on() {
    let app = TestApp::start().await;
    let publisher = Publisher::start().await;
    let supported = "client_id_metadata_document_supported";
    assert!(!is_known(&app, &publisher.request(&[])).await);
    assert_eq!(publisher.times_read(), 0);
    assert_eq!(app.get(DISCOVERY).await.json()[supported], false);
    app.set("client_documents", "on").await;
    assert!(is_known(&app, &publisher.request(&[])).await);
    assert_eq!(app.get(DISCOVERY).await.json()[supported], true);
    app.set("client_documents", "off").await;
    assert!(!is_known(&app, &publisher.request(&[])).await);
}

#[tokio::test]
async fn a_document_that_disappears_is_the_end_of_its_client() {
    let app = start().await;
    let publisher = Publisher::start().await;
    let given = code(&Visitor::of(&app), &publisher.request(&[("scope", "openid")])).await;
    let tokens = publisher.redeem(&app, &given, &[]).await.tokens();
    app.advance(3_601);
    // One that cannot be reached for the moment is used a day longer.
    publisher.says("503 Busy", "");
    let tokens = refresh(&app, &publisher.id, &tokens.refresh, &[]).await.tokens();
    // Nobody asks again within a minute.
    app.advance(61);
    publisher.says("404 Not Found", "");
    refresh(&app, &publisher.id, &tokens.refresh, &[]).await.expect(401);
    assert!(!is_known(&app, &publisher.request(&[])).await);
    publisher.publishes(&publisher.document());
    app.advance(61);
    let tokens = refresh(&app, &publisher.id, &tokens.refresh, &[]).await.tokens();
    publisher.says("503 Busy", "");
    app.advance(24 * 3_600 + 1);
    refresh(&app, &publisher.id, &tokens.refresh, &[]).await.expect(401);
}

#[tokio::test]
async fn a_document_is_read_again_when_it_says_and_what_it_says_then_holds() {
    let app = start().await;
    let publisher = Publisher::start().await;
    let head = "200 OK\r\ncache-control: max-age=120";
    publisher.says(head, &publisher.document().to_string());
    code(&Visitor::of(&app), &publisher.request(&[])).await;
    let mut moved = publisher.document();
    moved["redirect_uris"] = json!(["http://127.0.0.1:7777/moved"]);
    publisher.says("200 OK\r\ncache-control: no-store", &moved.to_string());
    assert!(is_known(&app, &publisher.request(&[])).await, "not yet");
    assert_eq!(publisher.times_read(), 1);
    app.advance(120);
    assert!(!is_known(&app, &publisher.request(&[])).await);
    assert!(is_known(&app, &request(&publisher.id, "http://127.0.0.1:7777/moved", &[])).await);
    assert_eq!(publisher.times_read(), 2, "a sign-in asks once, whatever it says");
}

#[tokio::test]
async fn a_client_that_an_operator_disabled_stays_so_whatever_its_document_says() {
    let app = start().await;
    let publisher = Publisher::start().await;
    let given = code(&Visitor::of(&app), &publisher.request(&[("scope", "openid")])).await;
    let tokens = publisher.redeem(&app, &given, &[]).await.tokens();
    let admin = app.admin().await;
    let key: String = url::form_urlencoded::byte_serialize(publisher.id.as_bytes()).collect();
    let path = format!("/api/v1/admin/clients/{key}/disable");
    app.act_as(http::Method::POST, &path, &admin).await.expect(204);
    app.advance(3_601);
    assert!(!is_known(&app, &publisher.request(&[])).await);
    refresh(&app, &publisher.id, &tokens.refresh, &[]).await.expect(401);
    // Its row is what says so, and is not forgotten with those of clients that nobody uses.
    app.advance(200 * 24 * 3_600);
    munjigi_server::jobs::run(&app.app).await.unwrap();
    assert!(!is_known(&app, &publisher.request(&[])).await);
}

/// A server of MCP's, as far as tokens go: it takes those alone that are for it.
async fn takes(app: &TestApp, token: &str) -> Result<(), String> {
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    let keys = KeySet::from_jwks(&Jwks::parse(&keys.bytes).unwrap());
    let expected = Expectation {
        issuer: ISSUER.to_owned(),
        audience: vec![PLANNER.to_owned()],
        typ: Typ::AccessToken,
        now: app.app.clock.now().as_seconds(),
        leeway: 5,
    };
    let verified = munjigi_token::verify(token, &keys, &expected);
    verified.map(|_| ()).map_err(|error| error.code().to_owned())
}

async fn mcp() -> TestApp {
    let app = TestApp::start_from(Config { mcp: true, ..config(DatabaseUrl::SqliteMemory) }).await;
    app.app.ensure_rsa_key().await.unwrap();
    app
}

/// What the specification asks the metadata for, switched on by one line of the configuration.
#[tokio::test]
async fn mcp_one_switch_turns_on_everything_that_its_clients_look_for() {
    let app = mcp().await;
    // A client in a page asks with a header of its own.
    let request = Request::options(DISCOVERY).header("origin", "https://inspector.example");
    let request = request.header("access-control-request-headers", "mcp-protocol-version");
    app.send(request.body(Body::empty()).unwrap()).await.expect(204);
    let metadata = app.get(DISCOVERY).await.expect(200).json();
    assert_eq!(metadata["issuer"], ISSUER);
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["client_id_metadata_document_supported"], true);
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["registration_endpoint"], format!("{ISSUER}/oauth2/register"));
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&json!("none")));
    // What an administrator says wins.
    app.set("client_registration", "off").await;
    assert!(app.get(DISCOVERY).await.json()["registration_endpoint"].is_null());
}

/// MCP authorization, "Authorization Flow Steps": 401 → metadata → who the client is → authorize
/// → token → the resource takes it, and no other does.
#[tokio::test]
async fn mcp_a_client_with_a_document_gets_tokens_for_the_one_server_that_it_names() {
    let app = mcp().await;
    let publisher = Publisher::start().await;
    walk(&app, &publisher.id, BACK).await;
}

#[tokio::test]
async fn mcp_a_client_that_registers_gets_tokens_for_the_one_server_that_it_names() {
    let app = mcp().await;
    let body = json!({
        "client_name": "Agent", "redirect_uris": [BACK], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "application_type": "native",
    });
    let id = app.post("/oauth2/register", body).await.expect(201).text("/client_id");
    walk(&app, &id, BACK).await;
}

async fn walk(app: &TestApp, id: &str, back: &str) {
    assert_eq!(takes(app, "x").await, Err("malformed".to_owned()));
    // RFC 8707 §2, in the form in which many libraries write the address of a host.
    let resource = [("resource", "http://localhost:8001/"), ("scope", "events:read openid")];
    let visitor = Visitor::of(app);
    let answer = visitor.open(&request(id, back, &resource)).await;
    let answer = visitor.sign_in(answer, MINJI).await;
    let answer = visitor.follow_to_client(answer, "allow").await;
    // RFC 9207 §2: the client compares it with the issuer that it began with.
    assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER));
    let given = answer.brings("code").unwrap();

    let wrong = redeem(app, id, &given, (back, &[("resource", "https://other.example")])).await;
    assert_eq!(wrong.expect(400).text("/error"), "invalid_target");
    let wrong = redeem(app, id, &given, (back, &[("resource", ISSUER)])).await;
    assert_eq!(wrong.expect(400).text("/error"), "invalid_target");
    let tokens = redeem(app, id, &given, (back, &[("resource", PLANNER)])).await.tokens();

    assert_eq!(claims(&tokens.access)["aud"], PLANNER);
    assert_eq!(claims(&tokens.access)["scope"], "events:read openid");
    assert_eq!(takes(app, &tokens.access).await, Ok(()));
    // Not here, and not as another's.
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
    let again = refresh(app, id, &tokens.refresh, &[("resource", PLANNER)]).await.tokens();
    assert_eq!(takes(app, &again.access).await, Ok(()));
    assert_ne!(again.refresh, tokens.refresh, "a public client's refresh token rotates");
    let wider = refresh(app, id, &again.refresh, &[("resource", ISSUER)]).await.expect(400);
    assert_eq!(wider.text("/error"), "invalid_target");

    // A server that nobody registered, and one that is not open to strangers.
    for (apis, resource) in [("all", "https://other.example"), ("https://a.example", PLANNER)] {
        app.set("client_apis", apis).await;
        let answer = visitor.open(&request(id, back, &[("resource", resource)])).await;
        assert_eq!(answer.brings("error").as_deref(), Some("invalid_target"), "{resource}");
        assert_eq!(answer.brings("iss").as_deref(), Some(ISSUER));
    }
    app.set("client_apis", "all").await;
    // Without a resource there is a token for UserInfo, and for no server of anybody's.
    let given = code(&Visitor::of(app), &request(id, back, &[("scope", "openid")])).await;
    let tokens = redeem(app, id, &given, (back, &[])).await.tokens();
    assert_eq!(takes(app, &tokens.access).await, Err("wrong_audience".to_owned()));
}

/// RFC 8628 with RFC 8707: a device of somebody unknown names its server, and its person is told
/// that nobody knows it.
#[tokio::test]
async fn mcp_a_device_that_registers_gets_tokens_for_the_one_server_that_it_names() {
    let app = mcp().await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let body = json!({
        "client_name": "Robot", "grant_types": [grant], "token_endpoint_auth_method": "none",
    });
    let id = app.post("/oauth2/register", body).await.expect(201).text("/client_id");
    let ask = async |resource: &str| {
        let form = [("client_id", &*id), ("resource", resource), ("scope", "events:read")];
        app.form("/oauth2/device_authorization", &form).await
    };
    assert_eq!(ask("https://other.example").await.expect(400).text("/error"), "invalid_target");
    let told = ask(PLANNER).await.expect(200);
    let (user_code, device_code) = (told.text("/user_code"), told.text("/device_code"));
    let visitor = Visitor::of(&app);
    let answer = visitor.open("/account").await;
    visitor.sign_in(answer, MINJI).await;
    let page = visitor.send("/device", &[("user_code", &user_code)]).await.expect(200).page();
    assert_eq!(page.matches("class=\"caution\"").count(), 2, "{page}");
    let allow = [("user_code", &*user_code), ("action", "allow")];
    visitor.send("/device", &allow).await;

    let form = [("grant_type", grant), ("client_id", &*id), ("device_code", &*device_code)];
    let tokens = app.form("/oauth2/token", &form).await.tokens();

    assert_eq!(takes(&app, &tokens.access).await, Ok(()));
    app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
}
