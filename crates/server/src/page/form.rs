//! Forms that a person sent from one of our own pages. Another site's page must not be able to send
//! one in the person's name (RFC 9700 §4.7; cross-site request forgery), so that what the browser
//! says about where it comes from is checked before anything is read.

use axum::extract::{FromRequest, Request};
use http::HeaderMap;
use http::header::ORIGIN;
use url::Url;

use crate::app::App;
use crate::extract::form::Form;
use crate::page::failed::Reason;
use crate::page::frame::Frame;
use crate::page::reply::Page;

/// A form of one of our own pages, with the frame of the page that answers it.
pub struct PageForm {
    /// What was sent, in the bounds of every form.
    pub fields: Form,
    /// The frame of the answer.
    pub frame: Frame,
}

impl FromRequest<App> for PageForm {
    type Rejection = Page;

    async fn from_request(request: Request, app: &App) -> Result<Self, Page> {
        let (parts, body) = request.into_parts();
        let frame = Frame::of_request(&parts, app);
        let is_own = is_own(&parts.headers, &app.config.issuer);
        if !munjigi_core::planted!("cross_site_form_taken" => true, is_own) {
            return Err(frame.refuse(Reason::OtherSite));
        }
        let request = Request::from_parts(parts, body);
        let read = Form::from_request(request, app).await;
        let fields = read.map_err(|_| frame.refuse(Reason::Unreadable))?;
        Ok(Self { fields, frame })
    }
}

/// Whether a browser sent this from a page of our own; or no browser did.
///
/// `Sec-Fetch-Site` cannot be written by a page (Fetch Metadata §2.2). Our pages are sent with
/// `no-referrer`, which makes browsers write `Origin: null` on their forms (Fetch §3.2.4): believed
/// only beside a `same-origin`, because a sandboxed frame of somebody else has that origin too. A
/// request with neither header is no browser's of these years, and cookies with `SameSite=Lax` do
/// not travel with another site's forms.
pub(crate) fn is_own(headers: &HeaderMap, issuer: &str) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let site = sites.next().map(|it| it.as_bytes());
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = origins.next().map(|it| it.as_bytes());
    if sites.next().is_some() || origins.next().is_some() {
        return false;
    }
    let is_same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let is_same_origin = match origin {
        None => true,
        Some(b"null") => site == Some(b"same-origin"),
        Some(origin) => {
            let own = Url::parse(issuer).map(|url| url.origin().ascii_serialization());
            own.is_ok_and(|own| own.as_bytes() == origin)
        }
    };
    is_same_site && is_same_origin
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn own(pairs: &[(&'static str, &str)]) -> bool {
        let pairs = pairs.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        is_own(&headers, "https://auth.example/tenant")
    }

    #[test]
    fn a_form_of_our_own_page_is_taken() {
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "https://auth.example")]));
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(own(&[("sec-fetch-site", "none")]));
        assert!(own(&[("origin", "https://auth.example")]));
        assert!(own(&[]));
    }

    /// RFC 9700 §4.7; fastapi's CVE-2021-32677 and its kin.
    #[test]
    fn a_form_of_another_site_is_refused() {
        for pairs in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "https://x.auth.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://auth.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
            &[("sec-fetch-site", "none"), ("origin", "null")],
            &[("origin", "null")],
            &[("origin", "http://auth.example")],
            &[("origin", "https://auth.example:444")],
            &[("origin", "https://auth.example.evil.example")],
            &[("origin", "https://auth.example"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "")],
        ] {
            assert!(!own(pairs), "{pairs:?}");
        }
    }
}
