//! The way of a browser: authorization, sign-in, consent, devices, sign-out, and the links of
//! mails.

use std::sync::Arc;

use serde_json::json;

use super::flow::Again::{Anew, Never, Reads, Told};
use super::flow::{Ask, Flow, open, send};
use super::tokens::{pushed, television};
use crate::cast::PASSWORD;
use crate::harness::{JUN, MINJI, TestApp};
use crate::mailed_links::{BORA, NEW, mailbox, newest_link, ticket_of};
use crate::visitor::{CALLBACK, Visitor, request};

const OTHER: &str = "minji@other.example";

async fn browser_of(app: &TestApp, who: (&str, &str)) -> Arc<Visitor> {
    Arc::new(Visitor::of_owner(app, who).await)
}

/// Follows redirects until one leads there.
async fn on_to(visitor: &Visitor, start: &str, page: &str) -> String {
    let mut to = start.to_owned();
    for _ in 0..6 {
        to = visitor.open(&to).await.expect(303).location().unwrap();
        if to.starts_with(page) {
            return to;
        }
    }
    panic!("{page} is never reached");
}

/// A browser before the consent page.
async fn asked(app: &TestApp) -> (Arc<Visitor>, String) {
    let visitor = browser_of(app, MINJI).await;
    let page = on_to(&visitor, &request(&[]), "/consent").await;
    (visitor, page)
}

pub fn authorizations() -> Vec<Flow> {
    let consent = |name, action: &'static str, again| {
        Flow::new((name, "POST /consent"), (303, again), move |app| async move {
            let (visitor, page) = asked(&app).await;
            send(&visitor, &page, &[("action", action)])
        })
    };
    vec![
        Flow::new(("a code", "GET /oauth2/authorize"), (303, Anew), async |app| {
            let visitor = browser_of(&app, JUN).await;
            visitor.connect().await;
            let way = visitor.open(&request(&[])).await.location().unwrap();
            open(&visitor, &if way.starts_with(CALLBACK) { request(&[]) } else { way })
        }),
        Flow::new(("what was pushed", "GET /oauth2/authorize"), (303, Never), async |app| {
            let visitor = browser_of(&app, JUN).await;
            visitor.connect().await;
            let reference = pushed(&app).await;
            open(&visitor, &format!("/oauth2/authorize?client_id=spa&request_uri={reference}"))
        }),
        Flow::new(("the consent page", "GET /consent"), (200, Reads), async |app| {
            let (visitor, page) = asked(&app).await;
            open(&visitor, &page)
        }),
        consent("to allow", "allow", Anew),
        consent("to deny", "deny", Never),
        consent("somebody else", "switch", Reads),
        Flow::new(("whether to sign out", "GET /oauth2/logout"), (200, Reads), async |app| {
            open(&browser_of(&app, MINJI).await, "/oauth2/logout")
        }),
        Flow::new(("to sign out", "POST /oauth2/logout"), (200, Never), async |app| {
            send(&browser_of(&app, MINJI).await, "/oauth2/logout", &[("action", "sign-out")])
        }),
    ]
}

/// A browser before the page on which one chooses, and the session that the page speaks of.
async fn choosing(app: &TestApp) -> (Arc<Visitor>, String, String) {
    let visitor = browser_of(app, MINJI).await;
    visitor.connect().await;
    // Who has just signed in has chosen.
    app.advance(60);
    let asked = request(&[("prompt", Some("select_account"))]);
    let to = on_to(&visitor, &asked, "/login/select").await;
    let page = visitor.open(&to).await.expect(200).page();
    let (_, rest) = page.split_once(r#"name="session" value=""#).unwrap();
    let session = rest.split('"').next().unwrap().to_owned();
    (visitor, to, session)
}

pub fn sign_ins() -> Vec<Flow> {
    let choice = |name, action: &'static str| {
        Flow::new((name, "POST /login/select"), (303, Reads), move |app| async move {
            let (visitor, to, session) = choosing(&app).await;
            send(&visitor, &to, &[("action", action), ("session", &session)])
        })
    };
    vec![
        Flow::new(("the login page", "GET /login"), (303, Reads), async |app| {
            open(&browser_of(&app, MINJI).await, "/login")
        }),
        Flow::new(("a sign-in", "POST /login"), (303, Anew), async |app| {
            let fields = [("username", MINJI.0), ("password", MINJI.1)];
            send(&Arc::new(Visitor::of(&app)), "/login", &fields)
        })
        .guessing(),
        Flow::new(("somebody else signs in", "POST /login"), (303, Anew), async |app| {
            let fields = [("username", JUN.0), ("password", JUN.1)];
            send(&browser_of(&app, MINJI).await, "/login", &fields)
        })
        .guessing(),
        Flow::new(("the password once more", "GET /login/again"), (200, Reads), async |app| {
            let visitor = browser_of(&app, MINJI).await;
            visitor.app.advance(2);
            let asked = request(&[("prompt", Some("login"))]);
            let page = on_to(&visitor, &asked, "/login/again").await;
            open(&visitor, &page)
        }),
        Flow::new(("whom to go on as", "GET /login/select"), (200, Reads), async |app| {
            let (visitor, to, _) = choosing(&app).await;
            open(&visitor, &to)
        }),
        choice("to go on", "continue"),
        choice("to go on as another", "other"),
    ]
}

pub fn devices() -> Vec<Flow> {
    let press = |name, action: &'static str, again| {
        Flow::new((name, "POST /device"), (200, again), move |app| async move {
            let (_, code) = television(&app).await;
            let visitor = browser_of(&app, MINJI).await;
            let fields = [("user_code", &*code), ("action", "continue")];
            visitor.send("/device", &fields).await.expect(200);
            send(&visitor, "/device", &[("user_code", &code), ("action", action)])
        })
        .guessing()
    };
    vec![
        Flow::new(("the device page", "GET /device"), (200, Reads), async |app| {
            open(&browser_of(&app, MINJI).await, "/device")
        }),
        press("to look at a device", "continue", Reads),
        press("to let a device in", "allow", Never),
        press("not to let it in", "deny", Never),
    ]
}

/// The newest link that was mailed to an address.
async fn link_to(app: &TestApp, to: &str) -> String {
    mailbox(app).await.into_iter().find(|mail| mail.to == to).unwrap().links[0].clone()
}

fn press_link(visitor: &Arc<Visitor>, link: &str, more: &[(&'static str, &'static str)]) -> Ask {
    let (page, ticket) = (link.split('?').next().unwrap(), ticket_of(link));
    send(visitor, page, &[&[("ticket", &*ticket)], more].concat())
}

/// Somebody new, and the link to prove their address.
async fn signed_up(app: &TestApp) -> (Arc<Visitor>, String) {
    let visitor = Arc::new(Visitor::of(app));
    visitor.send("/signup", &[("email", BORA), ("password", NEW)]).await.expect(200);
    (visitor, newest_link(app).await)
}

/// Somebody who forgot their password, and the link to set another one.
async fn forgotten(app: &TestApp) -> (Arc<Visitor>, String) {
    let visitor = Arc::new(Visitor::of(app));
    visitor.send("/recover", &[("email", MINJI.0)]).await.expect(200);
    (visitor, newest_link(app).await)
}

/// Somebody who asked for another address: the links to the old mailbox and to the new one.
async fn moving(app: &TestApp) -> (Arc<Visitor>, String, String) {
    let visitor = browser_of(app, MINJI).await;
    let fields = [("email", OTHER), ("current_password", MINJI.1)];
    visitor.send("/account/email", &fields).await.expect(200);
    (visitor, link_to(app, MINJI.0).await, link_to(app, OTHER).await)
}

/// Somebody who has another address, and the link that takes it back.
async fn moved(app: &TestApp) -> (Arc<Visitor>, String) {
    let (visitor, old, new) = moving(app).await;
    for link in [&old, &new] {
        press_link(&visitor, link, &[])().await.expect(200);
    }
    (visitor, link_to(app, MINJI.0).await)
}

pub fn mailed_links() -> Vec<Flow> {
    const CONFIRM: &str = "POST /account/email/confirm";
    vec![
        Flow::new(("a sign-up", "POST /signup"), (200, Told), async |app| {
            let fields = [("email", BORA), ("password", NEW)];
            send(&Arc::new(Visitor::of(&app)), "/signup", &fields)
        }),
        Flow::new(("to prove an address", "GET /verify"), (200, Reads), async |app| {
            let (visitor, link) = signed_up(&app).await;
            open(&visitor, &link)
        }),
        Flow::new(("an address is proved", "POST /verify"), (200, Never), async |app| {
            let (visitor, link) = signed_up(&app).await;
            press_link(&visitor, &link, &[])
        }),
        Flow::new(("a forgotten password", "POST /recover"), (200, Anew), async |app| {
            send(&Arc::new(Visitor::of(&app)), "/recover", &[("email", MINJI.0)])
        }),
        Flow::new(("to set a password", "GET /recover/password"), (200, Reads), async |app| {
            let (visitor, link) = forgotten(&app).await;
            open(&visitor, &link)
        }),
        Flow::new(("a new password", "POST /recover/password"), (200, Never), async |app| {
            let (visitor, link) = forgotten(&app).await;
            press_link(&visitor, &link, &[("password", PASSWORD)])
        }),
        Flow::new(("to agree", "GET /account/email/confirm"), (200, Reads), async |app| {
            let (visitor, old, _) = moving(&app).await;
            open(&visitor, &old)
        }),
        Flow::new(("one mailbox agrees", CONFIRM), (200, Never), async |app| {
            let (visitor, old, _) = moving(&app).await;
            press_link(&visitor, &old, &[])
        }),
        Flow::new(("both mailboxes agreed", CONFIRM), (200, Never), async |app| {
            let (visitor, old, new) = moving(&app).await;
            press_link(&visitor, &old, &[])().await.expect(200);
            press_link(&visitor, &new, &[])
        }),
        Flow::new(("to take it back", "GET /account/email/undo"), (200, Reads), async |app| {
            let (visitor, link) = moved(&app).await;
            open(&visitor, &link)
        }),
        Flow::new(("it is taken back", "POST /account/email/undo"), (200, Never), async |app| {
            let (visitor, link) = moved(&app).await;
            press_link(&visitor, &link, &[])
        }),
        Flow::new(("another link", "POST /account/email/verify"), (303, Anew), async |app| {
            let new = json!({"email": BORA, "password": NEW});
            app.post("/api/v1/users/signup", new).await.expect(201);
            let visitor = browser_of(&app, (BORA, NEW)).await;
            send(&visitor, "/account/email/verify", &[("action", "verify")])
        }),
    ]
}
