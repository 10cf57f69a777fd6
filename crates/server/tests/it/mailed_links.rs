//! Making an account, proving an address and replacing a forgotten password, by the links of mails.

use axum::body::Body;
use http::{Method, Request};
use munjigi_core::audit::{Kind, Outcome};
use munjigi_core::id::UserId;
use munjigi_server::outbox;
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::page::Page;
use munjigi_store::{each_backend, users};
use serde_json::json;

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp};
use crate::outbox::relay;
use crate::smtp::{MailServer, Protection};
use crate::visitor::{Visitor, request};

pub const NEW: &str = "horse-of-another-battery";
pub const BORA: &str = "bora@example.kr";

/// A mail that arrived: to whom, what it says, its links.
pub struct Arrived {
    pub to: String,
    pub text: String,
    pub links: Vec<String>,
}

/// Sends what is due; what is in the mailbox, the newest first.
pub async fn mailbox(app: &TestApp) -> Vec<Arrived> {
    outbox::run(&app.app).await.unwrap();
    let answer = app.get("/dev/mail.json").await.expect(200).json();
    let messages = answer["messages"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let arrived = messages.iter().map(|it| Arrived {
        to: text(&it["to"]),
        text: text(&it["text"]),
        links: it["links"].as_array().unwrap().iter().map(text).collect(),
    });
    arrived.collect()
}

/// The first link of the newest mail.
pub async fn newest_link(app: &TestApp) -> String {
    mailbox(app).await[0].links[0].clone()
}

pub fn ticket_of(link: &str) -> String {
    link.split_once("ticket=").unwrap().1.to_owned()
}

/// The ticket of the same link with another secret.
pub fn wrong_secret(ticket: &str) -> String {
    let (begin, end) = ticket.split_at(ticket.len() - 6);
    let other = if end.starts_with('A') { "B" } else { "A" };
    format!("{begin}{other}{}", &end[1..])
}

async fn sign_up(visitor: &Visitor, email: &str) -> Answer {
    visitor.send("/signup", &[("email", email), ("password", NEW)]).await
}

pub async fn recover(visitor: &Visitor, email: &str) -> Answer {
    visitor.send("/recover", &[("email", email)]).await
}

pub async fn set_password(visitor: &Visitor, link: &str, password: &str) -> Answer {
    let ticket = ticket_of(link);
    visitor.send("/recover/password", &[("ticket", &ticket), ("password", password)]).await
}

/// Whether this address was proved to be somebody's.
pub async fn is_verified(app: &TestApp, email: &'static str) -> Option<bool> {
    let found = app.app.store.read(move |tx| users::find_by_email(tx, email)).await.unwrap();
    found.map(|user| user.email_verified_at.is_some())
}

/// Whether somebody can sign in with this password.
pub async fn opens(app: &TestApp, email: &str, password: &str) -> bool {
    let body = json!({"email": email, "password": password});
    app.post("/api/v1/users/signin", body).await.status == 200
}

async fn start() -> Visitor {
    Visitor::of(&TestApp::start().await)
}

/// A page without what changes from request to request.
pub fn alike(answer: &Answer) -> (u16, Vec<String>, String) {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort();
    (answer.status.as_u16(), headers, answer.page())
}

each_backend! {
    async fn an_account_is_made_and_its_address_proved_by_the_button_of_a_mailed_link(database) {
        let app = TestApp::start_with(&database).await;
        let bora = Visitor::of(&app);
        bora.open("/signup").await.expect(200);
        sign_up(&bora, BORA).await.expect(200);
        assert_eq!(is_verified(&app, BORA).await, Some(false));
        let mails = mailbox(&app).await;
        assert_eq!((mails.len(), mails[0].to.as_str()), (1, BORA));
        let link = &mails[0].links[0];
        assert!(link.starts_with(&format!("{ISSUER}/verify?ticket=mj_ml_")), "{link}");

        // RC-02 of the attack kit: a scanner looks at it, as often as it likes.
        for _ in 0..3 {
            let page = bora.open(link).await.expect(200);
            assert!(page.page().contains(BORA));
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        }
        assert_eq!(is_verified(&app, BORA).await, Some(false));

        let ticket = ticket_of(link);
        bora.send("/verify", &[("ticket", &ticket)]).await.expect(200);
        assert_eq!(is_verified(&app, BORA).await, Some(true));
        bora.send("/verify", &[("ticket", &ticket)]).await.expect(400);
        bora.open(link).await.expect(400);
        assert!(opens(&app, BORA, NEW).await);
    }
}

/// LG-01 of the attack kit.
#[tokio::test]
async fn a_taken_address_and_a_free_one_get_the_same_answer_and_another_mail() {
    let visitor = start().await;
    let free = sign_up(&visitor, "minjj@demo.local").await.expect(200);
    let taken = sign_up(&visitor, "minji@demo.local").await.expect(200);
    let (status, headers, page) = alike(&free);
    let page = page.replace("minjj", "minji");
    assert_eq!((status, headers, page), alike(&taken));

    let mails = mailbox(&visitor.app).await;
    assert_eq!(mails.len(), 2);
    let to = |to: &str| mails.iter().find(|mail| mail.to == to).unwrap();
    assert!(to("minjj@demo.local").links[0].contains("/verify?ticket="));
    let exists = &to(MINJI.0).links;
    assert_eq!(*exists, [format!("{ISSUER}/login"), format!("{ISSUER}/recover")]);
    assert!(opens(&visitor.app, MINJI.0, MINJI.1).await, "nothing of the account is changed");
    assert!(!opens(&visitor.app, MINJI.0, NEW).await);
}

#[tokio::test]
async fn a_taken_user_name_is_complained_about_whether_the_address_is_free_or_not() {
    let visitor = start().await;
    let send = async |email: &str| {
        let fields = [("email", email), ("password", NEW), ("username", "minji")];
        visitor.send("/signup", &fields).await.expect(422)
    };
    let (_, headers, free) = alike(&send("minjj@demo.local").await);
    let taken = alike(&send("minji@demo.local").await);
    assert_eq!((422, headers, free.replace("minjj", "minji")), taken);
    assert!(mailbox(&visitor.app).await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_in_the_language_of_the_page() {
    let visitor = start().await;
    for (locale, sentence) in [("en", "Create account"), ("ko", "계정")] {
        let path = format!("/signup?ui_locales={locale}");
        let fields = [("email", "nobody"), ("password", "short"), ("name", "보라")];
        let page = visitor.send(&path, &fields).await.expect(422).page();
        assert!(page.contains(sentence), "{page}");
        for id in ["email-error", "password-error"] {
            assert!(page.contains(id), "{id} in {page}");
        }
        assert!(page.contains("보라") && !page.contains("short\""), "{page}");
        let fields = [("email", BORA), ("password", "bora@example.kr")];
        let page = visitor.send(&path, &fields).await.expect(422).page();
        assert!(page.contains("password-error"), "{page}");
    }
    assert_eq!(is_verified(&visitor.app, BORA).await, None);
}

#[tokio::test]
async fn the_way_to_the_application_goes_on_after_signing_up() {
    let visitor = start().await;
    let login = visitor.open(&request(&[])).await.location().unwrap();
    let page = visitor.open(&login).await.expect(200).page();
    let to = login.replace("/login", "/signup");
    assert!(page.contains(&to.replace('&', "&#38;")), "{page}");
    let fields = [("email", BORA), ("password", NEW)];
    let page = visitor.send(&to, &fields).await.expect(200).page();
    let onward = login.replace("/login", "/oauth2/authorize");
    assert!(page.contains(&onward), "{page}");
    let answer = visitor.open(&onward).await;
    let answer = visitor.sign_in(answer, (BORA, NEW)).await;
    assert!(visitor.open(&answer.location().unwrap()).await.location().is_some());
}

#[tokio::test]
async fn nobody_signs_up_where_registration_is_closed() {
    let app = TestApp::serving().await;
    let visitor = Visitor::of(&app);
    visitor.open("/signup").await.expect(403);
    sign_up(&visitor, BORA).await.expect(403);
    assert_eq!(is_verified(&app, BORA).await, None);
}

#[tokio::test]
async fn without_mail_there_is_no_recovery_and_no_link_to_it() {
    let app = TestApp::serving().await;
    let visitor = Visitor::of(&app);
    visitor.open("/recover").await.expect(403);
    recover(&visitor, MINJI.0).await.expect(403);
    let page = visitor.send("/login", &[("username", MINJI.0)]).await.expect(200).page();
    assert!(!page.contains("/recover"));
    let dev = start().await;
    let page = dev.send("/login", &[("username", MINJI.0)]).await.expect(200).page();
    assert!(page.contains("/recover"));
}

each_backend! {
    async fn a_forgotten_password_is_replaced_once_and_everything_signed_in_ends(database) {
        let app = TestApp::start_with(&database).await;
        let thief = Visitor::of(&app);
        let answer = thief.open(&request(&[])).await;
        thief.sign_in(answer, MINJI).await;
        let tokens = app.sign_in(MINJI).await;

        let minji = Visitor::of(&app);
        recover(&minji, MINJI.0).await.expect(200);
        let link = newest_link(&app).await;
        assert!(link.starts_with(&format!("{ISSUER}/recover/password?ticket=mj_ml_")), "{link}");
        for _ in 0..3 {
            minji.open(&link).await.expect(200);
        }
        assert!(opens(&app, MINJI.0, MINJI.1).await, "looking at it changes nothing");
        set_password(&minji, &link, "password").await.expect(422);
        set_password(&minji, &link, NEW).await.expect(200);

        assert!(!opens(&app, MINJI.0, MINJI.1).await);
        assert!(opens(&app, MINJI.0, NEW).await);
        app.read_as("/api/v1/users/me", &tokens.access).await.expect(401);
        app.refresh(&tokens.refresh).await.expect(400);
        let again = thief.open(&request(&[])).await.location().unwrap();
        assert!(again.starts_with("/login"), "{again}");
        set_password(&minji, &link, "another-horse-altogether").await.expect(400);
        minji.open(&link).await.expect(400);

        let told = mailbox(&app).await;
        assert_eq!((told.len(), told[0].to.as_str()), (2, MINJI.0));
        assert_eq!(told[0].links, [format!("{ISSUER}/recover")]);
        assert!(!told[0].text.contains(NEW));
    }
}

each_backend! {
    /// RC-02 of the attack kit.
    async fn of_many_who_send_a_link_at_once_one_sets_the_password(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of(&app);
        recover(&minji, MINJI.0).await.expect(200);
        let link = newest_link(&app).await;
        let sent = (0..16).map(|number| {
            let (minji, link) = (&minji, &link);
            async move { set_password(minji, link, &format!("{NEW}-{number}")).await }
        });
        let all = futures_util::future::join_all(sent).await;
        let won: Vec<usize> = (0..16).filter(|it| all[*it].status == 200).collect();
        assert_eq!(won.len(), 1);
        // The rest came too late, or found the hashing pool full.
        assert!(all.iter().all(|it| [200, 400, 503].contains(&it.status.as_u16())));
        assert!(opens(&app, MINJI.0, &format!("{NEW}-{}", won[0])).await);
    }
}

/// RC-02 of the attack kit.
#[tokio::test]
async fn a_newer_link_is_the_only_one_and_no_link_waits_longer_than_15_minutes() {
    let minji = start().await;
    recover(&minji, MINJI.0).await.expect(200);
    let older = newest_link(&minji.app).await;
    minji.app.advance(1);
    recover(&minji, MINJI.0).await.expect(200);
    let newer = newest_link(&minji.app).await;
    assert_ne!(older, newer);
    minji.open(&older).await.expect(400);
    set_password(&minji, &older, NEW).await.expect(400);
    minji.app.advance(899);
    minji.open(&newer).await.expect(200);
    minji.app.advance(1);
    minji.open(&newer).await.expect(400);
    set_password(&minji, &newer, NEW).await.expect(400);
    assert!(opens(&minji.app, MINJI.0, MINJI.1).await);
}

/// What the trail tells of refused links of somebody: what for, and why, the newest first.
async fn refused_links(app: &TestApp, email: &'static str) -> Vec<(String, String)> {
    let (subject, kind) = (Some(users_id(app, email).await), Some(Kind::LinkRefused));
    let filter = AuditFilter { subject, kind, ..Default::default() };
    let page = Page::first(100);
    let listed = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    let told = listed.items.into_iter().map(|event| {
        assert_eq!((event.actor_kind.as_str(), event.outcome), ("anonymous", Outcome::Refused));
        let text = |name: &str| event.detail[name].as_str().unwrap().to_owned();
        (text("purpose"), text("reason"))
    });
    told.collect()
}

/// AU-02 of the attack kit: a link that was genuine once is told of, with the reason; a guess is
/// not, whosever it is.
#[tokio::test]
async fn a_genuine_link_that_opens_nothing_is_in_the_trail_and_a_guess_is_not() {
    let minji = start().await;
    let app = &minji.app;
    let recover_told = |why: &str| ("recover".to_owned(), why.to_owned());
    recover(&minji, MINJI.0).await.expect(200);
    let older = newest_link(app).await;
    set_password(&minji, &wrong_secret(&older), NEW).await.expect(400);
    set_password(&minji, "?ticket=mj_ml_garbage", NEW).await.expect(400);
    assert_eq!(refused_links(app, MINJI.0).await, [], "guesses");

    app.advance(1);
    recover(&minji, MINJI.0).await.expect(200);
    let newer = newest_link(app).await;
    minji.open(&older).await.expect(400);
    assert_eq!(refused_links(app, MINJI.0).await, [recover_told("used or taken back")]);
    app.advance(1);
    let ticket = ticket_of(&newer);
    minji.send("/verify", &[("ticket", &ticket)]).await.expect(400);
    assert_eq!(refused_links(app, MINJI.0).await[0], recover_told("for something else"));
    app.advance(900);
    set_password(&minji, &newer, NEW).await.expect(400);
    assert_eq!(refused_links(app, MINJI.0).await[0], recover_told("too late"));

    app.advance(1);
    recover(&minji, MINJI.0).await.expect(200);
    let link = newest_link(app).await;
    minji.open(&link).await.expect(200);
    assert_eq!(refused_links(app, MINJI.0).await.len(), 3, "a good link is not refused");
    set_password(&minji, &link, NEW).await.expect(200);
    app.advance(1);
    set_password(&minji, &link, NEW).await.expect(400);
    assert_eq!(refused_links(app, MINJI.0).await[0], recover_told("used or taken back"));

    sign_up(&minji, BORA).await.expect(200);
    let link = newest_link(app).await;
    let id = users_id(app, BORA).await;
    let disable = format!("/api/v1/admin/users/{id}/disable");
    app.act_as(Method::POST, &disable, &app.admin().await).await.expect(204);
    minji.open(&link).await.expect(400);
    let why = "the account is disabled or has another address".to_owned();
    assert_eq!(refused_links(app, BORA).await, [("verify".to_owned(), why)]);
    assert_eq!(refused_links(app, MINJI.0).await.len(), 4);
}

async fn users_id(app: &TestApp, email: &'static str) -> UserId {
    let found = app.app.store.read(move |tx| users::find_by_email(tx, email)).await.unwrap();
    found.unwrap().id
}

/// LG-01 of the attack kit.
#[tokio::test]
async fn asking_for_a_link_gets_the_same_answer_for_every_address() {
    let visitor = start().await;
    let known = alike(&recover(&visitor, "minji@demo.local").await.expect(200));
    let unknown = alike(&recover(&visitor, "minjj@demo.local").await.expect(200));
    assert_eq!(known, (unknown.0, unknown.1, unknown.2.replace("minjj", "minji")));
    let mails = mailbox(&visitor.app).await;
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, MINJI.0));
}

/// LG-02 of the attack kit, by its cause: the answer waits for a time, not for the work. The
/// campaign `munjigi-e2e timings` measures what comes of it.
#[expect(clippy::disallowed_methods, reason = "the time of the answer is the point")]
#[tokio::test]
async fn asking_for_a_link_is_answered_at_a_time_that_does_not_depend_on_the_work() {
    let visitor = start().await;
    for email in [MINJI.0, "nobody@demo.local"] {
        let began = std::time::Instant::now();
        recover(&visitor, email).await.expect(200);
        let took = began.elapsed();
        assert!(took.as_millis() >= 100, "{email}: {took:?}");
    }
}

#[tokio::test]
async fn nobody_can_fill_somebodys_mailbox_and_the_answer_does_not_say_so() {
    let visitor = start().await;
    let first = alike(&recover(&visitor, MINJI.0).await);
    for _ in 0..20 {
        assert_eq!(alike(&recover(&visitor, MINJI.0).await), first);
        sign_up(&visitor, MINJI.0).await.expect(200);
    }
    assert_eq!(mailbox(&visitor.app).await.len(), 5);
}

/// RC-01 of the attack kit: by every header and by the address of the request itself (RFC 9112
/// §3.2.2), in development and in production.
#[tokio::test]
async fn links_lead_to_the_configured_issuer_whatever_a_request_says() {
    let server = MailServer::start(Protection::Nothing).await;
    let url = format!("smtp://localhost:{}?tls=none", server.port);
    let (dev, serving) = (TestApp::start().await, TestApp::start_from(relay(&url)).await);
    for (app, host) in [(&dev, "localhost:6666"), (&serving, "evil.example")] {
        let recover = |uri: &str| Request::post(uri).header("host", host);
        let mut requests = vec![(recover(&format!("http://{host}/recover")), JUN.0)];
        for (name, value) in [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-port", "6666"),
            ("forwarded", "host=evil.example;proto=gopher"),
            ("x-original-url", "https://evil.example/"),
        ] {
            requests.push((recover("/recover").header(name, value), MINJI.0));
        }
        for (request, email) in requests {
            let request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(format!("email={email}")));
            let page = app.send(request.unwrap()).await.expect(200).page();
            assert!(!page.contains("evil") && !page.contains("6666"), "{page}");
        }
    }
    let arrived = mailbox(&dev).await;
    assert_eq!(arrived.len(), 6);
    for mail in arrived {
        assert!(!mail.links.is_empty(), "{}", mail.text);
        assert!(mail.links.iter().all(|link| link.starts_with(&format!("{ISSUER}/"))));
        assert!(!mail.text.contains("evil") && !mail.text.contains("6666"), "{}", mail.text);
    }
    assert_eq!(outbox::run(&serving.app).await.unwrap(), 6);
    for mail in server.mails.lock().unwrap().iter() {
        // RFC 2045 §6.7: long lines are broken, and `=` is written so.
        let mail = mail.replace("=\r\n", "").replace("=3D", "=");
        let ours = mail.matches(&format!("{ISSUER}/recover/password?ticket=")).count();
        assert!(ours > 0 && mail.matches("://").count() == ours, "{mail}");
        assert!(!mail.contains("evil") && !mail.contains("6666"), "{mail}");
    }
}

#[tokio::test]
async fn a_link_for_one_thing_does_nothing_else_and_a_changed_one_nothing_at_all() {
    let visitor = start().await;
    sign_up(&visitor, BORA).await.expect(200);
    let link = newest_link(&visitor.app).await;
    let ticket = ticket_of(&link);
    visitor.open(&format!("/recover/password?ticket={ticket}")).await.expect(400);
    set_password(&visitor, &link, NEW).await.expect(400);
    let other = if ticket.ends_with('A') { 'E' } else { 'A' };
    let changed = format!("{}{other}", &ticket[..ticket.len() - 1]);
    for bad in ["", "x", "mj_ml_", changed.as_str()] {
        visitor.open(&format!("/verify?ticket={bad}")).await.expect(400);
        visitor.send("/verify", &[("ticket", bad)]).await.expect(400);
    }
    assert_eq!(is_verified(&visitor.app, BORA).await, Some(false));
}

/// LG-10 of the attack kit.
#[tokio::test]
async fn no_other_site_signs_up_recovers_or_follows_a_link_in_a_persons_name() {
    let visitor = start().await;
    for path in ["/signup", "/verify", "/recover", "/recover/password"] {
        let fields = [("email", BORA), ("password", NEW), ("ticket", "x")];
        visitor.send_from("cross-site", path, &fields).await.expect(403);
    }
    assert!(mailbox(&visitor.app).await.is_empty());
}
