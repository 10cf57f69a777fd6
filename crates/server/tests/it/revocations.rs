//! The revocation feed over HTTP: what is announced, who may read it, how one waits for it, and
//! that nobody who follows it misses anything.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use http_body_util::BodyExt;
use munjigi_core::account::Password;
use munjigi_core::oauth::revocation::{Kind, Revocation};
use munjigi_core::time::Span;
use munjigi_server::demo;
use munjigi_server::operate::Operator;
use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, DatabaseUrl, StoreError, each_backend, revocations};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cast::{PASSWORD, subject};
use crate::email_change::{change, follow};
use crate::harness::{Answer, JUN, MINJI, TestApp, claims, config};
use crate::mailed_links::{NEW, newest_link, recover, set_password};
use crate::visitor::Visitor;

const FEED: &str = "/api/v1/revocations";

/// The token of a client that may follow: the demo planner's.
async fn follower(app: &TestApp) -> String {
    let all = demo::demo_clients(&app.app).unwrap();
    let planner = all.into_iter().find(|it| it.client.id.as_str() == "planner").unwrap();
    let secret = planner.secret.unwrap();
    let token = app.own_token(("planner", secret.reveal()), Some("revocations:read")).await;
    token.expect(200).text("/access_token")
}

/// What a page of the feed says: kinds and keys.
fn entries(page: &Answer) -> Vec<(String, String)> {
    let page = page.json();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = page["entries"].as_array().unwrap().iter();
    entries.map(|entry| (text(entry, "kind"), text(entry, "key"))).collect()
}

/// Somebody who reads the feed as a resource server does.
struct Reader {
    token: String,
    cursor: String,
}

impl Reader {
    async fn start(app: &TestApp) -> Self {
        let token = follower(app).await;
        let cursor = app.read_as(FEED, &token).await.expect(200).text("/cursor");
        Self { token, cursor }
    }

    async fn ask(&self, app: &TestApp, wait: u64) -> Answer {
        app.read_as(&format!("{FEED}?wait={wait}&cursor={}", self.cursor), &self.token).await
    }

    /// What is new since the last time.
    async fn news(&mut self, app: &TestApp, wait: u64) -> Vec<(String, String)> {
        let page = self.ask(app, wait).await.expect(200);
        self.cursor = page.text("/cursor");
        entries(&page)
    }
}

fn named(kind: &str, key: &str) -> Vec<(String, String)> {
    vec![(kind.to_owned(), key.to_owned())]
}

fn claim(token: &str, name: &str) -> String {
    claims(token)[name].as_str().unwrap().to_owned()
}

/// Writes an entry as any transaction of ours does, again if too many did at once: whoever asked
/// is told so, by a 503, and asks again.
async fn announce(app: &TestApp, kind: Kind, key: &str) {
    loop {
        let (now, key) = (app.clock.now(), key.to_owned());
        let written = app.app.store.write(move |tx| {
            let revocation = Revocation::now(kind, &key, now, Span::from_minutes(10));
            let seq = revocations::announce(tx, &revocation)?;
            let revocation = Revocation { seq, ..revocation };
            Ok::<_, StoreError>(Committed::new(revocation, Audit::Routine("a test announces")))
        });
        match written.await {
            Ok(revocation) => return app.app.take_over(&revocation),
            Err(StoreError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

each_backend! {
    /// I4 of the threat model: each of them is in the feed as soon as it is acknowledged, because
    /// it is written in the same transaction.
    async fn every_way_of_ending_something_is_announced(database) {
        let app = TestApp::start_with(&database).await;
        let (admin, mut reader) = (app.admin().await, Reader::start(&app).await);
        let me = "/api/v1/users/me";
        let someone = app.make_and_sign_in(&admin, "someone", &["user"]).await;
        let (id, who) = (subject(&someone.access), ("someone@cast.example", PASSWORD));
        let account = format!("/api/v1/admin/users/{id}");

        app.act_as(Method::POST, "/api/v1/users/signout", &someone.access).await.expect(204);
        let ended = named("session", &claim(&someone.access, "sid"));
        assert_eq!(reader.news(&app, 0).await, ended, "sign-out");

        let (one, two) = (app.sign_in(who).await.access, app.sign_in(who).await.access);
        let session = format!("{me}/sessions/{}", claim(&two, "sid"));
        app.act_as(Method::DELETE, &session, &one).await.expect(204);
        let ended = named("session", &claim(&two, "sid"));
        assert_eq!(reader.news(&app, 0).await, ended, "end of a session");

        let three = app.sign_in(who).await;
        app.form("/oauth2/revoke", &[("token", &three.refresh)]).await.expect(200);
        let ended = named("grant", &claim(&three.access, "gid"));
        assert_eq!(reader.news(&app, 0).await, ended, "RFC 7009, by the refresh token");

        let own = app.own_token(app.web(), None).await.expect(200).text("/access_token");
        app.form_as(app.web(), "/oauth2/revoke", &[("token", &own)]).await.expect(200);
        let ended = named("grant", &claim(&own, "gid"));
        assert_eq!(reader.news(&app, 0).await, ended, "RFC 7009, by a client's own token");

        let four = app.sign_in(who).await;
        app.refresh(&four.refresh).await.expect(200);
        app.advance(31);
        app.refresh(&four.refresh).await.expect(400);
        let ended = named("grant", &claim(&four.access, "gid"));
        assert_eq!(reader.news(&app, 0).await, ended, "theft");

        let five = app.sign_in(who).await.access;
        let body = json!({"current_password": PASSWORD, "new_password": "another password"});
        app.call(Method::POST, &format!("{me}/password"), &five, body).await.expect(204);
        let news: BTreeSet<_> = reader.news(&app, 0).await.into_iter().collect();
        let (kept, other) = (claim(&five, "sid"), claim(&one, "sid"));
        assert!(news.contains(&("session".to_owned(), other)), "password change: {news:?}");
        assert!(!news.iter().any(|(_, key)| *key == kept), "{news:?}");

        let admin = app.admin().await;
        let roles = format!("{account}/roles");
        let more = json!({"roles": ["user", "manager"]});
        app.call(Method::PUT, &roles, &admin, more).await.expect(200);
        assert_eq!(reader.news(&app, 0).await, [], "a role that is given ends nothing");
        app.call(Method::PUT, &roles, &admin, json!({"roles": ["user"]})).await.expect(200);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "role removal");

        app.act_as(Method::POST, &format!("{account}/disable"), &admin).await.expect(204);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "disable");
        app.act_as(Method::DELETE, &account, &admin).await.expect(204);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "delete");

        app.make_client(&admin, "shop", "openid").await;
        let shop = "/api/v1/admin/clients/shop";
        app.act_as(Method::POST, &format!("{shop}/disable"), &admin).await.expect(204);
        assert_eq!(reader.news(&app, 0).await, named("client", "shop"), "client disable");
        app.act_as(Method::DELETE, shop, &admin).await.expect(204);
        assert_eq!(reader.news(&app, 0).await, named("client", "shop"), "client delete");

        app.sign_up("leaves@cast.example", PASSWORD).await;
        let leaves = app.sign_in(("leaves@cast.example", PASSWORD)).await.access;
        app.call(Method::DELETE, me, &leaves, json!({"password": PASSWORD})).await;
        let news = reader.news(&app, 0).await;
        assert_eq!(news, named("user", &subject(&leaves)), "one's own account");
    }

    /// The same for what pages, mailed links, codes, administrators and limits end.
    async fn what_pages_links_codes_and_limits_end_is_announced(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let admin = app.admin().await;
        let mut reader = Reader::start(&app).await;
        let minji = Visitor::of_owner(&app, MINJI).await;

        let code = minji.connect().await;
        let tokens = minji.exchange(&code).await.tokens();
        assert_eq!(reader.news(&app, 0).await, [], "what begins ends nothing");
        minji.exchange(&code).await.expect(400);
        let ended = named("grant", &claim(&tokens.access, "gid"));
        assert_eq!(reader.news(&app, 0).await, ended, "a code used twice");

        let tokens = minji.exchange(&minji.connect().await).await.tokens();
        let fields = [("action", "remove"), ("client_id", "spa")];
        minji.send("/account/applications", &fields).await.expect(303);
        let ended = named("grant", &claim(&tokens.access, "gid"));
        assert_eq!(reader.news(&app, 0).await, ended, "an application removed");

        let phone = app.sign_in(MINJI).await.access;
        let fields = [("action", "end"), ("session", &claim(&phone, "sid"))];
        minji.send("/account/sessions", &fields).await.expect(303);
        let ended = named("session", &claim(&phone, "sid"));
        assert_eq!(reader.news(&app, 0).await, ended, "a session ended on the page");

        let phone = app.sign_in(MINJI).await.access;
        minji.send("/account/sessions", &[("action", "end-others")]).await.expect(303);
        let ended = named("session", &claim(&phone, "sid"));
        assert_eq!(reader.news(&app, 0).await, ended, "the others ended on the page");

        let (phone, id) = (app.sign_in(MINJI).await.access, subject(&tokens.access));
        let path = format!("/api/v1/admin/sessions/{id}.{}", claim(&phone, "sid"));
        app.act_as(Method::DELETE, &path, &admin).await.expect(204);
        let ended = named("session", &claim(&phone, "sid"));
        assert_eq!(reader.news(&app, 0).await, ended, "a session ended by an administrator");

        let phone = app.sign_in(MINJI).await.access;
        let fields = [("current_password", MINJI.1), ("password", PASSWORD)];
        minji.send("/account/password", &fields).await.expect(303);
        let news = reader.news(&app, 0).await;
        let ended = ("session".to_owned(), claim(&phone, "sid"));
        assert!(news.contains(&ended), "a password changed on the page: {news:?}");

        app.set("session_limit", "1").await;
        app.advance(1);
        let kept = minji.sessions().await.remove(0);
        let phone = app.sign_in((MINJI.0, PASSWORD)).await.access;
        assert_eq!(reader.news(&app, 0).await, named("session", &kept), "the limit");
        app.set("session_limit", "100").await;

        let minji = Visitor::of_owner(&app, (MINJI.0, PASSWORD)).await;
        let kept = minji.sessions().await;
        minji.send("/oauth2/logout", &[("action", "sign-out")]).await;
        let news = reader.news(&app, 0).await;
        assert!(news.len() == 1 && kept.contains(&news[0].1), "sign-out by the page: {news:?}");
        assert_ne!(news[0].1, claim(&phone, "sid"));

        let path = format!("/api/v1/admin/sessions?user={id}");
        app.act_as(Method::DELETE, &path, &admin).await.expect(204);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "all sessions of a person");

        app.advance(1);
        recover(&minji, MINJI.0).await.expect(200);
        set_password(&minji, &newest_link(&app).await, "short").await.expect(422);
        assert_eq!(reader.news(&app, 0).await, [], "what is refused ends nothing");
        set_password(&minji, &newest_link(&app).await, NEW).await.expect(200);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "a password reset by mail");
    }

    /// The same for the link that takes a change of address back, and for an account given up.
    async fn an_undone_address_and_a_deletion_that_is_planned_are_announced(database) {
        let app = TestApp::start_with(&database).await;
        let mut reader = Reader::start(&app).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let id = subject(&app.sign_in(MINJI).await.access);
        let back = change(&minji, MINJI.0, "minji@other.example").await;
        reader.news(&app, 0).await;
        follow(&minji, &back).await.expect(200);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "a change taken back");

        let jun = Visitor::of_owner(&app, JUN).await;
        let id = subject(&app.sign_in(JUN).await.access);
        let fields = [("action", "delete"), ("current_password", JUN.1)];
        jun.send("/account/delete", &fields).await.expect(200);
        assert_eq!(reader.news(&app, 0).await, named("user", &id), "an account given up");
    }

    /// A node hears of what another one did, and whoever waits at it within a second.
    async fn who_waits_at_one_node_hears_of_what_another_one_ends(database) {
        let here = TestApp::start_with(&database).await;
        let there = TestApp::start_with(&database).await;
        here.app.follow();
        let mut reader = Reader::start(&here).await;
        let tokens = there.sign_in(MINJI).await;
        let waiting = tokio::spawn(async move { reader.news(&here, 20).await });
        tokio::task::yield_now().await;

        there.act_as(Method::POST, "/api/v1/users/signout", &tokens.access).await.expect(204);

        let news = tokio::time::timeout(Duration::from_secs(1), waiting).await;
        let news = news.expect("within a second of the answer").unwrap();
        assert_eq!(news, named("session", &claim(&tokens.access, "sid")));
    }

    /// Places are given in the order of the commits, so that whoever has read up to one has missed
    /// nothing: 200 endings on two nodes at once, and a follower of each.
    async fn nobody_who_follows_misses_anything_under_concurrent_writers(database) {
        const EACH: usize = 100;
        let nodes =
            [TestApp::start_with(&database).await, TestApp::start_with(&database).await];
        let mut readers = tokio::task::JoinSet::new();
        for node in &nodes {
            node.app.follow();
            let (node, mut reader) = (node.clone(), Reader::start(node).await);
            readers.spawn(async move {
                let mut heard = Vec::new();
                while heard.len() < 2 * EACH {
                    heard.extend(reader.news(&node, 10).await.into_iter().map(|(_, key)| key));
                }
                heard
            });
        }
        let mut writers = tokio::task::JoinSet::new();
        for (at, node) in nodes.iter().enumerate() {
            for number in 0..EACH {
                let (node, key) = (node.clone(), format!("{at} {number}"));
                writers.spawn(async move { announce(&node, Kind::Session, &key).await });
            }
        }
        writers.join_all().await;

        let mut heard = readers.join_all().await;
        assert_eq!(heard[0], heard[1], "both were told in one order");
        let all: BTreeSet<_> = heard.remove(0).into_iter().collect();
        assert_eq!(all.len(), 2 * EACH, "each once");
    }
}

/// What ends by the command line is announced by it, in its own transaction.
#[tokio::test]
async fn what_an_operator_ends_is_announced() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
    app.app.follow();
    let mut reader = Reader::start(&app).await;
    let admin = app.admin().await;
    let id = app.make_user(&admin, "someone", &["user"]).await;
    let who = "someone@cast.example";

    let password = Password::parse("a third password".to_owned()).unwrap();
    operator.reset_password(who, password).await.unwrap();
    assert_eq!(reader.news(&app, 20).await, named("user", &id));
    operator.disable_user(who).await.unwrap();
    assert_eq!(reader.news(&app, 20).await, named("user", &id));
    operator.delete_user(who).await.unwrap();
    assert_eq!(reader.news(&app, 20).await, named("user", &id));
    operator.close().await;
}

/// Nobody but a client that acts for itself and has the scope, and nothing but ids is in it.
#[tokio::test]
async fn the_feed_is_for_clients_that_may() {
    let app = TestApp::start().await;
    app.get(FEED).await.expect(401);
    let minji = app.sign_in(MINJI).await.access;
    for person in [&minji, &app.admin().await] {
        assert_eq!(app.read_as(FEED, person).await.expect(403).text("/code"), "insufficient_scope");
    }
    let web = app.own_token(app.web(), None).await.expect(200).text("/access_token");
    app.read_as(FEED, &web).await.expect(403);
    // A scope that the client does not have is not given.
    app.own_token(app.web(), Some("revocations:read")).await.expect(400);
    let token = follower(&app).await;
    app.act_as(Method::POST, "/api/v1/users/signout", &minji).await.expect(204);
    let page = app.read_as(FEED, &token).await.expect(200);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let entry = page.json()["entries"][0].clone();
    let members: Vec<_> = entry.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["key", "kind", "not_before", "seq", "until"]);
    assert_eq!(entry["key"], claim(&minji, "sid"));
    // The scope opens nothing else.
    app.read_as("/api/v1/admin/users", &token).await.expect(403);
}

/// A client that is disabled is followed no longer, whatever it waited for.
#[tokio::test]
async fn a_follower_that_is_disabled_while_it_waits_is_told_nothing() {
    let app = TestApp::start().await;
    let (admin, reader) = (app.admin().await, Reader::start(&app).await);
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { reader.ask(&app, 30).await }
    });
    tokio::task::yield_now().await;
    let planner = "/api/v1/admin/clients/planner/disable";
    app.act_as(Method::POST, planner, &admin).await.expect(204);
    waiting.await.unwrap().expect(401);
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_refused() {
    let app = TestApp::start().await;
    let token = follower(&app).await;
    for wrong in [
        "wait=31",
        "wait=-1",
        "wait=x",
        "wait=",
        "cursor=",
        "cursor=x",
        "cursor=AQ",
        "page=1",
        "wait=1&wait=2",
        "cursor=AgAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let answer = app.read_as(&format!("{FEED}?{wrong}"), &token).await.expect(400);
        assert_eq!(answer.text("/code"), "invalid_parameter", "{wrong}");
    }
    let request = Request::get(FEED).header("authorization", format!("Bearer {token}"));
    let request = request.header("accept", "text/event-stream").header("last-event-id", "x");
    app.send(request.body(Body::empty()).unwrap()).await.expect(400);
    app.act_as(Method::POST, FEED, &token).await.expect(405);
}

/// Cold start: everything that can still kill a token, and nothing else.
#[tokio::test]
async fn without_a_cursor_everything_in_force_is_told() {
    let app = TestApp::start().await;
    let token = follower(&app).await;
    let empty = app.read_as(FEED, &token).await.expect(200);
    assert_eq!((entries(&empty), &empty.json()["more"]), (vec![], &json!(false)));

    announce(&app, Kind::Session, "old").await;
    app.advance(16 * 60);
    for number in 0..1_003 {
        announce(&app, Kind::Session, &number.to_string()).await;
    }
    let token = follower(&app).await;
    let first = app.read_as(FEED, &token).await.expect(200);
    assert_eq!(first.json()["more"], json!(true));
    let rest = format!("{FEED}?cursor={}", first.text("/cursor"));
    let rest = app.read_as(&rest, &token).await.expect(200);
    assert_eq!(rest.json()["more"], json!(false));
    let keys: Vec<_> = [entries(&first), entries(&rest)].concat();
    let keys: Vec<_> = keys.into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, (0..1_003).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// A cursor that is older than what is remembered, and one of a database that was replaced by an
/// older copy of itself: neither may be followed as if nothing were missing.
#[tokio::test]
async fn a_cursor_that_leads_nowhere_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("munjigi.db");
    let open = || TestApp::start_from(config(DatabaseUrl::SqliteFile(file.clone())));
    let app = open().await;
    announce(&app, Kind::Session, "first").await;
    app.app.store.clone().close().await;
    let backup = std::fs::read(&file).unwrap();

    let app = open().await;
    let token = follower(&app).await;
    announce(&app, Kind::Session, "second").await;
    announce(&app, Kind::Session, "third").await;
    let far = app.read_as(FEED, &token).await.expect(200).text("/cursor");
    app.app.store.clone().close().await;

    std::fs::write(&file, backup).unwrap();
    let app = open().await;
    let token = follower(&app).await;
    let ask =
        async |cursor: &str| app.read_as(&format!("{FEED}?wait=1&cursor={cursor}"), &token).await;
    // Nothing stands there yet, and then something else does.
    assert_eq!(ask(&far).await.expect(410).text("/code"), "cursor_of_other_history");
    for key in ["another second", "another third", "another fourth"] {
        announce(&app, Kind::Session, key).await;
        assert_eq!(ask(&far).await.expect(410).text("/code"), "cursor_of_other_history");
    }
    let all = app.read_as(FEED, &token).await.expect(200);
    assert_eq!(entries(&all).len(), 4);

    // Sixteen minutes later all of it is over, and an hour of further entries later forgotten.
    let now = all.text("/cursor");
    app.advance(17 * 60);
    announce(&app, Kind::Session, "later").await;
    munjigi_server::jobs::run(&app.app).await.unwrap();
    app.app.store.clone().close().await;
    let again = open().await;
    again.clock.advance(Duration::from_secs(17 * 60));
    let token = follower(&again).await;
    let gone = again.read_as(&format!("{FEED}?cursor={now}"), &token).await;
    assert_eq!(gone.expect(410).text("/code"), "cursor_expired");
}

/// Places for those who wait are counted, and held by nobody who is gone.
#[tokio::test]
async fn at_most_a_thousand_followers_wait_and_further_ones_may_ask() {
    let app = TestApp::start().await;
    let reader = Reader::start(&app).await;
    let path = format!("{FEED}?wait=30&cursor={}", reader.cursor);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1_001 {
        let (app, path, token) = (app.clone(), path.clone(), reader.token.clone());
        waiting.spawn(async move { app.read_as(&path, &token).await });
    }
    // One too many: it is the only one that does not wait.
    let refused = waiting.join_next().await.unwrap().unwrap();
    let next = tokio::time::timeout(Duration::from_millis(500), waiting.join_next()).await;
    assert!(next.is_err(), "{next:?}");
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.expect(503).text("/code"), "too_many_followers");
    reader.ask(&app, 0).await.expect(200);
    let token = reader.token.clone();
    assert_eq!(stream(&app, &token, &[]).await.0, 503);

    announce(&app, Kind::Session, "end").await;

    for answer in waiting.join_all().await {
        assert_eq!(entries(&answer.expect(200)), named("session", "end"));
    }
    let mut reader = reader;
    reader.news(&app, 30).await;
    let free = tokio::time::timeout(Duration::from_millis(300), reader.ask(&app, 30)).await;
    assert!(free.is_err(), "it waits again");
}

/// A server that is told to stop does not wait for those who wait.
#[tokio::test]
async fn who_waits_is_let_go_when_the_server_stops() {
    let app = TestApp::start().await;
    let reader = Reader::start(&app).await;
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { reader.ask(&app, 30).await }
    });
    tokio::task::yield_now().await;
    app.app.release_followers();
    let answer = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
    assert_eq!(entries(&answer.expect(200)), []);
}

/// What is not known is not told to be nothing.
#[tokio::test]
async fn a_node_without_its_database_does_not_say_that_nothing_is_new() {
    let database = Database::sqlite();
    let app = TestApp::start_with(&database).await;
    let reader = Reader::start(&app).await;
    app.app.store.clone().close().await;
    let answer = reader.ask(&app, 2).await;
    assert!(answer.status.is_server_error(), "{}", answer.shown());
}

/// Opens a stream; its status, and what comes by it until something does not come for a while.
async fn stream(app: &TestApp, token: &str, headers: &[(&str, &str)]) -> (u16, Body) {
    let request = Request::get(FEED).header("authorization", format!("Bearer {token}"));
    let request = request.header("accept", "text/event-stream");
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let router = munjigi_server::router(&app.app);
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    if parts.status == 200 {
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        assert_eq!(parts.headers["cache-control"], "no-store");
    }
    (parts.status.as_u16(), body)
}

/// The next part of a stream; none when it has ended.
async fn part(body: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap()?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

/// The ids and names of the events in a part.
fn events(part: &str) -> Vec<(&str, &str)> {
    let events = part.split_terminator("\n\n").map(|event| {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        (field("id: "), field("event: "))
    });
    events.collect()
}

#[tokio::test]
async fn a_stream_tells_what_is_in_force_then_what_is_new_and_is_taken_up_again() {
    let app = TestApp::start().await;
    let token = follower(&app).await;
    announce(&app, Kind::Session, "earlier").await;
    let (_, mut body) = stream(&app, &token, &[]).await;

    let first = part(&mut body).await.unwrap();
    assert!(first.contains(r#""kind":"session","key":"earlier""#), "{first}");
    let [(one, "revocation"), (until, "current")] = events(&first)[..] else { panic!("{first}") };
    assert_eq!(one, until);

    announce(&app, Kind::User, "while it is open").await;
    let second = part(&mut body).await.unwrap();
    assert!(second.contains("while it is open") && !second.contains("earlier"), "{second}");

    // Nothing is new: it says so, for those who must know.
    let early = tokio::time::timeout(Duration::from_secs(3), body.frame()).await;
    assert!(early.is_err(), "there is no hurry");
    let beat = part(&mut body).await.unwrap();
    assert_eq!(events(&beat).len(), 1);
    assert_eq!(events(&beat)[0].1, "current");

    drop(body);
    announce(&app, Kind::Grant, "in between").await;
    let (_, mut body) = stream(&app, &token, &[("last-event-id", events(&second)[0].0)]).await;
    let third = part(&mut body).await.unwrap();
    assert!(third.contains("in between") && !third.contains("while it is open"), "{third}");

    // It ends with the server, and with the token that opened it.
    app.app.release_followers();
    assert_eq!(part(&mut body).await, None);
    let other = TestApp::start().await;
    let token = follower(&other).await;
    let (_, mut body) = stream(&other, &token, &[]).await;
    part(&mut body).await.unwrap();
    other.advance(3_600);
    assert_eq!(part(&mut body).await, None);
}
