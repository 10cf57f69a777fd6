//! An axum application with Munjigi inside: one process, one port, one router. People sign in under
//! `/auth`; the application's own routes take the tokens.
//!
//! It keeps everything in memory and has the demo people, so that it can be tried at once.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use munjigi_server::config::{LogFormat, Outbound};
use munjigi_server::{App, Clock, Config, EncryptionKey, Mode, demo, jobs, router};
use munjigi_store::DatabaseUrl;
use munjigi_verify::Caller;
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8002".to_owned());
    let listener = TcpListener::bind(&listen).await?;
    let address = listener.local_addr()?;

    let auth = App::start(config(address)?, Clock::system()).await?;
    demo::ensure(&auth).await?;
    jobs::start(&auth);
    let application = Router::new()
        .route("/greeting", get(greeting))
        .layer(auth.verifier.layer())
        .route("/", get(|| async { "The application. Sign in under /auth." }))
        .nest("/auth", router(&auth));

    announce(address);
    axum::serve(listener, application).await?;
    Ok(())
}

/// Only for those who signed in; who they are comes from the token.
async fn greeting(caller: Caller) -> Json<Value> {
    Json(json!({ "hello": caller.sub(), "roles": caller.roles() }))
}

/// The issuer has the path under which the server is mounted.
fn config(address: SocketAddr) -> Result<Config, Box<dyn Error>> {
    let key = EncryptionKey::parse(&EncryptionKey::generate()?)?;
    Ok(Config {
        mode: Mode::Dev,
        issuer: format!("http://{address}/auth"),
        listen: address,
        database: DatabaseUrl::SqliteMemory,
        encryption_key: Arc::new(key),
        trusted_proxies: Vec::new(),
        access_ttl: None,
        hashing_threads: 1,
        log_format: LogFormat::Text,
        anchors: vec![],
        metrics_listen: Default::default(),
        mail: None,
        outbound: Outbound::default(),
        tls: None,
        mcp: false,
    })
}

#[expect(clippy::print_stdout, reason = "whoever started it has to know where it listens")]
fn announce(address: SocketAddr) {
    println!("embedded listening on http://{address}");
}
