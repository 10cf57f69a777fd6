//! Signed out: here, and at the applications that are told through frames of this very page
//! (OpenID Connect Front-Channel Logout §3). When they are told, it goes on to the application that
//! asked; without a script, by its link.

use askama::Template;
use http::StatusCode;

use crate::page::frame::Frame;
use crate::page::outcome::Onward;
use crate::page::reply::{Page, View, views};

/// The page. Answer with [`Self::answer`].
#[derive(Clone, Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// What stands around it.
    pub frame: Frame,
    /// The `frontchannel_logout_uri`s, with `iss` and `sid`.
    pub frames: Vec<String>,
    /// Back to the application that asked (`post_logout_redirect_uri`).
    pub onward: Option<Onward>,
    /// Where one signs in again.
    pub login: String,
}

views!(SignedOut);

impl SignedOut {
    /// The page. `back` is the name of the application that asked and where it wants its person
    /// back: checked to be registered, and with `state`.
    pub fn new(frame: Frame, frames: Vec<String>, back: Option<(&str, &str)>) -> Self {
        let onward = back.map(|(client, uri)| Onward {
            href: uri.to_owned(),
            label: frame.text_with("signed-out-back", "client", client),
        });
        let login = frame.path("/login");
        Self { frame, frames, onward, login }
    }

    /// The answer, whose policy admits the frames, and the script if there is somewhere to go.
    pub fn answer(&self) -> Page {
        let page = self.reply(StatusCode::OK).framing(self.frames.iter().map(String::as_str));
        match self.onward {
            Some(_) => page.with_script(),
            None => page,
        }
    }
}
