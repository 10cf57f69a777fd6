//! AD-01: every route that a server in production has, and who may pass its door. A route that is
//! not declared here fails the tests, and so does one whose door stands otherwise than declared.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request};
use munjigi_server::{Mode, page_routes, routes};
use serde_json::{Value, json};

use crate::harness::{Answer, MINJI, TestApp};

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// Everybody: there is nothing to protect, or what is sent proves who sends it.
    Open,
    /// A client that proves itself; no token of a person helps.
    Client,
    /// Who brings a token that the client was given for it; no token of a person helps.
    Registered,
    /// Whoever has an access token of their own.
    Person,
    /// Who has all of these permissions.
    May(&'static [&'static str]),
    /// A client that acts for itself and has this permission.
    ClientMay(&'static str),
    /// A page for everybody.
    Page,
    /// A page of somebody who is signed in with the browser.
    Own,
}

use Door::{Client, ClientMay, May, Open, Own, Page, Person, Registered};

#[rustfmt::skip]
const TABLE: &[(&str, &str, Door)] = &[
    ("GET", "/.well-known/openid-configuration", Open),
    ("GET", "/.well-known/oauth-authorization-server", Open),
    ("GET", "/.well-known/jwks.json", Open),
    ("POST", "/oauth2/token", Open),
    ("POST", "/oauth2/par", Client),
    ("POST", "/oauth2/device_authorization", Client),
    ("POST", "/oauth2/introspect", Client),
    ("POST", "/oauth2/revoke", Client),
    ("POST", "/oauth2/register", Registered),
    ("GET", "/oauth2/register/{client_id}", Registered),
    ("PUT", "/oauth2/register/{client_id}", Registered),
    ("DELETE", "/oauth2/register/{client_id}", Registered),
    ("POST", "/api/v1/users/signup", Open),
    ("POST", "/api/v1/users/signin", Open),
    ("GET", "/livez", Open),
    ("GET", "/readyz", Open),
    // Opens with the token that it is asked about: whoever asks holds it.
    ("GET", "/forward-auth", Open),
    ("GET", "/openapi.json", Open),
    ("GET", "/docs", Open),
    ("GET", "/docs/", Open),
    ("GET", "/docs/{*path}", Open),
    ("POST", "/api/v1/users/signout", Person),
    ("GET", "/api/v1/users/me", Person),
    ("PATCH", "/api/v1/users/me", Person),
    ("DELETE", "/api/v1/users/me", Person),
    ("POST", "/api/v1/users/me/password", Person),
    ("GET", "/api/v1/users/me/sessions", Person),
    ("DELETE", "/api/v1/users/me/sessions/{id}", Person),
    ("GET", "/oauth2/userinfo", Person),
    ("POST", "/oauth2/userinfo", Person),
    ("GET", "/api/v1/revocations", ClientMay("revocations:read")),
    ("GET", "/api/v1/admin/stats", May(&["stats:read"])),
    ("GET", "/api/v1/admin/audit", May(&["audit:read"])),
    ("GET", "/api/v1/audit/checkpoint", May(&["audit:read"])),
    ("GET", "/api/v1/audit/keys.ndjson", May(&["audit:read"])),
    ("GET", "/api/v1/audit/tile/{*path}", May(&["audit:read"])),
    ("GET", "/api/v1/admin/users", May(&["users:read"])),
    ("POST", "/api/v1/admin/users", May(&["users:write"])),
    ("GET", "/api/v1/admin/users/{id}", May(&["users:read"])),
    ("PATCH", "/api/v1/admin/users/{id}", May(&["users:write"])),
    ("DELETE", "/api/v1/admin/users/{id}", May(&["users:write"])),
    ("POST", "/api/v1/admin/users/{id}/disable", May(&["users:write"])),
    ("POST", "/api/v1/admin/users/{id}/enable", May(&["users:write"])),
    // What the roles carry takes `roles:write`, and to have it: `role_ends.rs`, `admin.rs`.
    ("PUT", "/api/v1/admin/users/{id}/roles", May(&["users:write"])),
    ("GET", "/api/v1/admin/sessions", May(&["sessions:read"])),
    ("DELETE", "/api/v1/admin/sessions", May(&["sessions:write"])),
    ("DELETE", "/api/v1/admin/sessions/{id}", May(&["sessions:write"])),
    ("GET", "/api/v1/admin/clients", May(&["clients:read"])),
    ("POST", "/api/v1/admin/clients", May(&["clients:write"])),
    ("GET", "/api/v1/admin/clients/{id}", May(&["clients:read"])),
    ("PATCH", "/api/v1/admin/clients/{id}", May(&["clients:write"])),
    ("DELETE", "/api/v1/admin/clients/{id}", May(&["clients:write"])),
    ("POST", "/api/v1/admin/clients/{id}/disable", May(&["clients:write"])),
    ("POST", "/api/v1/admin/clients/{id}/enable", May(&["clients:write"])),
    ("POST", "/api/v1/admin/clients/{id}/rotate-secret", May(&["clients:write"])),
    ("GET", "/api/v1/admin/registration-tokens", May(&["clients:read"])),
    ("POST", "/api/v1/admin/registration-tokens", May(&["clients:write"])),
    ("DELETE", "/api/v1/admin/registration-tokens/{id}", May(&["clients:write"])),
    ("GET", "/api/v1/admin/apis", May(&["apis:read"])),
    ("POST", "/api/v1/admin/apis", May(&["apis:write"])),
    ("GET", "/api/v1/admin/apis/{audience}", May(&["apis:read"])),
    ("PATCH", "/api/v1/admin/apis/{audience}", May(&["apis:write"])),
    ("DELETE", "/api/v1/admin/apis/{audience}", May(&["apis:write"])),
    ("POST", "/api/v1/admin/apis/{audience}/disable", May(&["apis:write"])),
    ("POST", "/api/v1/admin/apis/{audience}/enable", May(&["apis:write"])),
    ("GET", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:read"])),
    ("POST", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:write"])),
    ("DELETE", "/api/v1/admin/apis/{audience}/secrets", May(&["keys:write"])),
    ("GET", "/api/v1/admin/keys", May(&["keys:read"])),
    ("POST", "/api/v1/admin/keys/rotate", May(&["keys:write"])),
    ("POST", "/api/v1/admin/keys/{kid}/withdraw", May(&["keys:write"])),
    ("GET", "/api/v1/admin/roles", May(&["roles:read"])),
    ("POST", "/api/v1/admin/roles", May(&["roles:write"])),
    ("GET", "/api/v1/admin/roles/{name}", May(&["roles:read"])),
    ("PATCH", "/api/v1/admin/roles/{name}", May(&["roles:write"])),
    ("DELETE", "/api/v1/admin/roles/{name}", May(&["roles:write"])),
    ("POST", "/api/v1/admin/roles/{name}/disable", May(&["roles:write"])),
    ("POST", "/api/v1/admin/roles/{name}/enable", May(&["roles:write"])),
    ("GET", "/oauth2/authorize", Page),
    ("POST", "/oauth2/authorize", Page),
    ("GET", "/oauth2/logout", Page),
    ("POST", "/oauth2/logout", Page),
    ("GET", "/login", Page),
    ("POST", "/login", Page),
    ("GET", "/login/again", Own),
    ("GET", "/login/select", Page),
    ("POST", "/login/select", Page),
    ("GET", "/consent", Page),
    ("POST", "/consent", Page),
    ("GET", "/device", Own),
    ("POST", "/device", Own),
    ("GET", "/signup", Page),
    ("POST", "/signup", Page),
    ("GET", "/verify", Page),
    ("POST", "/verify", Page),
    ("GET", "/recover", Page),
    ("POST", "/recover", Page),
    ("GET", "/recover/password", Page),
    ("POST", "/recover/password", Page),
    ("GET", "/assets/{name}", Page),
    ("GET", "/account", Own),
    ("GET", "/account/profile", Own),
    ("POST", "/account/profile", Own),
    ("GET", "/account/email", Own),
    ("POST", "/account/email", Own),
    ("POST", "/account/email/verify", Own),
    ("GET", "/account/email/confirm", Page),
    ("POST", "/account/email/confirm", Page),
    ("GET", "/account/email/undo", Page),
    ("POST", "/account/email/undo", Page),
    ("GET", "/account/password", Own),
    ("POST", "/account/password", Own),
    ("GET", "/account/sessions", Own),
    ("POST", "/account/sessions", Own),
    ("GET", "/account/applications", Own),
    ("POST", "/account/applications", Own),
    ("GET", "/account/delete", Own),
    ("POST", "/account/delete", Own),
    ("GET", "/account/data", Own),
    ("POST", "/account/data/export", Own),
];

/// Every permission that a door asks for.
const PERMISSIONS: [&str; 13] = [
    "users:read",
    "users:write",
    "roles:read",
    "roles:write",
    "sessions:read",
    "sessions:write",
    "clients:read",
    "clients:write",
    "apis:read",
    "apis:write",
    "revocations:read",
    "stats:read",
    "audit:read",
];

#[test]
fn every_route_is_declared_and_nothing_else_is() {
    let there: BTreeSet<_> = routes(Mode::Serve)
        .into_iter()
        .chain(page_routes(Mode::Serve))
        .map(|route| (route.method, route.path))
        .collect();
    let declared: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(declared.len(), TABLE.len(), "declared twice");
    assert_eq!(there, declared);
}

/// A server in production, and everybody who knocks.
struct Street {
    app: TestApp,
    admin: String,
    /// Without any permission.
    user: String,
    minji: String,
    registration_token: String,
}

impl Street {
    async fn new() -> Self {
        let app = TestApp::serving().await;
        let admin = app.admin().await;
        let user = app.make_and_sign_in(&admin, "somebody", &["user"]).await.access;
        let minji = crate::cast::subject(&app.sign_in(MINJI).await.access);
        app.call(
            Method::POST,
            "/api/v1/admin/apis",
            &admin,
            json!({"audience": "https://api.example", "name": "An API"}),
        )
        .await
        .expect(201);
        app.make_role(&admin, "spare", &[]).await;
        let tokens = "/api/v1/admin/registration-tokens";
        let registration_token = app.call(Method::POST, tokens, &admin, json!({})).await;
        let registration_token = registration_token.expect(201).text("/id");
        Self { app, admin, user, minji, registration_token }
    }

    /// Somebody with these permissions and no other.
    async fn with(&self, name: &str, permissions: &[&str]) -> String {
        self.app.make_role(&self.admin, name, permissions).await;
        self.app.make_and_sign_in(&self.admin, name, &[name]).await.access
    }

    async fn knock(&self, method: &str, route: &str, token: Option<&str>) -> Answer {
        let path = route
            .replace("/users/{id}", &format!("/users/{}", self.minji))
            .replace("/clients/{id}", "/clients/spa")
            .replace(
                "/registration-tokens/{id}",
                &format!("/registration-tokens/{}", self.registration_token),
            )
            .replace("{client_id}", "spa")
            .replace("{name}", "spare")
            .replace("{kid}", "none")
            .replace("{audience}", "https%3A%2F%2Fapi.example")
            .replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
            .replace("{*path}", "swagger-ui.css");
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = match method {
            "GET" | "DELETE" => request.body(Body::empty()),
            _ => request
                .header("content-type", "application/json")
                .body(Body::from(body_of(method, route).to_string())),
        };
        self.app.send(request.unwrap()).await
    }

    /// Holds a route to its door.
    async fn hold(&self, method: &str, path: &str, door: Door, may: Option<(&str, &str)>) {
        let anonymous = self.knock(method, path, None).await;
        let user = self.knock(method, path, Some(&self.user)).await;
        let place = format!("{method} {path}: {} and {}", anonymous.shown(), user.shown());
        let (nobody, somebody) = (anonymous.status.as_u16(), user.status.as_u16());
        assert!(nobody < 500 || nobody == 503, "{place}");
        assert!(somebody < 500 || somebody == 503, "{place}");
        match door {
            // Whatever they say, a token makes no difference.
            Open | Page => assert_eq!(nobody, somebody, "{place}"),
            Client => assert!(passes_not(nobody) && nobody == somebody, "{place}"),
            Registered => assert!(passes_not(nobody) && passes_not(somebody), "{place}"),
            Person => assert!(nobody == 401 && somebody != 401, "{place}"),
            // Sent to sign in, whatever token comes: pages know cookies alone.
            Own => assert!(passes_not(nobody) && nobody == somebody, "{place}"),
            May(_) | ClientMay(_) => {
                assert!(nobody == 401 && somebody == 403, "{place}");
                let Some((others, this)) = may else { panic!("{place}") };
                let others = self.knock(method, path, Some(others)).await;
                assert_eq!(others.status.as_u16(), 403, "every other permission: {place}");
                let this = self.knock(method, path, Some(this)).await;
                let status = this.status.as_u16();
                assert!(![401, 403].contains(&status), "{place}, but {}", this.shown());
            }
        }
    }
}

/// What the routes behind permissions take: a body that is no good is told so before anything else.
fn body_of(method: &str, route: &str) -> Value {
    match (method, route.trim_start_matches("/api/v1/admin")) {
        ("POST", "/users") => json!({
            "email": "new@cast.example", "password": crate::cast::PASSWORD,
        }),
        ("PUT", "/users/{id}/roles") => json!({"roles": ["user"]}),
        ("POST", "/clients") => json!({"name": "A client", "grant_types": ["client_credentials"]}),
        ("POST", "/apis") => json!({"audience": "https://other.example", "name": "Another API"}),
        ("POST", "/roles") => json!({"name": "fresh", "permissions": []}),
        ("PATCH", "/roles/{name}") => json!({"permissions": []}),
        ("PATCH", _) => json!({"name": "Another name"}),
        _ => json!({}),
    }
}

/// A door that is shut, or that leads to another one.
fn passes_not(status: u16) -> bool {
    [303, 400, 401, 403, 404, 415].contains(&status)
}

async fn hold_all(which: impl Fn(Door) -> bool) {
    let street = Street::new().await;
    for (method, path, door) in TABLE.iter().filter(|(_, _, door)| which(*door)) {
        street.hold(method, path, *door, None).await;
    }
}

#[tokio::test]
async fn what_is_open_asks_nobody_and_pages_know_no_tokens() {
    hold_all(|door| matches!(door, Open | Page | Own)).await;
}

#[tokio::test]
async fn clients_prove_themselves_and_people_bring_tokens() {
    hold_all(|door| matches!(door, Client | Registered)).await;
    // The last of these end what the next would need.
    for (method, path, door) in TABLE.iter().filter(|(_, _, door)| *door == Person) {
        Street::new().await.hold(method, path, *door, None).await;
    }
}

/// Whoever has every permission but one is refused where that one is asked for.
#[tokio::test]
async fn each_admin_route_asks_for_just_the_permissions_that_are_declared() {
    for (method, path, door) in TABLE {
        let May(needed) = door else { continue };
        for missing in *needed {
            let street = Street::new().await;
            let others: Vec<_> = PERMISSIONS.into_iter().filter(|other| other != missing).collect();
            let others = street.with("others", &others).await;
            let these = street.with("these", needed).await;
            street.hold(method, path, *door, Some((&others, &these))).await;
        }
    }
}

/// The door comes first: whoever may not pass learns nothing of what is behind it, not even whether
/// what they sent is well formed, or names a thing that is there.
#[tokio::test]
async fn permission_comes_before_bodies_names_and_queries_on_every_admin_route() {
    let street = Street::new().await;
    let others = street.with("others", &[]).await;
    let knock = async |token: Option<&str>, method: &str, path: &str, json: &str, body: &str| {
        let request = Request::builder().method(method).uri(path).header("content-type", json);
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        street.app.send(request.body(Body::from(body.to_owned())).unwrap()).await
    };
    let mut refused = 0;
    for (method, path, door) in TABLE {
        let May(_) = door else { continue };
        // Nobody has such an id, name or audience; and no list has such a parameter.
        let nowhere = path.replace("{id}", "nobody").replace("{name}", "%FF");
        let nowhere = nowhere.replace("{audience}", "nothing");
        let asked = format!("{nowhere}?what=ever&limit=none");
        for (json, body) in [
            ("application/json", "{\"unheard\": \"of\""),
            ("application/json", "{\"unheard\": \"of\"}"),
            ("text/plain", "nothing"),
        ] {
            let place = format!("{method} {path} with {body}");
            for (token, status) in [(Some(&others), 403), (None, 401)] {
                let answer = knock(token.map(String::as_str), method, &asked, json, body).await;
                assert_eq!(answer.status, status, "{place}: {}", answer.shown());
                refused += 1;
            }
            let admin = knock(Some(&street.admin), method, &asked, json, body).await;
            let status = admin.status.as_u16();
            assert!(![401, 403, 500].contains(&status), "{place}: {}", admin.shown());
        }
    }
    assert!(refused > 200, "{refused}");
}

#[tokio::test]
async fn the_feed_is_for_clients_that_act_for_themselves_and_may_read_it() {
    let street = Street::new().await;
    let (app, admin) = (&street.app, &street.admin);
    for (id, scope) in [("others", "users:read audit:read"), ("this", "revocations:read")] {
        let secret = app.make_client(admin, id, scope).await;
        let token = app.own_token((id, &secret), Some(scope)).await.expect(200);
        let token = token.text("/access_token");
        let answer = street.knock("GET", "/api/v1/revocations", Some(&token)).await;
        answer.expect(if id == "this" { 200 } else { 403 });
    }
    // A person is refused, whatever they may do.
    street.knock("GET", "/api/v1/revocations", Some(admin)).await.expect(403);
    street.knock("GET", "/api/v1/revocations", None).await.expect(401);
}
