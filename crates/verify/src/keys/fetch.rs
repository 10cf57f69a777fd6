//! Fetches an issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3) and its keys
//! (RFC 7517 §5). It must not follow redirects, use a proxy that nobody named, or read without end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Uri};
use munjigi_token::{Jwks, KeySet};
use serde_json::Value;

use crate::builder::BuildError;
use crate::url::{is_same_origin, is_trusted_transport};

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_DOCUMENT: usize = 1 << 20;

/// What a fetch brought.
pub(crate) struct Fetched {
    pub keys: KeySet,
    pub max_age: Option<Duration>,
    /// SHA-256 of the key document: tells whether the keys changed.
    pub digest: [u8; 32],
}

/// Why a fetch brought nothing. For the log: a caller only learns that there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer: {0}")]
    Transport(#[from] reqwest::Error),
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} sent more than 1 MiB")]
    TooLarge { url: String },
    #[error("the metadata is not the JSON object of an issuer")]
    Metadata,
    #[error("the metadata names another issuer")]
    OtherIssuer,
    #[error("the jwks_uri is neither https nor of the issuer's origin")]
    JwksUri,
    #[error("the key set is unusable: {0}")]
    Keys(#[from] munjigi_token::Error),
    #[error("the key set holds no key that can be used")]
    NoKeys,
    #[error("the fetch was abandoned")]
    Abandoned,
}

/// An issuer to fetch from.
pub(crate) struct Source {
    issuer: String,
    issuer_uri: Uri,
    http: reqwest::Client,
    /// Found by discovery, and found anew after a failure.
    jwks_uri: Mutex<Option<String>>,
}

impl Source {
    pub fn new(issuer: &str) -> Result<Self, BuildError> {
        let uri: Uri = issuer.parse().map_err(|_| BuildError::Issuer)?;
        if !is_usable_issuer(issuer) {
            return Err(BuildError::Issuer);
        }
        let http = new_client().map_err(|_| BuildError::HttpClient)?;
        let jwks_uri = Mutex::new(None);
        Ok(Self { issuer: issuer.to_owned(), issuer_uri: uri, http, jwks_uri })
    }

    pub async fn fetch(&self) -> Result<Fetched, FetchError> {
        let outcome = self.fetch_keys().await;
        if outcome.is_err() {
            *self.known_jwks_uri() = None;
        }
        outcome
    }

    fn known_jwks_uri(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.jwks_uri.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch_keys(&self) -> Result<Fetched, FetchError> {
        let known = self.known_jwks_uri().clone();
        let jwks_uri = match known {
            Some(uri) => uri,
            None => self.discover().await?,
        };
        let (body, headers) = self.read(&jwks_uri).await?;
        let jwks = Jwks::parse(&body)?;
        let keys = KeySet::from_jwks(&jwks);
        // An issuer without a key signs nothing: this is a fault, not a withdrawal of every key.
        if keys.is_empty() {
            return Err(FetchError::NoKeys);
        }
        *self.known_jwks_uri() = Some(jwks_uri);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest(&SHA256, &body).as_ref());
        Ok(Fetched { keys, max_age: max_age(&headers), digest: sha256 })
    }

    async fn discover(&self) -> Result<String, FetchError> {
        let issuer = self.issuer.trim_end_matches('/');
        let (body, _) = self.read(&format!("{issuer}/.well-known/openid-configuration")).await?;
        let metadata = munjigi_token::json::object(&body).map_err(|_| FetchError::Metadata)?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        // OpenID Connect Discovery 1.0 §4.3: the issuer of the document is exactly the one asked.
        if text("issuer") != Some(&self.issuer) {
            return Err(FetchError::OtherIssuer);
        }
        let jwks_uri = text("jwks_uri").ok_or(FetchError::Metadata)?;
        let uri: Uri = jwks_uri.parse().map_err(|_| FetchError::JwksUri)?;
        // A document that was tampered with must not lead to a plain-text or inner address.
        let is_https = uri.scheme_str() == Some("https") && is_trusted_transport(&uri);
        if is_https || is_same_origin(&uri, &self.issuer_uri) {
            return Ok(jwks_uri.to_owned());
        }
        Err(FetchError::JwksUri)
    }

    async fn read(&self, url: &str) -> Result<(Vec<u8>, HeaderMap), FetchError> {
        let mut response = self.http.get(url).header("accept", "application/json").send().await?;
        if response.status() != 200 {
            let status = response.status().as_u16();
            return Err(FetchError::Status { url: url.to_owned(), status });
        }
        let headers = std::mem::take(response.headers_mut());
        Ok((read_whole(response, url).await?, headers))
    }
}

/// Whether anything is fetched from this issuer at all.
pub(crate) fn is_usable_issuer(issuer: &str) -> bool {
    let uri = issuer.parse::<Uri>();
    uri.is_ok_and(|uri| is_trusted_transport(&uri) && uri.query().is_none())
}

/// The body of an answer, if it is not too large.
pub(crate) async fn read_whole(
    mut response: reqwest::Response,
    url: &str,
) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) > MAX_DOCUMENT {
            return Err(FetchError::TooLarge { url: url.to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[expect(clippy::disallowed_methods, reason = "this is the guarded client of this crate")]
pub(crate) fn new_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("munjigi-verify/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// How long the issuer lets its keys be kept (RFC 9111 §5.2.2).
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let mut directives = lines.flat_map(|line| line.split(',')).map(str::trim);
    directives.find_map(|directive| {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache")
        {
            return Some(Duration::ZERO);
        }
        let (name, value) = directive.split_once('=')?;
        let is_age = name.trim().eq_ignore_ascii_case("max-age");
        is_age.then(|| value.trim().trim_matches('"').parse().ok().map(Duration::from_secs))?
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn said(line: &'static str) -> Option<Duration> {
        max_age(&HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(line))]))
    }

    #[test]
    fn the_issuer_says_how_long_keys_are_kept() {
        assert_eq!(said("public, max-age=300"), Some(Duration::from_secs(300)));
        assert_eq!(said("Max-Age=\"60\""), Some(Duration::from_secs(60)));
        assert_eq!(said("no-store"), Some(Duration::ZERO));
        assert_eq!(said("public, max-age=soon"), None);
        assert_eq!(said("s-maxage=5"), None);
    }

    #[test]
    fn a_plain_text_issuer_is_on_this_machine() {
        for issuer in ["https://id.example", "http://localhost:8000", "http://127.0.0.1:1/a"] {
            assert!(Source::new(issuer).is_ok(), "{issuer}");
        }
        for issuer in
            ["http://id.example", "id.example", "ftp://id.example", "https://a@id.example", "/x"]
        {
            assert!(matches!(Source::new(issuer), Err(BuildError::Issuer)), "{issuer}");
        }
    }
}
