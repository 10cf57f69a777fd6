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

views!(LoginIdentifier, LoginPassword);

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
