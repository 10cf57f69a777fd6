//! The admin API: escalations, lists, and the lives of roles, clients and APIs. Who passes which of
//! its doors is declared in `route_table`.

use std::collections::BTreeSet;

use http::Method;
use munjigi_store::each_backend;
use serde_json::{Value, json};

use crate::cast::{PASSWORD, subject};
use crate::harness::{JUN, MINJI, TestApp, claims};

const USERS: &str = "/api/v1/admin/users";
const CLIENTS: &str = "/api/v1/admin/clients";
const APIS: &str = "/api/v1/admin/apis";
const ROLES: &str = "/api/v1/admin/roles";
const PLANNER: &str = "http://localhost:8001";
/// The planner's audience, as it stands in a path.
const PLANNER_API: &str = "/api/v1/admin/apis/http%3A%2F%2Flocalhost%3A8001";

/// A client that acts on its own behalf with this scope.
fn own_client(scope: &str) -> Value {
    json!({"name": "mine", "grant_types": ["client_credentials"], "scope": scope})
}

/// What a clerk, who may change accounts, roles and clients, might try with themselves, somebody
/// who may do everything, and somebody whose role is disabled.
fn escalations(me: &str, boss: &str, sleeper: &str) -> Vec<(&'static str, String, Value)> {
    let client = own_client;
    vec![
        ("PUT", format!("{me}/roles"), json!({"roles": ["admin"]})),
        ("PUT", format!("{me}/roles"), json!({"roles": ["user", "clerk", "keys"]})),
        ("PUT", format!("{me}/roles"), json!({"roles": ["user", "clerk", "asleep"]})),
        ("PUT", format!("{boss}/roles"), json!({"roles": ["user"]})),
        ("PUT", format!("{boss}/roles"), json!({"roles": []})),
        ("PATCH", boss.to_owned(), json!({"email": "mine@test.com"})),
        ("POST", format!("{boss}/disable"), json!({})),
        ("DELETE", boss.to_owned(), json!({})),
        ("PATCH", sleeper.to_owned(), json!({"email": "mine@test.com"})),
        ("DELETE", sleeper.to_owned(), json!({})),
        (
            "POST",
            USERS.to_owned(),
            json!({"email": "twin@test.com", "password": PASSWORD, "roles": ["admin"]}),
        ),
        (
            "POST",
            USERS.to_owned(),
            json!({"email": "twin@test.com", "password": PASSWORD, "roles": ["asleep"]}),
        ),
        ("POST", ROLES.to_owned(), json!({"name": "mine", "permissions": ["*"]})),
        (
            "POST",
            ROLES.to_owned(),
            json!({"name": "mine", "permissions": ["users:read", "keys:write"]}),
        ),
        ("PATCH", format!("{ROLES}/clerk"), json!({"permissions": ["*"]})),
        ("PATCH", format!("{ROLES}/reader"), json!({"permissions": ["users:read", "keys:write"]})),
        ("PATCH", format!("{ROLES}/keys"), json!({"permissions": []})),
        ("DELETE", format!("{ROLES}/keys"), json!({})),
        ("POST", format!("{ROLES}/keys/disable"), json!({})),
        ("POST", format!("{ROLES}/asleep/enable"), json!({})),
        ("POST", CLIENTS.to_owned(), client("admin keys:write")),
        ("POST", CLIENTS.to_owned(), client("admin *")),
        ("POST", format!("{CLIENTS}/strong/rotate-secret"), json!({})),
        ("PATCH", format!("{CLIENTS}/strong"), json!({"scope": ""})),
        ("DELETE", format!("{CLIENTS}/strong"), json!({})),
    ]
}

/// AD-03 of the attack kit: nobody reaches further than they do already.
#[tokio::test]
async fn nobody_gives_or_takes_what_they_do_not_have() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let all =
        ["users:read", "users:write", "roles:read", "roles:write", "clients:read", "clients:write"];
    app.make_role(&admin, "clerk", &all).await;
    app.make_role(&admin, "reader", &["users:read"]).await;
    app.make_role(&admin, "keys", &["keys:write"]).await;
    app.make_role(&admin, "asleep", &["*"]).await;
    app.act_as(Method::POST, &format!("{ROLES}/asleep/disable"), &admin).await.expect(204);
    let strong = app.make_client(&admin, "strong", "admin keys:write").await;
    let clerk = app.make_and_sign_in(&admin, "clerk", &["user", "clerk"]).await.access;
    let me = format!("{USERS}/{}", subject(&clerk));
    let boss = format!("{USERS}/{}", subject(&admin));
    let sleeper = app.make_user(&admin, "sleeper", &["asleep"]).await;
    let sleeper = format!("{USERS}/{sleeper}");
    let before = [&me, &boss, &sleeper];
    let mut shown = Vec::new();
    for path in before {
        shown.push(app.read_as(path, &admin).await.expect(200).json());
    }

    for (method, path, body) in escalations(&me, &boss, &sleeper) {
        let answer = app.call(method.parse().unwrap(), &path, &clerk, body.clone()).await;
        assert_eq!(answer.status.as_u16(), 403, "{method} {path} {body}: {}", answer.shown());
    }

    for (path, before) in before.iter().zip(shown) {
        assert_eq!(app.read_as(path, &admin).await.expect(200).json(), before);
    }
    app.own_token(("strong", &strong), None).await.expect(200);
    // What is within their reach, they may.
    let reader = json!({"roles": ["user", "clerk", "reader"]});
    app.call(Method::PUT, &format!("{me}/roles"), &clerk, reader).await.expect(200);
    app.call(Method::POST, CLIENTS, &clerk, own_client("openid profile")).await.expect(201);
}

/// S6: HR may edit everybody but those who may do more, and employees only themselves.
#[tokio::test]
async fn hr_edits_other_profiles_but_not_an_administrators() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.make_role(&admin, "hr", &["users:read", "users:write"]).await;
    let hr = app.make_and_sign_in(&admin, "haneul", &["user", "hr"]).await.access;
    let employee = app.sign_in(MINJI).await.access;
    let path = |of: &str| format!("{USERS}/{}", subject(of));

    let body = json!({"name": "민지 Kim", "email": "minji.kim@demo.local"});
    let changed = app.call(Method::PATCH, &path(&employee), &hr, body).await.expect(200).json();
    assert_eq!(changed["name"], "민지 Kim");
    assert_eq!(changed["email_verified"], false, "a new address counts as not verified");
    assert_eq!(app.read_as("/api/v1/users/me", &employee).await.json()["name"], "민지 Kim");
    let name = json!({"name": "changed"});
    app.call(Method::PATCH, &path(&admin), &hr, name.clone()).await.expect(403);
    app.call(Method::PATCH, &path(&hr), &hr, name.clone()).await.expect(200);
    app.call(Method::PATCH, &path(&hr), &employee, name.clone()).await.expect(403);
    app.call(Method::PATCH, &path(&employee), &employee, name.clone()).await.expect(403);
    app.call(Method::PATCH, "/api/v1/users/me", &employee, name).await.expect(200);
    // A password is nobody's but its owner's, and an account is not taken over by a member.
    for body in [json!({"password": PASSWORD}), json!({"roles": ["admin"]}), json!({"id": "x"})] {
        app.call(Method::PATCH, &path(&employee), &hr, body).await.expect(422);
    }
    assert_eq!(
        app.trail(&subject(&employee)).await.iter().filter(|it| *it == "user_updated").count(),
        2
    );
}

/// The rights of a token are those of today: a role that was taken, disabled or deleted is gone.
#[tokio::test]
async fn a_role_that_is_taken_disabled_or_deleted_carries_nothing_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (role, reads) = (format!("{ROLES}/watch"), async |token: &str| {
        app.read_as("/api/v1/admin/stats", token).await.status.as_u16()
    });
    app.make_role(&admin, "watch", &["stats:read"]).await;
    let watcher = app.make_and_sign_in(&admin, "watcher", &["user", "watch"]).await;
    assert_eq!(reads(&watcher.access).await, 200);

    app.act_as(Method::POST, &format!("{role}/disable"), &admin).await.expect(204);
    assert_eq!(reads(&watcher.access).await, 401, "tokens that name the role die");
    app.advance(2);
    let next = app.refresh(&watcher.refresh).await.tokens();
    assert_eq!(claims(&next.access)["roles"], json!(["user"]));
    assert!(!claims(&next.access)["scope"].as_str().unwrap().contains("admin"));
    assert_eq!(reads(&next.access).await, 403);
    app.act_as(Method::POST, &format!("{role}/enable"), &admin).await.expect(204);
    assert_eq!(reads(&next.access).await, 403, "the token lacks the scope");
    let next = app.refresh(&next.refresh).await.tokens();
    assert_eq!(reads(&next.access).await, 200);

    let body = json!({"permissions": ["users:read"]});
    app.call(Method::PATCH, &role, &admin, body).await.expect(200);
    assert_eq!(reads(&next.access).await, 401, "tokens that say more than the role does die");
    app.advance(2);
    let next = app.refresh(&next.refresh).await.tokens();
    assert_eq!(reads(&next.access).await, 403);
    let body = json!({"permissions": ["stats:read"]});
    app.call(Method::PATCH, &role, &admin, body).await.expect(200);
    let next = app.refresh(&next.refresh).await.tokens();
    assert_eq!(reads(&next.access).await, 200);

    let roles = format!("{USERS}/{}/roles", subject(&watcher.access));
    app.call(Method::PUT, &roles, &admin, json!({"roles": ["user"]})).await.expect(200);
    assert_eq!(reads(&next.access).await, 401, "tokens with roles that were taken die");
    app.advance(2);
    app.call(Method::PUT, &roles, &admin, json!({"roles": ["user", "watch"]})).await.expect(200);
    let again = app.refresh(&next.refresh).await.tokens();
    assert_eq!(reads(&again.access).await, 200);
    app.act_as(Method::DELETE, &role, &admin).await.expect(204);
    assert_eq!(reads(&again.access).await, 401);
    app.read_as(&role, &admin).await.expect(404);
    let shown = app.read_as(&format!("{USERS}/{}", subject(&watcher.access)), &admin).await;
    assert_eq!(shown.json()["roles"], json!(["user"]));
}

/// The built-in roles stay: without `admin` nobody could undo it.
#[tokio::test]
async fn the_built_in_roles_stay() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for name in ["user", "manager", "admin"] {
        let role = format!("{ROLES}/{name}");
        app.act_as(Method::DELETE, &role, &admin).await.expect(409);
        app.act_as(Method::POST, &format!("{role}/disable"), &admin).await.expect(409);
    }
    app.read_as("/api/v1/admin/stats", &admin).await.expect(200);
}

/// A role from its making to its end.
#[tokio::test]
async fn a_role_is_made_shown_and_changed_member_by_member() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({
        "name": "crew",
        "description": "Runs events",
        "permissions": ["users:read"],
        "scope": "events:write",
    });
    let made = app.call(Method::POST, ROLES, &admin, body.clone()).await.expect(201).json();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&made[name], value);
    }
    assert_eq!(
        app.call(Method::POST, ROLES, &admin, body).await.expect(409).text("/code"),
        "role_taken"
    );
    let role = format!("{ROLES}/crew");
    let change = json!({"scope": "events:read events:write"});
    app.call(Method::PATCH, &role, &admin, change).await.expect(200);
    let shown = app.read_as(&role, &admin).await.expect(200).json();
    assert_eq!(
        (&shown["description"], &shown["permissions"]),
        (&json!("Runs events"), &json!(["users:read"]))
    );
    assert_eq!(shown["scope"], "events:read events:write");
    app.call(Method::PATCH, &role, &admin, json!({"name": "other"})).await.expect(422);
    for name in ["nobody", "Crew", "%00", "a%2Fb"] {
        app.read_as(&format!("{ROLES}/{name}"), &admin).await.expect(404);
    }
}

each_backend! {
    /// A client from its making to its end; its tokens and its grants die with it.
    async fn a_disabled_or_deleted_clients_tokens_and_requests_die_at_once(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let secret = app.make_desk(&admin, "desk").await;
        let body = json!({
            "grant_types": ["password", "refresh_token", "client_credentials"],
            "scope": "openid events:read admin users:read",
        });
        app.call(Method::PATCH, &format!("{CLIENTS}/desk"), &admin, body).await.expect(200);
        let desk = ("desk", secret.as_str());
        let person = app.sign_in_at(desk, MINJI).await;
        let own = app.own_token(desk, None).await.expect(200).text("/access_token");
        app.read_as(USERS, &own).await.expect(200);

        app.act_as(Method::POST, &format!("{CLIENTS}/desk/disable"), &admin).await.expect(204);

        app.read_as("/api/v1/users/me", &person.access).await.expect(401);
        app.read_as("/oauth2/userinfo", &person.access).await.expect(401);
        app.read_as(USERS, &own).await.expect(401);
        assert_eq!(app.introspect(app.web(), &person.access).await, json!({"active": false}));
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", person.refresh.as_str())];
        app.form_as(desk, "/oauth2/token", &refresh).await.expect(401);
        app.own_token(desk, None).await.expect(401);
        app.form_as(desk, "/oauth2/introspect", &[("token", &own)]).await.expect(401);
        app.form_as(desk, "/oauth2/revoke", &[("token", &own)]).await.expect(401);
        let sign_in = [("grant_type", "password"), ("username", "minji"), ("password", MINJI.1)];
        app.form_as(desk, "/oauth2/token", &sign_in).await.expect(401);

        app.act_as(Method::POST, &format!("{CLIENTS}/desk/enable"), &admin).await.expect(204);
        app.read_as("/api/v1/users/me", &person.access).await.expect(401);
        let person = app.form_as(desk, "/oauth2/token", &refresh).await.tokens();
        app.read_as("/api/v1/users/me", &person.access).await.expect(200);

        app.act_as(Method::DELETE, &format!("{CLIENTS}/desk"), &admin).await.expect(204);
        app.read_as("/api/v1/users/me", &person.access).await.expect(401);
        app.own_token(desk, None).await.expect(401);
        app.read_as(&format!("{CLIENTS}/desk"), &admin).await.expect(404);
        // The same id again is another client: nothing of the old one works.
        let again = app.make_desk(&admin, "desk").await;
        assert_ne!(again, secret);
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", person.refresh.as_str())];
        app.form_as(("desk", &again), "/oauth2/token", &refresh).await.expect(400);
        app.read_as("/api/v1/users/me", &person.access).await.expect(401);
    }

    /// An old secret is taken for another day, and no longer.
    async fn a_rotated_secret_overlaps_with_the_new_one_for_a_day(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let first = app.make_client(&admin, "robot", "events:read").await;
        let path = format!("{CLIENTS}/robot/rotate-secret");
        app.advance(1);

        let second =
            app.act_as(Method::POST, &path, &admin).await.expect(200).text("/client_secret");

        assert_ne!(first, second);
        let works =
            async |secret: &str| app.own_token(("robot", secret), None).await.status.as_u16();
        assert_eq!((works(&first).await, works(&second).await), (200, 200));
        app.advance(1);
        let third =
            app.act_as(Method::POST, &path, &admin).await.expect(200).text("/client_secret");
        assert_eq!((works(&second).await, works(&third).await), (200, 200));
        app.advance(24 * 3600 + 1);
        assert_eq!(
            (works(&first).await, works(&second).await, works(&third).await),
            (401, 401, 200)
        );
        munjigi_server::jobs::run(&app.app).await.unwrap();
        assert_eq!(works(&third).await, 200);
        let admin = app.admin().await;
        let public = format!("{CLIENTS}/spa/rotate-secret");
        app.act_as(Method::POST, &public, &admin).await.expect(409);
        app.act_as(Method::POST, &format!("{CLIENTS}/nobody/rotate-secret"), &admin)
            .await
            .expect(404);
    }

    /// An API from its making to its end.
    async fn a_disabled_or_deleted_api_gets_no_tokens(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let sign_in = |resource: &'static str| {
            let app = app.clone();
            async move {
                let mut form = vec![("username", "minji"), ("password", MINJI.1)];
                if !resource.is_empty() {
                    form.push(("resource", resource));
                }
                app.form("/oauth2/token", &form).await
            }
        };
        let before = sign_in("").await.tokens();
        assert_eq!(app.introspect(app.web(), &before.access).await["active"], true);

        app.act_as(Method::POST, &format!("{PLANNER_API}/disable"), &admin).await.expect(204);

        assert_eq!(sign_in(PLANNER).await.expect(400).text("/error"), "invalid_target");
        let own = [("grant_type", "client_credentials"), ("resource", PLANNER)];
        app.form_as(app.web(), "/oauth2/token", &own).await.expect(400);
        let rest = sign_in("").await.tokens();
        assert_eq!(claims(&rest.access)["aud"], "http://localhost:8000", "what is left");
        assert_eq!(app.introspect(app.web(), &before.access).await, json!({"active": false}));
        app.act_as(Method::POST, &format!("{PLANNER_API}/enable"), &admin).await.expect(204);
        let planner = sign_in(PLANNER).await.tokens();
        assert_eq!(app.introspect(app.web(), &planner.access).await["active"], true);

        let change = json!({"name": "Short", "access_ttl_seconds": 5, "client_id": null});
        let changed = app.call(Method::PATCH, PLANNER_API, &admin, change).await.expect(200).json();
        assert_eq!(
            (&changed["access_ttl_seconds"], &changed["client_id"]),
            (&json!(5), &Value::Null)
        );
        assert_eq!(sign_in(PLANNER).await.expect(200).json()["expires_in"], 5);
        assert_eq!(app.introspect(app.web(), &planner.access).await, json!({"active": false}));
        app.act_as(Method::DELETE, PLANNER_API, &admin).await.expect(204);
        app.act_as(Method::DELETE, PLANNER_API, &admin).await.expect(404);
        assert_eq!(sign_in(PLANNER).await.expect(400).text("/error"), "invalid_target");
    }

    /// RT-06: somebody who is signed in to two APIs is not signed out because one of them ended,
    /// and nothing is spent by a refresh that cannot be answered.
    async fn a_refresh_survives_the_end_of_an_api_that_it_was_for(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let first = app.sign_in(MINJI).await;
        app.act_as(Method::POST, &format!("{PLANNER_API}/disable"), &admin).await.expect(204);

        let second = app.refresh(&first.refresh).await.tokens();

        assert_eq!(claims(&second.access)["aud"], "http://localhost:8000");
        app.advance(31);
        let named = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &second.refresh),
            ("resource", PLANNER),
        ];
        let refused = app.form("/oauth2/token", &named).await.expect(400);
        assert_eq!(refused.text("/error"), "invalid_target");
        app.advance(31);
        let third = app.refresh(&second.refresh).await.tokens();
        app.act_as(Method::DELETE, PLANNER_API, &app.admin().await).await.expect(204);
        let fourth = app.refresh(&third.refresh).await.tokens();
        assert_eq!(claims(&fourth.access)["aud"], "http://localhost:8000");
        app.read_as("/api/v1/users/me", &fourth.access).await.expect(200);
    }

    /// Lists: page by page nothing comes twice and nothing is lost, while rows come and go.
    async fn pages_neither_repeat_nor_lose(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        for number in 0..11 {
            // Several of the same millisecond, then a later one.
            if number % 4 == 0 {
                app.advance(1);
            }
            let body = json!({"email": format!("page{number}@cast.example")});
            app.call(Method::POST, USERS, &admin, body).await.expect(201);
            app.call(Method::POST, ROLES, &admin, json!({"name": format!("page-{number}")}))
                .await
                .expect(201);
            let id = format!("page-{number}");
            let body = json!({"client_id": id, "name": "x", "grant_types": ["client_credentials"]});
            app.call(Method::POST, CLIENTS, &admin, body).await.expect(201);
            app.call(Method::POST, APIS, &admin, json!({"audience": format!("urn:page:{number}")}))
                .await
                .expect(201);
        }
        for (path, id, total) in [
            (USERS, "id", 13),
            (ROLES, "name", 14),
            (CLIENTS, "client_id", 17),
            (APIS, "audience", 12),
        ] {
            for limit in [1, 3, 5, 200] {
                let (mut seen, mut after) = (Vec::new(), String::new());
                loop {
                    let at = format!("{path}?limit={limit}{after}");
                    let page = app.read_as(&at, &admin).await.expect(200).json();
                    let items = page["items"].as_array().unwrap();
                    assert!(items.len() <= limit);
                    seen.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
                    let Some(next) = page["next"].as_str() else { break };
                    after = format!("&after={next}");
                }
                assert_eq!(seen.len(), total, "{path} by {limit}");
                assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), total, "{path} by {limit}");
            }
        }
        // A row that goes between two pages takes nobody with it.
        let first = app.read_as(&format!("{USERS}?limit=5"), &admin).await.expect(200).json();
        let last = first["items"][4]["id"].as_str().unwrap();
        app.act_as(Method::DELETE, &format!("{USERS}/{last}"), &admin).await.expect(204);
        let next = first["next"].as_str().unwrap();
        let rest = app.read_as(&format!("{USERS}?after={next}"), &admin).await.expect(200).json();
        assert_eq!(rest["items"].as_array().unwrap().len(), 8);
    }

    /// Search, role and state narrow the list of accounts; nothing in them is a pattern.
    async fn accounts_are_found_by_their_beginnings_roles_and_states(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let ids = async |query: &str| {
            let listed = app.read_as(&format!("{USERS}?{query}"), &admin).await.expect(200).json();
            let items = listed["items"].as_array().unwrap().clone();
            items
                .iter()
                .map(|it| it["username"].as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let minji = subject(&app.sign_in(MINJI).await.access);
        app.act_as(Method::POST, &format!("{USERS}/{minji}/disable"), &admin).await.expect(204);
        assert_eq!(ids("search=MIN").await, ["minji"]);
        assert_eq!(ids("search=jun%40demo").await, ["jun"]);
        assert_eq!(ids("role=admin").await, ["jun"]);
        assert_eq!(ids("state=disabled").await, ["minji"]);
        assert_eq!(ids("state=enabled").await, ["jun"]);
        for nothing in [
            "search=%25",
            "search=_",
            "search=%27%20OR%201%3D1--",
            "search=%F0%9F%98%80",
            "role=nobody",
        ] {
            assert_eq!(ids(nothing).await, [""; 0], "{nothing}");
        }
        let long = "x".repeat(8_000);
        assert_eq!(ids(&format!("search={long}")).await, [""; 0]);
    }
}

/// A text with a quote put in, or a character left out, at every place.
fn mutations(text: &str) -> Vec<String> {
    let at = |index| {
        let (head, tail) = text.split_at(index);
        [format!("{head}%27{tail}"), format!("{head}{}", &tail[1..])]
    };
    (0..text.len()).flat_map(at).collect()
}

/// AD-05 of the attack kit, CVE-2026-33504: a cursor that was changed never reaches the database.
#[tokio::test]
async fn changed_cursors_and_limits_are_bad_requests() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let deep = "[".repeat(3_000);
    for path in [USERS, CLIENTS, APIS, ROLES, "/api/v1/admin/audit"] {
        let page = app.read_as(&format!("{path}?limit=1"), &admin).await.expect(200).json();
        for cursor in page["next"].as_str().map(mutations).unwrap_or_default() {
            let at = format!("{path}?after={cursor}");
            let answer = app.read_as(&at, &admin).await.status.as_u16();
            assert!([200, 400].contains(&answer), "{at}: {answer}");
        }
        for query in [
            "limit=0",
            "limit=-1",
            "limit=201",
            "limit=1000000000",
            "limit=1e2",
            "limit=",
            "limit=x",
            "limit=1&limit=2",
            "after=",
            "after=%00",
            "after=%FF",
            "after=%27",
            "after=a&after=b",
            "after=YQ%3D%3D",
            "sort=name",
            "page=1",
            "x",
            &format!("after={deep}"),
        ] {
            let answer = app.read_as(&format!("{path}?{query}"), &admin).await;
            assert_eq!(answer.status.as_u16(), 400, "{path}?{query}: {}", answer.shown());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
    }
    let foreign = app.read_as(&format!("{ROLES}?limit=1"), &admin).await.json();
    let foreign = foreign["next"].as_str().unwrap();
    app.read_as(&format!("{USERS}?after={foreign}"), &admin).await.expect(400);
    for query in [
        "search=%00",
        "search=min%00",
        "search=a%0Ab",
        "state=maybe",
        "role=A%20B",
        "role=%00",
        "state=enabled&state=enabled",
    ] {
        app.read_as(&format!("{USERS}?{query}"), &admin).await.expect(400);
    }
}

/// AD-08 of the attack kit: a secret is in one answer, and in no other, whatever it is.
#[tokio::test]
async fn secrets_are_shown_once_and_hashes_never() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let secret = app.make_desk(&admin, "desk").await;
    let person = app.sign_in_at(("desk", &secret), MINJI).await;
    let user = format!("{USERS}/{}", subject(&person.access));
    let hash = app.stored_hash(&subject(&person.access)).await;
    let mut seen = String::new();
    for path in [
        USERS,
        CLIENTS,
        APIS,
        ROLES,
        &user,
        &format!("{CLIENTS}/desk"),
        &format!("{CLIENTS}/web"),
        "/api/v1/admin/stats",
        "/.well-known/openid-configuration",
    ] {
        let answer = app.read_as(path, &admin).await.expect(200);
        seen.push_str(&String::from_utf8(answer.bytes).unwrap());
    }
    let change = json!({"name": "Desk"});
    let changed = app.call(Method::PATCH, &format!("{CLIENTS}/desk"), &admin, change).await;
    seen.push_str(&changed.expect(200).shown());
    seen.push_str(&format!("{:?}", audited(&app).await));
    let salt_and_digest = hash.rsplit("$").next().unwrap();
    for canary in [
        &secret[6..],
        app.web().1,
        PASSWORD,
        MINJI.1,
        "$argon2",
        salt_and_digest,
        "mj_rt_",
        "client_secret\"",
    ] {
        assert!(!seen.contains(canary), "{canary}");
    }
}

/// The whole audit trail.
async fn audited(app: &TestApp) -> Vec<munjigi_store::audit::StoredEvent> {
    use munjigi_store::audit::{self, AuditFilter};
    let page = munjigi_store::page::Page::first(200);
    let filter = AuditFilter::default();
    app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap().items
}

/// A client is registered whole or not at all, and says what does not fit together.
#[tokio::test]
async fn a_client_whose_parts_contradict_each_other_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let make = async |body: Value| app.call(Method::POST, CLIENTS, &admin, body).await;
    let good = json!({"name": "x", "grant_types": ["client_credentials"]});
    let made = make(good.clone()).await.expect(201);
    assert!(made.text("/client_id").starts_with("c_"));
    assert!(made.text("/client_secret").starts_with("mj_cs_"));
    for (name, value) in [
        ("token_endpoint_auth_method", json!("none")),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["authorization_code"])),
        ("grant_types", json!(["password"])),
        ("redirect_uris", json!(["JaVaScRiPt:alert(1)"])),
        ("redirect_uris", json!(["http://evil.example/cb"])),
        ("redirect_uris", json!(["https://a.example/#x"])),
        ("redirect_uris", json!(["https://a@b.example/"])),
        ("redirect_uris", json!("https://a.example/")),
        ("scope", json!("a  b")),
        ("scope", json!(["a"])),
        ("audiences", json!(["planner"])),
        ("pkce", json!("plain")),
        ("first_party", json!("yes")),
        ("client_id", json!("a b")),
        ("name", json!("")),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        let answer = make(body).await;
        assert_eq!(answer.status.as_u16(), 422, "{name} {value}: {}", answer.shown());
    }
    let taken = json!({"client_id": "web", "name": "x", "grant_types": ["client_credentials"]});
    assert_eq!(make(taken).await.expect(409).text("/code"), "client_id_taken");
    // A client id never looks like a person's: RFC 9700 §4.15.2.
    let mut person = good.clone();
    person["client_id"] = json!(subject(&admin));
    make(person).await.expect(422);
    let public = json!({"token_endpoint_auth_method": "none"});
    app.call(Method::PATCH, &format!("{CLIENTS}/web"), &admin, public).await.expect(422);
}

/// A disabled administrator is nobody, with a token that was good a moment ago.
#[tokio::test]
async fn a_disabled_administrator_can_do_nothing_at_once() {
    let app = TestApp::start().await;
    let (admin, second) = (app.admin().await, app.sign_in(JUN).await);
    let other = app.make_and_sign_in(&admin, "second", &["admin"]).await.access;
    let path = format!("{USERS}/{}/disable", subject(&admin));
    app.act_as(Method::POST, &path, &other).await.expect(204);
    for token in [&admin, &second.access] {
        app.read_as("/api/v1/admin/stats", token).await.expect(401);
        let body = json!({"email": "late@test.com"});
        app.call(Method::POST, USERS, token, body).await.expect(401);
    }
    app.read_as("/api/v1/admin/stats", &other).await.expect(200);
}
