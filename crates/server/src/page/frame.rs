//! What every page has around it: the language, the addresses of this server, the id of the
//! request. Addresses are paths below the configured issuer, never taken from the request.

use std::fmt::Display;

use axum::extract::FromRequestParts;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use munjigi_core::id::RequestId;
use munjigi_core::time::Timestamp;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::addresses::Denied;
use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::assets::Asset;
use crate::page::cookies::Cookie;
use crate::page::failed::{FailedPage, Reason};
use crate::page::locale::Locale;
use crate::page::moment::Moment;
use crate::page::reply::{Page, View};
use crate::reply::wait::Wait;

/// The parameter with which a page is asked for in a language, by an application and by the links
/// at the foot of every page.
pub const UI_LOCALES: &str = "ui_locales";

/// The frame of a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The language.
    pub locale: Locale,
    /// Whether the person chose the language just now, so that it is remembered.
    pub is_chosen: bool,
    /// The id of the request, for the error page.
    pub request_id: Option<RequestId>,
    /// The path of the issuer: empty, or `/auth`.
    base: String,
    /// The page's own parameters, which its links to other languages keep.
    kept: Vec<(&'static str, String)>,
}

/// A link to the same page in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageLink {
    /// The tag of the language.
    pub tag: &'static str,
    /// What it calls itself.
    pub name: &'static str,
    /// Relative to the page.
    pub href: String,
    /// Whether the page is in it.
    pub is_current: bool,
}

impl FromRequestParts<App> for Frame {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self::of_request(parts, app))
    }
}

impl Frame {
    /// For a server with this issuer, in a language.
    pub fn new(issuer: &str, locale: Locale) -> Self {
        let path = Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned());
        let base = path.unwrap_or_default();
        Self { locale, is_chosen: false, request_id: None, base, kept: Vec::new() }
    }

    /// For a request: its `ui_locales`, its cookie, its `Accept-Language`.
    pub fn of_request(parts: &Parts, app: &App) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let asked = pairs.find(|(name, _)| name == UI_LOCALES).map(|(_, value)| value);
        let cookie = Cookie::Locale.read(&parts.headers);
        let accepted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
        let locale = Locale::choose(asked.as_deref(), cookie, accepted);
        let request_id = parts.extensions.get::<Context>().map(|context| context.request_id);
        let chosen = asked.as_deref().and_then(Locale::parse);
        let is_chosen = chosen.is_some() && cookie.and_then(Locale::parse) != chosen;
        Self { is_chosen, request_id, ..Self::new(&app.config.issuer, locale) }
    }

    /// The frame with the language that an application asked for, unless the person just chose one.
    #[must_use]
    pub fn preferring(mut self, ui_locales: Option<&str>) -> Self {
        let preferred = ui_locales.and_then(Locale::first_of).filter(|_| !self.is_chosen);
        self.locale = preferred.unwrap_or(self.locale);
        self
    }

    /// Keeps a parameter of the page's address in its links to other languages.
    pub(super) fn keep(&mut self, name: &'static str, value: Option<&str>) {
        self.kept.extend(value.map(|value| (name, value.to_owned())));
    }

    /// The address of a page of this server, such as `/login`.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address of a page with a parameter, if there is a value for it.
    pub fn path_with(&self, path: &str, name: &str, value: Option<&str>) -> String {
        let Some(value) = value else { return self.path(path) };
        let query = Serializer::new(String::new()).append_pair(name, value).finish();
        format!("{}{path}?{query}", self.base)
    }

    /// The address of the style sheet.
    pub fn style(&self) -> String {
        self.path(&Asset::Style.path())
    }

    /// The address of the logo.
    pub fn logo(&self) -> String {
        self.path(&Asset::Logo.path())
    }

    /// The address of the script of the two pages that have one.
    pub fn script(&self) -> String {
        self.path(&Asset::Script.path())
    }

    /// The links to the same page in every language.
    pub fn languages(&self) -> Vec<LanguageLink> {
        let link = |locale: Locale| {
            let mut query = Serializer::new(String::new());
            query.extend_pairs(self.kept.iter().map(|(name, value)| (*name, value)));
            query.append_pair(UI_LOCALES, locale.tag());
            LanguageLink {
                tag: locale.tag(),
                name: locale.own_name(),
                href: format!("?{}", query.finish()),
                is_current: locale == self.locale,
            }
        };
        Locale::ALL.into_iter().map(link).collect()
    }

    /// The tag of the language.
    pub fn lang(&self) -> &'static str {
        self.locale.tag()
    }

    /// A text without variables.
    pub fn text(&self, id: &str) -> String {
        self.locale.text(id)
    }

    /// A text with one variable.
    pub fn text_with(&self, id: &str, name: &'static str, value: impl Display) -> String {
        self.locale.text_with(id, name, value)
    }

    /// A point in time as a person reads it.
    pub fn moment(&self, at: Timestamp) -> Moment {
        Moment::new(self.locale, at)
    }

    /// The page for what cannot go on.
    pub fn refuse(&self, reason: Reason) -> Page {
        let page = FailedPage::new(self.clone(), reason).reply(reason.status());
        match reason {
            Reason::Busy => page.wait(Wait::seconds(1)),
            _ => page,
        }
    }

    /// The page for a request that is put off.
    pub fn put_off(&self, denied: Denied) -> Page {
        match denied {
            Denied::Throttled(wait) => self.refuse(Reason::TooMany).wait(wait),
            Denied::Failure(failure) => self.broken(failure),
        }
    }

    /// The page for what nobody planned for. It is logged here, once; the person gets the id.
    pub fn broken(&self, failure: impl Into<Failure>) -> Page {
        self.refuse(Reason::of(&failure.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stand_below_the_issuer() {
        let frame = Frame::new("https://auth.example/tenant", Locale::English);
        assert_eq!(frame.path("/login"), "/tenant/login");
        assert_eq!(frame.path_with("/login", "flow", Some("a&b")), "/tenant/login?flow=a%26b");
        assert_eq!(Frame::new("https://auth.example", Locale::Korean).path("/login"), "/login");
    }

    #[test]
    fn the_links_to_other_languages_keep_what_the_page_is_about() {
        let mut frame = Frame::new("https://auth.example", Locale::Korean);
        frame.keep("flow", Some("x y"));
        let links = frame.languages();
        assert_eq!(links[0].href, "?flow=x+y&ui_locales=en");
        assert!(links[1].is_current);
    }

    #[test]
    fn what_a_person_just_chose_wins_over_what_the_application_wants() {
        let frame = Frame::new("https://auth.example", Locale::English);
        assert_eq!(frame.clone().preferring(Some("ko")).locale, Locale::Korean);
        assert_eq!(frame.clone().preferring(Some("fr")).locale, Locale::English);
        let chosen = Frame { is_chosen: true, ..frame };
        assert_eq!(chosen.preferring(Some("ko")).locale, Locale::English);
    }
}
