//! Where people are signed in, as administrators see and end it.

use http::Method;
use munjigi_store::each_backend;
use serde_json::Value;

use crate::cast::subject;
use crate::harness::{JUN, MINJI, TestApp};
use crate::visitor::Visitor;

const SESSIONS: &str = "/api/v1/admin/sessions";

async fn list(app: &TestApp, admin: &str, query: &str) -> Vec<Value> {
    let answer = app.read_as(&format!("{SESSIONS}{query}"), admin).await.expect(200).json();
    answer["items"].as_array().unwrap().clone()
}

fn ids(sessions: &[Value]) -> Vec<String> {
    sessions.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

each_backend! {
    async fn an_administrator_sees_where_somebody_is_signed_in_and_ends_one_of_it(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let tokens = app.sign_in(MINJI).await;
        app.advance(1);
        let browser = Visitor::of_owner(&app, MINJI).await;
        let minji = subject(&tokens.access);
        let of = format!("?user={minji}");
        let before = list(&app, &admin, &of).await;
        let kinds: Vec<_> = before.iter().map(|it| it["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["api", "browser"]);
        assert!(before.iter().all(|it| it["user_id"] == *minji), "{before:?}");
        // Of everybody: hers among them.
        let all = ids(&list(&app, &admin, "?limit=200").await);
        assert!(ids(&before).iter().all(|id| all.contains(id)) && all.len() > before.len());

        let (api, other) = (ids(&before)[0].clone(), ids(&before)[1].clone());
        let path = format!("{SESSIONS}/{api}");
        app.act_as(Method::DELETE, &path, &admin).await.expect(204);
        assert_eq!(ids(&list(&app, &admin, &of).await), [other]);
        app.read_as("/api/v1/users/me", &tokens.access).await.expect(401);
        app.refresh(&tokens.refresh).await.expect(400);
        assert!(browser.sees_the_account().await, "the other one goes on");
        app.act_as(Method::DELETE, &path, &admin).await.expect(404);
        assert_eq!(app.trail(&minji).await.iter().filter(|it| *it == "session_ended").count(), 1);
    }

    async fn an_administrator_ends_all_sessions_of_somebody_and_nobody_elses(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        let (minji, jun) = (app.sign_in(MINJI).await, app.sign_in(JUN).await);
        let browser = Visitor::of_owner(&app, MINJI).await;
        let id = subject(&minji.access);
        app.act_as(Method::DELETE, SESSIONS, &admin).await.expect(400);
        app.read_as("/api/v1/users/me", &minji.access).await.expect(200);

        let path = format!("{SESSIONS}?user={id}");
        app.act_as(Method::DELETE, &path, &admin).await.expect(204);
        assert!(list(&app, &admin, &format!("?user={id}")).await.is_empty());
        app.read_as("/api/v1/users/me", &minji.access).await.expect(401);
        app.refresh(&minji.refresh).await.expect(400);
        assert!(!browser.sees_the_account().await);
        app.read_as("/api/v1/users/me", &jun.access).await.expect(200);
        assert!(app.trail(&id).await.contains(&"session_ended".to_owned()));
    }

    async fn the_list_of_sessions_is_read_page_by_page_and_misses_none(database) {
        let app = TestApp::start_with(&database).await;
        let admin = app.admin().await;
        for _ in 0..3 {
            app.sign_in(MINJI).await;
            app.sign_in(JUN).await;
        }
        let whole = ids(&list(&app, &admin, "?limit=200").await);
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("{SESSIONS}?limit=2{after}");
            let page = app.read_as(&path, &admin).await.expect(200).json();
            seen.extend(ids(page["items"].as_array().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert!(seen.len() >= 7, "{seen:?}");
        assert_eq!(seen, whole);
    }
}

/// AD-03 of the attack kit: whoever runs part of the server ends nobody who runs more of it.
#[tokio::test]
async fn sessions_of_somebody_who_may_do_more_are_not_ended() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.make_role(&admin, "desk", &["sessions:read", "sessions:write"]).await;
    let desk = app.make_and_sign_in(&admin, "desk", &["desk"]).await.access;
    let boss = subject(&admin);
    let of_boss = list(&app, &desk, &format!("?user={boss}")).await;
    let path = format!("{SESSIONS}/{}", ids(&of_boss)[0]);
    app.act_as(Method::DELETE, &path, &desk).await.expect(403);
    app.act_as(Method::DELETE, &format!("{SESSIONS}?user={boss}"), &desk).await.expect(403);
    app.read_as(SESSIONS, &admin).await.expect(200);

    let minji = subject(&app.sign_in(MINJI).await.access);
    app.act_as(Method::DELETE, &format!("{SESSIONS}?user={minji}"), &desk).await.expect(204);
}

/// AD-05 of the attack kit.
#[tokio::test]
async fn names_and_cursors_that_are_none_are_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let minji = subject(&app.sign_in(MINJI).await.access);
    let jun = subject(&app.sign_in(JUN).await.access);
    let session = ids(&list(&app, &admin, &format!("?user={minji}")).await)[0].clone();
    let (_, sid) = session.split_once('.').unwrap();
    for name in [sid, &minji, &format!("{jun}.{sid}"), &format!("{minji}."), ".", "%00", "a.b"] {
        let path = format!("{SESSIONS}/{name}");
        app.act_as(Method::DELETE, &path, &admin).await.expect(404);
    }
    for query in ["?user=minji", "?after=AAAA", "?limit=0", "?limit=201", "?who=me"] {
        app.read_as(&format!("{SESSIONS}{query}"), &admin).await.expect(400);
    }
    let nobody = "?user=01890a5d-ac96-474b-bcce-b302099a8057";
    app.read_as(&format!("{SESSIONS}{nobody}"), &admin).await.expect(404);
    app.act_as(Method::DELETE, &format!("{SESSIONS}{nobody}"), &admin).await.expect(404);
    assert_eq!(list(&app, &admin, &format!("?user={minji}")).await.len(), 1);
}
