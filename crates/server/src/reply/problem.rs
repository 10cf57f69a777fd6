//! Problems (RFC 9457): what API callers get when something is refused. The request id is written
//! into the body by the outermost layer, which knows it.

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use munjigi_core::id::RequestId;
use munjigi_store::StoreError;
use serde::Serialize;

use crate::addresses::Denied;
use crate::failure::{Failure, Severity};
use crate::hashing::HashingError;
use crate::reply::wait::Wait;

/// Something that was refused, for a caller of an API.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code, which programs may depend on.
    pub code: &'static str,
    /// What happened and what to do, in a sentence.
    pub detail: String,
    /// The members of the body that are wrong.
    pub errors: Vec<MemberError>,
    /// When to try again.
    pub wait: Option<Wait>,
    /// The challenge of a 401 or 403 (RFC 6750 §3).
    pub challenge: Option<&'static str>,
}

/// A member of a JSON body that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberError {
    /// Where it stands (RFC 6901).
    pub pointer: String,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

#[derive(Serialize)]
struct Body<'p> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    code: &'static str,
    request_id: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'p [MemberError],
}

impl Problem {
    /// A problem with its sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, errors: Vec::new(), wait: None, challenge: None }
    }

    /// 404: there is no such thing, or the caller may not know.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// 403: the caller is known and may not do it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        // RFC 6750 §3.1: insufficient_scope.
        let challenge = r#"Bearer error="insufficient_scope""#;
        let problem = Self::new(StatusCode::FORBIDDEN, "insufficient_scope", detail);
        Self { challenge: Some(challenge), ..problem }
    }

    /// 401: the token is genuine, but what it stands for is over.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let challenge = r#"Bearer error="invalid_token""#;
        let problem = Self::new(StatusCode::UNAUTHORIZED, "invalid_token", detail);
        Self { challenge: Some(challenge), ..problem }
    }

    /// 409: it is taken.
    pub fn conflict(code: &'static str, pointer: &str, detail: &str) -> Self {
        let mut problem = Self::new(StatusCode::CONFLICT, code, detail);
        let (pointer, detail) = (pointer.to_owned(), detail.to_owned());
        problem.errors.push(MemberError { pointer, code, detail });
        problem
    }

    /// 422: members of the body are wrong.
    pub fn members(errors: Vec<MemberError>) -> Self {
        let detail = match errors.first() {
            Some(first) if first.pointer.is_empty() => first.detail.clone(),
            Some(first) => format!("{}: {}", first.pointer, first.detail),
            None => "the body is not what is expected here".to_owned(),
        };
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { errors, ..Self::new(status, "invalid_members", detail) }
    }

    /// One wrong member.
    pub fn member(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.to_owned(), detail.into());
        Self::members(vec![MemberError { pointer, code, detail }])
    }

    /// 429: too many guesses, or requests that were refused.
    pub fn too_many_attempts(wait: Wait) -> Self {
        let detail = format!("too many attempts; try again in {} s", wait.as_seconds());
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail).wait(wait)
    }

    /// The same, with the time after which to try again.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = Some(wait);
        self
    }

    /// The answer, with the request id in it.
    pub fn render(&self, request_id: Option<RequestId>) -> Response {
        let body = Body {
            r#type: format!("urn:munjigi:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id: request_id.map(|id| id.to_string()),
            errors: &self.errors,
        };
        let bytes = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = super::raw(self.status, "application/problem+json", bytes.into());
        let headers = response.headers_mut();
        if let Some(wait) = self.wait {
            wait.say(headers);
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Rendered without a request id; the outermost layer renders it again with one.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        // Logged here, once; the caller gets only the request id.
        let severity = failure.severity();
        match severity {
            Severity::Passing => tracing::warn!(error = %failure, "a request had to be put off"),
            Severity::Defect => tracing::error!(error = %failure, "a request failed"),
        }
        match severity {
            Severity::Passing => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the server is busy; try again in a moment",
            )
            .wait(Wait::seconds(1)),
            Severity::Defect => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something went wrong here; the request id helps to find out what",
            ),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Throttled(wait) => Self::too_many_attempts(wait),
            Denied::Failure(failure) => failure.into(),
        }
    }
}

/// What ends a transaction early: a refusal that changes nothing, or the store's own error, which
/// the executor has to see as it is.
#[derive(Debug)]
pub enum Undone {
    /// The caller may not, or it is not there.
    Refused(Problem),
    /// The database.
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Problem> for Undone {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(problem) => problem,
            Undone::Store(error) => error.into(),
        }
    }
}

macro_rules! through_failure {
    ($($error:ty),*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::from(Failure::from(error))
            }
        }
    )*};
}

through_failure!(StoreError, HashingError, crate::random::NoRandomness);
