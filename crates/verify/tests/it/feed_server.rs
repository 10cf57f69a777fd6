//! A small revocation feed on loopback that does as it is told, and tells what was asked of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use munjigi_verify::testing::Issuer;
use munjigi_verify::token::KeySet;
use munjigi_verify::{Builder, Clock, Verifier};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::issuer_server::NOW;

/// How the feed answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Answers,
    /// It does not know any cursor.
    Forgot,
    /// There is no place for anybody to wait.
    Full,
    /// It takes requests and says nothing.
    Hangs,
}

pub struct FeedServer {
    pub issuer: Issuer,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    address: std::net::SocketAddr,
    entries: Mutex<Vec<Value>>,
    mood: Mutex<Mood>,
    changes: watch::Sender<u64>,
    /// Queries, in order.
    asked: Mutex<Vec<String>>,
    waiting: AtomicUsize,
    /// The token that is taken, and how many were given.
    tokens: AtomicUsize,
}

impl FeedServer {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = Issuer::at("orders-api", Clock::stopped_at(NOW)).unwrap();
        let issuer = issuer.named(&format!("http://{address}"));
        let shared = Arc::new(Shared {
            address,
            entries: Mutex::default(),
            mood: Mutex::new(Mood::Answers),
            changes: watch::Sender::new(0),
            asked: Mutex::default(),
            waiting: AtomicUsize::new(0),
            tokens: AtomicUsize::new(0),
        });
        let mut server = Self { issuer, shared, runtime: None };
        server.listen(listener);
        server
    }

    fn listen(&mut self, listener: std::net::TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let app = Router::new()
            .route("/oauth2/token", post(token))
            .route("/api/v1/revocations", get(feed))
            .with_state(Arc::clone(&self.shared));
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        self.runtime = Some(runtime);
    }

    /// A partition: nobody listens any more, and connections break.
    pub fn cut_off(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// The end of it.
    pub fn reconnect(&mut self) {
        let listener = (0..200).find_map(|_| {
            let bound = std::net::TcpListener::bind(self.shared.address).ok();
            if bound.is_none() {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            bound
        });
        self.listen(listener.expect("the port is still ours"));
    }

    /// A verifier that has its keys and knows this client.
    pub fn builder(&self) -> Builder {
        let keys = KeySet::from_keys([self.issuer.key().verifying_key()]);
        let builder = Verifier::with_keys(self.issuer.issuer(), "orders-api", keys);
        let builder = builder.clock(self.issuer.clock().clone());
        builder.client_credentials("orders", "se cret&+")
    }

    /// A token of a session.
    pub fn token(&self, sid: &str) -> String {
        self.issuer.bearer("minji").claim("sid", sid).token().unwrap()
    }

    pub fn revoke(&self, sid: &str) {
        self.announce("session", sid);
    }

    pub fn announce(&self, kind: &str, key: &str) {
        let now = self.issuer.clock().unix_seconds();
        let mut entries = self.shared.entries.lock().unwrap();
        let seq = entries.len() + 1;
        entries.push(json!({
            "seq": seq, "kind": kind, "key": key, "not_before": now + 960, "until": now + 960,
            "of a later version": true,
        }));
        drop(entries);
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Begins anew, as a database that was restored.
    pub fn lose_entries(&self) {
        self.shared.entries.lock().unwrap().clear();
    }

    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// From now on only a new token is taken.
    pub fn revoke_tokens(&self) {
        self.shared.tokens.fetch_add(1, Ordering::SeqCst);
        self.shared.changes.send_modify(|count| *count += 1);
    }

    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many requests wait here now.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }
}

impl Drop for FeedServer {
    fn drop(&mut self) {
        self.cut_off();
    }
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    // orders:se%20cret%26%2B, as RFC 6749 §2.3.1 has it.
    if headers["authorization"] != "Basic b3JkZXJzOnNlJTIwY3JldCUyNiUyQg==" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    assert!(body.contains("grant_type=client_credentials&scope=revocations%3Aread&resource=http"));
    let token = format!("token {}", shared.tokens.load(Ordering::SeqCst));
    axum::Json(json!({"access_token": token, "expires_in": 600})).into_response()
}

struct Waiting(Arc<Shared>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn feed(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    shared.asked.lock().unwrap().push(query.clone());
    let parameter = |name: &str| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok())
    };
    let (cursor, wait) = (parameter("cursor=c"), parameter("wait=").unwrap());
    let mut changes = shared.changes.subscribe();
    let mood = *shared.mood.lock().unwrap();
    let valid = format!("Bearer token {}", shared.tokens.load(Ordering::SeqCst));
    if headers["authorization"] != valid.as_str() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_new = |shared: &Shared| shared.entries.lock().unwrap().len() > cursor.unwrap_or(0);
    match mood {
        Mood::Forgot if cursor.is_some() => return StatusCode::GONE.into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::Full if wait > 0 => {
            return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response();
        }
        _ if wait > 0 && !is_new(&shared) => {
            shared.waiting.fetch_add(1, Ordering::SeqCst);
            let _waiting = Waiting(Arc::clone(&shared));
            drop(tokio::time::timeout(Duration::from_secs(wait as u64), changes.changed()).await);
        }
        _ => {}
    }
    let entries = shared.entries.lock().unwrap();
    let news: Vec<_> = entries.iter().skip(cursor.unwrap_or(0)).take(2).cloned().collect();
    let next = cursor.unwrap_or(0) + news.len();
    let more = next < entries.len();
    axum::Json(json!({"entries": news, "cursor": format!("c{next}"), "more": more})).into_response()
}
