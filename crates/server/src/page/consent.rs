//! What a person is asked before an application gets something (OpenID Connect Core §3.1.2.4): who
//! asks, for what, for how long, and as whom one answers. No picture comes from another origin.

use askama::Template;
use munjigi_core::time::Span;

use crate::page::frame::Frame;
use crate::page::reply::views;

/// What an application asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The name of the application.
    pub client: &'a str,
    /// The host that its answers go to.
    pub host: Option<&'a str>,
    /// The host of the document that it is known by (Client ID Metadata Document): the one thing
    /// about it that is proved.
    pub publisher: Option<&'a str>,
    /// Whether its answers stay on the person's own machine, where any program may take them.
    pub is_local: bool,
    /// Whether nobody here looked at the application: it registered itself, or is a document.
    pub is_unverified: bool,
    /// The scopes.
    pub scopes: &'a [&'a str],
    /// The names of the APIs that it wants to call.
    pub apis: &'a [&'a str],
    /// How long it may come back without the person (`offline_access`); `None` when it may not.
    pub lasting: Option<Span>,
    /// What stands for all of it in the form, so that nobody agrees to what they did not see.
    pub shown: &'a str,
}

/// `/consent`: sends `shown` and `action=allow`, `action=deny` or `action=switch` (use another
/// account) to `/consent?flow=…`.
#[derive(Clone, Debug, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// What stands around it.
    pub frame: Frame,
    /// The name of the application.
    pub client: String,
    /// The first letter of its name, in place of a picture.
    pub initial: String,
    /// The host that its answers go to.
    pub host: Option<String>,
    /// The host of its document.
    pub publisher: Option<String>,
    /// Whether its answers stay on the person's own machine.
    pub is_local: bool,
    /// Whether nobody here looked at the application.
    pub is_unverified: bool,
    /// What it asks for, a sentence each.
    pub permissions: Vec<String>,
    /// For how long.
    pub duration: String,
    /// As whom the person answers.
    pub account: String,
    /// Where the form goes.
    pub action: String,
    /// What stands for all that is shown.
    pub shown: String,
}

views!(Consent);

impl Consent {
    /// The page; `account` is the name or the address of who is signed in.
    pub fn new(mut frame: Frame, flow: &str, account: &str, asked: Asked<'_>) -> Self {
        frame.keep("flow", Some(flow));
        Self {
            client: asked.client.to_owned(),
            initial: initial(asked.client),
            host: asked.host.map(str::to_owned),
            publisher: asked.publisher.map(str::to_owned),
            is_local: asked.is_local,
            is_unverified: asked.is_unverified,
            permissions: permissions(&frame, asked.scopes, asked.apis),
            duration: duration(&frame, asked.lasting),
            account: account.to_owned(),
            action: frame.path_with("/consent", "flow", Some(flow)),
            shown: asked.shown.to_owned(),
            frame,
        }
    }
}

/// The first letter of a name, in place of a picture.
pub(super) fn initial(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric());
    first.map_or_else(|| "·".to_owned(), |c| c.to_uppercase().collect())
}

/// A sentence for each scope and each API, in the order in which they were asked for.
pub(super) fn permissions(frame: &Frame, scopes: &[&str], apis: &[&str]) -> Vec<String> {
    let of_scope = |scope: &&str| match *scope {
        "openid" => frame.text("scope-openid"),
        "profile" => frame.text("scope-profile"),
        "email" => frame.text("scope-email"),
        "address" => frame.text("scope-address"),
        "phone" => frame.text("scope-phone"),
        "groups" => frame.text("scope-groups"),
        "roles" => frame.text("scope-roles"),
        "offline_access" => frame.text("scope-offline"),
        other => frame.text_with("scope-other", "scope", other),
    };
    let of_api = |api: &&str| frame.text_with("scope-api", "api", api);
    scopes.iter().map(of_scope).chain(apis.iter().map(of_api)).collect()
}

fn duration(frame: &Frame, lasting: Option<Span>) -> String {
    match lasting {
        None => frame.text("consent-while"),
        Some(span) => {
            let days = span.as_seconds().div_euclid(86_400).max(1);
            frame.locale.count("consent-lasting", days)
        }
    }
}
