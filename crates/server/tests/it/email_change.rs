//! Another address for an account: agreed to from both mailboxes, and taken back from the old one.

use http::Method;
use munjigi_core::account::Password;
use munjigi_core::account::link::{Link, Purpose};
use munjigi_core::id::LinkId;
use munjigi_core::oauth::ticket::{Ticket, TicketKind};
use munjigi_server::operate::Operator;
use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, StoreError, each_backend, links};
use serde_json::json;

use crate::account_pages::{NEW_PASSWORD, SESSION};
use crate::cast::subject;
use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp};
use crate::mailed_links::{
    alike, is_verified, mailbox, newest_link, opens, recover, set_password, ticket_of,
};
use crate::visitor::Visitor;

const OTHER: &str = "minji@other.example";
const ME: &str = "/api/v1/users/me";

async fn ask(visitor: &Visitor, email: &str) -> Answer {
    visitor.send("/account/email", &[("email", email), ("current_password", MINJI.1)]).await
}

/// The newest link that was mailed to an address.
async fn link_to(app: &TestApp, to: &str) -> String {
    let mails = mailbox(app).await;
    let mail = mails.iter().find(|mail| mail.to == to).unwrap_or_else(|| panic!("none to {to}"));
    mail.links[0].clone()
}

pub async fn follow(visitor: &Visitor, link: &str) -> Answer {
    let page = link.split('?').next().unwrap();
    visitor.send(page, &[("ticket", &ticket_of(link))]).await
}

/// Changes the address from both mailboxes; the link that takes it back.
pub async fn change(visitor: &Visitor, from: &str, to: &str) -> String {
    let app = &visitor.app;
    app.advance(1);
    ask(visitor, to).await.expect(200);
    let (old, new) = (link_to(app, from).await, link_to(app, to).await);
    follow(visitor, &old).await.expect(200);
    follow(visitor, &new).await.expect(200);
    link_to(app, from).await
}

/// Has an administrator delete somebody.
async fn delete(app: &TestApp, id: &str) {
    let (admin, path) = (app.admin().await, format!("/api/v1/admin/users/{id}"));
    app.act_as(Method::DELETE, &path, &admin).await.expect(204);
}

async fn email_of(app: &TestApp, name: &str, password: &str) -> String {
    let body = json!({"username": name, "password": password});
    let tokens = app.post("/api/v1/users/signin", body).await.tokens();
    app.read_as(ME, &tokens.access).await.expect(200).text("/email")
}

each_backend! {
    /// RC-04 of the attack kit.
    async fn an_address_is_changed_when_both_mailboxes_agreed_and_not_before(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let id = subject(&app.sign_in(MINJI).await.access);
        minji.open("/account/email").await.expect(200);
        assert!(ask(&minji, OTHER).await.expect(200).page().contains(OTHER));
        let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
        for link in [&old, &new] {
            assert!(link.starts_with(&format!("{ISSUER}/account/email/confirm?ticket=mj_ml_")));
        }

        // In whichever browser the account is signed in; a scanner only looks.
        let phone = Visitor::of_owner(&app, MINJI).await;
        for link in [&old, &new, &old, &new] {
            let page = phone.open(link).await.expect(200);
            assert!(page.page().contains(OTHER));
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        }
        follow(&phone, &new).await.expect(200);
        follow(&phone, &new).await.expect(400);
        assert_eq!(email_of(&app, "minji", MINJI.1).await, MINJI.0, "the old one still works");
        assert_eq!(is_verified(&app, OTHER).await, None);

        let page = follow(&phone, &old).await.expect(200).page();
        assert!(page.contains(OTHER), "{page}");
        assert_eq!(is_verified(&app, OTHER).await, Some(true));
        assert!(opens(&app, OTHER, MINJI.1).await && !opens(&app, MINJI.0, MINJI.1).await);
        assert!(minji.sees_the_account().await, "who asked stays signed in");
        for link in [&old, &new] {
            phone.open(link).await.expect(400);
        }
        let trail = app.trail(&id).await;
        for kind in ["email_change_requested", "email_change_confirmed", "email_changed"] {
            assert!(trail.contains(&kind.to_owned()), "{kind} in {trail:?}");
        }
    }

    async fn of_two_who_agree_at_once_the_second_one_changes_it(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        ask(&minji, OTHER).await.expect(200);
        let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
        let both = [follow(&minji, &old), follow(&minji, &new)];
        for answer in futures_util::future::join_all(both).await {
            answer.expect(200);
        }
        assert_eq!(is_verified(&app, OTHER).await, Some(true));
    }

    /// ASVS 6.3.7: the old address is told, and has a way back.
    async fn the_old_address_is_told_and_takes_the_change_back_for_a_week(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let tokens = app.sign_in(MINJI).await;
        ask(&minji, OTHER).await.expect(200);
        let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
        follow(&minji, &old).await.expect(200);
        follow(&minji, &new).await.expect(200);
        let told = &mailbox(&app).await[0];
        assert_eq!(told.to, MINJI.0);
        assert!(told.text.contains(OTHER), "{}", told.text);
        let undo = told.links[0].clone();
        assert!(undo.starts_with(&format!("{ISSUER}/account/email/undo?ticket=mj_ml_")), "{undo}");

        app.advance(6 * 24 * 3_600);
        let phone = Visitor::of(&app);
        phone.open(&undo).await.expect(200);
        assert!(opens(&app, OTHER, MINJI.1).await, "looking at it changes nothing");
        let page = follow(&phone, &undo).await.expect(200).page();
        assert!(page.contains(MINJI.0), "{page}");
        choose_anew(&app, MINJI.0).await;
        assert!(!opens(&app, OTHER, MINJI.1).await && !opens(&app, OTHER, NEW_PASSWORD).await);
        assert_eq!(is_verified(&app, "minji@demo.local").await, Some(true));
        assert!(!minji.sees_the_account().await, "everybody is signed out");
        app.refresh(&tokens.refresh).await.expect(400);
        follow(&phone, &undo).await.expect(400);
        let trail = app.trail(&subject(&tokens.access)).await;
        for kind in ["email_change_undone", "password_removed"] {
            assert!(trail.contains(&kind.to_owned()), "{kind} in {trail:?}");
        }
    }

    /// Whoever changed the address knows the password, and may have let a client of their own in.
    async fn taking_a_change_back_takes_the_intruders_password_away(database) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let intruder = Visitor::of_owner(&app, MINJI).await;
        intruder.connect().await;
        let undo = change(&intruder, MINJI.0, OTHER).await;

        follow(&Visitor::of(&app), &undo).await.expect(200);
        for name in [MINJI.0, OTHER] {
            assert!(!opens(&app, name, MINJI.1).await, "{name}");
        }
        let login = [("username", "minji"), ("password", MINJI.1)];
        intruder.send("/login", &login).await.expect(422);
        choose_anew(&app, MINJI.0).await;
        let owner = Visitor::of_owner(&app, (MINJI.0, NEW_PASSWORD)).await;
        let page = owner.open("/account/applications").await.expect(200).page();
        assert!(!page.contains("value=\"spa\""), "{page}");
    }

    /// A stranger cannot have somebody else's mailbox prove an address for the stranger's account.
    async fn the_link_to_a_new_address_is_followed_by_whoever_is_signed_in_with_the_account(
        database,
    ) {
        let app = TestApp::start_with(&database).await;
        let stranger = Visitor::of_owner(&app, MINJI).await;
        ask(&stranger, OTHER).await.expect(200);
        let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
        follow(&stranger, &old).await.expect(200);
        for victim in [Visitor::of(&app), Visitor::of_owner(&app, JUN).await] {
            let page = victim.open(&new).await.expect(200).page();
            let is_asked = page.contains("action=\"/account/email/confirm");
            assert!(page.contains("/login") && !is_asked, "{page}");
            follow(&victim, &new).await.expect(403);
        }
        assert_eq!(is_verified(&app, OTHER).await, None);
        // It is not spent by that.
        follow(&stranger, &new).await.expect(200);
        assert_eq!(is_verified(&app, OTHER).await, Some(true));
    }
}

/// Nobody has a password, until the link is followed that was mailed to an address.
async fn choose_anew(app: &TestApp, email: &str) {
    assert!(!opens(app, email, MINJI.1).await, "the password is gone");
    let mails = mailbox(app).await;
    let mail = mails.iter().find(|mail| mail.to == email && mail.links[0].contains("/recover/"));
    let link = mail.expect("a link for another password").links[0].clone();
    set_password(&Visitor::of(app), &link, NEW_PASSWORD).await.expect(200);
    assert!(opens(app, email, NEW_PASSWORD).await);
}

/// An account in somebody else's hands cannot be changed twice to lose its owner's way back.
#[tokio::test]
async fn a_second_change_leaves_the_way_back_to_the_first_address() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let back = change(&minji, MINJI.0, OTHER).await;
    let later = change(&minji, OTHER, "minji@third.example").await;
    follow(&minji, &back).await.expect(200);
    choose_anew(&app, MINJI.0).await;
    follow(&minji, &later).await.expect(400);
}

/// Whoever has the account in hand takes their own second change back first.
#[tokio::test]
async fn taking_a_second_change_back_leaves_the_way_back_to_the_first_address() {
    let app = TestApp::start().await;
    let thief = Visitor::of_owner(&app, MINJI).await;
    let back = change(&thief, MINJI.0, OTHER).await;
    let later = change(&thief, OTHER, "minji@third.example").await;
    follow(&thief, &later).await.expect(200);
    assert_eq!(is_verified(&app, OTHER).await, Some(true));
    follow(&Visitor::of(&app), &back).await.expect(200);
    choose_anew(&app, MINJI.0).await;
    assert_eq!(is_verified(&app, OTHER).await, None);
}

#[tokio::test]
async fn a_change_cannot_be_taken_back_after_a_week() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    ask(&minji, OTHER).await.expect(200);
    for to in [MINJI.0, OTHER] {
        follow(&minji, &link_to(&app, to).await).await.expect(200);
    }
    let undo = newest_link(&app).await;
    app.advance(7 * 24 * 3_600);
    minji.open(&undo).await.expect(400);
    follow(&minji, &undo).await.expect(400);
    assert!(opens(&app, OTHER, MINJI.1).await);
}

/// RC-04 and LG-01 of the attack kit: whose address it is, nobody learns.
#[tokio::test]
async fn a_taken_address_gets_the_same_answer_and_its_owner_a_mail() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let free = alike(&ask(&minji, "juj@demo.local").await.expect(200));
    app.advance(1);
    let taken = alike(&ask(&minji, JUN.0).await.expect(200));
    assert_eq!((free.0, free.1, free.2.replace("juj@", "jun@")), taken);

    let mails = mailbox(&app).await;
    let to_jun: Vec<_> = mails.iter().filter(|mail| mail.to == JUN.0).collect();
    assert_eq!(to_jun.len(), 1);
    assert_eq!(to_jun[0].links, [format!("{ISSUER}/login"), format!("{ISSUER}/recover")]);
    // Agreeing at the old address looks the same, too, and changes nothing.
    let page = follow(&minji, &link_to(&app, MINJI.0).await).await.expect(200).page();
    assert!(!page.contains(JUN.0), "{page}");
    assert!(opens(&app, MINJI.0, MINJI.1).await && opens(&app, JUN.0, JUN.1).await);
}

#[tokio::test]
async fn an_address_that_somebody_took_meanwhile_is_theirs() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    ask(&minji, OTHER).await.expect(200);
    let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
    follow(&minji, &old).await.expect(200);
    app.sign_up(OTHER, NEW_PASSWORD).await;
    follow(&minji, &new).await.expect(400);
    assert!(opens(&app, MINJI.0, MINJI.1).await && opens(&app, OTHER, NEW_PASSWORD).await);
}

/// Nor is what was agreed to lost: it is theirs who proved it once it is free again.
#[tokio::test]
async fn a_stranger_who_takes_the_address_meanwhile_does_not_use_up_the_link() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    ask(&minji, OTHER).await.expect(200);
    let (old, new) = (link_to(&app, MINJI.0).await, link_to(&app, OTHER).await);
    follow(&minji, &old).await.expect(200);
    let stranger = app.sign_up(OTHER, NEW_PASSWORD).await;
    follow(&minji, &new).await.expect(400);
    delete(&app, &stranger).await;
    follow(&minji, &new).await.expect(200);
    assert_eq!(email_of(&app, "minji", MINJI.1).await, OTHER);
}

each_backend! {
    /// Whoever follows the way back reads the mails there; whoever signed up with the address
    /// since has only typed it.
    async fn an_address_that_a_stranger_only_typed_is_taken_back_from_them(database) {
        let app = TestApp::start_with(&database).await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        let undo = change(&minji, MINJI.0, OTHER).await;
        app.advance(1);
        let stranger = app.sign_up(MINJI.0, NEW_PASSWORD).await;
        let tokens = app.sign_in((MINJI.0, NEW_PASSWORD)).await;
        follow(&Visitor::of(&app), &undo).await.expect(200);
        assert!(!opens(&app, MINJI.0, NEW_PASSWORD).await);
        choose_anew(&app, MINJI.0).await;
        app.read_as(ME, &tokens.access).await.expect(401);
        assert!(app.trail(&stranger).await.contains(&"user_deleted".to_owned()));
    }
}

#[tokio::test]
async fn an_address_that_somebody_proved_meanwhile_is_theirs_and_the_way_back_waits() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let undo = change(&minji, MINJI.0, OTHER).await;
    app.advance(1);
    let other = Visitor::of(&app);
    other.send("/signup", &[("email", MINJI.0), ("password", NEW_PASSWORD)]).await.expect(200);
    let verify = newest_link(&app).await;
    other.send("/verify", &[("ticket", &ticket_of(&verify))]).await;
    assert_eq!(is_verified(&app, MINJI.0).await, Some(true));
    follow(&minji, &undo).await.expect(400);
    assert!(opens(&app, MINJI.0, NEW_PASSWORD).await && opens(&app, OTHER, MINJI.1).await);

    delete(&app, &subject(&app.sign_in((MINJI.0, NEW_PASSWORD)).await.access)).await;
    follow(&minji, &undo).await.expect(200);
    choose_anew(&app, MINJI.0).await;
}

/// No link changes an address because the other one of its pair is not there.
#[tokio::test]
async fn one_link_without_the_other_of_its_pair_changes_nothing() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let user_id = subject(&app.sign_in(MINJI).await.access).parse().unwrap();
    let (now, id) = (app.clock.now(), LinkId::from_bytes([7; 16]));
    let ticket = Ticket::new(TicketKind::MailedLink, user_id, *id.as_bytes(), [8; 32]);
    let link = Link {
        user_id,
        id,
        purpose: Purpose::ChangeNew,
        hash: ticket.hash(),
        email: OTHER.to_owned(),
        created_at: now,
        expires_at: now.plus(Purpose::ChangeNew.ttl()),
        spent_at: None,
    };
    let written = app.app.store.write(move |tx| {
        links::insert(tx, &link)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test mails half of a pair")))
    });
    written.await.unwrap();
    let fields = [("ticket", ticket.seal().reveal().to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    minji.send("/account/email/confirm", &fields).await.expect(400);
    assert!(opens(&app, MINJI.0, MINJI.1).await);
}

#[tokio::test]
async fn an_address_is_not_changed_without_the_present_password() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    let send = async |email: &str, current: &str| {
        let fields = [("email", email), ("current_password", current)];
        minji.send("/account/email", &fields).await
    };
    let page = send(OTHER, "not-hers-at-all").await.expect(422).page();
    assert!(page.contains(OTHER) && !page.contains("not-hers"), "{page}");
    send(OTHER, "").await.expect(400);
    send("", MINJI.1).await.expect(400);
    send("nobody", MINJI.1).await.expect(422);
    send("MINJI@demo.local", MINJI.1).await.expect(422);
    send(MINJI.0, MINJI.1).await.expect(422);
    assert!(mailbox(&app).await.is_empty());
    let mut last = 0;
    for _ in 0..20 {
        last = send(OTHER, "a-wrong-guess").await.status.as_u16();
    }
    assert_eq!(last, 429, "one ledger for all guesses");
    assert!(mailbox(&app).await.is_empty());
}

/// RC-02 of the attack kit.
#[tokio::test]
async fn a_newer_wish_is_the_only_one_and_links_for_a_password_die_with_the_address() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    recover(&minji, MINJI.0).await.expect(200);
    let forgotten = newest_link(&app).await;
    app.advance(1);
    ask(&minji, "minji@mistyped.example").await.expect(200);
    let (mistyped_old, mistyped) =
        (link_to(&app, MINJI.0).await, link_to(&app, "minji@mistyped.example").await);
    app.advance(1);
    ask(&minji, OTHER).await.expect(200);
    for link in [&mistyped_old, &mistyped] {
        minji.open(link).await.expect(400);
        follow(&minji, link).await.expect(400);
    }
    minji.open(&forgotten).await.expect(200);
    for to in [MINJI.0, OTHER] {
        follow(&minji, &link_to(&app, to).await).await.expect(200);
    }
    minji.open(&forgotten).await.expect(400);
}

/// RC-02 of the attack kit: whoever knew the password before may have asked.
#[tokio::test]
async fn a_new_password_takes_back_every_open_link() {
    for by_api in [false, true] {
        let app = TestApp::start().await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        recover(&minji, MINJI.0).await.expect(200);
        let forgotten = newest_link(&app).await;
        app.advance(1);
        ask(&minji, OTHER).await.expect(200);
        let links = [forgotten, link_to(&app, MINJI.0).await, link_to(&app, OTHER).await];
        for link in &links {
            minji.open(link).await.expect(200);
        }
        if by_api {
            let tokens = app.sign_in(MINJI).await;
            let body = json!({"current_password": MINJI.1, "new_password": NEW_PASSWORD});
            let path = "/api/v1/users/me/password";
            app.call(Method::POST, path, &tokens.access, body).await.expect(204);
        } else {
            let fields = [("current_password", MINJI.1), ("password", NEW_PASSWORD)];
            minji.send("/account/password", &fields).await.expect(303);
        }
        for link in &links {
            minji.open(link).await.expect(400);
        }
    }
}

/// An administrator's change wins over a wish of before.
#[tokio::test]
async fn a_change_by_an_administrator_takes_back_every_open_link() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    ask(&minji, OTHER).await.expect(200);
    let links = [link_to(&app, MINJI.0).await, link_to(&app, OTHER).await];
    let id = subject(&app.sign_in(MINJI).await.access);
    let (admin, path) = (app.admin().await, format!("/api/v1/admin/users/{id}"));
    let body = json!({"email": "minji@set.example"});
    app.call(Method::PATCH, &path, &admin, body).await.expect(200);
    for link in &links {
        follow(&minji, link).await.expect(400);
    }
    assert!(opens(&app, "minji@set.example", MINJI.1).await);
}

/// Who decides from outside has the last word: no mail of before takes it back.
#[tokio::test]
async fn no_way_back_is_left_when_an_administrator_changes_or_disables_an_account() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let path = format!("/api/v1/admin/users/{}", subject(&app.sign_in(MINJI).await.access));
    let set = async |email: &str| {
        let body = json!({"email": email});
        app.call(Method::PATCH, &path, &admin, body).await.expect(200);
    };
    let minji = Visitor::of_owner(&app, MINJI).await;
    let undo = change(&minji, MINJI.0, OTHER).await;
    set("minji@set.example").await;
    follow(&minji, &undo).await.expect(400);
    assert!(opens(&app, "minji@set.example", MINJI.1).await);

    set(MINJI.0).await;
    minji.send("/account/email/verify", &[("action", "verify")]).await.expect(303);
    let verify = newest_link(&app).await;
    minji.open(&verify).await.expect(200);
    set(OTHER).await;
    set(MINJI.0).await;
    minji.open(&verify).await.expect(400);

    let undo = change(&minji, MINJI.0, OTHER).await;
    for what in ["disable", "enable"] {
        let path = format!("{path}/{what}");
        app.call(Method::POST, &path, &admin, json!({})).await.expect(204);
    }
    follow(&minji, &undo).await.expect(400);
}

/// The same of an operator, at the command line.
#[tokio::test]
async fn no_way_back_is_left_when_an_operator_resets_a_password_or_disables_an_account() {
    for resets in [true, false] {
        let database = Database::sqlite();
        let app = TestApp::start_with(&database).await;
        let operator = Operator::open(database.url().clone(), app.clock.clone()).await.unwrap();
        let minji = Visitor::of_owner(&app, MINJI).await;
        let undo = change(&minji, MINJI.0, OTHER).await;
        if resets {
            let password = Password::parse(NEW_PASSWORD.to_owned()).unwrap();
            operator.reset_password(OTHER, password).await.unwrap();
        } else {
            operator.disable_user(OTHER).await.unwrap();
            operator.enable_user(OTHER).await.unwrap();
        }
        follow(&minji, &undo).await.expect(400);
    }
}

/// RC-04 of the attack kit: nobody says of themselves that an address is theirs.
#[tokio::test]
async fn neither_the_address_nor_its_proof_is_changed_by_the_account_api() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    for body in [json!({"email_verified": true}), json!({"email": OTHER})] {
        let answer = app.call(Method::PATCH, ME, &tokens.access, body).await;
        assert!(answer.status.is_client_error(), "{}", answer.shown());
    }
    assert_eq!(app.read_as(ME, &tokens.access).await.text("/email"), MINJI.0);
}

#[tokio::test]
async fn a_link_of_a_pair_does_nothing_else_and_no_other_site_follows_it() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    ask(&minji, OTHER).await.expect(200);
    let link = link_to(&app, OTHER).await;
    let ticket = ticket_of(&link);
    for path in ["/verify", "/recover/password", "/account/email/undo"] {
        minji.open(&format!("{path}?ticket={ticket}")).await.expect(400);
        let fields = [("ticket", ticket.as_str()), ("password", NEW_PASSWORD)];
        minji.send(path, &fields).await.expect(400);
    }
    for path in ["/account/email/confirm", "/account/email/undo"] {
        minji.send_from("cross-site", path, &[("ticket", &ticket)]).await.expect(403);
        for bad in ["", "x", "mj_ml_"] {
            minji.open(&format!("{path}?ticket={bad}")).await.expect(400);
            minji.send(path, &[("ticket", bad)]).await.expect(400);
        }
    }
    minji.open(&link).await.expect(200);
}

#[tokio::test]
async fn nobody_can_fill_a_mailbox_by_asking_for_its_address() {
    let app = TestApp::start().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    for _ in 0..12 {
        ask(&minji, OTHER).await.expect(200);
    }
    let mails = mailbox(&app).await;
    assert_eq!(mails.iter().filter(|mail| mail.to == OTHER).count(), 5);
}

#[tokio::test]
async fn without_mail_no_address_is_changed_and_the_page_says_so() {
    let app = TestApp::serving().await;
    let minji = Visitor::of_owner(&app, MINJI).await;
    minji.open("/account/email").await.expect(403);
    ask(&minji, OTHER).await.expect(403);
    minji.send("/account/email/verify", &[("action", "verify")]).await.expect(403);
    assert!(minji.cookie(SESSION).is_some());
}

/// Whoever had the account before may have let a client of their own in.
#[tokio::test]
async fn a_password_that_was_set_without_the_old_one_takes_every_consent_back() {
    for by_operator in [false, true] {
        let database = Database::sqlite();
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        Visitor::of_owner(&app, JUN).await.connect().await;
        let minji = Visitor::of_owner(&app, MINJI).await;
        minji.connect().await;
        app.advance(1);
        if by_operator {
            let operator = Operator::open(database.url().clone(), app.clock.clone()).await;
            let password = Password::parse(NEW_PASSWORD.to_owned()).unwrap();
            operator.unwrap().reset_password(MINJI.0, password).await.unwrap();
        } else {
            recover(&minji, MINJI.0).await.expect(200);
            let link = newest_link(&app).await;
            set_password(&minji, &link, NEW_PASSWORD).await.expect(200);
        }
        for (who, kept) in [((MINJI.0, NEW_PASSWORD), 0), (JUN, 1)] {
            let owner = Visitor::of_owner(&app, who).await;
            let copy = owner.send("/account/data/export", &[("action", "export")]).await;
            assert_eq!(copy.expect(200).json()["consents"].as_array().unwrap().len(), kept);
        }
    }
}
