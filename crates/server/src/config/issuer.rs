//! What an issuer may be (RFC 8414 §2): compared as text by everybody, so one spelling alone.

use url::{Host, Url};

use super::{Mistake, mistake};

pub(super) fn check_issuer(issuer: Option<&str>) -> Result<String, Mistake> {
    let Some(text) = issuer else {
        let message = "is missing; it is the public URL of this server, for example \
                       `https://auth.example.kr`, and no URL is ever built from a request";
        return Err(mistake("issuer", message));
    };
    let url = Url::parse(text).map_err(|error| mistake("issuer", error.to_string()))?;
    let loopback = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let message = if text.ends_with('/') {
        "has no trailing slash"
    } else if url.query().is_some() || url.fragment().is_some() {
        // RFC 8414 §2: "no query or fragment components".
        "has no query and no fragment"
    } else if !url.username().is_empty() || url.password().is_some() {
        "has no user name and no password"
    } else if !is_plain_path(&url, text) {
        "has a path of letters, digits, `-`, `.`, `_` and `~` between single slashes, or none"
    } else if url.as_str().trim_end_matches('/') != text {
        // RFC 8414 §3.3, RFC 9207 §2.4: clients compare it as text, and so does who reads `iss`.
        let message = format!("is to be written as `{}`", url.as_str().trim_end_matches('/'));
        return Err(mistake("issuer", message));
    } else if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(text.to_owned());
    } else {
        "is an https URL (http only for localhost)"
    };
    Err(mistake("issuer", message))
}

/// Whether the path is one that stands everywhere as it was written: in routes, in metadata, and
/// in the comparisons of clients (RFC 8414 §4: as text).
fn is_plain_path(url: &Url, text: &str) -> bool {
    let path = url.path().trim_end_matches('/');
    let plain = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !part.is_empty() && part.bytes().all(is_plain)
    };
    let is_plain = path.is_empty() || path.split('/').skip(1).all(plain);
    is_plain && text.ends_with(path) && !text.contains("/.")
}
