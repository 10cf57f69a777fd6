//! Pages that say what was done, and where to go on.

use askama::Template;

use crate::page::frame::Frame;
use crate::page::moment::Moment;
use crate::page::reply::views;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done<'d> {
    /// An account was asked for; the same page whether the address was free or not.
    SignUpMailed {
        /// The address.
        email: &'d str,
    },
    /// The address is verified.
    EmailVerified,
    /// The same, though the way to an application does not go on here: it began in another browser,
    /// or took too long.
    EmailVerifiedElsewhere,
    /// A link for a new password was asked for; the same page for every address.
    RecoveryMailed {
        /// The address.
        email: &'d str,
    },
    /// The new password is set, and every other session ended.
    PasswordSet,
    /// A device was let in (RFC 8628 §3.3).
    DeviceAllowed,
    /// A device was turned away.
    DeviceDenied,
    /// A new address was asked for; links are on their way to both.
    EmailChangeMailed {
        /// The new address.
        email: &'d str,
    },
    /// A link was followed at the new address by somebody who is not signed in.
    EmailChangeSignIn,
    /// One of the two links was confirmed.
    EmailChangeHalf,
    /// Both links were confirmed: the address is changed.
    EmailChanged {
        /// The new address.
        email: &'d str,
    },
    /// The change of the address was taken back.
    EmailChangeUndone {
        /// The address, as before.
        email: &'d str,
    },
    /// The account will be deleted; the person is signed out everywhere.
    DeletionScheduled {
        /// When.
        due: &'d Moment,
    },
    /// The account stays after all.
    AccountKept,
}

/// What a person can do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onward {
    /// Where to.
    pub href: String,
    /// What stands on it.
    pub label: String,
}

/// A page that says what was done.
#[derive(Clone, Debug, Template)]
#[template(path = "outcome.html")]
pub struct OutcomePage {
    /// What stands around it.
    pub frame: Frame,
    /// What was done, in a few words.
    pub title: String,
    /// What it means.
    pub sentence: String,
    /// What can be done next.
    pub onward: Option<Onward>,
    /// In `dev`: where the mailbox is, when something was mailed.
    pub mailbox: Option<String>,
}

views!(OutcomePage);

impl OutcomePage {
    /// The page for what was done. `flow` is the authorization request that goes on after it.
    pub fn new(frame: Frame, done: Done<'_>, flow: Option<&str>) -> Self {
        let (title, sentence) = sentences(&frame, done);
        let to_login = || Onward {
            href: match flow {
                Some(_) => frame.path_with("/oauth2/authorize", "flow", flow),
                None => frame.path("/login"),
            },
            label: frame.text("onward-login"),
        };
        let to_account =
            || Onward { href: frame.path("/account"), label: frame.text("onward-account") };
        let onward = match done {
            Done::SignUpMailed { .. } | Done::EmailVerified | Done::PasswordSet => Some(to_login()),
            Done::EmailChanged { .. } | Done::AccountKept => Some(to_account()),
            Done::EmailChangeUndone { .. } | Done::EmailChangeSignIn => Some(to_login()),
            Done::EmailChangeMailed { .. } => Some(to_account()),
            Done::RecoveryMailed { .. }
            | Done::EmailVerifiedElsewhere
            | Done::DeviceAllowed
            | Done::DeviceDenied
            | Done::EmailChangeHalf
            | Done::DeletionScheduled { .. } => None,
        };
        Self { title, sentence, onward, mailbox: None, frame }
    }

    /// The page with a link to the mailbox, for `dev` alone.
    #[must_use]
    pub fn with_mailbox(self) -> Self {
        Self { mailbox: Some(self.frame.path("/dev/mail")), ..self }
    }
}

fn sentences(frame: &Frame, done: Done<'_>) -> (String, String) {
    let plain = |title: &str, text: &str| (frame.text(title), frame.text(text));
    let about = |title: &str, text: &str, email: &str| {
        (frame.text(title), frame.text_with(text, "email", email))
    };
    match done {
        Done::SignUpMailed { email } => about("mailed-title", "mailed-sign-up", email),
        Done::EmailVerified => plain("verified-title", "verified-text"),
        Done::EmailVerifiedElsewhere => plain("verified-title", "verified-elsewhere-text"),
        Done::RecoveryMailed { email } => about("mailed-title", "mailed-recovery", email),
        Done::PasswordSet => plain("password-set-title", "password-set-text"),
        Done::DeviceAllowed => plain("device-allowed-title", "device-allowed-text"),
        Done::DeviceDenied => plain("device-denied-title", "device-denied-text"),
        Done::EmailChangeMailed { email } => about("mailed-title", "mailed-change", email),
        Done::EmailChangeHalf => plain("change-half-title", "change-half-text"),
        Done::EmailChangeSignIn => plain("change-sign-in-title", "change-sign-in-text"),
        Done::EmailChanged { email } => about("changed-title", "changed-text", email),
        Done::EmailChangeUndone { email } => about("undone-title", "undone-text", email),
        Done::DeletionScheduled { due } => {
            let text = frame.text_with("deletion-text", "date", &due.text);
            (frame.text("deletion-title"), text)
        }
        Done::AccountKept => plain("kept-title", "kept-text"),
    }
}
