//! The link that proves an address, followed in another browser than the one in which somebody
//! signed up: the password that they chose, or another one.

use askama::Template;

use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::reply::views;

/// `/verify` elsewhere: sends `ticket` (hidden), `password`, and `action`, which is `confirm` or
/// `replace`. Seeing it spends nothing.
#[derive(Clone, Debug, Template)]
#[template(path = "verify_elsewhere.html")]
pub struct VerifyElsewhere {
    /// What stands around it.
    pub frame: Frame,
    /// The address, so that password managers store the password rightly.
    pub email: String,
    /// The form.
    pub form: FormView,
}

views!(VerifyElsewhere);

impl VerifyElsewhere {
    /// The page behind a mailed link; with the sealed authorization request that goes on after it.
    pub fn new(
        mut frame: Frame,
        (ticket, email, flow): (&str, &str, Option<&str>),
        complaints: Vec<Complaint>,
    ) -> Self {
        frame.keep("ticket", Some(ticket));
        frame.keep("flow", flow);
        let field = Field::current_password(&frame, "password", "field-password").focused();
        let action = frame.path_with("/verify", "flow", flow);
        let form = FormView::new(action, vec![field], complaints);
        Self { form: form.carrying("ticket", Some(ticket)), email: email.to_owned(), frame }
    }
}
