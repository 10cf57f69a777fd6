//! Signing in: who first, then the password. The second page comes for every name, known or not
//! (RFC 9700 asks nothing here; NIST SP 800-63B and ASVS 6.3.8 ask that nobody learns who has an
//! account).

use askama::Template;

use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::reply::views;

/// Where a person is on the way to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destination<'d> {
    /// The sealed authorization request; `None` on the way to the own account pages.
    pub flow: Option<&'d str>,
    /// The name of the application; `None` on the way to the own account pages.
    pub client: Option<&'d str>,
    /// Whether people may make accounts themselves.
    pub has_sign_up: bool,
    /// Whether a forgotten password can be replaced by mail.
    pub has_recovery: bool,
}

impl Destination<'_> {
    /// The frame, which keeps the flow in the links to other languages.
    pub(super) fn frame(&self, mut frame: Frame) -> Frame {
        frame.keep("flow", self.flow);
        frame
    }

    fn sentence(&self, frame: &Frame) -> String {
        match self.client {
            Some(client) => frame.text_with("login-client", "client", client),
            None => frame.text("login-account"),
        }
    }
}

/// `/login`, first step: who. Sends `username` and `action=continue` to `/login?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "login_identifier.html")]
pub struct LoginIdentifier {
    /// What stands around it.
    pub frame: Frame,
    /// For which application.
    pub sentence: String,
    /// `username`.
    pub form: FormView,
    /// Where an account is made, if people may.
    pub sign_up: Option<String>,
}

/// `/login`, second step: the password. Sends `username` (hidden), `password` and
/// `action=sign-in` to `/login?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "login_password.html")]
pub struct LoginPassword {
    /// What stands around it.
    pub frame: Frame,
    /// For which application, or why the password is asked for again.
    pub sentence: String,
    /// Who signs in, as typed.
    pub username: String,
    /// `password`, and `username` along with it.
    pub form: FormView,
    /// Where somebody else begins; `None` when this very person has to prove who they are.
    pub other: Option<String>,
    /// Where a forgotten password is replaced, if it can be.
    pub recover: Option<String>,
}

/// `/login/select`: as whom (`prompt=select_account`). Sends `session`, and `action=continue` or
/// `action=other`, to `/login/select?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "login_select.html")]
pub struct LoginSelect {
    /// What stands around it.
    pub frame: Frame,
    /// For which application.
    pub sentence: String,
    /// The address of who is signed in, which tells two accounts of one person apart.
    pub email: String,
    /// Which session the page speaks of: another one may begin in the same browser meanwhile.
    pub session: String,
    /// What stands on the button that goes on with it.
    pub button: String,
    /// Where the form goes.
    pub action: String,
}

views!(LoginIdentifier, LoginPassword, LoginSelect);

impl LoginIdentifier {
    /// `typed` is what came before, or the `login_hint`.
    pub fn new(frame: Frame, to: Destination<'_>, typed: &str, complaints: Vec<Complaint>) -> Self {
        let frame = to.frame(frame);
        let sign_up = frame.path_with("/signup", "flow", to.flow);
        let fields = vec![Field::identifier(&frame).value(typed).focused()];
        let action = frame.path_with("/login", "flow", to.flow);
        Self {
            sentence: to.sentence(&frame),
            form: FormView::new(action, fields, complaints),
            sign_up: to.has_sign_up.then_some(sign_up),
            frame,
        }
    }
}

/// Who is signed in with a browser, for the page that asks whether to go on as them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<'p> {
    /// What they want to be called.
    pub name: Option<&'p str>,
    /// Their address.
    pub email: &'p str,
    /// The id of their session.
    pub session: &'p str,
}

impl LoginSelect {
    /// The page for who is signed in.
    pub fn new(frame: Frame, to: Destination<'_>, present: Present<'_>) -> Self {
        let frame = to.frame(frame);
        let name = present.name.unwrap_or(present.email);
        Self {
            sentence: match to.client {
                Some(client) => frame.text_with("select-client", "client", client),
                None => frame.text("select-account"),
            },
            email: present.email.to_owned(),
            session: present.session.to_owned(),
            button: frame.text_with("select-button", "name", name),
            action: frame.path_with("/login/select", "flow", to.flow),
            frame,
        }
    }
}

impl LoginPassword {
    /// For a person who is not signed in, or as somebody else.
    pub fn new(
        frame: Frame,
        to: Destination<'_>,
        username: &str,
        complaints: Vec<Complaint>,
    ) -> Self {
        let frame = to.frame(frame);
        let fields = vec![Field::current_password(&frame, "password", "field-password").focused()];
        let action = frame.path_with("/login", "flow", to.flow);
        let recover = frame.path_with("/recover", "flow", to.flow);
        Self {
            sentence: to.sentence(&frame),
            username: username.to_owned(),
            form: FormView::new(action.clone(), fields, complaints)
                .carrying("username", Some(username)),
            other: Some(action),
            recover: to.has_recovery.then_some(recover),
            frame,
        }
    }

    /// For a person who is signed in and has to prove it again (`prompt=login`, `max_age`).
    pub fn again(
        frame: Frame,
        to: Destination<'_>,
        username: &str,
        complaints: Vec<Complaint>,
    ) -> Self {
        let page = Self::new(frame, to, username, complaints);
        Self { sentence: page.frame.text("login-again"), other: None, ..page }
    }
}
