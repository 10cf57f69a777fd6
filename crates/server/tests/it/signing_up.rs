//! Signing up by JSON where mail is sent; and a link that proves an address, once more or on the
//! way to an application.

use munjigi_server::config::{Config, Outbound};
use munjigi_server::mail::{MailConfig, Relay, parse_sender};
use munjigi_server::{Mode, outbox};
use munjigi_store::DatabaseUrl;
use serde_json::json;

use crate::harness::{Answer, ISSUER, MINJI, TestApp, config};
use crate::mailed_links::{BORA, NEW, is_verified, mailbox, newest_link, ticket_of};
use crate::smtp::{MailServer, Protection};
use crate::visitor::{Visitor, request};

const SIGN_UP: &str = "/api/v1/users/signup";

/// As in production, with mail, and open to everybody.
async fn serving() -> (TestApp, MailServer) {
    let server = MailServer::start(Protection::Nothing).await;
    let relay = Relay::parse(&format!("smtp://localhost:{}?tls=none", server.port)).unwrap();
    let from = parse_sender("no-reply@example.kr").unwrap();
    let mail = Some(MailConfig { relay, from, reply_to: None });
    let (mode, outbound) = (Mode::Serve, Outbound::default());
    let config = Config { mode, mail, outbound, ..config(DatabaseUrl::SqliteMemory) };
    let app = TestApp::start_from(config).await;
    app.set("registration", "open").await;
    (app, server)
}

async fn sign_up(app: &TestApp, email: &str, username: Option<&str>) -> Answer {
    let body = json!({"email": email, "password": NEW, "username": username});
    app.post(SIGN_UP, body).await
}

/// What is told, without what is different for every account.
fn told(answer: &Answer, email: &str) -> (u16, Vec<String>, String) {
    let mut headers: Vec<_> = answer.headers.iter().map(|it| format!("{it:?}")).collect();
    headers.retain(|line| !line.contains("x-request-id"));
    headers.sort();
    let mut body = answer.json();
    let members = body.as_object_mut().unwrap();
    for name in ["id", "request_id"] {
        members.remove(name);
    }
    (answer.status.as_u16(), headers, body.to_string().replace(email, "EMAIL"))
}

/// LG-01 of the attack kit; `product.md`, fixed shapes.
#[tokio::test]
async fn a_taken_address_is_answered_like_a_free_one_where_mail_is_sent() {
    let (app, server) = serving().await;
    let free = sign_up(&app, "minjj@demo.local", None).await.expect(201);
    let taken = sign_up(&app, "minji@demo.local", None).await.expect(201);
    assert_eq!(told(&free, "minjj@demo.local"), told(&taken, "minji@demo.local"));
    assert!(uuid_like(&taken.text("/id")) && taken.text("/id") != free.text("/id"));
    assert_eq!(is_verified(&app, "minjj@demo.local").await, Some(false));

    outbox::run(&app.app).await.unwrap();
    let said = server.said.lock().unwrap().join("\n");
    assert_eq!(server.mails.lock().unwrap().len(), 2, "one to each: {said}");
    for to in ["minjj@demo.local", MINJI.0] {
        assert_eq!(said.matches(&format!("RCPT TO:<{to}>")).count(), 1, "{said}");
    }
    let body = json!({"email": MINJI.0, "password": MINJI.1});
    app.post("/api/v1/users/signin", body).await.expect(200);
}

fn uuid_like(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4
}

#[tokio::test]
async fn a_taken_user_name_is_told_whether_the_address_is_free_or_not() {
    let (app, server) = serving().await;
    let free = sign_up(&app, "minjj@demo.local", Some("minji")).await.expect(409);
    let taken = sign_up(&app, "minji@demo.local", Some("minji")).await.expect(409);
    assert_eq!(told(&free, "minjj@demo.local"), told(&taken, "minji@demo.local"));
    assert_eq!(free.json()["errors"][0]["pointer"], "/username");
    outbox::run(&app.app).await.unwrap();
    assert!(server.mails.lock().unwrap().is_empty());
}

/// `product.md`, fixed shapes.
#[tokio::test]
async fn a_taken_address_is_told_in_dev_and_where_no_mail_is_sent() {
    let dev = TestApp::start().await;
    let serving = TestApp::serving().await;
    serving.set("registration", "open").await;
    for app in [&dev, &serving] {
        let taken = sign_up(app, MINJI.0, None).await.expect(409);
        assert_eq!(taken.json()["errors"][0]["pointer"], "/email");
        sign_up(app, BORA, None).await.expect(201);
    }
    let mails = mailbox(&dev).await;
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, BORA));
    assert!(mails[0].links[0].starts_with(&format!("{ISSUER}/verify?ticket=mj_ml_")));
}

#[tokio::test]
async fn the_mail_of_a_sign_up_speaks_the_language_that_was_asked_for() {
    let app = TestApp::start().await;
    let body = json!({"email": BORA, "password": NEW, "locale": "ko"});
    app.post(SIGN_UP, body).await.expect(201);
    assert!(mailbox(&app).await[0].text.contains("주소"));
}

#[tokio::test]
async fn a_link_is_mailed_again_to_whoever_has_not_proved_their_address() {
    let app = TestApp::start().await;
    app.sign_up(BORA, NEW).await;
    let first = newest_link(&app).await;
    let bora = Visitor::of_owner(&app, (BORA, NEW)).await;
    let page = bora.open("/account").await.expect(200).page();
    assert!(page.contains(r#"action="/account/email/verify""#), "{page}");
    app.advance(1);
    let answer = bora.send("/account/email/verify", &[("action", "verify")]).await;
    assert_eq!(answer.location().as_deref(), Some("/account?done=verification"));
    let page = bora.open("/account?done=verification").await.expect(200).page();
    assert!(page.contains(r#"role="status""#), "{page}");

    let newer = newest_link(&app).await;
    bora.open(&first).await.expect(400);
    bora.send("/verify", &[("ticket", &ticket_of(&newer))]).await.expect(200);
    assert_eq!(is_verified(&app, BORA).await, Some(true));
    assert!(!bora.open("/account").await.page().contains("/account/email/verify"));
    let before = mailbox(&app).await.len();
    bora.send("/account/email/verify", &[("action", "verify")]).await.expect(303);
    assert_eq!(mailbox(&app).await.len(), before, "there is nothing left to prove");
}

#[tokio::test]
async fn mails_that_prove_an_address_run_out() {
    let app = TestApp::start().await;
    app.sign_up(BORA, NEW).await;
    let bora = Visitor::of_owner(&app, (BORA, NEW)).await;
    let mut last = 0;
    for _ in 0..8 {
        let answer = bora.send("/account/email/verify", &[("action", "verify")]).await;
        last = answer.status.as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(mailbox(&app).await.len(), 5);
    bora.send("/account/email/verify", &[]).await.expect(400);
}

/// Signs up on the way to an application; the browser, and the link of the mail.
async fn on_the_way() -> (Visitor, String) {
    let app = TestApp::start().await;
    app.app.ensure_rsa_key().await.unwrap();
    let bora = Visitor::of(&app);
    let login = bora.open(&request(&[])).await.location().unwrap();
    let fields = [("email", BORA), ("password", NEW)];
    bora.send(&login.replace("/login", "/signup"), &fields).await.expect(200);
    let link = newest_link(&app).await;
    (bora, link)
}

fn parts(link: &str) -> (String, String) {
    let url = url::Url::parse(link).unwrap();
    let find = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    };
    (find("ticket").unwrap(), find("flow").expect("the way goes on"))
}

#[tokio::test]
async fn the_way_to_the_application_goes_on_after_the_address_is_proved() {
    let (bora, link) = on_the_way().await;
    let (ticket, flow) = parts(&link);
    let page = bora.open(&link).await.expect(200).page();
    assert!(page.contains(&format!("/verify?flow={flow}")), "{page}");
    let to = format!("/verify?flow={flow}");
    let page = bora.send(&to, &[("ticket", &ticket)]).await.expect(200).page();
    let onward = format!("/oauth2/authorize?flow={flow}");
    assert!(page.contains(&onward), "{page}");
    let answer = bora.open(&onward).await;
    let answer = bora.sign_in(answer, (BORA, NEW)).await;
    assert!(bora.follow_to_client(answer, "allow").await.brings("code").is_some());
}

/// SS-03 of the attack kit.
#[tokio::test]
async fn in_another_browser_the_address_is_proved_and_the_way_does_not_go_on() {
    let (bora, link) = on_the_way().await;
    let (ticket, flow) = parts(&link);
    let phone = Visitor::of(&bora.app);
    let to = format!("/verify?flow={flow}");
    phone.open(&link).await.expect(200);
    let fields = [("ticket", ticket.as_str()), ("action", "confirm"), ("password", NEW)];
    let page = phone.send(&to, &fields).await.expect(200).page();
    assert!(!page.contains("/oauth2/authorize"), "{page}");
    assert_eq!(is_verified(&bora.app, BORA).await, Some(true));
    phone.open(&format!("/oauth2/authorize?flow={flow}")).await.expect(400);
    // Where it began, it still does.
    let answer = bora.open(&format!("/oauth2/authorize?flow={flow}")).await;
    bora.sign_in(answer, (BORA, NEW)).await;
}

#[tokio::test]
async fn after_too_long_or_with_a_changed_way_the_address_is_proved_all_the_same() {
    for changed in [false, true] {
        let (bora, link) = on_the_way().await;
        let (ticket, flow) = parts(&link);
        let flow = if changed { format!("{flow}AAAA") } else { flow };
        if !changed {
            bora.app.advance(3_600);
        }
        let to = format!("/verify?flow={flow}");
        let page = bora.send(&to, &[("ticket", &ticket)]).await.expect(200).page();
        assert!(!page.contains("/oauth2/authorize"), "{page}");
        assert_eq!(is_verified(&bora.app, BORA).await, Some(true));
    }
}

#[tokio::test]
async fn a_way_that_is_too_long_for_a_mail_stays_in_the_browser() {
    let app = TestApp::start().await;
    let bora = Visitor::of(&app);
    let long = "s".repeat(2_000);
    let login = bora.open(&request(&[("state", Some(&long))])).await.location().unwrap();
    let fields = [("email", BORA), ("password", NEW)];
    let page = bora.send(&login.replace("/login", "/signup"), &fields).await.expect(200).page();
    assert!(page.contains("/oauth2/authorize?flow="), "{page}");
    let link = newest_link(&app).await;
    assert!(!link.contains("flow=") && link.len() < 400, "{link}");
}
