//! Pages with one question and one button: behind a mailed link, where a scanner that follows links
//! must do nothing, and before signing out.

use askama::Template;

use crate::page::field::Hidden;
use crate::page::frame::Frame;
use crate::page::moment::Moment;
use crate::page::outcome::Onward;
use crate::page::reply::views;

/// The questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'q> {
    /// `/verify`: is this address yours? Sends `ticket`.
    VerifyEmail {
        /// The ticket of the link.
        ticket: &'q str,
        /// The address.
        email: &'q str,
        /// The sealed authorization request that goes on after it.
        flow: Option<&'q str>,
    },
    /// `/account/email/confirm`: shall this be your new address? Asked at the new and the old one.
    /// Sends `ticket`.
    ChangeEmail {
        /// The ticket of the link.
        ticket: &'q str,
        /// The address that it would be.
        email: &'q str,
    },
    /// `/account/email/undo`: shall this be your address again? Sends `ticket`.
    UndoEmailChange {
        /// The ticket of the link.
        ticket: &'q str,
        /// The address that it was.
        email: &'q str,
    },
    /// `/oauth2/logout`: do you want to sign out? (OpenID Connect RP-Initiated Logout §2). Sends
    /// what `hidden` holds, and `action=sign-out`.
    SignOut {
        /// The application that asks, if one does.
        client: Option<&'q str>,
        /// What the request held, sealed by the endpoint.
        request: Option<&'q str>,
    },
    /// `/account/delete`: shall the account stay after all? Sends `action=keep`.
    KeepAccount {
        /// When it would be deleted.
        due: &'q Moment,
        /// The sealed authorization request that goes on if it stays.
        flow: Option<&'q str>,
    },
}

/// A page with one question. It sends `action` with the value of [`Self::value`] to
/// [`Self::action`], and what is hidden.
#[derive(Clone, Debug, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    /// What stands around it.
    pub frame: Frame,
    /// The question.
    pub title: String,
    /// What the button does.
    pub sentence: String,
    /// Where the form goes.
    pub action: String,
    /// What it carries along.
    pub hidden: Vec<Hidden>,
    /// The value of the button.
    pub value: &'static str,
    /// What stands on the button.
    pub button: String,
    /// The way out, without doing it.
    pub leave: Option<Onward>,
}

views!(ConfirmPage);

impl ConfirmPage {
    /// The page of a question.
    pub fn new(frame: Frame, question: Question<'_>) -> Self {
        match question {
            Question::VerifyEmail { ticket, email, flow } => {
                let texts = ["verify-title", "verify-text", "verify-button"];
                let mut page = Self::ticket(frame, "/verify", ticket, email, texts);
                page.frame.keep("flow", flow);
                page.action = page.frame.path_with("/verify", "flow", flow);
                page
            }
            Question::ChangeEmail { ticket, email } => {
                let texts = ["change-email-title", "change-email-text", "change-email-button"];
                Self::ticket(frame, "/account/email/confirm", ticket, email, texts)
            }
            Question::UndoEmailChange { ticket, email } => {
                let texts = ["undo-email-title", "undo-email-text", "undo-email-button"];
                Self::ticket(frame, "/account/email/undo", ticket, email, texts)
            }
            Question::SignOut { client, request } => Self::sign_out(frame, client, request),
            Question::KeepAccount { due, flow } => Self::keep(frame, due, flow),
        }
    }

    fn keep(mut frame: Frame, due: &Moment, flow: Option<&str>) -> Self {
        frame.keep("flow", flow);
        let label = frame.text("sign-out-button");
        Self {
            title: frame.text("keep-title"),
            sentence: frame.text_with("keep-text", "date", &due.text),
            action: frame.path_with("/account/delete", "flow", flow),
            hidden: Vec::new(),
            value: "keep",
            button: frame.text("keep-button"),
            leave: Some(Onward { href: frame.path("/oauth2/logout"), label }),
            frame,
        }
    }

    fn ticket(mut frame: Frame, path: &str, ticket: &str, email: &str, texts: [&str; 3]) -> Self {
        frame.keep("ticket", Some(ticket));
        let [title, sentence, button] = texts;
        Self {
            title: frame.text(title),
            sentence: frame.text_with(sentence, "email", email),
            action: frame.path(path),
            hidden: vec![Hidden::new("ticket", ticket)],
            value: "confirm",
            button: frame.text(button),
            leave: None,
            frame,
        }
    }

    fn sign_out(frame: Frame, client: Option<&str>, request: Option<&str>) -> Self {
        let sentence = match client {
            Some(client) => frame.text_with("sign-out-client", "client", client),
            None => frame.text("sign-out-text"),
        };
        Self {
            title: frame.text("sign-out-title"),
            sentence,
            action: frame.path("/oauth2/logout"),
            hidden: request.map(|it| Hidden::new("request", it)).into_iter().collect(),
            value: "sign-out",
            button: frame.text("sign-out-button"),
            leave: Some(Onward { href: frame.path("/account"), label: frame.text("leave") }),
            frame,
        }
    }
}
