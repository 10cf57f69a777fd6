//! The kinds of answers, one per audience: OAuth JSON for clients, problem+json for API callers.

pub mod authorization;
pub mod oauth;
pub mod problem;
pub mod wait;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// A JSON answer that nobody may store: most of them speak of a person, or hold a token.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    // Most answers fit, with a token in it too: what grows is copied each time.
    let mut body = Vec::with_capacity(1_024);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => raw(status, "application/json", body.into()),
        Err(_) => raw(status, "application/json", Bytes::new()),
    }
}

/// An answer of ready bytes that nobody may store (RFC 6749 §5.1: `no-store`).
pub fn raw(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 204 without a body.
pub fn nothing() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
