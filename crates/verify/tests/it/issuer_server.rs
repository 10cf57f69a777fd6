//! A small issuer on loopback that counts what is asked of it, and does as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use munjigi_verify::testing::{Issuer, Token};
use munjigi_verify::token::SigningKey;
use munjigi_verify::{Clock, Verifier};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

pub const NOW: i64 = 1_800_000_000;

/// What the issuer does when it is asked.
#[derive(Clone)]
pub enum Behaviour {
    Answers,
    Fails,
    Redirects,
    SendsTooMuch,
    NamesAnotherIssuer,
    PointsElsewhere(&'static str),
}

pub struct IssuerServer {
    pub issuer: Issuer,
    shared: Arc<Shared>,
    /// Its own, so that stopping it ends its connections too.
    runtime: Option<Runtime>,
}

struct Shared {
    url: String,
    keys: Mutex<Vec<Value>>,
    behaviour: Mutex<Behaviour>,
    metadata_fetches: AtomicUsize,
    key_fetches: AtomicUsize,
    /// Key documents are sent only while this is open.
    gate: watch::Sender<bool>,
}

impl IssuerServer {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::at("orders-api", Clock::stopped_at(NOW)).unwrap().named(&url);
        let shared = Arc::new(Shared {
            url,
            keys: Mutex::new(vec![jwk(issuer.key())]),
            behaviour: Mutex::new(Behaviour::Answers),
            metadata_fetches: AtomicUsize::new(0),
            key_fetches: AtomicUsize::new(0),
            gate: watch::Sender::new(true),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks.json", get(jwks))
            .route("/elsewhere.json", get(good_jwks))
            .with_state(Arc::clone(&shared));
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self { issuer, shared, runtime: Some(runtime) }
    }

    pub fn verifier(&self) -> Verifier {
        let clock = self.issuer.clock().clone();
        Verifier::builder(&self.shared.url, "orders-api").clock(clock).build().unwrap()
    }

    /// A token that is fresh at the time of the clock.
    pub fn token(&self) -> String {
        self.bearer().token().unwrap()
    }

    pub fn bearer(&self) -> Token {
        self.issuer.bearer("minji")
    }

    pub fn advance(&self, seconds: u64) {
        self.issuer.clock().advance(Duration::from_secs(seconds));
    }

    pub fn publish(&self, keys: &[&SigningKey]) {
        *self.shared.keys.lock().unwrap() = keys.iter().map(|key| jwk(key)).collect();
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    pub fn hold_answers(&self) {
        self.shared.gate.send_replace(false);
    }

    pub fn release_answers(&self) {
        self.shared.gate.send_replace(true);
    }

    pub fn metadata_fetches(&self) -> usize {
        self.shared.metadata_fetches.load(Ordering::SeqCst)
    }

    pub fn key_fetches(&self) -> usize {
        self.shared.key_fetches.load(Ordering::SeqCst)
    }

    /// From now on nobody listens and nobody answers.
    pub fn stop(mut self) -> Issuer {
        self.shut_down();
        self.issuer.clone()
    }

    fn shut_down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for IssuerServer {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn jwk(key: &SigningKey) -> Value {
    serde_json::to_value(key.public_jwk().unwrap()).unwrap()
}

async fn metadata(State(shared): State<Arc<Shared>>) -> Response {
    shared.metadata_fetches.fetch_add(1, Ordering::SeqCst);
    let behaviour = shared.behaviour.lock().unwrap().clone();
    let url = &shared.url;
    let (issuer, jwks_uri) = match behaviour {
        Behaviour::Fails => return http::StatusCode::BAD_GATEWAY.into_response(),
        Behaviour::NamesAnotherIssuer => (format!("{url}/"), format!("{url}/jwks.json")),
        Behaviour::PointsElsewhere(uri) => (url.clone(), uri.to_owned()),
        _ => (url.clone(), format!("{url}/jwks.json")),
    };
    axum::Json(json!({ "issuer": issuer, "jwks_uri": jwks_uri })).into_response()
}

/// Where the redirection leads: to keys that would do, so that following it would be seen.
async fn good_jwks(State(shared): State<Arc<Shared>>) -> Response {
    let keys = shared.keys.lock().unwrap().clone();
    axum::Json(json!({ "keys": keys })).into_response()
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    shared.key_fetches.fetch_add(1, Ordering::SeqCst);
    let mut gate = shared.gate.subscribe();
    gate.wait_for(|open| *open).await.unwrap();
    let behaviour = shared.behaviour.lock().unwrap().clone();
    let keys = shared.keys.lock().unwrap().clone();
    match behaviour {
        Behaviour::Fails => http::StatusCode::BAD_GATEWAY.into_response(),
        Behaviour::Redirects => {
            let location = format!("{}/elsewhere.json", shared.url);
            (http::StatusCode::FOUND, [("location", location)]).into_response()
        }
        Behaviour::SendsTooMuch => vec![b' '; (1 << 20) + 1].into_response(),
        _ => axum::Json(json!({ "keys": keys })).into_response(),
    }
}
