//! Which answers a page of another origin may read (Fetch Standard §3.2, CORS), and what it may
//! send for them.
//!
//! Only what needs no cookie: applications in a page present a token, a code with its verifier, or
//! nothing. So every origin is let in alike, and none with its cookies: an origin is never repeated
//! (WB-03 of the attack kit), and there is no list of origins that could be got wrong.

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderMap, HeaderValue};

use crate::reply::nothing;

/// The paths whose answers any page may read. Not the authorization endpoint (RFC 9700 §2.6), no
/// page, and not our own account and admin APIs, which are for programs of one origin.
pub const SHARED: [&str; 9] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/jwks.json",
    "/oauth2/token",
    "/oauth2/par",
    "/oauth2/revoke",
    "/oauth2/userinfo",
    "/oauth2/register",
    "/oauth2/register/{client_id}",
];

/// Who may read an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Pages of the same origin, and programs.
    SameOrigin,
    /// Pages of every origin, without cookies.
    AnyOrigin,
}

impl Readers {
    /// Of the answers of a path.
    pub fn of(path: &str) -> Self {
        if SHARED.contains(&path) { Self::AnyOrigin } else { Self::SameOrigin }
    }

    /// Says so.
    pub fn say(self, headers: &mut HeaderMap) {
        if self == Self::AnyOrigin {
            let exposed = HeaderValue::from_static("www-authenticate, dpop-nonce, retry-after");
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}

/// `OPTIONS` of a shared path: what a browser asks before it sends more than a plain form.
pub async fn preflight() -> Response {
    let mut response = nothing();
    let headers = response.headers_mut();
    // Each by its name, since `*` does not stand for `authorization`: what Swagger UI and clients
    // of MCP send is among them.
    let taken = HeaderValue::from_static(
        "authorization, content-type, dpop, mcp-protocol-version, x-requested-with",
    );
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, taken);
    let methods = HeaderValue::from_static("GET, POST, PUT, DELETE");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
