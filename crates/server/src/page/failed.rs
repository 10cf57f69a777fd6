//! The page for what cannot go on: what happened, what to do, and the id by which whoever
//! runs this finds the rest; nothing of the request stands on it (RU-01 of the attack kit). Only in
//! `dev` it shows how a redirect URI differs from the registered ones.

use askama::Template;
use http::StatusCode;

use crate::failure::{Failure, Severity};
use crate::page::frame::Frame;
use crate::page::redirect_difference::RedirectDifference;
use crate::page::reply::views;

/// Why something cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is there.
    NotFound,
    /// The application that sent the person here is not known, or not enabled.
    UnknownClient,
    /// The application asks for an answer to an address that it did not register.
    RedirectUri,
    /// The application's request is broken in a way that no answer can be sent to.
    Request,
    /// The way through the pages took too long.
    FlowExpired,
    /// The way through the pages began in another browser, or this one keeps no cookies.
    OtherBrowser,
    /// A form came from another site.
    OtherSite,
    /// A form cannot be read.
    Unreadable,
    /// A mailed link was used, is over, or is none.
    LinkSpent,
    /// The account may not sign in.
    Disabled,
    /// What was asked for is switched off here.
    SwitchedOff,
    /// Too many attempts.
    TooMany,
    /// Overload or an outage.
    Busy,
    /// A defect.
    Internal,
}

impl Reason {
    /// What a failure is to a person. It is logged here, once.
    pub fn of(failure: &Failure) -> Self {
        match failure.severity() {
            Severity::Passing => {
                tracing::warn!(error = %failure, "a page had to be put off");
                Self::Busy
            }
            Severity::Defect => {
                tracing::error!(error = %failure, "a page failed");
                Self::Internal
            }
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::UnknownClient | Self::RedirectUri | Self::Request | Self::Unreadable => {
                StatusCode::BAD_REQUEST
            }
            Self::FlowExpired | Self::OtherBrowser | Self::LinkSpent => StatusCode::BAD_REQUEST,
            Self::OtherSite | Self::Disabled | Self::SwitchedOff => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The messages of its title and its sentence.
    const fn messages(self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("failed-not-found-title", "failed-not-found-text"),
            Self::UnknownClient => ("failed-client-title", "failed-client-text"),
            Self::RedirectUri => ("failed-client-title", "failed-redirect-text"),
            Self::Request => ("failed-client-title", "failed-request-text"),
            Self::FlowExpired => ("failed-expired-title", "failed-expired-text"),
            Self::OtherBrowser => ("failed-browser-title", "failed-browser-text"),
            Self::OtherSite => ("failed-site-title", "failed-site-text"),
            Self::Unreadable => ("failed-unreadable-title", "failed-unreadable-text"),
            Self::LinkSpent => ("failed-link-title", "failed-link-text"),
            Self::Disabled => ("failed-disabled-title", "failed-disabled-text"),
            Self::SwitchedOff => ("failed-off-title", "failed-off-text"),
            Self::TooMany => ("failed-many-title", "failed-many-text"),
            Self::Busy => ("failed-busy-title", "failed-busy-text"),
            Self::Internal => ("failed-internal-title", "failed-internal-text"),
        }
    }
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "failed.html")]
pub struct FailedPage {
    /// What stands around it.
    pub frame: Frame,
    /// What happened, in a few words.
    pub title: String,
    /// What to do.
    pub sentence: String,
    /// The id of the request.
    pub request_id: Option<String>,
    /// In `dev`: how a redirect URI differs from the registered ones.
    pub difference: Option<RedirectDifference>,
}

views!(FailedPage);

impl FailedPage {
    /// The page for a reason; the id of the request comes with the frame.
    pub fn new(frame: Frame, reason: Reason) -> Self {
        let (title, sentence) = reason.messages();
        let (title, sentence) = (frame.text(title), frame.text(sentence));
        let request_id = frame.request_id.map(|id| id.to_string());
        Self { frame, title, sentence, request_id, difference: None }
    }

    /// The page with the difference, for `dev` alone.
    #[must_use]
    pub fn showing(self, difference: RedirectDifference) -> Self {
        Self { difference: Some(difference), ..self }
    }
}
