//! What a refused request is told, as problem+json (RFC 9457), in the shape of munjigi-verify's.

use std::fmt::Display;

use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal that is not about the token.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    /// The body is JSON, but not an event.
    pub fn unprocessable(detail: &str) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { status, code: "invalid_body", detail: detail.to_owned() }
    }

    /// The reason goes to the log and not to the caller.
    #[expect(clippy::print_stderr, reason = "the log of an example")]
    pub fn internal(reason: &impl Display) -> Self {
        eprintln!("planner: {reason}");
        let detail = "something went wrong here".to_owned();
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "internal", detail }
    }
}

impl From<JsonRejection> for Problem {
    /// 400 for what is no JSON, 413 too much of it, 415 another type, 422 for what is no event.
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        Self { status: rejection.status(), code: "invalid_body", detail }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        let kind = (header::CONTENT_TYPE, "application/problem+json");
        (self.status, [kind], body.to_string()).into_response()
    }
}
