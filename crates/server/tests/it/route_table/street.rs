//! A server in production, and everybody who knocks at its doors.

use axum::body::Body;
use http::Request;
use munjigi_core::id::UserId;
use munjigi_server::config::Outbound;
use munjigi_server::mail::{MailConfig, Relay, parse_sender};
use munjigi_server::{Config, Mode, page_routes};
use munjigi_store::{DatabaseUrl, StoreError, consents, grants, passwords, sessions, users};
use serde_json::{Value, json};

use super::declared::{Door, Row};
use crate::account_pages::SESSION;
use crate::cast::{PASSWORD, subject};
use crate::harness::{Answer, JUN, TestApp, claims, config};
use crate::visitor::Visitor;

/// Who knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Without token and cookie.
    Nobody,
    /// A person without permissions, whose things all paths and forms name.
    Somebody,
    /// Another person without permissions.
    Other,
    /// An administrator with a token of narrow scope; without a cookie.
    Scoped,
    /// An administrator.
    Admin,
}

use Caller::{Admin, Nobody, Other, Scoped, Somebody};

/// What a caller shows: a token, or to pages a cookie.
#[derive(Clone, Default)]
pub struct Shown {
    pub token: Option<String>,
    pub cookie: Option<String>,
}

impl Shown {
    pub fn token(token: &str) -> Self {
        Self { token: Some(token.to_owned()), cookie: None }
    }
}

/// A server in production, and everybody who knocks.
pub struct Street {
    pub app: TestApp,
    pub admin: String,
    /// Without any permission.
    pub user: String,
    /// What the callers show, in their order.
    pub callers: [Shown; 5],
    registration_token: String,
    kid: String,
    /// The address of the style sheet.
    style: String,
    /// A session of somebody.
    session: String,
    /// What nobody else is to see: somebody's id, address, name and session.
    marks: Vec<String>,
}

/// In production, with a mail server that nobody asks for anything.
async fn serving() -> TestApp {
    let relay = Relay::parse("smtp://localhost?tls=none").unwrap();
    let from = parse_sender("Munjigi <no-reply@id.example>").unwrap();
    let mail = Some(MailConfig { relay, from, reply_to: None });
    let config = config(DatabaseUrl::SqliteMemory);
    let outbound = Outbound::default();
    TestApp::start_from(Config { mode: Mode::Serve, mail, outbound, ..config }).await
}

impl Street {
    /// With callers who bring tokens.
    pub async fn new() -> Self {
        let app = serving().await;
        app.app.ensure_rsa_key().await.unwrap();
        app.set("client_registration", "token").await;
        // Nobody is put off: what is looked at here is why they are refused.
        app.set("address_budget", "1000").await;
        let admin = app.admin().await;
        let user = app.make_and_sign_in(&admin, "somebody", &["user"]).await.access;
        let other = app.make_and_sign_in(&admin, "other", &["user"]).await.access;
        let name = json!({"name": "Seen By Themselves"});
        app.call(http::Method::PATCH, "/api/v1/users/me", &user, name).await.expect(200);
        let narrow = narrow(&app, &admin).await;
        let api = json!({"audience": "https://api.example", "name": "An API"});
        app.call(http::Method::POST, "/api/v1/admin/apis", &admin, api).await.expect(201);
        app.make_role(&admin, "spare", &[]).await;
        let tokens = "/api/v1/admin/registration-tokens";
        let registration_token = app.call(http::Method::POST, tokens, &admin, json!({})).await;
        let registration_token = registration_token.expect(201).text("/id");
        let keys = app.read_as("/api/v1/admin/keys", &admin).await.expect(200);
        let kid = keys.text("/items/0/kid");
        let page = app.get("/login").await.page();
        let (_, style) = page.split_once("href=\"/assets/").unwrap();
        let style = format!("/assets/{}", style.split('"').next().unwrap());
        let session = claims(&user)["sid"].as_str().unwrap().to_owned();
        let marks = vec![
            subject(&user),
            "somebody@cast.example".to_owned(),
            "Seen By Themselves".to_owned(),
            session.clone(),
        ];
        let tokens = [&user, &other, &narrow, &admin].map(|token| Shown::token(token));
        let [somebody, other, scoped, boss] = tokens;
        let callers = [Shown::default(), somebody, other, scoped, boss];
        Self { app, admin, user, callers, registration_token, kid, style, session, marks }
    }

    /// With callers who bring the cookies of their browsers, and somebody has let an application
    /// in.
    pub async fn of_browsers() -> Self {
        let mut street = Self::new().await;
        let people = [
            (Somebody, ("somebody@cast.example", PASSWORD)),
            (Other, ("other@cast.example", PASSWORD)),
            (Admin, JUN),
        ];
        for (caller, who) in people {
            let browser = Visitor::of_owner(&street.app, who).await;
            if caller == Somebody {
                browser.connect().await;
                street.marks.extend(browser.sessions().await);
            }
            let cookie = browser.cookie(SESSION).map(|value| format!("{SESSION}={value}"));
            street.callers[caller as usize] = Shown { token: None, cookie };
        }
        street
    }

    /// Such as this route needs.
    pub async fn before((method, path, _, _): &Row) -> Self {
        let pages = page_routes(Mode::Serve);
        match pages.iter().any(|it| (it.method, it.path) == (*method, *path)) {
            true => Self::of_browsers().await,
            false => Self::new().await,
        }
    }

    /// Somebody with these permissions and no other.
    pub async fn with(&self, name: &str, permissions: &[&str]) -> String {
        self.app.make_role(&self.admin, name, permissions).await;
        self.app.make_and_sign_in(&self.admin, name, &[name]).await.access
    }

    pub async fn knock(&self, method: &str, route: &str, shown: &Shown) -> Answer {
        self.app.send(self.request(method, route, shown)).await
    }

    /// Whatever is named is somebody's.
    fn request(&self, method: &str, route: &str, shown: &Shown) -> Request<Body> {
        let id = subject(&self.user);
        let path = route
            .replace("/users/{id}", &format!("/users/{id}"))
            .replace("/admin/sessions/{id}", &format!("/admin/sessions/{id}.{}", self.session))
            .replace("/me/sessions/{id}", &format!("/me/sessions/{}", self.session))
            .replace("/clients/{id}", "/clients/desk")
            .replace(
                "/registration-tokens/{id}",
                &format!("/registration-tokens/{}", self.registration_token),
            )
            .replace("{client_id}", "spa")
            .replace("/roles/{name}", "/roles/spare")
            .replace("/assets/{name}", &self.style)
            .replace("{kid}", &self.kid)
            .replace("{audience}", "https%3A%2F%2Fapi.example")
            .replace("{*path}", "swagger-ui.css");
        assert!(!path.contains('{'), "{path}");
        let path = match (method, route) {
            ("DELETE", "/api/v1/admin/sessions") => format!("{path}?user={id}"),
            _ => path,
        };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &shown.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(cookie) = &shown.cookie {
            request = request.header("cookie", cookie);
        }
        let is_form = !route.starts_with("/api/") && route != "/oauth2/register";
        let request = match method {
            "GET" => request.body(Body::empty()),
            "DELETE" if route != "/api/v1/users/me" => request.body(Body::empty()),
            "POST" if is_form => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(self.form(route));
                request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("sec-fetch-site", "same-origin")
                    .body(Body::from(form.finish()))
            }
            _ => request
                .header("content-type", "application/json")
                .body(Body::from(body_of(method, route).to_string())),
        };
        request.unwrap()
    }

    /// What a form takes: such as would do something to somebody.
    fn form(&self, route: &str) -> Vec<(&'static str, String)> {
        let fields: &[(&str, &str)] = match route {
            "/account/profile" => &[("name", "Changed")],
            "/account/email" => {
                &[("email", "changed@cast.example"), ("current_password", PASSWORD)]
            }
            "/account/email/verify" => &[("action", "verify")],
            "/account/password" => &[("current_password", PASSWORD), ("password", NEW_PASSWORD)],
            "/account/sessions" => &[("action", "end"), ("session", &self.session)],
            "/account/applications" => &[("action", "remove"), ("client_id", "spa")],
            "/account/delete" => &[("action", "delete"), ("current_password", PASSWORD)],
            "/account/data/export" => &[("action", "export")],
            "/device" => &[("action", "allow"), ("user_code", "BCDF-GHJK")],
            // A client that does not prove itself, with a token that it was not given.
            "/oauth2/introspect"
            | "/oauth2/revoke"
            | "/oauth2/par"
            | "/oauth2/device_authorization" => &[("client_id", "web"), ("token", &self.user)],
            _ => &[],
        };
        fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    /// Everything that is kept about somebody.
    async fn things(&self) -> String {
        let id: UserId = subject(&self.user).parse().unwrap();
        let now = self.app.clock.now();
        let kept = self.app.app.store.read(move |tx| {
            let user = users::find(tx, &id)?;
            let (live, hash) = (sessions::list_live(tx, &id, now, 100)?, passwords::find(tx, &id)?);
            let (consents, grants) =
                (consents::list(tx, &id)?, grants::list_live(tx, &id, now, 100)?);
            Ok::<_, StoreError>(format!("{user:?} {hash:?} {live:?} {consents:?} {grants:?}"))
        });
        format!("{} {:?}", kept.await.unwrap(), self.app.trail(&subject(&self.user)).await)
    }

    /// What is otherwise than a row says: an answer, something of somebody's that another one saw
    /// or altered, or a change of their own that did not happen.
    pub async fn judge(&self, (method, path, door, answers): &Row) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_administered = matches!(door, Door::May(_));
        let order = match is_administered {
            true => [Nobody, Scoped, Other, Somebody, Admin],
            false => [Nobody, Scoped, Other, Admin, Somebody],
        };
        let mut before = self.things().await;
        for caller in order {
            let place = format!("{method} {path} as {caller:?}");
            let answer = self.knock(method, path, &self.callers[caller as usize]).await;
            let (status, declared) = (answer.status.as_u16(), answers[caller as usize]);
            if status != declared {
                wrong.push(format!("{place}: {status}, not {declared}; {:.300}", answer.shown()));
            }
            let after = self.things().await;
            let is_theirs = caller == Somebody || (caller == Admin && is_administered);
            if !is_theirs {
                wrong.extend(self.seen(&answer).map(|mark| format!("{place}: shows {mark}")));
                if after != before {
                    wrong.push(format!("{place}: alters somebody's things"));
                }
            }
            let is_act = matches!(door, Door::Own | Door::Person) && *method != "GET";
            if caller == Somebody && is_act && after == before && !DOES_NOTHING.contains(path) {
                wrong.push(format!("{place}: does nothing, so that nothing was tried"));
            }
            before = after;
        }
        wrong
    }

    /// Whether an answer tells something of somebody's.
    fn seen(&self, answer: &Answer) -> Option<&str> {
        let whole = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.bytes));
        self.marks.iter().map(String::as_str).find(|mark| whole.contains(mark))
    }
}

/// Forms and calls of one's own that change nothing.
const DOES_NOTHING: &[&str] = &["/oauth2/userinfo", "/device"];

/// The password that people change theirs to.
const NEW_PASSWORD: &str = "a-lantern-over-the-han-river";

/// A token of an administrator that is good for little.
async fn narrow(app: &TestApp, admin: &str) -> String {
    let desk = app.make_desk(admin, "desk").await;
    app.make_user(admin, "narrow", &["user", "admin"]).await;
    let form = [
        ("grant_type", "password"),
        ("username", "narrow@cast.example"),
        ("password", PASSWORD),
        ("scope", "roles"),
    ];
    let token = app.form_as(("desk", &desk), "/oauth2/token", &form).await.tokens().access;
    assert_eq!(claims(&token)["scope"], "roles");
    token
}

/// What the routes of the API take: a body that is no good is told so before anything else.
fn body_of(method: &str, route: &str) -> Value {
    match (method, route.trim_start_matches("/api/v1/admin")) {
        ("POST", "/users") => json!({"email": "new@cast.example", "password": PASSWORD}),
        // To give what they do not have already takes `roles:write`, too.
        ("PUT", "/users/{id}/roles") => json!({"roles": ["user", "spare"]}),
        ("POST", "/clients") => json!({"name": "A client", "grant_types": ["client_credentials"]}),
        ("POST", "/apis") => json!({"audience": "https://other.example", "name": "Another API"}),
        ("POST", "/roles") => json!({"name": "fresh", "permissions": []}),
        ("PATCH", "/roles/{name}") => json!({"permissions": []}),
        ("PATCH", _) => json!({"name": "Another name"}),
        ("POST", "/api/v1/users/me/password") => {
            json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD})
        }
        ("DELETE", "/api/v1/users/me") => json!({"password": PASSWORD}),
        _ => json!({}),
    }
}
