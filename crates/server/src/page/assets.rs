//! What pages load: one style sheet, one script, one logo, part of the program. Their names hold a
//! hash of what is in them, so that a browser keeps them for good.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use munjigi_token::base64url;

use crate::extract::path::Path;
use crate::reply;
use crate::reply::problem::Problem;

/// A file that pages load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asset {
    /// The style sheet of every page.
    Style,
    /// The script that sends the form of `response_mode=form_post`, and follows the link of the
    /// page that signs people out elsewhere.
    Script,
    /// The logo.
    Logo,
}

// Constants in all but name: computed once, never changed.
static NAMES: LazyLock<[String; 3]> = LazyLock::new(|| Asset::ALL.map(Asset::hashed));

impl Asset {
    const ALL: [Self; 3] = [Self::Style, Self::Script, Self::Logo];

    /// Where it is served: below the issuer.
    pub fn path(self) -> String {
        format!("/assets/{}", self.name())
    }

    /// Its name with the hash.
    pub fn name(self) -> &'static str {
        let [style, script, logo] = &*NAMES;
        match self {
            Self::Style => style,
            Self::Script => script,
            Self::Logo => logo,
        }
    }

    /// The one with a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|asset| asset.name() == name)
    }

    /// What is in it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Style => include_str!("../../assets/page/page.css"),
            Self::Script => include_str!("../../assets/page/onward.js"),
            Self::Logo => include_str!("../../assets/page/logo.svg"),
        }
    }

    fn hashed(self) -> String {
        let text = self.text().as_bytes();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
        let short = base64url::encode(digest.as_ref().get(..9).unwrap_or_default());
        match self {
            Self::Style => format!("page-{short}.css"),
            Self::Script => format!("onward-{short}.js"),
            Self::Logo => format!("logo-{short}.svg"),
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Logo => "image/svg+xml",
        }
    }
}

impl IntoResponse for Asset {
    fn into_response(self) -> Response {
        const FOR_GOOD: HeaderValue =
            HeaderValue::from_static("public, max-age=31536000, immutable");
        const NOTHING_ELSE: HeaderValue = HeaderValue::from_static("default-src 'none'");
        let body = Bytes::from_static(self.text().as_bytes());
        let mut response = reply::raw(StatusCode::OK, self.content_type(), body);
        response.headers_mut().insert(CACHE_CONTROL, FOR_GOOD);
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, NOTHING_ELSE);
        response
    }
}

/// `GET /assets/{name}`.
pub async fn serve(Path(name): Path<String>) -> Result<Asset, Problem> {
    Asset::find(&name).ok_or_else(|| Problem::not_found("file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_own_name_only_and_kept_for_good() {
        for asset in Asset::ALL {
            assert_eq!(Asset::find(asset.name()), Some(asset));
            let response = asset.into_response();
            let cache = response.headers().get(CACHE_CONTROL).unwrap();
            assert_eq!(cache, "public, max-age=31536000, immutable");
        }
        for other in ["page.css", "", "../page.css", "page-AAAAAAAAAAAA.css"] {
            assert_eq!(Asset::find(other), None, "{other}");
        }
    }

    #[test]
    fn all_of_them_are_small() {
        let bytes: usize = Asset::ALL.iter().map(|asset| asset.text().len()).sum();
        assert!(bytes < 30_000, "{bytes}");
    }
}
