//! What administrators, APIs and verifiers ask.

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_server::demo;
use munjigi_server::sequencer::Sequencer;
use munjigi_store::{ReadTx, users};
use serde_json::{Value, json};

use super::flow::Again::{self, Anew, Ends, Never, Reads};
use super::flow::{Flow, call};
use crate::cast::PASSWORD;
use crate::harness::{MINJI, TestApp};

const ADMIN: &str = "/api/v1/admin";
const API: &str = "https%3A%2F%2Fapi.example";

/// What the routes name: a person, a client, a role, an API with a secret, a registration token.
async fn stage(app: &TestApp) -> String {
    let admin = app.admin().await;
    let make = async |what: &str, body: Value| {
        let made = app.call(Method::POST, &format!("{ADMIN}/{what}"), &admin, body).await;
        assert!([201, 409].contains(&made.status.as_u16()), "{}", made.shown());
    };
    make("clients", json!({"client_id": "c", "name": "c", "grant_types": ["client_credentials"]}))
        .await;
    make("apis", json!({"audience": "https://api.example", "name": "An API", "client_id": "c"}))
        .await;
    make("roles", json!({"name": "r", "permissions": []})).await;
    admin
}

/// Where the thing is that a route names. What is to be ended, deleted or enabled is there.
async fn find(app: &TestApp, admin: &str, (method, path): (&str, &str)) -> String {
    let make = async |what: &str| {
        app.call(Method::POST, &format!("{ADMIN}/{what}"), admin, json!({})).await.expect(201)
    };
    let minji = |tx: &mut ReadTx<'_>| users::find_by_email(tx, MINJI.0);
    let minji = app.app.store.read(minji).await.unwrap().unwrap().id.to_string();
    if path.starts_with("/sessions") && method == "DELETE" {
        app.sign_in(MINJI).await;
    }
    if path == "/apis/{audience}/secrets" && method == "DELETE" {
        make(&format!("apis/{API}/secrets")).await;
    }
    match path {
        "/sessions" if method == "DELETE" => format!("{ADMIN}{path}?user={minji}"),
        "/sessions/{id}" => {
            let listed = app.read_as(&format!("{ADMIN}/sessions"), admin).await.expect(200);
            format!("{ADMIN}/sessions/{}", listed.text("/items/0/id"))
        }
        "/registration-tokens/{id}" => {
            format!("{ADMIN}/registration-tokens/{}", make("registration-tokens").await.text("/id"))
        }
        "/keys/{kid}/withdraw" => {
            let keys = app.read_as(&format!("{ADMIN}/keys"), admin).await.expect(200).json();
            let mut keys = keys["items"].as_array().unwrap().iter();
            let key = keys.find(|it| it["algorithm"] == "ES256").unwrap();
            format!("{ADMIN}/keys/{}/withdraw", key["kid"].as_str().unwrap())
        }
        _ => {
            let path = path.replace("/users/{id}", &format!("/users/{minji}"));
            let path = path.replace("{name}", "r").replace("{audience}", API).replace("{id}", "c");
            format!("{ADMIN}{path}")
        }
    }
}

/// One call of an administrator; `route` names what [`stage`] made.
fn act(route: &'static str, done: (u16, Again), body: Value) -> Flow {
    let (method, path) = route.split_once(' ').unwrap();
    Flow::new((route, &format!("{method} {ADMIN}{path}")), done, move |app: TestApp| {
        let body = body.clone();
        async move {
            let admin = stage(&app).await;
            let path = find(&app, &admin, (method, path)).await;
            if let Some(of) = path.strip_suffix("/enable") {
                app.act_as(Method::POST, &format!("{of}/disable"), &admin).await.expect(204);
            }
            call(&app, method.parse().unwrap(), &path, (&admin, body))
        }
    })
}

pub fn reads() -> Vec<Flow> {
    let mut flows: Vec<_> = [
        "GET /stats",
        "GET /audit",
        "GET /users",
        "GET /users/{id}",
        "GET /sessions",
        "GET /clients",
        "GET /clients/{id}",
        "GET /registration-tokens",
        "GET /apis",
        "GET /apis/{audience}",
        "GET /apis/{audience}/secrets",
        "GET /keys",
        "GET /roles",
        "GET /roles/{name}",
    ]
    .into_iter()
    .map(|route| act(route, (200, Reads), Value::Null))
    .collect();
    for (route, path) in [
        ("GET /api/v1/audit/checkpoint", "/api/v1/audit/checkpoint"),
        ("GET /api/v1/audit/keys.ndjson", "/api/v1/audit/keys.ndjson"),
        ("GET /api/v1/audit/tile/{*path}", "/api/v1/audit/tile/entries/000.p/1"),
    ] {
        flows.push(Flow::new((route, route), (200, Reads), move |app: TestApp| async move {
            let admin = app.admin().await;
            app.advance(1);
            Sequencer::new(&app.app).unwrap().run(&app.app).await.unwrap();
            call(&app, Method::GET, path, (&admin, Value::Null))
        }));
    }
    let feed = "GET /api/v1/revocations";
    flows.push(Flow::new(("the feed", feed), (200, Reads), async |app| {
        let all = demo::demo_clients(&app.app).unwrap();
        let planner = all.into_iter().find(|it| it.client.id.as_str() == "planner").unwrap();
        let secret = planner.secret.unwrap();
        let token = app.own_token(("planner", secret.reveal()), Some("revocations:read")).await;
        // What is known is told for a second before the database is asked again.
        let a_second = std::time::Duration::from_millis(1_050);
        tokio::time::timeout(a_second, std::future::pending::<()>()).await.unwrap_err();
        call(&app, Method::GET, "/api/v1/revocations", (&token.text("/access_token"), Value::Null))
    }));
    flows
}

pub fn of_people() -> Vec<Flow> {
    let person = json!({"email": "p@cast.example", "password": PASSWORD, "roles": ["user"]});
    vec![
        act("POST /users", (201, Never), person),
        act("PATCH /users/{id}", (200, Never), json!({"name": "Other"})),
        act("DELETE /users/{id}", (204, Never), Value::Null),
        act("POST /users/{id}/disable", (204, Never), Value::Null),
        act("POST /users/{id}/enable", (204, Never), Value::Null),
        act("PUT /users/{id}/roles", (200, Never), json!({"roles": ["user", "r"]})),
        // Tokens that were issued in between would end, too.
        act("DELETE /sessions", (204, Ends(Kind::SessionEnded)), Value::Null),
        act("DELETE /sessions/{id}", (204, Never), Value::Null),
        act("POST /roles", (201, Never), json!({"name": "fresh", "permissions": ["users:read"]})),
        act("PATCH /roles/{name}", (200, Never), json!({"permissions": ["users:read"]})),
        act("DELETE /roles/{name}", (204, Never), Value::Null),
        act("POST /roles/{name}/disable", (204, Never), Value::Null),
        act("POST /roles/{name}/enable", (204, Never), Value::Null),
    ]
}

pub fn of_programs() -> Vec<Flow> {
    let client = json!({"client_id": "d", "name": "d", "grant_types": ["client_credentials"]});
    let api = json!({"audience": "https://other.example", "name": "Another API"});
    vec![
        act("POST /clients", (201, Never), client),
        act("PATCH /clients/{id}", (200, Never), json!({"name": "Other"})),
        act("DELETE /clients/{id}", (204, Never), Value::Null),
        act("POST /clients/{id}/disable", (204, Never), Value::Null),
        act("POST /clients/{id}/enable", (204, Never), Value::Null),
        act("POST /clients/{id}/rotate-secret", (200, Anew), json!({})),
        act("POST /registration-tokens", (201, Anew), json!({"registrations": 2})),
        act("DELETE /registration-tokens/{id}", (204, Never), Value::Null),
        act("POST /apis", (201, Never), api),
        act("PATCH /apis/{audience}", (200, Never), json!({"name": "Other"})),
        act("DELETE /apis/{audience}", (204, Never), Value::Null),
        act("POST /apis/{audience}/disable", (204, Never), Value::Null),
        act("POST /apis/{audience}/enable", (204, Never), Value::Null),
        act("POST /apis/{audience}/secrets", (201, Anew), json!({})),
        act("DELETE /apis/{audience}/secrets", (204, Never), Value::Null),
        act("POST /keys/rotate", (200, Never), json!({})),
        act("POST /keys/{kid}/withdraw", (200, Never), Value::Null),
    ]
}
