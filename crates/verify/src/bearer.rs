//! Where a request carries its token: the `Authorization` header (RFC 6750 §2.1) and nowhere else.
//! It must not read a token from the query or the body (§2.2, §2.3; RFC 9700 §4.3.2).

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap, Uri};

use crate::possession::Dpop;
use crate::refusal::Refusal;

const MAX_REQUEST_ID: usize = 128;

/// The id of a request, for an application that made one: put into the request's extensions it is
/// repeated in the body of a refusal. Without it the `x-request-id` header is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1: by having it.
    Bearer,
    /// RFC 9449 §7.1: by having the key that it is bound to.
    Dpop,
}

/// A token and how it is presented.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'r> {
    pub scheme: Scheme,
    pub token: &'r str,
}

/// The token of a request. `DPoP` is a scheme for us only where proofs are taken.
pub(crate) fn token<'r>(
    headers: &'r HeaderMap,
    uri: &Uri,
    dpop: Dpop,
) -> Result<Presented<'r>, Refusal> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Err(Refusal::NoCredentials) };
    // RFC 9110 §11.6.2: one value. With two, two readers might see two callers.
    if lines.next().is_some() {
        return Err(Refusal::InvalidRequest("there is more than one Authorization header"));
    }
    let line = line.as_bytes();
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (scheme, credentials) = line.split_at(end);
    // RFC 9110 §11.1: the name of the scheme is case-insensitive. Another one is not for us.
    let scheme = match scheme {
        bearer if bearer.eq_ignore_ascii_case(b"Bearer") => Scheme::Bearer,
        bound if bound.eq_ignore_ascii_case(b"DPoP") && dpop != Dpop::Off => Scheme::Dpop,
        _ => return Err(Refusal::NoCredentials),
    };
    // RFC 6750 §3.1: more than one method of sending a token makes a bad request.
    if uri.query().is_some_and(has_token_parameter) {
        return Err(Refusal::InvalidRequest("a token in the query besides the header"));
    }
    let text = std::str::from_utf8(credentials).map_err(|_| munjigi_token::Error::Malformed)?;
    Ok(Presented { scheme, token: text.trim_matches(' ') })
}

fn has_token_parameter(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("access_token"))
}

/// The id of this request, if it has one that can be repeated.
pub(crate) fn request_id(parts: &Parts) -> Option<String> {
    request_id_of(&parts.headers, &parts.extensions)
}

/// As [`request_id`], of a request that is not taken apart.
pub(crate) fn request_id_of(headers: &HeaderMap, extensions: &Extensions) -> Option<String> {
    if let Some(RequestId(id)) = extensions.get() {
        return Some(id.clone());
    }
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let is_short = !id.is_empty() && id.len() <= MAX_REQUEST_ID;
    is_short.then(|| id.to_owned())
}
