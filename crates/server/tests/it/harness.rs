//! A server of one's own for each test: the real router over a real database, a clock that stands
//! still until it is moved, and typed callers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use munjigi_server::config::{Network, Outbound};
use munjigi_server::{App, Clock, Config, EncryptionKey, Mode, demo, router};
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;
use serde_json::{Value, json};
use tower::ServiceExt;

pub const ISSUER: &str = "http://localhost:8000";
/// The clock of a test begins here: 2026-01-01T00:00:00Z.
pub const BEGINNING: i64 = 1_767_225_600;

pub const MINJI: (&str, &str) = ("minji@demo.local", "demo-minji");
pub const JUN: (&str, &str) = ("jun@demo.local", "demo-jun");

/// A server with the demo data.
#[derive(Clone)]
pub struct TestApp {
    pub app: App,
    pub clock: Clock,
    router: Router,
    web_secret: String,
    /// From where its requests come; unknown, unless said.
    peer: Option<SocketAddr>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A member of the body as text.
    pub fn text(&self, pointer: &str) -> String {
        let value = self.json();
        let found = value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.shown()))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Status and body without what changes from run to run, for snapshots.
    pub fn shown(&self) -> String {
        let mut body = self.json();
        if let Some(members) = body.as_object_mut() {
            members.remove("request_id");
        }
        let body = if body.is_null() {
            String::from_utf8_lossy(&self.bytes).into()
        } else {
            body.to_string()
        };
        format!("{} {body}", self.status.as_u16())
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.shown());
        self
    }

    /// The tokens of a sign-in or refresh that succeeded.
    #[track_caller]
    pub fn tokens(self) -> Tokens {
        let answer = self.expect(200);
        let refresh =
            answer.json().pointer("/refresh_token").and_then(Value::as_str).map(str::to_owned);
        Tokens { access: answer.text("/access_token"), refresh: refresh.unwrap_or_default() }
    }
}

/// What a client holds after a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl TestApp {
    /// In memory, which is the quickest.
    pub async fn start() -> Self {
        Self::start_on(DatabaseUrl::SqliteMemory).await
    }

    /// On a database of its own of either kind.
    pub async fn start_with(database: &Database) -> Self {
        Self::start_on(database.url().clone()).await
    }

    /// As in production, though with the demo data.
    pub async fn serving() -> Self {
        Self::start_from(Config { mode: Mode::Serve, ..config(DatabaseUrl::SqliteMemory) }).await
    }

    async fn start_on(database: DatabaseUrl) -> Self {
        Self::start_from(config(database)).await
    }

    /// On a configuration.
    pub async fn start_from(config: Config) -> Self {
        let clock = Clock::stopped_at(BEGINNING);
        let app = App::start(config, clock.clone()).await.unwrap();
        demo::ensure(&app).await.unwrap();
        let web = demo::demo_clients(&app).unwrap().into_iter().find(|it| it.secret.is_some());
        let web_secret = web.unwrap().secret.unwrap().reveal().to_owned();
        Self { router: router(&app), app, clock, web_secret, peer: None }
    }

    /// The same server, asked from this address.
    pub fn at(&self, address: &str) -> Self {
        let peer = Some(SocketAddr::new(address.parse().unwrap(), 40_000));
        Self { peer, ..self.clone() }
    }

    /// Lets time pass.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends any request.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends JSON without a token.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(json_request(Method::POST, path, None, &body)).await
    }

    /// Sends JSON with a token.
    pub async fn call(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        self.send(json_request(method, path, Some(token), &body)).await
    }

    /// GET with a token.
    pub async fn read_as(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A method without a body, with a token.
    pub async fn act_as(&self, method: Method, path: &str, token: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a form.
    pub async fn form(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.send(form_request(path, parameters).body(encoded(parameters)).unwrap()).await
    }

    /// Sends a form with a client in the header.
    pub async fn form_as(
        &self,
        client: (&str, &str),
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let credentials = STANDARD.encode(format!("{}:{}", client.0, client.1));
        let request = form_request(path, parameters);
        let request = request.header("authorization", format!("Basic {credentials}"));
        self.send(request.body(encoded(parameters)).unwrap()).await
    }

    /// The confidential demo client.
    pub fn web(&self) -> (&str, &str) {
        ("web", &self.web_secret)
    }

    /// Signs somebody in by JSON.
    pub async fn sign_in(&self, (email, password): (&str, &str)) -> Tokens {
        let body = json!({"email": email, "password": password});
        self.post("/api/v1/users/signin", body).await.tokens()
    }

    /// Presents a refresh token as the default first-party client.
    pub async fn refresh(&self, token: &str) -> Answer {
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("/oauth2/token", &parameters).await
    }

    /// Signs somebody new up; the id.
    pub async fn sign_up(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password});
        self.post("/api/v1/users/signup", body).await.expect(201).text("/id")
    }

    /// The kinds of the events about somebody, newest first.
    pub async fn trail(&self, subject: &str) -> Vec<String> {
        use munjigi_store::audit::{self, AuditFilter};
        let filter = AuditFilter { subject: Some(subject.parse().unwrap()), ..Default::default() };
        let page = munjigi_store::page::Page::first(100);
        let listed = self.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
        listed.items.into_iter().map(|event| event.kind.to_string()).collect()
    }
}

/// A request with a JSON body.
pub fn json_request(
    method: Method,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> Request<Body> {
    let request =
        Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    request.body(Body::from(body.to_string())).unwrap()
}

fn form_request(path: &str, _: &[(&str, &str)]) -> http::request::Builder {
    Request::post(path).header("content-type", "application/x-www-form-urlencoded")
}

fn encoded(parameters: &[(&str, &str)]) -> Body {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    Body::from(form.finish())
}

/// What a test runs on.
pub fn config(database: DatabaseUrl) -> Config {
    Config {
        mode: Mode::Dev,
        issuer: ISSUER.to_owned(),
        listen: ([127, 0, 0, 1], 8000).into(),
        database,
        encryption_key: Arc::new(EncryptionKey::from_bytes(&[7; 32]).unwrap()),
        trusted_proxies: vec![],
        access_ttl: None,
        hashing_threads: 2,
        log_format: Default::default(),
        anchors: vec![],
        metrics_listen: Default::default(),
        mail: None,
        outbound: Outbound { allowed: Network::LOOPBACK.to_vec(), ..Outbound::default() },
        tls: None,
        mcp: false,
    }
}

/// The payload of a JWT, unverified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&munjigi_token::base64url::decode(payload).unwrap()).unwrap()
}
