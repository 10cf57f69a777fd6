//! A stranger signs up with somebody else's address and a password of their own, and waits for the
//! owner to follow the link of the mail (RC-05 of the attack kit, by password). What the owner does
//! must never open the account to the stranger.

use munjigi_store::each_backend;

use crate::cast::subject;
use crate::harness::{Answer, TestApp};
use crate::mailed_links::{BORA, NEW, is_verified, mailbox, newest_link, opens, ticket_of};
use crate::visitor::{Visitor, request};

/// What the stranger chose.
const THEIRS: &str = "a-password-of-the-stranger";
const SESSION: &str = "__Host-munjigi-session";
const SIGNED_UP: &str = "__Host-munjigi-signed-up";

async fn sign_up(visitor: &Visitor, email: &str, password: &str) {
    let fields = [("email", email), ("password", password)];
    visitor.open("/signup").await.expect(200);
    visitor.send("/signup", &fields).await.expect(200);
}

async fn follow(visitor: &Visitor, link: &str, fields: &[(&str, &str)]) -> Answer {
    let ticket = ticket_of(link);
    let fields = [&[("ticket", ticket.as_str())], fields].concat();
    visitor.send("/verify", &fields).await
}

each_backend! {
    async fn a_stranger_who_signed_up_with_an_address_gets_nothing_when_its_owner_confirms_it(
        database,
    ) {
        let app = TestApp::start_with(&database).await;
        app.app.ensure_rsa_key().await.unwrap();
        let (stranger, owner) = (Visitor::of(&app), Visitor::of(&app));
        sign_up(&stranger, BORA, THEIRS).await;
        // They are signed in before the owner looks at the mail, and have let a client in.
        let answer = stranger.open(&request(&[("scope", Some("openid offline_access"))])).await;
        let answer = stranger.sign_in(answer, (BORA, THEIRS)).await;
        let code = stranger.follow_to_client(answer, "allow").await.brings("code").unwrap();
        let tokens = stranger.redeem(&code).await.tokens();
        let id = subject(&tokens.access);
        app.advance(1);
        stranger.send("/account/email/verify", &[("action", "verify")]).await.expect(303);

        let link = newest_link(&app).await;
        let page = owner.open(&link).await.expect(200).page();
        assert!(page.contains(r#"name="password""#) && page.contains("replace"), "{page}");
        // The button of the page for the browser that signed up, sent from this one.
        follow(&owner, &link, &[("action", "confirm")]).await.expect(422);
        follow(&owner, &link, &[]).await.expect(422);
        let guess = [("action", "confirm"), ("password", NEW)];
        let page = follow(&owner, &link, &guess).await.expect(422).page();
        assert!(page.contains("password-error") && !page.contains(NEW), "{page}");
        assert_eq!(is_verified(&app, BORA).await, Some(false));

        follow(&owner, &link, &[("action", "replace"), ("password", "short")]).await.expect(422);
        assert!(opens(&app, BORA, THEIRS).await, "nothing was changed so far");
        follow(&owner, &link, &[("action", "replace"), ("password", NEW)]).await.expect(200);
        assert_eq!(is_verified(&app, BORA).await, Some(true));
        assert!(opens(&app, BORA, NEW).await && !opens(&app, BORA, THEIRS).await);
        assert!(!stranger.sees_the_account().await);
        app.refresh(&tokens.refresh).await.expect(400);
        app.read_as("/api/v1/users/me", &tokens.access).await.expect(401);
        let owner = Visitor::of_owner(&app, (BORA, NEW)).await;
        let page = owner.open("/account/applications").await.expect(200).page();
        assert!(!page.contains("value=\"spa\""), "what the stranger allowed is forgotten: {page}");
        owner.open(&link).await.expect(400);
        let trail = app.trail(&id).await;
        for kind in ["password_changed", "email_verified"] {
            assert_eq!(trail.iter().filter(|it| *it == kind).count(), 1, "{kind} in {trail:?}");
        }
        assert!(mailbox(&app).await[0].links[0].ends_with("/recover"), "the owner is told");
    }

    async fn who_signed_up_needs_no_password_there_and_theirs_elsewhere(database) {
        let app = TestApp::start_with(&database).await;
        let desktop = Visitor::of(&app);
        sign_up(&desktop, BORA, NEW).await;
        let link = newest_link(&app).await;
        let page = desktop.open(&link).await.expect(200).page();
        assert!(!page.contains(r#"name="password""#), "{page}");

        let signed_in = Visitor::of_owner(&app, (BORA, NEW)).await;
        let page = signed_in.open(&link).await.expect(200).page();
        assert!(!page.contains(r#"name="password""#), "{page}");

        let phone = Visitor::of(&app);
        phone.open(&link).await.expect(200);
        follow(&phone, &link, &[("action", "confirm"), ("password", NEW)]).await.expect(200);
        assert_eq!(is_verified(&app, BORA).await, Some(true));
        assert!(signed_in.sees_the_account().await, "nobody is signed out by that");
        assert!(opens(&app, BORA, NEW).await);
    }
}

/// What a browser keeps is about one account, and nobody else can have it made.
#[tokio::test]
async fn having_signed_up_for_another_account_proves_nothing() {
    let app = TestApp::start().await;
    let (stranger, owner) = (Visitor::of(&app), Visitor::of(&app));
    sign_up(&stranger, BORA, THEIRS).await;
    let link = newest_link(&app).await;
    app.advance(1);
    sign_up(&owner, "owner@example.kr", NEW).await;
    assert!(owner.cookie(SIGNED_UP).is_some());
    follow(&owner, &link, &[("action", "confirm")]).await.expect(422);

    for forged in ["x", "AAAA", &owner.cookie(SIGNED_UP).unwrap()[1..]] {
        owner.plant(SIGNED_UP, forged);
        follow(&owner, &link, &[]).await.expect(422);
    }
    // Somebody else's session is none of this account.
    let other = Visitor::of_owner(&app, crate::harness::MINJI).await;
    assert!(other.cookie(SESSION).is_some());
    follow(&other, &link, &[]).await.expect(422);
    assert_eq!(is_verified(&app, BORA).await, Some(false));

    // The harness notices: with the stranger's own cookie the button is enough.
    owner.plant(SIGNED_UP, &stranger.cookie(SIGNED_UP).unwrap());
    follow(&owner, &link, &[]).await.expect(200);
    assert_eq!(is_verified(&app, BORA).await, Some(true));
    assert!(owner.cookie(SIGNED_UP).is_none(), "it is of no more use");
}

/// LG-05 of the attack kit: a guess is a guess wherever it is made, and none keeps the owner out.
#[tokio::test]
async fn guesses_behind_the_link_are_counted_and_keep_nobody_from_another_password() {
    let app = TestApp::start().await;
    app.sign_up(BORA, THEIRS).await;
    let link = newest_link(&app).await;
    let owner = Visitor::of(&app);
    let mut last = 0;
    for number in 0..20 {
        let guess = format!("a-guess-number-{number}");
        let answer = follow(&owner, &link, &[("action", "confirm"), ("password", &guess)]).await;
        last = answer.status.as_u16();
        if last == 429 {
            assert!(answer.header("retry-after").is_some());
            break;
        }
    }
    assert_eq!(last, 429);
    assert!(!opens(&app, BORA, THEIRS).await, "one budget for all guesses");
    follow(&owner, &link, &[("action", "replace"), ("password", NEW)]).await.expect(200);
    assert!(opens(&app, BORA, NEW).await);
}
