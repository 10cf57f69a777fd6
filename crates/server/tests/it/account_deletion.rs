//! Giving one's account up: closed at once, taken back within the days of grace, gone after them.

use munjigi_server::jobs;
use munjigi_store::each_backend;
use serde_json::json;

use crate::account_pages::SESSION;
use crate::cast::subject;
use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp};
use crate::mailed_links::{NEW, is_verified, mailbox, newest_link, opens, recover, set_password};
use crate::visitor::{Visitor, request};

const DAY: u64 = 24 * 3_600;
const DELETE: &str = "/account/delete";

async fn give_up(visitor: &Visitor) -> Answer {
    visitor.send(DELETE, &[("current_password", MINJI.1), ("action", "delete")]).await
}

async fn keep(visitor: &Visitor) -> Answer {
    visitor.send(DELETE, &[("action", "keep")]).await
}

/// A browser in which somebody signs in who has given their account up.
async fn returning(app: &TestApp) -> Visitor {
    let minji = Visitor::of(app);
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    let answer = minji.send("/login", &fields).await;
    assert_eq!(answer.location().as_deref(), Some(DELETE), "{}", answer.shown());
    minji
}

each_backend! {
    async fn an_account_that_is_given_up_is_closed_at_once_and_deleted_after_14_days(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let minji = Visitor::of_owner(&app, MINJI).await;
        let phone = Visitor::of_owner(&app, MINJI).await;
        let spa = minji.exchange(&minji.connect().await).await.tokens();
        let tokens = app.sign_in(MINJI).await;
        let (id, cookie) = (subject(&tokens.access), minji.cookie(SESSION).unwrap());
        minji.open(DELETE).await.expect(200);
        app.advance(1);
        let page = give_up(&minji).await.expect(200).page();
        assert!(page.contains("2026"), "{page}");

        assert!(minji.cookie(SESSION).is_none());
        minji.plant(SESSION, &cookie);
        assert!(!minji.sees_the_account().await && !phone.sees_the_account().await);
        for tokens in [&spa, &tokens] {
            app.read_as("/oauth2/userinfo", &tokens.access).await.expect(401);
        }
        app.refresh(&tokens.refresh).await.expect(400);
        assert!(!opens(&app, MINJI.0, MINJI.1).await, "no token comes of the right password");
        let told = mailbox(&app).await;
        assert_eq!((told.len(), told[0].to.as_str()), (1, MINJI.0));
        assert_eq!(told[0].links, [format!("{ISSUER}{DELETE}")]);
        assert!(told[0].text.contains("2026-01-15"), "{}", told[0].text);
        assert!(app.trail(&id).await.contains(&"deletion_planned".to_owned()));

        app.advance(14 * DAY - 1);
        jobs::run(&app.app).await.unwrap();
        assert!(is_verified(&app, "minji@demo.local").await.is_some());
        app.advance(1);
        jobs::run(&app.app).await.unwrap();
        jobs::run(&app.app).await.unwrap();
        assert_eq!(is_verified(&app, "minji@demo.local").await, None);
        let trail = app.trail(&id).await;
        assert_eq!(trail.iter().filter(|kind| *kind == "user_deleted").count(), 1);
        assert!(opens(&app, JUN.0, JUN.1).await, "nobody else is");
    }

    async fn whoever_signs_in_again_takes_it_back(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        give_up(&minji).await.expect(200);
        app.advance(13 * DAY);
        let minji = returning(&app).await;
        let before = minji.cookie(SESSION).unwrap();
        // Until they say so, nothing else is open to them.
        for page in ["/account", "/account/data", "/account/email", "/login"] {
            assert_eq!(minji.open(page).await.location().as_deref(), Some(DELETE), "{page}");
        }
        let answer = minji.send("/account/data/export", &[("action", "export")]).await;
        assert_eq!(answer.location().as_deref(), Some(DELETE));
        let page = minji.open(DELETE).await.expect(200).page();
        assert!(page.contains(r#"value="keep""#), "{page}");

        keep(&minji).await.expect(200);
        assert_ne!(minji.cookie(SESSION).unwrap(), before, "it may do more from now on");
        let thief = Visitor::of(&app);
        thief.plant(SESSION, &before);
        assert!(!thief.sees_the_account().await && minji.sees_the_account().await);
        let id = subject(&app.sign_in(MINJI).await.access);
        assert!(app.trail(&id).await.contains(&"deletion_taken_back".to_owned()));
        app.advance(30 * DAY);
        jobs::run(&app.app).await.unwrap();
        assert!(opens(&app, MINJI.0, MINJI.1).await);
        let answer = keep(&minji).await;
        assert_eq!(answer.location().as_deref(), Some("/login"), "there is nothing to take back");
    }
}

#[tokio::test]
async fn no_application_gets_in_until_it_is_taken_back_and_then_the_way_goes_on() {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let minji = Visitor::of_owner(&app, MINJI).await;
    minji.connect().await;
    app.advance(1);
    give_up(&minji).await.expect(200);

    let login = minji.open(&request(&[])).await.location().unwrap();
    let fields = [("username", MINJI.0), ("password", MINJI.1)];
    let question = minji.send(&login, &fields).await.location().unwrap();
    assert!(question.starts_with("/account/delete?flow="), "{question}");
    // Whoever goes on without an answer is nobody.
    let onward = login.replace("/login", "/oauth2/authorize");
    let answer = minji.open(&onward).await.location().unwrap();
    assert!(answer.starts_with("/login"), "{answer}");
    let page = minji.open(&question).await.expect(200).page();
    assert!(page.contains("flow="), "{page}");
    let answer = minji.send(&question, &[("action", "keep")]).await;
    assert!(minji.follow_to_client(answer, "allow").await.brings("code").is_some());
}

#[tokio::test]
async fn an_account_is_not_given_up_without_its_password() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let send = async |fields: &[(&str, &str)]| minji.send(DELETE, fields).await;
    send(&[("action", "delete")]).await.expect(400);
    send(&[("action", "delete"), ("current_password", "not-hers-at-all")]).await.expect(422);
    send(&[("current_password", MINJI.1)]).await.expect(400);
    minji.send_from("cross-site", DELETE, &[("action", "keep")]).await.expect(403);
    assert!(minji.sees_the_account().await);
    let mut last = 0;
    for _ in 0..20 {
        last = send(&[("action", "delete"), ("current_password", "a-guess")]).await.status.as_u16();
    }
    assert_eq!(last, 429, "one ledger for all guesses");
    app.advance(30 * DAY);
    jobs::run(&app.app).await.unwrap();
    assert!(opens(&app, MINJI.0, MINJI.1).await);
}

/// Nobody tells from the answer that there is something to take back (LG-01 of the attack kit).
#[tokio::test]
async fn a_wrong_password_gets_the_same_answer_as_at_any_account() {
    let app = TestApp::start().await;
    give_up(&Visitor::of_owner(&app, MINJI).await).await.expect(200);
    let sign_in = async |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        app.post("/api/v1/users/signin", body).await.shown()
    };
    let nobody = sign_in("nobody@demo.local", "wrong-password").await;
    assert_eq!(sign_in(MINJI.0, "wrong-password").await, nobody);
    for _ in 0..12 {
        // Right ones are no guesses: an application that goes on trying locks nobody out.
        assert_eq!(sign_in(MINJI.0, MINJI.1).await, nobody);
    }
    returning(&app).await;
}

#[tokio::test]
async fn a_forgotten_password_does_not_stand_in_the_way_back() {
    let app = TestApp::start().await;
    give_up(&Visitor::of_owner(&app, MINJI).await).await.expect(200);
    app.advance(1);
    let minji = Visitor::of(&app);
    recover(&minji, MINJI.0).await.expect(200);
    set_password(&minji, &newest_link(&app).await, NEW).await.expect(200);
    let fields = [("username", MINJI.0), ("password", NEW)];
    minji.send("/login", &fields).await.expect(303);
    keep(&minji).await.expect(200);
    assert!(opens(&app, MINJI.0, NEW).await);
}

#[tokio::test]
async fn whoever_came_back_can_sign_out_again_and_somebody_else_sign_in() {
    let app = TestApp::start().await;
    give_up(&Visitor::of_owner(&app, MINJI).await).await.expect(200);
    let browser = returning(&app).await;
    let answer = browser.send("/oauth2/logout", &[("action", "sign-out")]).await;
    assert!(answer.status.as_u16() < 400, "{}", answer.shown());
    assert!(browser.cookie(SESSION).is_none());
    let browser = returning(&app).await;
    let fields = [("username", JUN.0), ("password", JUN.1)];
    browser.send("/login", &fields).await.expect(303);
    assert!(browser.sees_the_account().await);
}
