//! Links in mails: one proves an address, one sets a new password, two agree to another address,
//! and one takes that back. Each is followed by everybody at once, and is good for one of them.

use super::kinds::Kind;
use super::{Crowd, PASSWORD};
use crate::postbox::Postbox;
use crate::production::Production;

/// Where both links to another address lead.
const CONFIRM: &str = "/account/email/confirm";
/// Where the link leads that takes it back.
const UNDO: &str = "/account/email/undo";

/// Somebody who has signed up, and what they were mailed.
pub(super) struct Person {
    email: String,
    password: String,
    /// The cookies of the browser in which they signed up.
    cookies: String,
    verification: String,
    recovery: String,
}

/// Somebody who wants another address, and what was mailed to both.
pub(super) struct Change {
    from: String,
    to: String,
    password: String,
    /// The cookies of the browser in which they asked.
    cookies: String,
    /// The ticket that was mailed to the other address.
    new: String,
    /// The ticket that was mailed to the present one.
    old: String,
}

/// Sends the mails of these servers there, and lets people sign up; none of the servers runs.
pub(super) fn prepare(nodes: &[Production]) -> Postbox {
    let postbox = Postbox::open();
    for node in nodes {
        node.configure(&postbox.configuration());
    }
    nodes[0].cli(&["settings", "set", "registration", "open"], "");
    postbox
}

impl Crowd {
    /// Somebody signs up, and has forgotten their password before they prove their address: two
    /// links are good at the same time.
    pub(super) async fn sign_up(&self, postbox: &Postbox, name: &str) -> Person {
        let email = format!("{name}@example.kr");
        let own = [("sec-fetch-site", "same-origin")];
        let caller = &self.callers[0];
        let chosen = [("email", email.as_str()), ("password", PASSWORD)];
        let heard = caller.post("/signup", &chosen, &own).await.expect("the server is there");
        assert_eq!(heard.status, 200, "{heard:?}");
        let cookies = heard.cookies();
        let asked = [("email", email.as_str())];
        let heard = caller.post("/recover", &asked, &own).await.expect("the server is there");
        assert_eq!(heard.status, 200, "{heard:?}");
        let verification = postbox.ticket(&email, "/verify").await;
        let recovery = postbox.ticket(&email, "/recover/password").await;
        Person { email, password: PASSWORD.to_owned(), cookies, verification, recovery }
    }

    /// Everybody presses the button behind the link, in copies of the browser of the sign-up.
    pub(super) async fn verify(&mut self, person: &Person) {
        let (ticket, cookies) = (person.verification.as_str(), person.cookies.as_str());
        let own = [("sec-fetch-site", "same-origin"), ("cookie", cookies)];
        let answers = self.post_at_once("/verify", &[("ticket", ticket)], &own).await;
        self.judge(Kind::VerificationLink, &answers);
    }

    /// Everybody sets a password of their own by the link: that of the one who was told so is set.
    pub(super) async fn recover(&mut self, person: &mut Person) {
        let ticket = person.recovery.clone();
        let answers = self
            .everybody(move |number, caller| {
                let (ticket, password) = (ticket.clone(), chosen(number));
                async move {
                    let fields = [("ticket", ticket.as_str()), ("password", password.as_str())];
                    let own = [("sec-fetch-site", "same-origin")];
                    let heard = caller.post("/recover/password", &fields, &own).await;
                    heard.expect("the server is there")
                }
            })
            .await;
        self.judge(Kind::RecoveryLink, &answers);

        let is_told = |number: &usize| answers[*number].status == 200;
        let Some(won) = (0..answers.len()).find(is_told) else { return };
        let before = std::mem::replace(&mut person.password, chosen(won));
        self.expect_sign_in(Kind::RecoveryLink, (&person.email, &person.password), 200).await;
        self.expect_sign_in(Kind::RecoveryLink, (&person.email, &before), 400).await;
    }

    /// Somebody asks for another address: two links are good at the same time.
    pub(super) async fn ask_to_change(&self, postbox: &Postbox, person: &Person) -> Change {
        let Person { email, password, .. } = person;
        let caller = &self.callers[0];
        let entered = caller.enter(email, password).await.expect("the server is there");
        let cookies = entered.expect("the person is let in");
        let (from, to) = (email.clone(), format!("new-{email}"));
        let asked = [("email", to.as_str()), ("current_password", password.as_str())];
        let own = [("sec-fetch-site", "same-origin"), ("cookie", cookies.as_str())];
        let heard = caller.post("/account/email", &asked, &own).await.expect("the server is there");
        assert_eq!(heard.status, 200, "{heard:?}");
        let new = postbox.ticket(&to, CONFIRM).await;
        let old = postbox.ticket(&from, CONFIRM).await;
        Change { from, to, password: password.clone(), cookies, new, old }
    }

    /// Everybody agrees by the link to the other address, in copies of the browser in which it was
    /// asked for.
    pub(super) async fn agree_at_the_new_one(&mut self, change: &Change) {
        let own = [("sec-fetch-site", "same-origin"), ("cookie", change.cookies.as_str())];
        let answers = self.post_at_once(CONFIRM, &[("ticket", &change.new)], &own).await;
        self.judge(Kind::ChangeNewLink, &answers);
    }

    /// Everybody agrees by the link to the present address.
    pub(super) async fn agree_at_the_old_one(&mut self, change: &Change) {
        let own = [("sec-fetch-site", "same-origin")];
        let answers = self.post_at_once(CONFIRM, &[("ticket", &change.old)], &own).await;
        self.judge(Kind::ChangeOldLink, &answers);
    }

    /// The other address agreed first, and then the present one: it is another one now.
    pub(super) async fn expect_changed(&mut self, change: &Change) {
        let Change { from, to, password, .. } = change;
        self.expect_sign_in(Kind::ChangeOldLink, (to, password), 200).await;
        self.expect_sign_in(Kind::ChangeOldLink, (from, password), 400).await;
    }

    /// Both mailboxes agree, once each; the link that takes it back.
    pub(super) async fn change(&self, postbox: &Postbox, change: &Change) -> String {
        let own = [("sec-fetch-site", "same-origin"), ("cookie", change.cookies.as_str())];
        for ticket in [&change.new, &change.old] {
            let heard = self.callers[0].post(CONFIRM, &[("ticket", ticket)], &own).await;
            let heard = heard.expect("the server is there");
            assert_eq!(heard.status, 200, "{heard:?}");
        }
        change.told(postbox).await
    }

    /// Everybody takes the change back.
    pub(super) async fn take_back(&mut self, ticket: &str) {
        let own = [("sec-fetch-site", "same-origin")];
        let answers = self.post_at_once(UNDO, &[("ticket", ticket)], &own).await;
        self.judge(Kind::UndoLink, &answers);
    }

    /// Whoever changed the address knew the password: it is gone with the change.
    pub(super) async fn expect_taken_back(&mut self, change: &Change) {
        let Change { from, to, password, .. } = change;
        for email in [from, to] {
            self.expect_sign_in(Kind::UndoLink, (email, password), 400).await;
        }
    }

    /// Notes it if somebody signs in who should not, or does not who should.
    async fn expect_sign_in(&mut self, kind: Kind, (email, password): (&str, &str), status: u16) {
        let heard = self.callers[0].sign_in(email, password).await.expect("the server is there");
        if heard.status != status {
            self.wrong(format!("{kind:?}: what came of it is something else: {heard:?}"));
        }
    }
}

impl Change {
    /// The link that the old address was told when it was changed.
    pub(super) async fn told(&self, postbox: &Postbox) -> String {
        postbox.ticket(&self.from, UNDO).await
    }
}

/// The password that a caller chooses.
fn chosen(number: usize) -> String {
    format!("another-long-secret-{number}")
}
