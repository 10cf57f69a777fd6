//! The `refresh_token` grant: rotation, lost replies, thieves (RFC 6749 §6, RFC 9700 §4.14.2).

use std::collections::BTreeSet;

use http::Method;
use insta::assert_snapshot;
use munjigi_store::each_backend;
use serde_json::json;

use crate::harness::{ISSUER, JUN, MINJI, TestApp, Tokens, claims};
use crate::mailed_links::mailbox;
use crate::visitor::Visitor;

/// A grant of minji's to the confidential demo client, made directly: it has no password grant.
async fn grant_of_web(app: &TestApp) -> Tokens {
    let admin = app.sign_in(JUN).await;
    let grants = json!({"grant_types": ["password", "refresh_token"], "first_party": true});
    app.call(Method::PATCH, "/api/v1/admin/clients/web", &admin.access, grants).await.expect(200);
    let form = [("grant_type", "password"), ("username", MINJI.0), ("password", MINJI.1)];
    app.form_as(app.web(), "/oauth2/token", &form).await.tokens()
}

each_backend! {
    /// RFC 9700 §4.14.2: a second use of a rotated token, outside of the replay window, means that
    /// a copy exists.
    async fn a_refresh_token_used_again_later_ends_the_grant(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        let second = app.refresh(&first.refresh).await.tokens();
        app.advance(31);

        let replay = app.refresh(&first.refresh).await;

        assert_eq!(replay.expect(400).text("/error_description"), "refresh token was used before");
        app.advance(1);
        let after = app.refresh(&second.refresh).await.expect(400);
        assert_eq!(after.text("/error_description"), "refresh token was revoked");
        app.read_as("/api/v1/users/me", &second.access).await.expect(401);
        let subject = claims(&first.access)["sub"].as_str().unwrap().to_owned();
        assert_eq!(app.trail(&subject).await[..2], ["refresh_refused", "refresh_reused"]);
    }

    /// RT-01: the owner hears of a theft, once, wherever the copy was used; and sees that the
    /// application has no access any more.
    async fn the_owner_of_a_stolen_refresh_token_is_told(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let owner = Visitor::of_owner(&app, MINJI).await;
        let first = app.sign_in(MINJI).await;
        let other = app.sign_in(JUN).await;
        let shown = async |path: &str| {
            String::from_utf8(owner.open(path).await.expect(200).bytes).unwrap()
        };
        let application = "Demo first-party application";
        assert!(shown("/account/sessions").await.contains(application));
        assert!(shown("/account/applications").await.contains(application));
        app.refresh(&first.refresh).await.tokens();
        // A lost reply is no theft, and nobody is told of one.
        app.refresh(&first.refresh).await.tokens();
        assert!(mailbox(&app).await.is_empty());
        app.advance(31);

        // Whatever else is wrong with the request.
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &first.refresh),
            ("scope", "openid admin"),
        ];
        app.form("/oauth2/token", &form).await.expect(400);
        app.refresh(&first.refresh).await.expect(400);

        let [mail] = <[_; 1]>::try_from(mailbox(&app).await).ok().unwrap();
        assert_eq!(mail.to, MINJI.0);
        assert!(mail.text.contains(application), "{}", mail.text);
        assert!(mail.text.contains("turned up twice"), "{}", mail.text);
        assert_eq!(mail.links, [format!("{ISSUER}/account/applications")]);
        assert!(!shown("/account/sessions").await.contains(application));
        assert!(!shown("/account/applications").await.contains(application));
        let subject = claims(&first.access)["sub"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/admin/audit?kind=refresh_reused&subject={subject}");
        let events = app.read_as(&path, &admin).await.expect(200).json();
        assert_eq!(events["items"].as_array().unwrap().len(), 1, "{events}");
        assert_eq!(events["items"][0]["client_id"], "first-party");
        app.refresh(&other.refresh).await.expect(200);
    }

    /// Whoever presents the copy may hang up at any moment: there is none at which the theft is
    /// known and the grant lives, since it is seen and ended in one transaction, with its event and
    /// its mail.
    async fn a_theft_is_seen_ended_and_told_of_in_one_transaction(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        app.refresh(&first.refresh).await.tokens();
        app.advance(31);
        let before = app.app.store.statistics();

        app.refresh(&first.refresh).await.expect(400);

        let after = app.app.store.statistics();
        assert_eq!(after.writes - before.writes, 1);
        let subject = claims(&first.access)["sub"].as_str().unwrap().to_owned();
        assert_eq!(app.trail(&subject).await[0], "refresh_reused");
        assert_eq!(mailbox(&app).await.len(), 1);
    }

    /// RT-09: a lost reply or a second tab gets the same successor, and there is one branch.
    async fn a_lost_reply_is_answered_with_the_same_successor(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        let second = app.refresh(&first.refresh).await.tokens();
        app.advance(29);

        let again = app.refresh(&first.refresh).await.tokens();

        assert_eq!(again.refresh, second.refresh);
        app.refresh(&second.refresh).await.expect(200);
    }

    /// RT-02: 32 refreshes at once with one token make one successor.
    async fn of_many_refreshes_at_once_one_successor_comes(database) {
        let app = TestApp::start_with(&database).await;
        let first = app.sign_in(MINJI).await;
        let mut under_way = Vec::new();
        for _ in 0..32 {
            let (app, token) = (app.clone(), first.refresh.clone());
            under_way.push(tokio::spawn(async move { app.refresh(&token).await.tokens().refresh }));
        }

        let mut successors = BTreeSet::new();
        for answer in under_way {
            successors.insert(answer.await.unwrap());
        }

        assert_eq!(successors.len(), 1);
        let generation = app.app.store.statistics();
        assert!(generation.writes > 0);
        app.refresh(successors.first().unwrap()).await.expect(200);
    }

    /// RT-06: nothing lives on after its user was disabled.
    async fn a_disabled_user_can_do_nothing_at_once(database) {
        let app = TestApp::start_with(&database).await;
        let (user, admin) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
        let id = claims(&user.access)["sub"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/admin/users/{id}/disable");

        app.act_as(Method::POST, &path, &admin.access).await.expect(204);

        app.read_as("/api/v1/users/me", &user.access).await.expect(401);
        app.read_as("/oauth2/userinfo", &user.access).await.expect(401);
        app.refresh(&user.refresh).await.expect(400);
        let body = json!({"email": MINJI.0, "password": MINJI.1});
        app.post("/api/v1/users/signin", body).await.expect(401);
        let form = [("username", MINJI.0), ("password", MINJI.1)];
        app.form("/oauth2/token", &form).await.expect(400);
    }
}

/// product.md, defaults: a client that proves itself may repeat for as long as the successor is
/// unused; a laptop that slept through the reply is not a thief.
#[tokio::test]
async fn a_confidential_client_may_repeat_a_day_later_and_not_once_the_successor_was_used() {
    let app = TestApp::start().await;
    let first = grant_of_web(&app).await;
    let refresh = |token: String| {
        let app = app.clone();
        async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
            app.form_as(app.web(), "/oauth2/token", &form).await
        }
    };
    let second = refresh(first.refresh.clone()).await.tokens();
    app.advance(86_400);
    assert_eq!(refresh(first.refresh.clone()).await.tokens().refresh, second.refresh);

    refresh(second.refresh).await.expect(200);

    assert_eq!(refresh(first.refresh).await.expect(400).text("/error"), "invalid_grant");
}

/// RT-07: another client's presentation is refused and ends nothing.
#[tokio::test]
async fn a_refresh_token_is_its_own_clients_alone() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];

    let other = app.form_as(app.web(), "/oauth2/token", &form).await;

    let said = other.expect(400).text("/error_description");
    assert_snapshot!(said, @"refresh token was issued to another client");
    app.refresh(&tokens.refresh).await.expect(200);
}

/// RT-07: a token that was changed anywhere is looked up nowhere. What is read is what everybody
/// asks who wants a token: whether what this node knows is still so.
#[tokio::test]
async fn a_changed_refresh_token_never_reaches_the_database() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    let before = app.app.store.statistics();
    let changed = [
        format!("{}A", tokens.refresh),
        tokens.refresh[..tokens.refresh.len() - 1].to_owned(),
        tokens.refresh.replace("mj_rt_", "mj_rt_A"),
        "mj_rt_".to_owned(),
        "garbage".to_owned(),
    ];
    for token in &changed {
        let answer = app.refresh(token).await.expect(400);
        assert_eq!(answer.text("/error"), "invalid_grant");
    }
    let after = app.app.store.statistics();
    let asked = u64::try_from(changed.len()).unwrap();
    assert_eq!((before.reads + asked, before.writes), (after.reads, after.writes));
}

/// RFC 6749 §6: a scope may become narrower and never wider; nothing is spent by asking for more.
#[tokio::test]
async fn a_wider_scope_is_refused_and_spends_nothing() {
    let app = TestApp::start().await;
    let first = app.sign_in(MINJI).await;
    let ask = |scope: &'static str| {
        let (app, token) = (app.clone(), first.refresh.clone());
        async move {
            let form =
                [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", scope)];
            app.form("/oauth2/token", &form).await
        }
    };

    assert_eq!(ask("openid admin").await.expect(400).text("/error"), "invalid_scope");

    let narrow = ask("openid").await.expect(200);
    assert_eq!(narrow.text("/scope"), "openid");
    let token = narrow.tokens();
    assert_eq!(claims(&token.access)["scope"], "openid");
}

/// RFC 8707 §2.2: only resources that were granted can be asked for again.
#[tokio::test]
async fn a_refresh_may_name_one_of_the_granted_resources() {
    let app = TestApp::start().await;
    let first = app.sign_in(MINJI).await;
    let ask = |resource: &'static str| {
        let (app, token) = (app.clone(), first.refresh.clone());
        async move {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &token),
                ("resource", resource),
            ];
            app.form("/oauth2/token", &form).await
        }
    };

    let unknown = ask("https://elsewhere.example").await.expect(400);
    assert_eq!(unknown.text("/error"), "invalid_target");

    let planner = ask("http://localhost:8001").await.tokens();
    assert_eq!(claims(&planner.access)["aud"], "http://localhost:8001");
}

/// A grant dies of disuse after 30 days, and of age after 90.
#[tokio::test]
async fn a_grant_dies_of_disuse_and_of_age() {
    let app = TestApp::start().await;
    let day = 86_400;
    let idle = app.sign_in(MINJI).await;
    app.advance(30 * day);
    app.refresh(&idle.refresh).await.expect(400);

    let mut used = app.sign_in(MINJI).await;
    for _ in 0..3 {
        app.advance(29 * day);
        used = app.refresh(&used.refresh).await.tokens();
    }
    app.advance(3 * day);
    app.refresh(&used.refresh).await.expect(400);
}

/// The roles in a refreshed token are those of today.
#[tokio::test]
async fn a_refreshed_token_has_todays_roles() {
    let app = TestApp::start().await;
    let (user, admin) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
    let id = claims(&user.access)["sub"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/admin/users/{id}/roles");
    let roles = json!({"roles": ["user", "manager"]});

    app.call(Method::PUT, &path, &admin.access, roles).await.expect(200);

    let next = app.refresh(&user.refresh).await.tokens();
    assert_eq!(claims(&next.access)["roles"], json!(["manager", "user"]));
}
