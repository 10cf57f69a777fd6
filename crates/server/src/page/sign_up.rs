//! Making an account. What comes after looks the same whether the address was free or not.

use askama::Template;

use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::login::Destination;
use crate::page::reply::views;

/// What was typed before; never the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypedAccount<'t> {
    /// `email`.
    pub email: &'t str,
    /// `username`.
    pub username: &'t str,
    /// `name`.
    pub name: &'t str,
}

/// `/signup`: sends `email`, `password`, `username` and `name` (both may be empty) to
/// `/signup?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "sign_up.html")]
pub struct SignUp {
    /// What stands around it.
    pub frame: Frame,
    /// The form.
    pub form: FormView,
    /// Where somebody signs in who has an account.
    pub login: String,
}

views!(SignUp);

impl SignUp {
    /// The page, with what was typed before.
    pub fn new(
        frame: Frame,
        to: Destination<'_>,
        typed: TypedAccount<'_>,
        complaints: Vec<Complaint>,
    ) -> Self {
        let frame = to.frame(frame);
        let username_hint = frame.text("field-username-hint");
        let fields = vec![
            Field::email(&frame, "field-email").value(typed.email).focused(),
            Field::new_password(&frame, "password", "field-password"),
            Field::name(&frame).value(typed.name).optional(),
            Field::username(&frame).value(typed.username).optional().hint(username_hint),
        ];
        let action = frame.path_with("/signup", "flow", to.flow);
        Self {
            form: FormView::new(action, fields, complaints),
            login: frame.path_with("/login", "flow", to.flow),
            frame,
        }
    }
}
