//! Mails on their way: from the transaction that they tell of to whom they are for, over real
//! connections, and what becomes of them when nobody answers. Logout tokens are `sign_out`'s.

use munjigi_core::account::Email;
use munjigi_core::audit::Kind;
use munjigi_server::config::{Config, Outbound};
use munjigi_server::fetch::parse_roots;
use munjigi_server::mail::{About, Device, Link, Mail, MailConfig, Relay, parse_sender};
use munjigi_server::page::locale::Locale;
use munjigi_server::{Mode, outbox};
use munjigi_store::audit::{self, AuditFilter};
use munjigi_store::outbox::{Parcel, due, insert, take};
use munjigi_store::page::Page;
use munjigi_store::{Audit, Committed, DatabaseUrl, StoreError};
use serde_json::Value;

use crate::harness::{TestApp, config};
use crate::smtp::{CA, MailServer, Protection};

const CANARY: &str = "canary-ticket-7f3a";

/// A mail whose link holds the canary.
fn verify(app: &TestApp, to: &str) -> Mail {
    let link = Link::to(&app.app.config, "/verify", &[("ticket", CANARY)]);
    let about = About::Verify { link, valid_seconds: 86_400 };
    Mail::new(&Email::parse(to).unwrap(), None, locale("en"), about)
}

fn locale(tag: &str) -> Locale {
    Locale::parse(tag).unwrap()
}

async fn write(app: &TestApp, parcel: Parcel) {
    let written = app.app.store.write(move |tx| {
        insert(tx, &parcel)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test")))
    });
    written.await.unwrap();
}

async fn post(app: &TestApp, mail: &Mail) {
    let parcel = outbox::mail(&app.app, mail).unwrap().unwrap();
    write(app, parcel).await;
}

/// As in production, with a mail server.
pub fn relay(url: &str) -> Config {
    let from = parse_sender("\"문지기, Inc.\" <no-reply@example.kr>").unwrap();
    let mail = MailConfig { relay: Relay::parse(url).unwrap(), from, reply_to: None };
    let outbound = Outbound { roots: parse_roots(CA).unwrap(), ..Outbound::default() };
    let config = config(DatabaseUrl::SqliteMemory);
    Config { mode: Mode::Serve, mail: Some(mail), outbound, ..config }
}

async fn sent(app: &TestApp) -> usize {
    outbox::run(&app.app).await.unwrap()
}

/// What the audit trail says of deliveries that failed.
async fn failures(app: &TestApp) -> Vec<String> {
    let filter = AuditFilter { kind: Some(Kind::DeliveryFailed), ..AuditFilter::default() };
    let page = Page::first(100);
    let found = app.app.store.read(move |tx| audit::list(tx, &page, &filter)).await.unwrap();
    found.items.into_iter().map(|event| serde_json::to_string(&event.detail).unwrap()).collect()
}

#[tokio::test]
async fn a_mail_is_handed_over_by_starttls_with_a_password_and_text_and_html() {
    let server = MailServer::start(Protection::StartTls).await;
    let url = format!("smtp://mailer:p%40ss@localhost:{}", server.port);
    let app = TestApp::start_from(relay(&url)).await;
    post(&app, &verify(&app, "new@example.kr")).await;
    assert_eq!(sent(&app).await, 1);

    let said = server.said.lock().unwrap().clone();
    let at = |start: &str| said.iter().position(|line| line.starts_with(start));
    // Nothing but the greeting is said before TLS.
    assert_eq!(said[0], "EHLO localhost");
    assert_eq!(said[1], "STARTTLS");
    assert!(at("AUTH PLAIN") > at("STARTTLS"), "{said:?}");
    assert!(at("MAIL FROM:<no-reply@example.kr>") > at("AUTH"), "{said:?}");
    assert!(at("RCPT TO:<new@example.kr>").is_some(), "{said:?}");

    let mail = server.mails.lock().unwrap()[0].clone();
    for line in [
        "To: new@example.kr\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Language: en\r\n",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
    ] {
        assert!(mail.contains(line), "{line} in {mail}");
    }
    assert!(mail.contains("@localhost>\r\n"), "the Message-ID is the issuer's: {mail}");
    assert!(mail.contains(CANARY), "{mail}");
    assert_eq!(sent(&app).await, 0, "it is sent once");
}

#[tokio::test]
async fn a_mail_is_handed_over_by_tls_from_the_first_byte_and_plain_to_this_machine() {
    for (protection, scheme, query) in
        [(Protection::Implicit, "smtps", ""), (Protection::Nothing, "smtp", "?tls=none")]
    {
        let server = MailServer::start(protection).await;
        let url = format!("{scheme}://127.0.0.1:{}{query}", server.port);
        let app = TestApp::start_from(relay(&url)).await;
        post(&app, &verify(&app, "new@example.kr")).await;
        assert_eq!(sent(&app).await, 1, "{scheme}");
        assert_eq!(server.mails.lock().unwrap().len(), 1, "{scheme}");
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_mail_server_without_tls_or_with_a_strangers_certificate() {
    let plain = MailServer::start(Protection::Nothing).await;
    let app = TestApp::start_from(relay(&format!("smtp://u:p@localhost:{}", plain.port))).await;
    post(&app, &verify(&app, "new@example.kr")).await;
    assert_eq!(sent(&app).await, 0);
    let said = plain.said.lock().unwrap().join("\n");
    assert!(!said.contains("AUTH") && !said.contains("MAIL") && !said.contains("RCPT"), "{said}");

    for (protection, scheme) in [(Protection::StartTls, "smtp"), (Protection::Implicit, "smtps")] {
        let server = MailServer::start(protection).await;
        let config = relay(&format!("{scheme}://u:p@localhost:{}", server.port));
        let app = TestApp::start_from(Config { outbound: Outbound::default(), ..config }).await;
        post(&app, &verify(&app, "new@example.kr")).await;
        assert_eq!(sent(&app).await, 0, "{scheme}");
        let said = server.said.lock().unwrap().join("\n");
        assert!(!said.contains("AUTH") && !said.contains("MAIL"), "{said}");
    }
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again_five_times_and_then_given_up_and_told() {
    let server = MailServer::start(Protection::Nothing).await;
    let url = format!("smtp://localhost:{}?tls=none", server.port);
    let app = TestApp::start_from(relay(&url)).await;
    *server.answer.lock().unwrap() = "451 later";
    post(&app, &verify(&app, "new@example.kr")).await;
    let attempts =
        || server.said.lock().unwrap().iter().filter(|line| line.starts_with("RCPT")).count();
    assert_eq!((sent(&app).await, attempts()), (0, 1));
    for (attempt, pause) in [60, 300, 1_800, 7_200, 28_800].into_iter().enumerate() {
        app.advance(pause - 1);
        assert_eq!((sent(&app).await, attempts()), (0, attempt + 1), "before {pause}");
        app.advance(1);
        assert_eq!((sent(&app).await, attempts()), (0, attempt + 2), "after {pause}");
    }
    app.advance(1_000_000);
    *server.answer.lock().unwrap() = "250 ok";
    assert_eq!((sent(&app).await, attempts()), (0, 6));

    let failures = failures(&app).await;
    assert_eq!(failures.len(), 1);
    assert!(failures[0].contains("the mail server answered 451"), "{failures:?}");
    assert!(!failures[0].contains("new@example.kr"), "{failures:?}");
}

#[tokio::test]
async fn a_mail_gets_through_in_a_later_attempt_and_is_the_same_mail() {
    let server = MailServer::start(Protection::Nothing).await;
    let url = format!("smtp://localhost:{}?tls=none", server.port);
    let app = TestApp::start_from(relay(&url)).await;
    *server.answer.lock().unwrap() = "535 not you";
    post(&app, &verify(&app, "new@example.kr")).await;
    assert_eq!(sent(&app).await, 0);
    *server.answer.lock().unwrap() = "250 ok";
    app.advance(60);
    assert_eq!(sent(&app).await, 1);
    // Dated by when it was written, not by when it got through.
    let mail = server.mails.lock().unwrap()[0].clone();
    assert!(mail.contains("Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n"), "{mail}");
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_written_to_once() {
    let server = MailServer::start(Protection::Nothing).await;
    let url = format!("smtp://localhost:{}?tls=none", server.port);
    let app = TestApp::start_from(relay(&url)).await;
    *server.answer.lock().unwrap() = "550 nobody here";
    post(&app, &verify(&app, "new@example.kr")).await;
    assert_eq!(sent(&app).await, 0);
    assert_eq!(failures(&app).await.len(), 1);
    app.advance(1_000_000);
    *server.answer.lock().unwrap() = "250 ok";
    assert_eq!(sent(&app).await, 0);
}

/// WB-04 and the promise of the table: whoever reads the database reads no mail and no link.
#[tokio::test]
async fn the_database_holds_mails_sealed_and_none_once_they_are_sent() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("munjigi.db");
    let app = TestApp::start_from(config(DatabaseUrl::SqliteFile(file))).await;
    post(&app, &verify(&app, "canary@example.kr")).await;
    let found = |needle: &str| {
        std::fs::read_dir(directory.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
        })
    };
    let now = app.app.clock.now();
    let waiting = app.app.store.read(move |tx| due(tx, now, 10)).await.unwrap();
    let sealed = &waiting[0].parcel.payload;
    // The sealed content is there, and the words of the mail are not.
    let holds_it = std::fs::read_dir(directory.path()).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(sealed.len()).any(|window| window == sealed.as_slice())
    });
    assert!(holds_it);
    assert!(!found(CANARY) && !found("canary@example.kr"));
    assert_eq!(sent(&app).await, 1);
    assert!(!found(CANARY) && !found("canary@example.kr"));
    assert!(app.app.store.read(move |tx| due(tx, now, 10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_payload_moved_to_another_row_or_kind_does_not_open() {
    let app = TestApp::start_from(config(DatabaseUrl::SqliteMemory)).await;
    let first = outbox::mail(&app.app, &verify(&app, "a@example.kr")).unwrap().unwrap();
    let second = outbox::mail(&app.app, &verify(&app, "b@example.kr")).unwrap().unwrap();
    write(&app, Parcel { payload: first.payload, ..second }).await;
    assert_eq!(sent(&app).await, 0);
    assert!(app.app.mail.mailbox().unwrap().list().is_empty());
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_written() {
    let app = TestApp::serving().await;
    assert!(!app.app.mail.is_on());
    assert!(outbox::mail(&app.app, &verify(&app, "a@example.kr")).unwrap().is_none());
    assert_eq!(app.get("/dev/mail.json").await.status, 404);
}

#[tokio::test]
async fn in_dev_mails_land_in_the_mailbox_the_newest_first_and_nothing_leaves() {
    let app = TestApp::start().await;
    for number in 0..205 {
        post(&app, &verify(&app, &format!("a{number}@example.kr"))).await;
        app.advance(1);
    }
    assert_eq!(sent(&app).await, 205);
    let messages = app.get("/dev/mail.json").await.expect(200).json();
    let messages = messages["messages"].as_array().unwrap().clone();
    assert_eq!(messages.len(), 200);
    let first: &Value = &messages[0];
    assert_eq!(first["subject"], "[localhost] Confirm your e-mail address");
    let link = format!("http://localhost:8000/verify?ticket={CANARY}");
    assert_eq!(first["links"][0], link.as_str());
    assert!(first["text"].as_str().unwrap().contains(&link));
    assert!(first["html"].as_str().unwrap().contains(&link));
    assert!(first["id"].is_string() && first["sent_at"].is_string() && first["to"].is_string());

    let page = app.get("/dev/mail").await.expect(200);
    let id = first["id"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&page.bytes).contains(id));
    let one = app.get(&format!("/dev/mail/{id}")).await.expect(200);
    assert!(String::from_utf8_lossy(&one.bytes).contains(CANARY));
    app.get("/dev/mail/nothing").await.expect(404);

    let emptied = app.act_as(http::Method::DELETE, "/dev/mail.json", "").await;
    assert_eq!(emptied.status, 204);
    assert_eq!(app.get("/dev/mail.json").await.json()["messages"], serde_json::json!([]));
}

#[tokio::test]
async fn every_mail_is_complete_in_both_languages_and_escapes_what_people_typed() {
    let app = TestApp::start().await;
    let config = &app.app.config;
    let link = || Link::to(config, "/x", &[("a", "1"), ("b", "<2>")]);
    let evil = "<img src=x>\r\nBcc: v@x\u{202e}";
    let device = || Device { name: Some(evil.to_owned()), address: Some("203.0.113.7".to_owned()) };
    let new_email = || "new<b>@example.kr".to_owned();
    let valid_seconds = 900;
    let all = [
        About::Verify { link: link(), valid_seconds },
        About::AccountExists { sign_in: link(), recover: link() },
        About::Recover { link: link(), valid_seconds },
        About::ConfirmNewEmail { link: link(), valid_seconds },
        About::ConfirmOldEmail { new_email: new_email(), link: link(), valid_seconds },
        About::EmailChanged { new_email: new_email(), undo: link(), valid_seconds: 604_800 },
        About::PasswordChanged { at_millis: 0, device: device(), recover: link() },
        About::SignedIn { at_millis: 0, device: device(), account: link() },
        About::RefreshReused { client_name: evil.to_owned(), at_millis: 0, account: link() },
        About::DeletionPlanned { on_millis: 0, account: link() },
    ];
    let to = Email::parse("a@example.kr").unwrap();
    for about in all {
        for tag in ["en", "ko"] {
            let letter = Mail::new(&to, None, locale(tag), about.clone()).letter(config);
            let shown = format!("{}\n{}\n{}", letter.subject, letter.text, letter.html);
            // An id instead of a text, or a text with a hole.
            assert!(!shown.contains("mail-") && !shown.contains("{$") && !shown.contains("{ $"));
            assert!(letter.html.contains(&format!("lang=\"{tag}\"")));
            assert!(!letter.html.contains("<img") && !letter.html.contains("new<b>"), "{shown}");
            assert!(!letter.text.contains("\nBcc") && !shown.contains('\u{202e}'), "{shown}");
            assert!(!letter.subject.contains(char::is_control));
            assert!(!letter.links.is_empty());
            assert!(letter.links.iter().all(|link| link.starts_with("http://localhost:8000/x?")));
            assert!(!shown.contains("https://"), "no other link: {shown}");
        }
    }
}

/// A node that dies between sending and writing that down is not heard of: at least once.
#[tokio::test]
async fn what_a_dead_node_held_is_sent_by_another_one_after_ten_minutes() {
    let app = TestApp::start().await;
    post(&app, &verify(&app, "a@example.kr")).await;
    let now = app.app.clock.now();
    let until = now.plus(munjigi_core::time::Span::from_minutes(10));
    let taken = app.app.store.write(move |tx| {
        for one in due(tx, now, 10)? {
            assert!(take(tx, &one, until)?);
        }
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test")))
    });
    taken.await.unwrap();
    app.advance(599);
    assert_eq!(sent(&app).await, 0);
    app.advance(1);
    assert_eq!(sent(&app).await, 1);
}
