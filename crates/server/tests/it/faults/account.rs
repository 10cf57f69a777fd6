//! One's own account, by the API and by its pages.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::flow::Again::{self, Anew, Never, Reads};
use super::flow::{Ask, Flow, call, open, send};
use super::tokens::quick_keys;
use crate::harness::{MINJI, TestApp, claims};
use crate::mailed_links::{BORA, NEW};
use crate::visitor::Visitor;

const ME: &str = "/api/v1/users/me";

fn api(name: &'static str, route: &'static str, done: (u16, Again), body: Value) -> Flow {
    Flow::new((name, route), done, move |app: TestApp| {
        let body = body.clone();
        async move {
            let (method, path) = route.split_once(' ').unwrap();
            let token = app.sign_in(MINJI).await.access;
            call(&app, method.parse().unwrap(), path, (&token, body))
        }
    })
}

pub fn by_api() -> Vec<Flow> {
    let new = json!({"email": BORA, "password": NEW});
    let minji = json!({"email": MINJI.0, "password": MINJI.1});
    let password = json!({"current_password": MINJI.1, "new_password": NEW});
    let anonymous = |name, route, done, body: Value| {
        Flow::new((name, route), done, move |app: TestApp| {
            let body = body.clone();
            async move { call(&app, Method::POST, &route["POST ".len()..], ("", body)) }
        })
    };
    vec![
        anonymous("a sign-up", "POST /api/v1/users/signup", (201, Never), new),
        anonymous("a sign-in", "POST /api/v1/users/signin", (200, Anew), minji).guessing(),
        api("a sign-out", "POST /api/v1/users/signout", (204, Never), json!({})),
        api("oneself", "GET /api/v1/users/me", (200, Reads), Value::Null),
        api("a name", "PATCH /api/v1/users/me", (200, Never), json!({"name": "민지 김"})),
        api("to go", "DELETE /api/v1/users/me", (204, Never), json!({"password": MINJI.1}))
            .guessing(),
        api("a password", "POST /api/v1/users/me/password", (204, Never), password).guessing(),
        api("one's sessions", "GET /api/v1/users/me/sessions", (200, Reads), Value::Null),
        Flow::new(
            ("another session", "DELETE /api/v1/users/me/sessions/{id}"),
            (204, Never),
            async |app| {
                let other = app.sign_in(MINJI).await.access;
                let token = app.sign_in(MINJI).await.access;
                let path = format!("{ME}/sessions/{}", claims(&other)["sid"].as_str().unwrap());
                call(&app, Method::DELETE, &path, (&token, Value::Null))
            },
        ),
    ]
}

/// A form of one's own account.
fn form(
    name: &'static str,
    route: &'static str,
    done: (u16, Again),
    fields: &'static [(&'static str, &'static str)],
) -> Flow {
    Flow::new((name, route), done, move |app: TestApp| async move {
        quick_keys(&app).await;
        let minji = Arc::new(Visitor::of_owner(&app, MINJI).await);
        minji.exchange(&minji.connect().await).await.expect(200);
        Visitor::of_owner(&app, MINJI).await;
        send(&minji, &route["POST ".len()..], fields)
    })
}

async fn session_to_end(app: TestApp) -> Ask {
    let minji = Arc::new(Visitor::of_owner(&app, MINJI).await);
    let own = minji.sessions().await;
    Visitor::of_owner(&app, MINJI).await;
    let all = minji.sessions().await;
    let other = all.iter().find(|id| !own.contains(id)).unwrap();
    send(&minji, "/account/sessions", &[("action", "end"), ("session", other)])
}

/// Somebody who gave their account up, and is back.
async fn returning(app: TestApp) -> Ask {
    let minji = Visitor::of_owner(&app, MINJI).await;
    let fields = [("current_password", MINJI.1), ("action", "delete")];
    minji.send("/account/delete", &fields).await.expect(200);
    let back = Arc::new(Visitor::of(&app));
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    back.send("/login", &fields).await.expect(303);
    send(&back, "/account/delete", &[("action", "keep")])
}

pub fn by_pages() -> Vec<Flow> {
    const DELETE: &str = "POST /account/delete";
    let mut flows: Vec<_> = [
        "GET /account",
        "GET /account/profile",
        "GET /account/email",
        "GET /account/password",
        "GET /account/sessions",
        "GET /account/applications",
        "GET /account/delete",
        "GET /account/data",
    ]
    .into_iter()
    .map(|route| {
        Flow::new((route, route), (200, Reads), move |app| async move {
            open(&Arc::new(Visitor::of_owner(&app, MINJI).await), &route["GET ".len()..])
        })
    })
    .collect();
    let address = &[("email", "minji@other.example"), ("current_password", MINJI.1)];
    let password = &[("current_password", MINJI.1), ("password", NEW)];
    let application = &[("action", "remove"), ("client_id", "spa")];
    let gone = &[("action", "delete"), ("current_password", MINJI.1)];
    flows.extend([
        form("a name", "POST /account/profile", (303, Never), &[("name", "민지 김")]),
        form("another address", "POST /account/email", (200, Anew), address).guessing(),
        form("a password", "POST /account/password", (303, Never), password).guessing(),
        form("all others", "POST /account/sessions", (303, Never), &[("action", "end-others")]),
        Flow::new(("another one", "POST /account/sessions"), (303, Never), session_to_end),
        form("an application", "POST /account/applications", (303, Never), application),
        form("to go", DELETE, (200, Never), gone).guessing(),
        Flow::new(("to stay", DELETE), (200, Never), returning),
        form("a copy", "POST /account/data/export", (200, Anew), &[("action", "export")]),
    ]);
    flows
}
