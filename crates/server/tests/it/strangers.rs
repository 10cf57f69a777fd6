//! What strangers may have this server ask others for: never what only the operator's network has,
//! and never so much that others go without (AD-06 of the attack kit, and its siblings).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use munjigi_core::oauth::assertion::ASSERTION_TYPE;
use munjigi_server::config::{Network, Outbound};
use munjigi_server::{Config, Mode};
use munjigi_store::DatabaseUrl;
use munjigi_token::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{ISSUER, TestApp, config};
use crate::private_key_jwt::register;
use crate::visitor::Visitor;

/// Something in the operator's own network, that counts who comes.
struct Canary {
    base: String,
    connections: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let _heard = stream.read(&mut [0; 4_096]).await;
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _sent = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { base, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// In production, where the operator allowed what this machine has.
async fn serving() -> TestApp {
    let outbound = Outbound { allowed: Network::LOOPBACK.to_vec(), ..Outbound::default() };
    let base = config(DatabaseUrl::SqliteMemory);
    let app = TestApp::start_from(Config { mode: Mode::Serve, outbound, ..base }).await;
    app.set("client_registration", "open").await;
    app.set("client_documents", "on").await;
    app
}

fn registration(name: &str, value: &str) -> Value {
    let mut body = json!({
        "client_name": "Notes", "redirect_uris": ["https://notes.example/cb"],
        "grant_types": ["authorization_code"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://notes.example/keys",
    });
    body[name] = json!(value);
    body
}

/// AD-06: what the operator allowed is for what administrators write down.
#[tokio::test]
async fn ad_06_what_the_operator_allowed_is_not_for_addresses_that_strangers_name() {
    let (app, canary) = (serving().await, Canary::start().await);
    let inner = |path: &str| format!("{}{path}", canary.base);
    for name in ["jwks_uri", "backchannel_logout_uri"] {
        for base in [&canary.base, "http://localhost:1", "https://127.0.0.1:1", "https://[::1]"] {
            let body = registration(name, &format!("{base}/x"));
            let refused = app.post("/oauth2/register", body).await.expect(400);
            assert_eq!(refused.text("/error"), "invalid_client_metadata", "{name} {base}");
        }
    }
    for id in [inner("/client.json"), canary.base.replace("http:", "https:") + "/client.json"] {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("client_id", id.as_str()), ("response_type", "code")]);
        let asked = format!("/oauth2/authorize?{}", query.finish());
        Visitor::of(&app).open(&asked).await.expect(400);
        app.form("/oauth2/token", &[("client_id", &id), ("grant_type", "x")]).await.expect(401);
    }
    assert_eq!(canary.connections(), 0, "somebody was let in");

    // An administrator may write the same down, and then it is asked.
    register(&app, "robot", json!({"jwks_uri": inner("/keys")})).await.expect(201);
    let now = app.app.clock.now().as_seconds();
    let claims = json!({
        "iss": "robot", "sub": "robot", "aud": ISSUER, "jti": "1", "iat": now, "exp": now + 60,
    });
    let assertion = SigningKey::generate(Algorithm::Es256).unwrap().sign("JWT", &claims).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    app.form("/oauth2/token", &form).await.expect(401);
    assert_eq!(canary.connections(), 1, "its keys were asked for, and are none");
}

/// Whoever has a host asked again and again uses up a share of their own, and what others want of
/// it is asked for still.
#[tokio::test]
async fn nobody_uses_up_for_others_how_often_a_host_is_asked() {
    let app = TestApp::start().await;
    app.set("client_documents", "on").await;
    let canary = Canary::start().await;
    let ask = async |address: &str, number: usize| {
        let id = format!("{}/{number}.json", canary.base);
        let form = [("client_id", id.as_str()), ("grant_type", "authorization_code")];
        app.at(address).form("/oauth2/token", &form).await.expect(401);
    };
    for number in 0..25 {
        ask("203.0.113.7", number).await;
    }
    assert_eq!(canary.connections(), 10, "so often for one address in a minute");
    ask("203.0.113.8", 100).await;
    assert_eq!(canary.connections(), 11);
    for number in 0..25 {
        ask(&format!("198.51.100.{number}"), 200 + number).await;
    }
    assert_eq!(canary.connections(), 30, "so often for everybody");
    app.advance(60);
    ask("203.0.113.7", 300).await;
    assert_eq!(canary.connections(), 31);
}

/// The keys of clients that registered themselves: many addresses on one host are one host.
#[tokio::test]
async fn keys_that_strangers_publish_are_not_asked_for_without_end() {
    let app = TestApp::start().await;
    app.set("client_registration", "open").await;
    let canary = Canary::start().await;
    let now = app.app.clock.now().as_seconds();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for number in 0..15 {
        let body = registration("jwks_uri", &format!("{}/keys/{number}", canary.base));
        let id = app.post("/oauth2/register", body).await.expect(201).text("/client_id");
        let claims = json!({
            "iss": id, "sub": id, "aud": ISSUER, "jti": "1", "iat": now, "exp": now + 60,
        });
        let assertion = key.sign("JWT", &claims).unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ];
        app.at("203.0.113.7").form("/oauth2/token", &form).await.expect(401);
    }
    assert_eq!(canary.connections(), 10);
}
