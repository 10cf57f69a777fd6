//! The fourth kind of answer: HTML for a person, or the way to the next page. Every page forbids
//! scripts, frames and other origins (Content Security Policy), is stored nowhere, and tells nobody
//! where a person came from.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    REFERRER_POLICY, SET_COOKIE, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::time::Span;
use url::{Host, Url};

use crate::page::cookies::Cookie;
use crate::page::frame::Frame;
use crate::reply::wait::Wait;

/// How long the choice of a language is remembered.
const LOCALE_TTL: Span = Span::from_days(365);

/// Something that is shown to a person: the struct of a page.
pub trait View: Template {
    /// What stands around it.
    fn frame(&self) -> &Frame;

    /// The page, with the headers that every page has.
    fn reply(&self, status: StatusCode) -> Page
    where
        Self: Sized,
    {
        Page::of(status, self)
    }
}

/// Makes structs with a field `frame` pages.
macro_rules! views {
    ($($page:ty),* $(,)?) => {$(
        impl $crate::page::reply::View for $page {
            fn frame(&self) -> &$crate::page::frame::Frame {
                &self.frame
            }
        }
    )*};
}
pub(crate) use views;

/// An answer to a browser.
#[derive(Clone, Debug)]
pub struct Page(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    html: String,
    headers: HeaderMap,
    policy: Policy,
    /// What it refuses, for the metrics.
    refusal: Option<ErrorCode>,
}

/// What of the content security policy differs from page to page.
#[derive(Clone, Debug, Default)]
struct Policy {
    has_script: bool,
    form_targets: Vec<String>,
    framed: Vec<String>,
}

impl Page {
    /// A page of its struct.
    pub fn of(status: StatusCode, view: &impl View) -> Self {
        let frame = view.frame();
        let Ok(html) = view.render() else {
            tracing::error!("a template could not be rendered");
            return Self::bare(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut page = Self::bare(status);
        page.0.html = html;
        let headers = &mut page.0.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(frame.lang()));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
        if frame.is_chosen {
            return page.store(Cookie::Locale, frame.lang(), Some(LOCALE_TTL));
        }
        page
    }

    /// 303: what was sent is done, and the next page is there (RFC 9700 §4.12: never 307, which
    /// would send a password on).
    pub fn see_other(location: &str) -> Self {
        let Ok(location) = HeaderValue::from_str(location) else {
            tracing::error!("a location has characters that no header may have");
            return Self::bare(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let mut page = Self::bare(StatusCode::SEE_OTHER);
        page.0.headers.insert(LOCATION, location);
        page
    }

    fn bare(status: StatusCode) -> Self {
        const EACH: [(HeaderName, &str); 4] = [
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (X_FRAME_OPTIONS, "DENY"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        let headers = EACH.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let (html, policy) = (String::new(), Policy::default());
        let headers = HeaderMap::from_iter(headers);
        Self(Box::new(Parts { status, html, headers, policy, refusal: None }))
    }

    /// The page, whose form leads on to an application: Chromium applies `form-action` to the
    /// redirects after a form too.
    #[must_use]
    pub fn leading_to(mut self, redirect_uri: &str) -> Self {
        self.0.policy.form_targets.extend(source_of(redirect_uri));
        self
    }

    /// The page, which shows pages of others in frames (OpenID Connect Front-Channel Logout §3).
    #[must_use]
    pub fn framing<'u>(mut self, uris: impl IntoIterator<Item = &'u str>) -> Self {
        self.0.policy.framed.extend(uris.into_iter().filter_map(source_of));
        self
    }

    /// The page with our one script, which sends a form or follows a link that is there to be seen.
    #[must_use]
    pub fn with_script(mut self) -> Self {
        self.0.policy.has_script = true;
        self
    }

    /// The answer, which stores a cookie.
    #[must_use]
    pub fn store(self, cookie: Cookie, value: &str, ttl: Option<Span>) -> Self {
        self.append(cookie.store(value, ttl))
    }

    /// The answer, which removes a cookie.
    #[must_use]
    pub fn clear(self, cookie: Cookie) -> Self {
        self.append(cookie.clear())
    }

    fn append(mut self, line: Option<HeaderValue>) -> Self {
        match line {
            Some(line) => {
                self.0.headers.append(SET_COOKIE, line);
            }
            None => tracing::error!("a cookie has characters that no cookie may have"),
        }
        self
    }

    /// The answer, which tells a client that it was refused: counted as those in JSON are.
    #[must_use]
    pub fn refusing(mut self, code: ErrorCode) -> Self {
        self.0.refusal = Some(code);
        self
    }

    /// The answer with the time after which to try again.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        wait.say(&mut self.0.headers);
        self
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let parts = *self.0;
        let mut response = Response::new(parts.html.into());
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        if let Some(code) = parts.refusal {
            response.extensions_mut().insert(code);
        }
        if let Ok(policy) = HeaderValue::from_str(&parts.policy.text()) {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

impl Policy {
    fn text(&self) -> String {
        let mut text = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
                        base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
            .to_owned();
        for target in &self.form_targets {
            text.push(' ');
            text.push_str(target);
        }
        if self.has_script {
            text.push_str("; script-src 'self'");
        }
        if !self.framed.is_empty() {
            text.push_str("; frame-src ");
            text.push_str(&self.framed.join(" "));
        }
        text
    }
}

/// The source expression (CSP 3 §2.3.1) that admits an address: its origin; or its scheme, where
/// the host cannot be written in one (IPv6) or there is none (an application's own scheme).
fn source_of(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let scheme = url.scheme();
    match url.host() {
        Some(Host::Domain(_) | Host::Ipv4(_)) if matches!(scheme, "http" | "https") => {
            Some(url.origin().ascii_serialization())
        }
        _ => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::failed::Reason;
    use crate::page::locale::Locale;

    fn page() -> Page {
        Frame::new("https://auth.example", Locale::Korean).refuse(Reason::NotFound)
    }

    fn policy(page: Page) -> String {
        let response = page.into_response();
        response.headers().get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap().to_owned()
    }

    /// WB-01 of the attack kit.
    #[test]
    fn every_page_has_the_headers_that_protect_it() {
        let response = page().into_response();
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-language"), "ko");
        assert_eq!(header("vary"), "Accept-Language, Cookie");
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(
            header("content-security-policy"),
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'"
        );
    }

    #[test]
    fn a_form_may_lead_to_the_origin_of_its_application_and_no_further() {
        let source = |uri: &str| source_of(uri).unwrap();
        assert_eq!(source("https://app.example/cb?x=1"), "https://app.example");
        assert_eq!(source("http://127.0.0.1:3000/cb"), "http://127.0.0.1:3000");
        assert_eq!(source("http://[::1]:3000/cb"), "http:");
        assert_eq!(source("com.example.app:/cb"), "com.example.app:");
        assert!(source_of("no address").is_none());
        let led = policy(page().leading_to("https://app.example/a;script-src x"));
        assert!(led.ends_with("form-action 'self' https://app.example"), "{led}");
        let framed = policy(page().framing(["https://a.example/out?x", "https://b.example:8/"]));
        assert!(framed.ends_with("; frame-src https://a.example https://b.example:8"), "{framed}");
        assert!(policy(page().with_script()).ends_with("; script-src 'self'"));
    }

    #[test]
    fn the_way_on_is_a_303_that_breaks_no_header() {
        let page = Page::see_other("https://app.example/cb").clear(Cookie::Session);
        let response = page.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers().get(LOCATION).unwrap(), "https://app.example/cb");
        assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 1);
        let broken = Page::see_other("/a\r\nset-cookie: x").into_response();
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(broken.headers().get(LOCATION).is_none());
    }

    #[test]
    fn a_language_that_was_chosen_is_remembered() {
        let mut frame = Frame::new("https://auth.example", Locale::Korean);
        frame.is_chosen = true;
        let response = frame.refuse(Reason::NotFound).into_response();
        let cookie = response.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
        assert!(cookie.starts_with("__Host-munjigi-locale=ko; "), "{cookie}");
        assert!(page().into_response().headers().get(SET_COOKIE).is_none());
    }
}
