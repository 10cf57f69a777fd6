//! What clients ask: tokens, and about tokens; requests that are pushed, devices, registrations.

use std::sync::Arc;

use http::Method;
use munjigi_core::audit::Kind;
use munjigi_token::Algorithm;
use serde_json::{Value, json};

use super::flow::Again::{Anew, Ends, Never, Reads};
use super::flow::{Ask, Flow, ask, call, form};
use crate::harness::{ISSUER, JUN, MINJI, TestApp};
use crate::possession::Holder;
use crate::private_key_jwt::Robot;
use crate::visitor::{CALLBACK, VERIFIER, Visitor, challenge};

const TOKEN: &str = "POST /oauth2/token";
const REGISTER: &str = "/oauth2/register";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The ID token of the public demo client is signed with a key that is there at once.
pub async fn quick_keys(app: &TestApp) {
    let admin = app.admin().await;
    let metadata = json!({"metadata": {"id_token_signed_response_alg": "ES256"}});
    app.call(Method::PATCH, "/api/v1/admin/clients/spa", &admin, metadata).await.expect(200);
}

fn redemption(app: &TestApp, code: &str) -> Ask {
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", "spa"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    form(app, "/oauth2/token", &parameters)
}

fn refresh(app: &TestApp, token: &str) -> Ask {
    form(app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

/// A television that asked; its device code and its user code.
pub async fn television(app: &TestApp) -> (String, String) {
    let admin = app.admin().await;
    let body = json!({
        "client_id": "tv", "name": "tv", "grant_types": [DEVICE_GRANT, "refresh_token"],
        "token_endpoint_auth_method": "none", "scope": "profile",
        "metadata": {"id_token_signed_response_alg": "ES256"},
    });
    let made = app.call(Method::POST, "/api/v1/admin/clients", &admin, body).await;
    assert!([201, 409].contains(&made.status.as_u16()), "{}", made.shown());
    let asked = app.form("/oauth2/device_authorization", &[("client_id", "tv")]).await.expect(200);
    (asked.text("/device_code"), asked.text("/user_code"))
}

/// A television that was let in.
async fn let_in(app: &TestApp) -> Ask {
    let (device, user) = television(app).await;
    let minji = Visitor::of_owner(app, MINJI).await;
    for action in ["continue", "allow"] {
        let fields = [("user_code", &*user), ("action", action)];
        minji.send("/device", &fields).await.expect(200);
    }
    let polled = [("grant_type", DEVICE_GRANT), ("client_id", "tv"), ("device_code", &device)];
    form(app, "/oauth2/token", &polled)
}

pub fn grants() -> Vec<Flow> {
    let password = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    vec![
        Flow::new(("a password", TOKEN), (200, Anew), move |app| async move {
            form(&app, "/oauth2/token", &password)
        })
        .guessing(),
        Flow::new(("a password with a proof", TOKEN), (200, Anew), move |app| async move {
            let holder = Arc::new(Holder::of(&app));
            ask(move || {
                let holder = Arc::clone(&holder);
                async move { holder.send("/oauth2/token", &password).await }
            })
        })
        .guessing(),
        Flow::new(("a refresh", TOKEN), (200, Never), async |app| {
            refresh(&app, &app.sign_in(MINJI).await.refresh)
        }),
        Flow::new(("a stolen refresh token", TOKEN), (400, Never), async |app| {
            let stolen = app.sign_in(MINJI).await.refresh;
            app.refresh(&stolen).await.expect(200);
            app.advance(60);
            refresh(&app, &stolen)
        }),
        Flow::new(("a code", TOKEN), (200, Ends(Kind::CodeReused)), async |app| {
            quick_keys(&app).await;
            let code = Visitor::of_owner(&app, MINJI).await.connect().await;
            redemption(&app, &code)
        }),
        Flow::new(("a code used twice", TOKEN), (400, Never), async |app| {
            quick_keys(&app).await;
            let visitor = Visitor::of_owner(&app, MINJI).await;
            let code = visitor.connect().await;
            visitor.exchange(&code).await.expect(200);
            redemption(&app, &code)
        }),
        Flow::new(("a device", TOKEN), (200, Never), async |app| let_in(&app).await),
        Flow::new(("a client's own token", TOKEN), (200, Anew), async |app| {
            let (id, secret) = app.web();
            let own = [
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret),
            ];
            form(&app, "/oauth2/token", &own)
        }),
        Flow::new(("a client that signs", TOKEN), (200, Anew), async |app| {
            let robot = Arc::new(Robot::start_at(app, Algorithm::Es256, json!({})).await);
            ask(move || {
                let robot = Arc::clone(&robot);
                async move { robot.ask(&robot.assertion(|_| ())).await }
            })
        }),
    ]
}

pub fn about_tokens() -> Vec<Flow> {
    let userinfo = |method: Method, route| {
        Flow::new(("UserInfo", route), (200, Reads), move |app: TestApp| {
            let method = method.clone();
            async move {
                let body = [("username", MINJI.0), ("password", MINJI.1), ("scope", "openid")];
                let token = app.form("/oauth2/token", &body).await.tokens().access;
                call(&app, method, "/oauth2/userinfo", (&token, Value::Null))
            }
        })
    };
    vec![
        Flow::new(("a revocation", "POST /oauth2/revoke"), (200, Never), async |app| {
            form(&app, "/oauth2/revoke", &[("token", &app.sign_in(MINJI).await.refresh)])
        }),
        Flow::new(("an introspection", "POST /oauth2/introspect"), (200, Reads), async |app| {
            let token = app.sign_in(MINJI).await.access;
            let (id, secret) = app.web();
            let asked = [("client_id", id), ("client_secret", secret), ("token", &token)];
            form(&app, "/oauth2/introspect", &asked)
        }),
        userinfo(Method::GET, "GET /oauth2/userinfo"),
        userinfo(Method::POST, "POST /oauth2/userinfo"),
    ]
}

/// What the public demo client pushes.
pub async fn pushed(app: &TestApp) -> String {
    let challenge = challenge(VERIFIER);
    app.form("/oauth2/par", &authorization(&challenge)).await.expect(201).text("/request_uri")
}

pub fn authorization(challenge: &str) -> [(&'static str, &str); 6] {
    [
        ("client_id", "spa"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile email"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
}

fn notes() -> Value {
    json!({
        "client_name": "Notes", "redirect_uris": ["https://notes.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "none", "application_type": "web",
    })
}

/// A client that registered itself: its path, its token, its id.
async fn registered(app: &TestApp) -> (String, String, String) {
    app.set("client_registration", "open").await;
    let made = app.post(REGISTER, notes()).await.expect(201);
    let path = made.text("/registration_client_uri").replace(ISSUER, "");
    (path, made.text("/registration_access_token"), made.text("/client_id"))
}

pub fn preparations() -> Vec<Flow> {
    let managed = |method: Method, route, done| {
        Flow::new(("its own client", route), done, move |app: TestApp| {
            let method = method.clone();
            async move {
                let (path, token, id) = registered(&app).await;
                let mut body = Value::Null;
                if method == Method::PUT {
                    body = notes();
                    body["client_id"] = json!(id);
                    body["client_name"] = json!("Other notes");
                }
                call(&app, method, &path, (&token, body))
            }
        })
    };
    vec![
        Flow::new(("a pushed request", "POST /oauth2/par"), (201, Anew), async |app| {
            form(&app, "/oauth2/par", &authorization(&challenge(VERIFIER)))
        }),
        Flow::new(
            ("a device asks", "POST /oauth2/device_authorization"),
            (200, Anew),
            async |app| {
                television(&app).await;
                form(&app, "/oauth2/device_authorization", &[("client_id", "tv")])
            },
        ),
        Flow::new(("an open registration", "POST /oauth2/register"), (201, Anew), async |app| {
            app.set("client_registration", "open").await;
            call(&app, Method::POST, REGISTER, ("", notes()))
        }),
        Flow::new(("the last registration", "POST /oauth2/register"), (201, Never), async |app| {
            app.set("client_registration", "token").await;
            let admin = app.sign_in(JUN).await.access;
            let path = "/api/v1/admin/registration-tokens";
            let made = app.call(Method::POST, path, &admin, json!({"registrations": 1})).await;
            let token = made.expect(201).text("/registration_token");
            call(&app, Method::POST, REGISTER, (&token, notes()))
        }),
        managed(Method::GET, "GET /oauth2/register/{client_id}", (200, Reads)),
        managed(Method::PUT, "PUT /oauth2/register/{client_id}", (200, Never)),
        managed(Method::DELETE, "DELETE /oauth2/register/{client_id}", (204, Never)),
    ]
}
