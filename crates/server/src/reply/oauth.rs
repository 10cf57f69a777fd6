//! Answers of the OAuth endpoints: errors of RFC 6749 §5.2.

use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, HeaderValue, StatusCode};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use serde::Serialize;

use crate::addresses::Denied;
use crate::failure::{Failure, Severity};
use crate::hashing::HashingError;
use crate::random::NoRandomness;
use crate::reply::wait::Wait;

/// An error of an OAuth endpoint.
#[derive(Clone, Debug)]
pub struct OAuthError {
    status: StatusCode,
    refusal: OAuthRefusal,
    challenge: bool,
    wait: Option<Wait>,
    dpop_nonce: Option<HeaderValue>,
}

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

#[derive(Serialize)]
struct Body {
    error: &'static str,
    error_description: &'static str,
}

impl OAuthError {
    /// RFC 6749 §5.2: 400, but for `invalid_client`, which is 401.
    pub fn new(code: ErrorCode, description: &'static str) -> Self {
        OAuthRefusal::new(code, description).into()
    }

    /// `invalid_client` for a client that tried the `Authorization` header: 401 with a matching
    /// challenge (RFC 6749 §5.2).
    pub fn invalid_client(description: &'static str, challenge: bool) -> Self {
        Self { challenge, ..Self::new(ErrorCode::InvalidClient, description) }
    }

    /// Too many guesses: 429, with the time after which to try again.
    pub fn too_many_attempts(wait: Wait) -> Self {
        let description = "too many attempts; try again later";
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            wait: Some(wait),
            ..Self::new(ErrorCode::TemporarilyUnavailable, description)
        }
    }

    /// What is said to be wrong.
    pub const fn code(&self) -> ErrorCode {
        self.refusal.code
    }

    /// The same error with another status.
    #[must_use]
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same error with a nonce for the next DPoP proof (RFC 9449 §8).
    #[must_use]
    pub fn dpop_nonce(self, dpop_nonce: Option<HeaderValue>) -> Self {
        Self { dpop_nonce, ..self }
    }
}

impl From<OAuthRefusal> for OAuthError {
    fn from(refusal: OAuthRefusal) -> Self {
        let status = match refusal.code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::InvalidRequest
            | ErrorCode::InvalidGrant
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidTarget
            | ErrorCode::UnsupportedTokenType
            | ErrorCode::AccessDenied
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::LoginRequired
            | ErrorCode::ConsentRequired
            | ErrorCode::InteractionRequired
            | ErrorCode::AccountSelectionRequired
            | ErrorCode::UnmetAuthenticationRequirements
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::RegistrationNotSupported
            | ErrorCode::InvalidRequestUri
            | ErrorCode::InvalidRequestObject
            | ErrorCode::InvalidDpopProof
            | ErrorCode::UseDpopNonce
            | ErrorCode::AuthorizationPending
            | ErrorCode::SlowDown
            | ErrorCode::ExpiredToken
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidClientMetadata => StatusCode::BAD_REQUEST,
        };
        Self { status, refusal, challenge: false, wait: None, dpop_nonce: None }
    }
}

impl From<Failure> for OAuthError {
    fn from(failure: Failure) -> Self {
        match failure.severity() {
            Severity::Passing => {
                tracing::warn!(error = %failure, "a request had to be put off");
                let busy = "the server is busy; try again in a moment";
                let error = Self::new(ErrorCode::TemporarilyUnavailable, busy);
                Self { wait: Some(Wait::seconds(1)), ..error }
            }
            Severity::Defect => {
                tracing::error!(error = %failure, "a request failed");
                Self::new(ErrorCode::ServerError, "something went wrong here")
            }
        }
    }
}

impl From<Denied> for OAuthError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Throttled(wait) => Self::too_many_attempts(wait),
            Denied::Failure(failure) => failure.into(),
        }
    }
}

macro_rules! through_failure {
    ($($error:ty),*) => {$(
        impl From<$error> for OAuthError {
            fn from(error: $error) -> Self {
                Self::from(Failure::from(error))
            }
        }
    )*};
}

through_failure!(munjigi_store::StoreError, HashingError, NoRandomness);

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let OAuthRefusal { code, description } = self.refusal;
        let body = Body { error: code.as_str(), error_description: description };
        let mut response = super::json(self.status, &body);
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        if self.challenge {
            let challenge = HeaderValue::from_static(r#"Basic realm="munjigi""#);
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.wait {
            wait.say(headers);
        }
        if let Some(nonce) = self.dpop_nonce {
            headers.insert(DPOP_NONCE, nonce);
        }
        response
    }
}
