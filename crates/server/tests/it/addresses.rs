//! What an address may cost (security.md §4): refusals of every kind are counted on it, and beyond
//! its budget it is put off in the shape of each endpoint, without a trace in the database.

use axum::body::Body;
use http::{Method, Request};
use munjigi_core::audit::Kind;
use munjigi_server::config::Network;
use munjigi_server::{Config, Mode};
use munjigi_store::DatabaseUrl;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::page::Page;
use serde_json::json;

use crate::harness::{Answer, MINJI, TestApp, Tokens, config};
use crate::possession::Holder;
use crate::visitor::Visitor;

const SOMEBODY: &str = "203.0.113.7";
const SOMEBODY_ELSE: &str = "203.0.113.8";
/// With a budget of five in a minute, so many may come at once.
const AT_ONCE: usize = 10;
/// So many copies of one's data may be made at once.
const EXPORTS: usize = 10;
const SIGN_IN: &str = "/api/v1/users/signin";
const TOKEN: &str = "/oauth2/token";

/// A server on which five refusals in a minute are enough.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    app.set("address_budget", "5").await;
    app
}

impl TestApp {
    /// How many events the trail has, of a kind or in all.
    async fn events(&self, kind: Option<Kind>) -> usize {
        let filter = AuditFilter { kind, ..Default::default() };
        let mut page = Page::first(200);
        let mut count = 0;
        loop {
            let (this, filter) = (page.clone(), filter.clone());
            let read = self.app.store.read(move |tx| audit::list(tx, &this, &filter));
            let listed = read.await.unwrap();
            count += listed.items.len();
            match listed.next {
                Some(next) => page = Page { after: Some(next), ..page },
                None => return count,
            }
        }
    }

    /// A wrong password for somebody whom nobody has asked for yet.
    async fn guess(&self, number: usize) -> Answer {
        let body = json!({"email": format!("nobody{number}@x.example"), "password": "a-guess"});
        self.post(SIGN_IN, body).await
    }
}

/// One request that is refused, or that costs a write, by what it is counted under.
async fn ask(app: &TestApp, (limit, way): (&str, &str), number: usize) -> Answer {
    let bearer = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", "Bearer mj_rm_wrong");
        request.header("content-type", "application/json").body(Body::from("{}")).unwrap()
    };
    let page = Visitor::of(app);
    let grant = |name: &'static str, value: &'static str, grant: &'static str| {
        [("grant_type", grant), ("client_id", "spa"), (name, value)]
    };
    match (limit, way) {
        ("password", "api") => app.guess(number).await,
        ("password", "grant") => {
            let name = format!("nobody{number}");
            let form = [("username", name.as_str()), ("password", "wrong")];
            app.form(TOKEN, &form).await
        }
        ("password", "page") => {
            let name = format!("nobody{number}@x.example");
            page.send("/login", &[("username", &name), ("password", "a-guess")]).await
        }
        ("client", "secret") => app.own_token(("web", "wrong"), None).await,
        ("client", "unknown") => {
            app.form(TOKEN, &[("client_id", "nobody"), ("grant_type", "client_credentials")]).await
        }
        ("client", "introspect") => {
            app.form_as(("web", "wrong"), "/oauth2/introspect", &[("token", "x")]).await
        }
        ("client", "revoke") => {
            app.form_as(("web", "wrong"), "/oauth2/revoke", &[("token", "x")]).await
        }
        ("token", "registration") => app.send(bearer(Method::POST, "/oauth2/register")).await,
        ("token", "management") => app.send(bearer(Method::GET, "/oauth2/register/web")).await,
        ("token", "code") => app.form(TOKEN, &grant("code", "x", "authorization_code")).await,
        ("token", "refresh") => {
            app.form(TOKEN, &grant("refresh_token", "x", "refresh_token")).await
        }
        ("token", "link") => page.open("/verify?ticket=x").await,
        ("token", "recovery") => page.open("/recover/password?ticket=x").await,
        ("request", "pushed") => {
            app.form("/oauth2/par", &[("client_id", "spa"), ("redirect_uri", "https://x")]).await
        }
        ("request", "proof") => {
            let form = grant("refresh_token", "x", "refresh_token");
            Holder::of(app).post(TOKEN, &form, &["not-a-proof"]).await
        }
        ("sign-up", "api") => {
            let email = format!("new{number}@x.example");
            let body = json!({"email": email, "password": "several-unlike-words"});
            app.post("/api/v1/users/signup", body).await
        }
        ("mail", "recovery") => {
            page.send("/recover", &[("email", &format!("nobody{number}@x.example"))]).await
        }
        other => panic!("{other:?}"),
    }
}

/// Every way in which an address can be refused, with the status of its first answers.
const WAYS: &[(&str, &str, u16)] = &[
    ("password", "api", 401),
    ("password", "grant", 400),
    ("password", "page", 422),
    ("client", "secret", 401),
    ("client", "unknown", 401),
    ("client", "introspect", 401),
    ("client", "revoke", 401),
    ("token", "registration", 401),
    ("token", "management", 401),
    ("token", "code", 400),
    ("token", "refresh", 400),
    ("token", "link", 400),
    ("token", "recovery", 400),
    ("request", "pushed", 400),
    ("request", "proof", 400),
    ("sign-up", "api", 201),
    ("mail", "recovery", 200),
];

/// What an answer says of when to come again, and of what was used up.
fn told(answer: &Answer) -> [&str; 3] {
    ["retry-after", "ratelimit-policy", "ratelimit"].map(|name| answer.header(name).unwrap_or(""))
}

#[tokio::test]
async fn every_way_to_be_refused_is_put_off_in_the_shape_of_its_endpoint() {
    for (limit, way, status) in WAYS {
        let app = start().await;
        app.set("client_registration", "token").await;
        if *way == "code" {
            app.app.ensure_rsa_key().await.unwrap();
        }
        let (asking, case) = (app.at(SOMEBODY), (*limit, *way));
        let mut first = 0;
        let answer = loop {
            let answer = ask(&asking, case, first).await;
            if answer.status == 429 {
                break answer;
            }
            first += 1;
            assert_eq!(answer.status.as_u16(), *status, "{case:?}: {}", answer.shown());
        };
        assert_eq!(first, AT_ONCE, "{case:?}");

        let policy = format!(r#""{limit}";q=10;w=120"#);
        let left = format!(r#""{limit}";r=0;t=13"#);
        assert_eq!(told(&answer), ["13", policy.as_str(), left.as_str()], "{case:?}");
        let kind = answer.header("content-type").unwrap().to_owned();
        match way {
            _ if kind.starts_with("text/html") => assert!(answer.json().is_null()),
            &"api" => assert_eq!(answer.text("/code"), "too_many_attempts", "{case:?}"),
            _ => assert_eq!(answer.text("/error"), "temporarily_unavailable", "{case:?}"),
        }

        // What comes on leaves no trace, and nobody else is kept waiting.
        let before = app.events(None).await;
        assert_eq!(app.events(Some(Kind::AddressThrottled)).await, 1, "{case:?}");
        for number in 0..30 {
            assert_eq!(ask(&asking, case, 100 + number).await.status, 429, "{case:?}");
        }
        assert_eq!(app.events(None).await, before, "{case:?} writes while it is put off");
        let other = ask(&app.at(SOMEBODY_ELSE), case, 200).await;
        assert_eq!(other.status.as_u16(), *status, "{case:?}: {}", other.shown());
        let unknown = ask(&app, case, 300).await;
        assert_eq!(unknown.status.as_u16(), *status, "{case:?} without an address");
    }
}

/// Makes an address be put off for its passwords.
async fn put_off(app: &TestApp) {
    let mut number = 0;
    while app.guess(number).await.status != 429 {
        number += 1;
    }
}

/// LG-06: whatever a client writes there, its own address is counted, and nothing is skipped.
#[tokio::test]
async fn no_header_that_a_client_writes_changes_what_its_address_may_cost() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    let names = ["x-forwarded-for", "forwarded", "x-real-ip", "x_forwarded_for", "x-client-ip"];
    let guess = async |number: usize, email: &str, password: &str| {
        let name = names[number % names.len()];
        let value = match number % 4 {
            0 => format!("198.51.100.{number}"),
            1 => "a".to_owned(),
            2 => format!("for=198.51.100.{number};proto=https"),
            _ => format!("127.0.0.1, 198.51.100.{number}"),
        };
        let body = json!({"email": email, "password": password}).to_string();
        let request = Request::post(SIGN_IN).header("content-type", "application/json");
        asking.send(request.header(name, value).body(Body::from(body)).unwrap()).await
    };
    for number in 0..AT_ONCE {
        let email = format!("nobody{number}@x.example");
        assert_eq!(guess(number, &email, "a-guess").await.status, 401, "{number}");
    }
    for number in 0..20 {
        assert_eq!(guess(number, MINJI.0, MINJI.1).await.status, 429, "{number}");
    }
}

/// LG-06, CVE-2024-47070: behind a proxy that is trusted, the hop that it saw counts, whatever the
/// client wrote in front; what cannot be read counts as the proxy, and is counted.
#[tokio::test]
async fn behind_a_proxy_the_address_that_it_saw_is_counted() {
    let trusted_proxies = vec![Network::parse("10.0.0.0/8").unwrap()];
    let base = config(DatabaseUrl::SqliteMemory);
    let app = TestApp::start_from(Config { trusted_proxies, ..base }).await;
    app.set("address_budget", "5").await;
    let proxy = app.at("10.0.0.1");
    let guess = async |number: usize, forwarded: &str| {
        let email = format!("nobody{number}@x.example");
        let body = json!({"email": email, "password": "a-guess"}).to_string();
        let request = Request::post(SIGN_IN).header("content-type", "application/json");
        let request = request.header("x-forwarded-for", forwarded);
        proxy.send(request.body(Body::from(body)).unwrap()).await.status.as_u16()
    };
    for number in 0..AT_ONCE {
        assert_eq!(guess(number, &format!("198.51.100.{number}, {SOMEBODY}")).await, 401);
    }
    assert_eq!(guess(20, &format!("198.51.100.77, {SOMEBODY}")).await, 429);
    assert_eq!(guess(21, &format!("{SOMEBODY}, 10.0.0.2")).await, 429, "two proxies");
    assert_eq!(guess(22, SOMEBODY_ELSE).await, 401, "another client of the same proxy");
    for number in 0..AT_ONCE {
        assert_eq!(guess(30 + number, ["a", "", "a, b", "1.2.3"][number % 4]).await, 401);
    }
    assert_eq!(guess(50, "unreadable, a").await, 429, "the proxy itself is counted");
    assert_eq!(guess(51, SOMEBODY_ELSE).await, 401);
}

/// Who is signed in and asks for what they may not do is put off as well, by the address and by the
/// account, wherever it is used from, and the trail does not grow by it.
#[tokio::test]
async fn an_account_that_asks_for_what_it_may_not_is_put_off_from_wherever_it_asks() {
    let app = start().await;
    let one = app.at(SOMEBODY);
    let minji = one.sign_in(MINJI).await.access;
    let refused = Some(Kind::AccessRefused);
    for path in ["/api/v1/admin/users", "/api/v1/admin/stats"].iter().cycle().take(AT_ONCE) {
        one.read_as(path, &minji).await.expect(403);
    }
    let put_off = one.read_as("/api/v1/admin/users", &minji).await.expect(429);
    assert_eq!(put_off.text("/code"), "too_many_attempts");
    assert_eq!(told(&put_off)[1], r#""request";q=10;w=120"#);
    assert_eq!(app.events(refused).await, AT_ONCE);
    for number in 0..50 {
        let elsewhere = app.at(&format!("198.51.100.{number}"));
        elsewhere.read_as("/api/v1/admin/users", &minji).await.expect(429);
    }
    assert_eq!(app.events(refused).await, AT_ONCE);
    let told_of = app.events(Some(Kind::AddressThrottled)).await;
    assert_eq!(told_of, 2, "the address once, and the account once");
    // What they may do they go on doing, and others are not kept from anything.
    one.read_as("/api/v1/users/me", &minji).await.expect(200);
    let jun = app.at(SOMEBODY_ELSE).sign_in(crate::harness::JUN).await.access;
    app.at(SOMEBODY_ELSE).read_as("/api/v1/admin/users", &jun).await.expect(200);
    let robot = app.at(SOMEBODY_ELSE);
    let form = [("grant_type", "client_credentials")];
    let robots = robot.form_as(app.web(), TOKEN, &form).await.expect(200).text("/access_token");
    for number in 0..3 * AT_ONCE {
        let robot = app.at(&format!("192.0.2.{number}"));
        let status = robot.read_as("/api/v1/admin/users", &robots).await.status.as_u16();
        assert_eq!(status, if number < AT_ONCE { 403 } else { 429 }, "{number}");
    }
}

/// A copy of one's data is dear, and an event: so many in an hour are enough.
#[tokio::test]
async fn nobody_has_copies_of_their_data_made_without_end() {
    let app = start().await;
    let somebody = Visitor::of_owner(&app.at(SOMEBODY), MINJI).await;
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let answer = somebody.send("/account/data/export", &[("action", "export")]).await;
        statuses.push(answer.status.as_u16());
    }
    let made = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(made, EXPORTS, "{statuses:?}");
    assert!(statuses[EXPORTS..].iter().all(|status| *status == 429), "{statuses:?}");
    assert_eq!(app.events(Some(Kind::DataExported)).await, EXPORTS);
    app.advance(3_600);
    let answer = somebody.send("/account/data/export", &[("action", "export")]).await;
    assert_eq!(answer.status.as_u16(), 200);
}

/// Nobody learns from being put off whether a password was right, or whether there is an account.
#[tokio::test]
async fn who_is_put_off_gets_one_answer_for_right_wrong_and_unknown() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    put_off(&asking).await;
    let pairs = [MINJI, (MINJI.0, "wrong"), ("minji", "wrong"), ("nobody@x.example", "wrong")];
    let mut seen = Vec::new();
    for (name, password) in pairs {
        let member = if name.contains('@') { "email" } else { "username" };
        let api = asking.post(SIGN_IN, json!({member: name, "password": password})).await;
        let form = [("username", name), ("password", password), ("grant_type", "password")];
        let grant = asking.form(TOKEN, &form).await;
        let page = Visitor::of(&asking);
        let page = page.send("/login", &[("username", name), ("password", password)]).await;
        let said = |answer: &Answer| {
            let told = told(answer).map(str::to_owned);
            (answer.status, answer.shown().replace(name, ""), told)
        };
        // The page repeats what was typed.
        let page = (page.status, page.headers.len(), told(&page).map(str::to_owned));
        seen.push((said(&api), said(&grant), page));
    }
    assert_eq!(seen[0].0.0, 429);
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

/// What verifiers and browsers live on is there for everybody at any time.
#[tokio::test]
async fn keys_discovery_health_and_assets_are_never_limited() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    for (limit, way, _) in WAYS {
        for number in 0..=AT_ONCE {
            ask(&asking, (limit, way), number).await;
        }
    }
    assert_eq!(asking.guess(1_000).await.status, 429);
    let style = munjigi_server::page::assets::Asset::Style.path();
    let open = [
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/livez",
        "/readyz",
        "/openapi.json",
        style.as_str(),
    ];
    for _ in 0..400 {
        for path in open {
            let answer = asking.get(path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(told(&answer), ["", "", ""], "{path}");
        }
    }
}

#[tokio::test]
async fn what_goes_right_costs_an_address_nothing() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    let mut tokens = asking.sign_in(MINJI).await;
    for _ in 0..3 * AT_ONCE {
        asking.own_token(app.web(), None).await.expect(200);
        tokens = asking.refresh(&tokens.refresh).await.tokens();
    }
    for _ in 0..AT_ONCE {
        asking.sign_in(MINJI).await;
    }
    assert_eq!(asking.guess(0).await.status, 401);
    assert_eq!(app.events(Some(Kind::AddressThrottled)).await, 0);
}

/// Who shares an address with somebody who guesses keeps the tokens that they have; and what was
/// told of them is not told without end.
#[tokio::test]
async fn a_good_token_is_good_at_an_address_that_is_put_off() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    let Tokens { refresh: spent, .. } = asking.sign_in(MINJI).await;
    let honest = asking.sign_in(MINJI).await;
    let first = asking.refresh(&spent).await.tokens();
    app.advance(31);
    asking.refresh(&spent).await.expect(400);
    let mut refusals = 1;
    while asking.refresh(&first.refresh).await.status != 429 {
        refusals += 1;
    }
    assert_eq!(refusals, AT_ONCE);
    let told = app.events(Some(Kind::RefreshRefused)).await;
    assert!(told <= AT_ONCE, "{told}");
    for _ in 0..20 {
        asking.refresh(&spent).await.expect(429);
    }
    assert_eq!(app.events(Some(Kind::RefreshRefused)).await, told);
    assert_eq!(app.events(Some(Kind::RefreshReused)).await, 1);
    asking.refresh(&honest.refresh).await.expect(200);
}

/// LG-07: a browser that somebody has signed in with before is let in, even where it shares its
/// address with whoever is guessing; for its own person alone.
#[tokio::test]
async fn a_known_browser_is_let_in_at_an_address_that_is_put_off() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    let device = "__Host-munjigi-device";
    let enter = async |visitor: &Visitor, (name, password): (&str, &str)| {
        let fields = [("username", name), ("password", password)];
        visitor.send("/login", &fields).await.status.as_u16()
    };
    let before = Visitor::of(&asking);
    assert_eq!(enter(&before, MINJI).await, 303);
    let known = Visitor::of(&asking);
    known.plant(device, &before.cookie(device).unwrap());
    put_off(&asking).await;

    assert_eq!(enter(&Visitor::of(&asking), MINJI).await, 429);
    assert_eq!(enter(&known, crate::harness::JUN).await, 429, "it is not known for Jun");
    assert_eq!(enter(&known, MINJI).await, 303);
}

#[tokio::test]
async fn a_household_counts_as_one_and_a_site_costs_at_most_four_of_them() {
    let app = start().await;
    for host in 0..AT_ONCE {
        let status = app.at(&format!("2001:db8:1:1::{host}")).guess(host).await.status;
        assert_eq!(status, 401);
    }
    assert_eq!(app.at("2001:db8:1:1::ffff").guess(10).await.status, 429, "the same /64");
    let mut others = 0;
    while app.at(&format!("2001:db8:1:{:x}::1", 2 + others)).guess(100 + others).await.status == 401
    {
        others += 1;
    }
    assert_eq!(others, 3 * AT_ONCE, "the same /48");
    assert_eq!(app.at("2001:db8:2:1::1").guess(900).await.status, 401, "another site");
    // The same address, whether a socket writes it in IPv6 or not.
    for number in 0..AT_ONCE {
        app.at(["192.0.2.1", "::ffff:192.0.2.1"][number % 2])
            .guess(1_000 + number)
            .await
            .expect(401);
    }
    app.at("192.0.2.1").guess(2_000).await.expect(429);
}

#[tokio::test]
async fn only_a_developers_own_machine_is_not_counted() {
    let guesses = async |app: &TestApp, address: &str| {
        for number in 0..=AT_ONCE {
            if app.at(address).guess(number).await.status == 429 {
                return Some(number);
            }
        }
        None
    };
    let dev = start().await;
    for own in ["127.0.0.1", "::1", "127.9.9.9"] {
        assert_eq!(guesses(&dev, own).await, None, "{own}");
    }
    assert_eq!(guesses(&dev, "192.168.0.9").await, Some(AT_ONCE));

    let trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()];
    let base = config(DatabaseUrl::SqliteMemory);
    let behind = TestApp::start_from(Config { trusted_proxies, ..base }).await;
    behind.set("address_budget", "5").await;
    assert_eq!(guesses(&behind, "127.0.0.1").await, Some(AT_ONCE), "a proxy is nobody's machine");

    let base = config(DatabaseUrl::SqliteMemory);
    let served = TestApp::start_from(Config { mode: Mode::Serve, ..base }).await;
    served.set("address_budget", "5").await;
    assert_eq!(guesses(&served, "127.0.0.1").await, Some(AT_ONCE));
    served.set("address_budget", "off").await;
    assert_eq!(guesses(&served, "127.0.0.1").await, None);
}

#[tokio::test]
async fn a_budget_fills_up_again_and_the_next_time_is_told_again() {
    let app = start().await;
    let asking = app.at(SOMEBODY);
    put_off(&asking).await;
    app.advance(12);
    assert_eq!(asking.guess(100).await.status, 401, "one in twelve seconds");
    assert_eq!(asking.guess(101).await.status, 429);
    assert_eq!(app.events(Some(Kind::AddressThrottled)).await, 1, "still the same time");
    app.advance(200);
    put_off(&asking).await;
    assert_eq!(app.events(Some(Kind::AddressThrottled)).await, 2);
}

/// The default stands in the settings, and is generous to people.
#[tokio::test]
async fn sixty_refusals_at_once_are_free_unless_somebody_says_otherwise() {
    let app = TestApp::start().await;
    let asking = app.at(SOMEBODY);
    for number in 0..60 {
        asking.own_token(("web", "wrong"), None).await.expect(401);
        assert!(number < 60);
    }
    let answer = asking.own_token(("web", "wrong"), None).await.expect(429);
    assert_eq!(told(&answer), ["3", r#""client";q=60;w=120"#, r#""client";r=0;t=3"#]);
}
