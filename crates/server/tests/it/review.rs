//! What an independent review of the first server found: one test each, which fails without its
//! fix.

use http::{Method, Request};
use munjigi_server::Mode;
use serde_json::json;

use crate::harness::{JUN, MINJI, TestApp, claims};

/// A token that was lifted over one revocation is killed by the next one of the same second.
#[tokio::test]
async fn the_second_revocation_in_a_second_kills_what_was_issued_between() {
    let app = TestApp::start().await;
    let (user, admin) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
    let id = claims(&user.access)["sub"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/admin/users/{id}");
    let (disable, enable) = (format!("{path}/disable"), format!("{path}/enable"));

    app.act_as(Method::POST, &disable, &admin.access).await.expect(204);
    app.act_as(Method::POST, &enable, &admin.access).await.expect(204);
    let between = app.sign_in(MINJI).await;
    app.read_as("/oauth2/userinfo", &between.access).await.expect(200);
    app.act_as(Method::POST, &disable, &admin.access).await.expect(204);

    let asked = [("token", between.access.as_str())];
    let answer = app.form_as(app.web(), "/oauth2/introspect", &asked).await.expect(200);
    assert_eq!(answer.json(), json!({"active": false}));
    app.read_as("/oauth2/userinfo", &between.access).await.expect(401);
}

/// A token with a lifted `iat` dies with its session all the same.
#[tokio::test]
async fn a_sign_out_kills_a_token_whose_iat_was_lifted() {
    let app = TestApp::start().await;
    let (user, admin) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
    let id = claims(&user.access)["sub"].as_str().unwrap().to_owned();
    let roles = format!("/api/v1/admin/users/{id}/roles");
    app.call(Method::PUT, &roles, &admin.access, json!({"roles": []})).await.expect(200);
    let lifted = app.refresh(&user.refresh).await.tokens();
    assert!(claims(&lifted.access)["iat"].as_i64() > claims(&user.access)["iat"].as_i64());

    app.act_as(Method::POST, "/api/v1/users/signout", &lifted.access).await.expect(204);

    let asked = [("token", lifted.access.as_str())];
    let answer = app.form_as(app.web(), "/oauth2/introspect", &asked).await.expect(200);
    assert_eq!(answer.json(), json!({"active": false}));
}

/// AD-03: a scope is power at other APIs, so nobody gives away one that they do not have.
#[tokio::test]
async fn a_role_cannot_be_given_a_scope_that_its_maker_lacks() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await;
    let clerk = json!({
        "name": "clerk", "permissions": ["roles:read", "roles:write", "clients:write"],
        "scope": "admin"
    });
    app.call(Method::POST, "/api/v1/admin/roles", &admin.access, clerk).await.expect(201);
    let minji = app.sign_in(MINJI).await;
    let id = claims(&minji.access)["sub"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/admin/users/{id}/roles");
    let roles = json!({"roles": ["user", "clerk"]});
    app.call(Method::PUT, &path, &admin.access, roles).await.expect(200);
    let clerk = app.sign_in(MINJI).await;

    let make = |body: serde_json::Value| {
        let (app, token) = (app.clone(), clerk.access.clone());
        async move { app.call(Method::POST, "/api/v1/admin/roles", &token, body).await }
    };
    make(json!({"name": "payer", "scope": "payments:approve"})).await.expect(403);
    make(json!({"name": "reader", "scope": "events:read"})).await.expect(201);
    let machine = json!({
        "name": "Machine", "grant_types": ["client_credentials"], "scope": "payments:approve"
    });
    let path = "/api/v1/admin/clients";
    app.call(Method::POST, path, &clerk.access, machine).await.expect(403);
}

/// RT-06: what is taken from a client is in none of its tokens any more.
#[tokio::test]
async fn a_refresh_does_not_keep_a_scope_that_its_client_lost() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await;
    let path = "/api/v1/admin/clients/first-party";
    let body = json!({"scope": "openid admin"});
    app.call(Method::PATCH, path, &admin.access, body).await.expect(200);
    let next = app.refresh(&admin.refresh).await.tokens();
    assert_eq!(claims(&next.access)["scope"], "admin openid");

    app.call(Method::PATCH, path, &next.access, json!({"scope": "openid"})).await.expect(200);

    let last = app.refresh(&next.refresh).await.tokens();
    assert_eq!(claims(&last.access)["scope"], "openid");
}

/// product.md (b): the JSON sign-in is the password grant by another name.
#[tokio::test]
async fn the_json_sign_in_needs_a_client_that_has_the_password_grant() {
    let app = TestApp::start().await;
    let admin = app.sign_in(JUN).await;
    let path = "/api/v1/admin/clients/first-party";
    let body = json!({"grant_types": ["refresh_token"]});
    app.call(Method::PATCH, path, &admin.access, body).await.expect(200);

    let body = json!({"email": MINJI.0, "password": MINJI.1});
    let answer = app.post("/api/v1/users/signin", body).await.expect(400);

    assert_eq!(answer.text("/code"), "unauthorized_client");
}

/// A scheduled key that an emergency has overtaken never signs, and is not destroyed while it does.
#[tokio::test]
async fn a_key_that_was_made_later_wins_over_one_that_was_planned_earlier() {
    use munjigi_core::audit::Kind;
    use munjigi_server::Rotation;
    use munjigi_token::Algorithm;
    let app = TestApp::start().await;
    let kid = |token: &str| {
        let header = munjigi_token::base64url::decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["kid"].clone()
    };
    let rotate = |rotation| {
        let app = app.app.clone();
        async move {
            let event = app.system_event(Kind::KeyCreated).unwrap();
            app.rotate_key(Algorithm::Es256, rotation, event).await.unwrap().kid
        }
    };
    rotate(Rotation::Scheduled).await;
    app.advance(23 * 3_600);
    let urgent = rotate(Rotation::AtOnce).await;
    app.advance(3 * 3_600);
    munjigi_server::jobs::run(&app.app).await.unwrap();
    app.app.catch_up().await.unwrap();

    let tokens = app.sign_in(MINJI).await;

    assert_eq!(kid(&tokens.access), urgent);
    app.read_as("/api/v1/users/me", &tokens.access).await.expect(200);
}

/// DNS rebinding: a page whose name was made to resolve to this machine gets nothing from `dev`.
#[tokio::test]
async fn dev_answers_to_names_of_this_machine_only() {
    let app = TestApp::start().await;
    assert_eq!(app.app.config.mode, Mode::Dev);
    for (host, status) in [("localhost:8000", 200), ("[::1]:8000", 200), ("evil.example", 421)] {
        let request = Request::get("/livez").header("host", host);
        app.send(request.body(axum::body::Body::empty()).unwrap()).await.expect(status);
    }
}
