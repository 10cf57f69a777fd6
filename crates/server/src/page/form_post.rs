//! An authorization response as a form that goes to the application (OAuth 2.0 Form Post Response
//! Mode §2). A script sends it; where there is none, a button does. The page allows nothing but our
//! own script and the application as its target.

use askama::Template;
use http::StatusCode;

use crate::page::field::Hidden;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View, views};

/// The page. Answer with [`Self::answer`].
#[derive(Clone, Debug, Template)]
#[template(path = "form_post.html")]
pub struct FormPost {
    /// What stands around it.
    pub frame: Frame,
    /// The application's redirect URI.
    pub action: String,
    /// The parameters of the response.
    pub parameters: Vec<Hidden>,
}

views!(FormPost);

impl FormPost {
    /// The page for a response.
    pub fn new(frame: Frame, redirect_uri: &str, parameters: &[(&str, &str)]) -> Self {
        let hidden = parameters.iter().map(|(name, value)| Hidden::new(name, value));
        let parameters = hidden.collect();
        Self { frame, action: redirect_uri.to_owned(), parameters }
    }

    /// The answer, whose policy admits the script and the application.
    pub fn answer(&self) -> Page {
        self.reply(StatusCode::OK).leading_to(&self.action).with_script()
    }
}
