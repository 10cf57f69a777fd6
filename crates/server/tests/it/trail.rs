//! What the audit trail is told: refusals as well, and of a change what it changed. Never a
//! secret, a token or a password.

use http::Method;
use munjigi_core::audit::{Kind, Outcome};
use munjigi_server::jobs;
use munjigi_server::sequencer::Sequencer;
use munjigi_store::audit::{self, AuditFilter, StoredEvent};
use munjigi_store::page::Page;
use serde_json::{Value, json};

use crate::cast::subject;
use crate::harness::{BEGINNING, JUN, MINJI, TestApp};
use crate::metrics::{metrics, sample};

const AUDIT: &str = "/api/v1/admin/audit";

/// The events of a kind, newest first.
async fn events(app: &TestApp, kind: Kind) -> Vec<StoredEvent> {
    let (filter, page) = (AuditFilter { kind: Some(kind), ..Default::default() }, Page::first(100));
    app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap().items
}

/// The newest event of a kind; of the same moment, any.
async fn last(app: &TestApp, kind: Kind) -> StoredEvent {
    let found = events(app, kind).await.into_iter().next();
    found.unwrap_or_else(|| panic!("no event {}", kind.as_str()))
}

/// AU-02 of the attack kit: whoever asks the admin API for more than they may leaves a trace.
#[tokio::test]
async fn a_refused_admin_call_is_in_the_trail() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.make_role(&admin, "hr", &["users:read", "users:write"]).await;
    let clerk = app.make_and_sign_in(&admin, "haneul", &["user", "hr"]).await.access;
    let plain = app.sign_in(MINJI).await.access;
    let target = format!("/api/v1/admin/users/{}", subject(&admin));
    let roles = json!({"roles": ["admin"]});
    let nothing = Value::Null;
    for (method, path, token, body, missing) in [
        (Method::GET, "/api/v1/admin/stats", &plain, &nothing, "scope `admin`"),
        (Method::GET, "/api/v1/admin/stats", &clerk, &nothing, "permission `stats:read`"),
        (Method::GET, "/api/v1/admin/clients/web", &clerk, &nothing, "permission `clients:read`"),
        (Method::DELETE, &target, &clerk, &nothing, "further than your own"),
        (Method::PUT, &format!("{target}/roles"), &clerk, &roles, "permission"),
    ] {
        app.advance(1);
        let before = events(&app, Kind::AccessRefused).await.len();
        app.call(method.clone(), path, token, body.clone()).await.expect(403);

        let all = events(&app, Kind::AccessRefused).await;
        assert_eq!(all.len(), before + 1, "one event for {method} {path}");
        let event = &all[0];
        assert_eq!(event.outcome, Outcome::Refused);
        assert_eq!(event.actor_id.as_deref(), Some(subject(token).as_str()));
        assert_eq!(event.detail["asked"], json!(format!("{method} {path}")));
        assert_eq!(event.detail["reason"], "not permitted");
        assert!(event.detail["missing"].as_str().unwrap().contains(missing), "{event:?}");
        assert!(event.request_id.is_some());
    }
}

/// What is let in, and what is not there, is no refusal.
#[tokio::test]
async fn an_admin_call_that_is_let_in_leaves_no_refusal() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.read_as("/api/v1/admin/stats", &admin).await.expect(200);
    app.read_as("/api/v1/admin/clients/nobody", &admin).await.expect(404);
    app.act_as(Method::DELETE, "/api/v1/admin/roles/admin", &admin).await.expect(409);
    assert_eq!(events(&app, Kind::AccessRefused).await.len(), 0);
}

/// A sign-up that comes to nothing says why in the trail, and there alone.
#[tokio::test]
async fn a_refused_sign_up_is_in_the_trail() {
    let app = TestApp::start().await;
    let password = "several-unlike-words";
    let open = |email: &str, username: &str| {
        let mut body = json!({"email": email, "password": password});
        body["username"] = username.into();
        body
    };
    for (body, status, reason) in [
        (open(MINJI.0, "somebody"), 409, "the address is taken"),
        (open("new@cast.example", "minji"), 409, "the user name is taken"),
    ] {
        app.advance(1);
        app.post("/api/v1/users/signup", body).await.expect(status);
        let event = last(&app, Kind::SignUpRefused).await;
        assert_eq!(event.outcome, Outcome::Refused);
        assert_eq!((event.actor_kind.as_str(), event.subject), ("anonymous", None));
        assert_eq!(event.detail["reason"], reason);
    }
    app.advance(1);
    app.set("registration", "closed").await;
    app.post("/api/v1/users/signup", open("late@cast.example", "late")).await.expect(403);
    assert_eq!(last(&app, Kind::SignUpRefused).await.detail["reason"], "registration is closed");
    let all = format!("{:?}", events(&app, Kind::SignUpRefused).await);
    assert!(!all.contains(password));
}

/// A refused refresh says what the token meant, and never what it was.
#[tokio::test]
async fn a_refused_refresh_is_in_the_trail_without_the_token() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let sub = subject(&tokens.access);
    let wider = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.refresh),
        ("scope", "openid everything"),
    ];
    app.form("/oauth2/token", &wider).await.expect(400);
    let event = last(&app, Kind::RefreshRefused).await;
    assert_eq!(event.detail["reason"], "the scope holds more than was granted");
    assert_eq!(event.subject.unwrap().to_string(), sub);
    assert_eq!(event.client_id.unwrap().as_str(), "first-party");
    assert_eq!(event.outcome, Outcome::Refused);

    app.advance(1);
    app.act_as(Method::POST, "/api/v1/users/signout", &tokens.access).await.expect(204);
    app.refresh(&tokens.refresh).await.expect(400);
    let all = events(&app, Kind::RefreshRefused).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].detail["gid"], crate::harness::claims(&tokens.access)["gid"]);
    let all = format!("{all:?}");
    assert!(!all.contains(&tokens.refresh) && !all.contains("mj_rt_"), "{all}");
}

/// Who changed what to what: names and new values, and no member that stayed as it was.
#[tokio::test]
async fn a_change_says_in_the_trail_what_it_changed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let planner = "/api/v1/admin/apis/http%3A%2F%2Flocalhost%3A8001";
    app.make_role(&admin, "watch", &["stats:read"]).await;
    for (path, kind, change) in [
        (
            "/api/v1/admin/clients/web",
            Kind::ClientUpdated,
            json!({"name": "Shop", "scope": "openid"}),
        ),
        (planner, Kind::ApiUpdated, json!({"access_ttl_seconds": 300})),
        (
            "/api/v1/admin/roles/watch",
            Kind::RoleUpdated,
            json!({"description": "Watches", "scope": "admin events:read"}),
        ),
    ] {
        app.call(Method::PATCH, path, &admin, change.clone()).await.expect(200);

        let event = last(&app, kind).await;
        assert_eq!(event.detail["to"], change, "{}", kind.as_str());
        let names: Vec<_> = change.as_object().unwrap().keys().collect();
        assert_eq!(event.detail["changed"], json!(names));
    }
}

/// What a role carried stands in every event about it: afterwards nobody can look it up.
#[tokio::test]
async fn every_event_about_a_role_names_its_permissions_and_scope() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.make_role(&admin, "watch", &["stats:read"]).await;
    let role = "/api/v1/admin/roles/watch";
    app.act_as(Method::POST, &format!("{role}/disable"), &admin).await.expect(204);
    app.act_as(Method::POST, &format!("{role}/enable"), &admin).await.expect(204);
    app.act_as(Method::DELETE, role, &admin).await.expect(204);
    for kind in [Kind::RoleCreated, Kind::RoleDisabled, Kind::RoleEnabled, Kind::RoleDeleted] {
        let event = last(&app, kind).await;
        assert_eq!(event.detail["role"], "watch");
        assert_eq!(event.detail["permissions"], json!(["stats:read"]));
        assert_eq!(event.detail["scope"], "admin", "{}", kind.as_str());
    }
}

/// An attack on one account can be found by the account, also once the budget is spent.
#[tokio::test]
async fn a_throttled_sign_in_names_whose_account_it_was_at() {
    let app = TestApp::start().await;
    let sub = subject(&app.sign_in(JUN).await.access);
    let guess = async |email: &str| {
        let body = json!({"email": email, "password": "a wrong password"});
        app.post("/api/v1/users/signin", body).await.status.as_u16()
    };
    for (email, subject) in [(JUN.0, Some(sub)), ("nobody@cast.example", None)] {
        app.advance(1);
        while guess(email).await != 429 {}

        let all = events(&app, Kind::SignInRefused).await;
        let event = all.into_iter().find(|it| it.detail["reason"] == "too many attempts").unwrap();
        assert_eq!(event.subject.map(|id| id.to_string()), subject);
    }
}

/// Without the setting everything is kept; with it, what is older, and signed, is forgotten by the
/// job that looks every minute, and what is younger is found as before.
#[tokio::test]
async fn events_are_kept_as_long_as_the_setting_says() {
    const DAY: u64 = 86_400;
    let app = TestApp::start().await;
    let mut sequencer = Sequencer::new(&app.app).unwrap();
    let mut day_passes = async |days: u64| {
        app.advance(days * DAY);
        sequencer.run(&app.app).await.unwrap();
        jobs::run(&app.app).await.unwrap();
    };
    app.sign_in(MINJI).await;
    app.advance(20 * DAY);
    app.sign_in(JUN).await;
    let found = async || {
        let actors = events(&app, Kind::SignedIn).await;
        actors.into_iter().map(|it| it.at.as_seconds()).collect::<Vec<_>>()
    };
    let (old, young) = (BEGINNING, BEGINNING + 20 * 86_400);
    day_passes(9).await;
    assert_eq!(found().await, [young, old]);

    // The older one is 29 days old, and then 31.
    app.set("audit_retention", "30d").await;
    day_passes(0).await;
    assert_eq!(found().await, [young, old]);
    day_passes(2).await;
    assert_eq!(found().await, [young]);
    app.set("audit_retention", "forever").await;
    day_passes(1_000).await;
    assert_eq!(found().await, [young]);
}

/// Every event once, however the list is cut, and whatever is searched for.
#[tokio::test]
async fn a_search_of_the_trail_is_read_in_pages_and_misses_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.advance(60);
    for _ in 0..4 {
        app.sign_in(MINJI).await;
    }
    for words in ["", "&outcome=succeeded", "&kind=signed_in", "&since=2026-01-01T00:00:30Z"] {
        let path = format!("{AUDIT}?limit=200{words}");
        let all = app.read_as(&path, &admin).await.expect(200).json();
        let all = all["items"].as_array().unwrap().clone();
        assert!(all.len() > 3, "one page is no cut: {words}");
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{AUDIT}?limit=3{words}{after}");
            let page = app.read_as(&path, &admin).await.expect(200).json();
            seen.extend(page["items"].as_array().unwrap().clone());
            // What happens meanwhile is newer than every page that is still to come.
            app.advance(1);
            app.sign_in(MINJI).await;
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, all, "{words}");
    }
}

/// The admin API's list: by each of its words, and not by words that mean nothing.
#[tokio::test]
async fn the_trail_is_searched_by_each_of_its_words() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let hana = app.sign_up("hana@example.com", "seven bridges at night").await;
    app.advance(60);
    let wrong = json!({"email": "hana@example.com", "password": "eight bridges at night"});
    app.post("/api/v1/users/signin", wrong).await.expect(401);
    let form = [("grant_type", "client_credentials")];
    let elsewhere = app.at("203.0.113.250");
    elsewhere.form_as(("web", "mj_cs_wrong"), "/oauth2/token", &form).await.expect(401);
    let jun = subject(&admin);
    let ask = async |query: &str| {
        let answer = app.read_as(&format!("{AUDIT}?{query}"), &admin).await.expect(200).json();
        answer["items"].as_array().unwrap().clone()
    };
    let kinds = async |query: &str| {
        let found = ask(query).await;
        let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
        found.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&format!("subject={hana}&outcome=refused")).await, ["sign_in_refused"]);
    assert_eq!(kinds(&format!("subject={hana}&kind=user_created")).await, ["user_created"]);
    assert_eq!(kinds("kind=sign_in_refused&since=2026-01-01T00:00:30Z").await.len(), 1);
    assert_eq!(kinds("kind=sign_in_refused&until=2026-01-01T00:00:30Z").await.len(), 0);
    assert!(kinds(&format!("actor={jun}")).await.contains(&"signed_in".to_owned()));
    assert_eq!(kinds("client=no-such-client").await.len(), 0);
    assert_eq!(kinds("client=web").await, ["client_refused", "client_created"]);
    assert_eq!(kinds("address=203.0.113.250").await, ["client_refused"]);
    assert_eq!(kinds("address=203.0.113.251").await.len(), 0);
    let refused = ask("kind=sign_in_refused").await.remove(0);
    assert_eq!((&refused["subject"], &refused["outcome"]), (&json!(hana), &json!("refused")));
    assert!(!refused.to_string().contains("bridges"), "{refused}");

    for bad in [
        "kind=Signed_In",
        "kind=",
        "outcome=maybe",
        "subject=hana",
        "actor=a%00b",
        "actor=",
        "client=a%20b",
        "address=localhost",
        "address=203.0.113.0%2F24",
        "since=yesterday",
        "until=1767225600",
        "limit=0",
        "after=%00",
        "detail=x",
        "kind=signed_in&kind=signed_out",
    ] {
        app.read_as(&format!("{AUDIT}?{bad}"), &admin).await.expect(400);
    }
}

/// Wrong passwords at a few accounts, and at many from a list: the address is put off for both, and
/// the trail and the metrics tell which it was.
#[tokio::test]
async fn guesses_at_a_few_accounts_are_told_from_a_list_that_is_tried_out() {
    let app = TestApp::start().await;
    // Twice as many may come at once, and five at an account.
    app.set("address_budget", "10").await;
    for (address, accounts) in [("203.0.113.7", 4), ("203.0.113.8", 20)] {
        app.advance(1);
        let asking = app.at(address);
        for number in 0..20 {
            let email = format!("nobody{}@{address}.example", number % accounts);
            let body = json!({"email": email, "password": "a-guess"});
            asking.post("/api/v1/users/signin", body).await.expect(401);
        }
        let event = last(&app, Kind::AddressThrottled).await;
        assert_eq!(event.detail["limit"], "password");
        // Two accounts may count as one, never one as two.
        let told = event.detail["accounts"].as_u64().unwrap();
        assert!((accounts / 2..=accounts).contains(&told), "{told} of {accounts}");
    }
    let text = metrics(&app).await;
    for how_many in ["few", "many"] {
        let name = format!("munjigi_guessing_addresses_total{{accounts=\"{how_many}\"}}");
        assert_eq!(sample(&text, &name), Some(1.0), "{name}");
    }
}
