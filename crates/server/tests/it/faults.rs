//! A fault at every call (I1, I2, DS-06): whatever is asked of the database fails once, at each
//! place of each request in turn. The caller hears 503, never that it was done, or refused, or
//! nothing; and it happened whole or not at all. Asked again, it is done.

use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use munjigi_store::testing::contents;
use serde_json::{Value, json};

use crate::harness::{Answer, JUN, MINJI, TestApp};
use crate::visitor::{CALLBACK, VERIFIER, Visitor, request};

/// The same request, as often as it is wanted.
type Ask = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

type Contents = Vec<(&'static str, i64)>;

/// No request asks more of the database than this.
const MOST: u32 = 60;

fn form(app: &TestApp, path: &'static str, parameters: &[(&'static str, &str)]) -> Ask {
    let parameters: Vec<_> =
        parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let app = app.clone();
    Box::new(move || {
        let (app, parameters) = (app.clone(), parameters.clone());
        Box::pin(async move {
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            app.form(path, &parameters).await
        })
    })
}

fn call(app: &TestApp, method: Method, path: &str, (token, body): (&str, Value)) -> Ask {
    let (app, path, token) = (app.clone(), path.to_owned(), token.to_owned());
    Box::new(move || {
        let (app, method, path) = (app.clone(), method.clone(), path.clone());
        let (token, body) = (token.clone(), body.clone());
        Box::pin(async move {
            match (token.is_empty(), body.is_null()) {
                (true, _) => app.post(&path, body).await,
                (false, true) => app.act_as(method, &path, &token).await,
                (false, false) => app.call(method, &path, &token, body).await,
            }
        })
    })
}

fn open(visitor: &Arc<Visitor>, url: &str) -> Ask {
    let (visitor, url) = (Arc::clone(visitor), url.to_owned());
    Box::new(move || {
        let (visitor, url) = (Arc::clone(&visitor), url.clone());
        Box::pin(async move { visitor.open(&url).await })
    })
}

fn send(visitor: &Arc<Visitor>, url: &str, fields: &[(&'static str, &'static str)]) -> Ask {
    let (visitor, url, fields) = (Arc::clone(visitor), url.to_owned(), fields.to_vec());
    Box::new(move || {
        let (visitor, url, fields) = (Arc::clone(&visitor), url.clone(), fields.clone());
        Box::pin(async move { visitor.send(&url, &fields).await })
    })
}

/// What a request may leave behind that fails later on: a guess that was counted, a proof that was
/// spent, and the events of both.
const BEFORE_THE_WORK: [&str; 3] = ["throttle", "replay", "audit"];

fn without_first_steps(contents: &Contents) -> Contents {
    let lasting = |(name, _): &&(&str, i64)| !BEFORE_THE_WORK.contains(name);
    contents.iter().filter(lasting).copied().collect()
}

async fn seen(app: &TestApp) -> Contents {
    contents(&app.app.store).await.unwrap()
}

/// Lets every call of a request fail in turn.
async fn endure<P, F>(name: &str, done: u16, prepare: P)
where
    P: Fn(TestApp) -> F,
    F: Future<Output = Ask>,
{
    let fresh = async || {
        let app = TestApp::start().await;
        let ask = prepare(app.clone()).await;
        // What is written now is written at another time than what is there.
        app.advance(1);
        (app, ask)
    };
    let (app, ask) = fresh().await;
    let (before, status) = (without_first_steps(&seen(&app).await), ask().await);
    assert_eq!(status.status.as_u16(), done, "{name}: {}", status.shown());
    let whole = without_first_steps(&seen(&app).await);

    let mut at = 0;
    loop {
        at += 1;
        assert!(at < MOST, "{name} never comes to an end");
        let (app, ask) = fresh().await;
        let faults = app.app.store.faults();
        faults.fail_at(at);
        let answer = ask().await;
        if !faults.stop() {
            assert_eq!(answer.status.as_u16(), done, "{name}: {}", answer.shown());
            break;
        }
        let place = format!("{name}, fault {at}");
        assert_eq!(answer.status.as_u16(), 503, "{place}: {}", answer.shown());
        let after = without_first_steps(&seen(&app).await);
        assert!(after == before || after == whole, "{place}: {before:?}\n{after:?}\n{whole:?}");
        let again = ask().await;
        if after == before {
            assert_eq!(again.status.as_u16(), done, "{place}, again: {}", again.shown());
        } else {
            // It was done, and nobody heard of it: whatever the answer is now, it is no mistake of
            // ours, and it is not done a second time.
            assert!(again.status.as_u16() < 500, "{place}, again: {}", again.shown());
        }
    }
    assert!(at > 1, "{name} asks nothing of the database");
}

#[tokio::test]
async fn of_a_sign_up() {
    let body = json!({"email": "new@example.kr", "password": "a-long-enough-secret"});
    endure("sign-up", 201, async |app| {
        call(&app, Method::POST, "/api/v1/users/signup", ("", body.clone()))
    })
    .await;
}

#[tokio::test]
async fn of_a_sign_in() {
    let body = json!({"email": MINJI.0, "password": MINJI.1});
    endure("sign-in", 200, async |app| {
        call(&app, Method::POST, "/api/v1/users/signin", ("", body.clone()))
    })
    .await;
}

#[tokio::test]
async fn of_a_refresh_and_a_revocation() {
    endure("refresh", 200, async |app| {
        let token = app.sign_in(MINJI).await.refresh;
        form(&app, "/oauth2/token", &[("grant_type", "refresh_token"), ("refresh_token", &token)])
    })
    .await;
    endure("revocation", 200, async |app| {
        let token = app.sign_in(MINJI).await.refresh;
        form(&app, "/oauth2/revoke", &[("token", &token)])
    })
    .await;
}

#[tokio::test]
async fn of_reading_who_somebody_is() {
    for path in ["/api/v1/users/me", "/api/v1/users/me/sessions"] {
        endure(path, 200, async |app| {
            let token = app.sign_in(MINJI).await.access;
            call(&app, Method::GET, path, (&token, Value::Null))
        })
        .await;
    }
    endure("UserInfo", 200, async |app| {
        let body = [("username", MINJI.0), ("password", MINJI.1), ("scope", "openid")];
        let token = app.form("/oauth2/token", &body).await.tokens().access;
        call(&app, Method::GET, "/oauth2/userinfo", (&token, Value::Null))
    })
    .await;
}

#[tokio::test]
async fn of_changes_of_ones_own_account() {
    endure("profile", 200, async |app| {
        let token = app.sign_in(MINJI).await.access;
        call(&app, Method::PATCH, "/api/v1/users/me", (&token, json!({"name": "민지 김"})))
    })
    .await;
    endure("password", 204, async |app| {
        let token = app.sign_in(MINJI).await.access;
        let body = json!({"current_password": MINJI.1, "new_password": "a-lantern-over-the-river"});
        call(&app, Method::POST, "/api/v1/users/me/password", (&token, body))
    })
    .await;
    endure("sign-out", 204, async |app| {
        let token = app.sign_in(MINJI).await.access;
        call(&app, Method::POST, "/api/v1/users/signout", (&token, json!({})))
    })
    .await;
}

#[tokio::test]
async fn of_what_administrators_do() {
    endure("a role", 201, async |app| {
        let token = app.admin().await;
        let role = json!({"name": "auditor", "permissions": ["users:read"]});
        call(&app, Method::POST, "/api/v1/admin/roles", (&token, role))
    })
    .await;
    endure("disabling a person", 204, async |app| {
        let token = app.admin().await;
        let minji = crate::cast::subject(&app.sign_in(MINJI).await.access);
        let path = format!("/api/v1/admin/users/{minji}/disable");
        call(&app, Method::POST, &path, (&token, json!({})))
    })
    .await;
}

#[tokio::test]
async fn of_the_way_through_the_pages() {
    endure("the login page", 303, async |app| {
        let visitor = Arc::new(Visitor::of(&app));
        send(&visitor, "/login", &[("username", MINJI.0), ("password", MINJI.1)])
    })
    .await;
    endure("the consent page", 303, async |app| {
        let visitor = Arc::new(Visitor::of_owner(&app, MINJI).await);
        let mut page = visitor.open(&request(&[])).await.location().unwrap();
        while !page.starts_with("/consent") {
            page = visitor.open(&page).await.location().unwrap();
        }
        send(&visitor, &page, &[("action", "allow")])
    })
    .await;
    endure("the code", 303, async |app| {
        let visitor = Arc::new(Visitor::of_owner(&app, JUN).await);
        visitor.connect().await;
        let way = visitor.open(&request(&[])).await.location().unwrap();
        let url = if way.starts_with(CALLBACK) { request(&[]) } else { way };
        open(&visitor, &url)
    })
    .await;
    endure("recovery", 200, async |app| {
        let visitor = Arc::new(Visitor::of(&app));
        send(&visitor, "/recover", &[("email", MINJI.0)])
    })
    .await;
}

/// The harness notices who says that something was done although it was not.
#[tokio::test]
#[should_panic(expected = "a careless endpoint, fault")]
async fn of_a_careless_endpoint() {
    endure("a careless endpoint", 200, async |app| careless(&app)).await;
}

/// Asks the database, and answers whatever it says.
fn careless(app: &TestApp) -> Ask {
    let app = app.clone();
    Box::new(move || {
        let app = app.clone();
        Box::pin(async move {
            drop(app.app.store.read(munjigi_store::users::count).await);
            app.get("/livez").await
        })
    })
}

/// The ID token of the public demo client is signed with a key that is there at once.
async fn quick_keys(app: &TestApp) {
    let admin = app.admin().await;
    let metadata = json!({"metadata": {"id_token_signed_response_alg": "ES256"}});
    app.call(Method::PATCH, "/api/v1/admin/clients/spa", &admin, metadata).await.expect(200);
}

#[tokio::test]
async fn of_the_redemption_of_a_code() {
    endure("redemption", 200, async |app| {
        quick_keys(&app).await;
        let code = Visitor::of_owner(&app, MINJI).await.connect().await;
        let parameters = [
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        form(&app, "/oauth2/token", &parameters)
    })
    .await;
}

#[tokio::test]
async fn of_a_request_that_is_pushed() {
    endure("pushed request", 201, async |app| {
        let challenge = crate::visitor::challenge(VERIFIER);
        let parameters = [
            ("client_id", "spa"),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        form(&app, "/oauth2/par", &parameters)
    })
    .await;
}
