//! A forgotten password: asking for a mail, and choosing a new one with the link of that mail. The
//! answer to asking is the same for every address.

use askama::Template;

use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::reply::views;

/// `/recover`: sends `email` to `/recover?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "recover.html")]
pub struct Recover {
    /// What stands around it.
    pub frame: Frame,
    /// The form.
    pub form: FormView,
    /// Back to signing in.
    pub login: String,
}

/// `/recover/password`: sends `ticket` (hidden) and `password` to `/recover/password`. Seeing it
/// spends nothing.
#[derive(Clone, Debug, Template)]
#[template(path = "new_password.html")]
pub struct NewPassword {
    /// What stands around it.
    pub frame: Frame,
    /// Whose password it is, so that password managers store it rightly.
    pub email: String,
    /// The form.
    pub form: FormView,
}

views!(Recover, NewPassword);

impl Recover {
    /// The page, with what was typed before.
    pub fn new(
        mut frame: Frame,
        flow: Option<&str>,
        typed: &str,
        complaints: Vec<Complaint>,
    ) -> Self {
        frame.keep("flow", flow);
        let fields = vec![Field::email(&frame, "field-email").value(typed).focused()];
        let action = frame.path_with("/recover", "flow", flow);
        let login = frame.path_with("/login", "flow", flow);
        Self { form: FormView::new(action, fields, complaints), login, frame }
    }
}

impl NewPassword {
    /// The page behind a mailed link.
    pub fn new(mut frame: Frame, ticket: &str, email: &str, complaints: Vec<Complaint>) -> Self {
        frame.keep("ticket", Some(ticket));
        let field = Field::new_password(&frame, "password", "field-new-password").focused();
        let form = FormView::new(frame.path("/recover/password"), vec![field], complaints);
        Self { form: form.carrying("ticket", Some(ticket)), email: email.to_owned(), frame }
    }
}
