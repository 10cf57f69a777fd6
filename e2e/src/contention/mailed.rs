//! Links in mails: one proves an address, one sets a new password. Each is followed by everybody at
//! once, and is good for one of them.

use super::kinds::Kind;
use super::{Crowd, PASSWORD};
use crate::postbox::Postbox;
use crate::production::Production;

/// Somebody who has signed up, and what they were mailed.
pub(super) struct Person {
    email: String,
    /// The cookies of the browser in which they signed up.
    cookies: String,
    verification: String,
    recovery: String,
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
        Person { email, cookies, verification, recovery }
    }

    /// Everybody presses the button behind the link, in copies of the browser of the sign-up.
    pub(super) async fn verify(&mut self, person: &Person) {
        let (ticket, cookies) = (person.verification.as_str(), person.cookies.as_str());
        let own = [("sec-fetch-site", "same-origin"), ("cookie", cookies)];
        let answers = self.post_at_once("/verify", &[("ticket", ticket)], &own).await;
        self.judge(Kind::VerificationLink, &answers);
    }

    /// Everybody sets a password of their own by the link: that of the one who was told so is set.
    pub(super) async fn recover(&mut self, person: &Person) {
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
        let caller = self.callers[0].clone();
        for (password, status) in [(chosen(won), 200), (PASSWORD.to_owned(), 400)] {
            let heard = caller.sign_in(&person.email, &password).await;
            let heard = heard.expect("the server is there");
            if heard.status != status {
                self.wrong(format!("RecoveryLink: not the password that was set: {heard:?}"));
            }
        }
    }
}

/// The password that a caller chooses.
fn chosen(number: usize) -> String {
    format!("another-long-secret-{number}")
}
