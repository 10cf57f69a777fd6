//! Why a request is refused, and the answer that says so: RFC 6750 §3 and RFC 9457.
//! It must not repeat a token, nor anything that stood in one and was not verified.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use munjigi_token::dpop::ProofError;
use munjigi_token::{Algorithm, dpop};
use serde::Serialize;

use crate::possession::Dpop;
use crate::revocation::RevocationKind;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request brings no token.
    #[error("an access token is required in the Authorization header")]
    NoCredentials,
    /// The request brings credentials in a way that it must not: what is wrong with it.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// The token does not hold.
    #[error("the access token is not valid: {0}")]
    InvalidToken(munjigi_token::Error),
    /// The token was revoked, by name of what it belongs to.
    #[error("the access token was revoked")]
    Revoked(RevocationKind),
    /// The token is bound to a key (RFC 9449 §6) and its possession proves nothing.
    #[error("the access token is bound to a key and is no bearer token")]
    SenderConstrained,
    /// The proof of possession does not hold (RFC 9449 §4.3).
    #[error("{0}")]
    InvalidProof(#[from] ProofError),
    /// The proof was made with another key than the token is bound to.
    #[error("the DPoP proof was made with another key than the token is bound to")]
    WrongProofKey,
    /// The proof was used before.
    #[error("the DPoP proof was used before")]
    ProofReplayed,
    /// A token that is bound to no key, where one is required or was presented as one.
    #[error("the access token is not bound to a key")]
    NotBound,
    /// More proofs than can be remembered.
    #[error("there are too many requests at the moment")]
    Overloaded,
    /// The token lacks scopes: these are required, with a space between them.
    #[error("the access token does not carry the scope that is required: {0}")]
    InsufficientScope(String),
    /// The caller has none of these roles.
    #[error("a role is required that the caller does not have: {0}")]
    MissingRole(String),
    /// The caller does not have this permission.
    #[error("a permission is required that the caller does not have: {0}")]
    MissingPermission(String),
    /// No keys: nobody can say whether the token holds.
    #[error("the keys of the issuer cannot be fetched at the moment")]
    KeysUnavailable {
        /// When to ask again.
        retry_after_seconds: u32,
    },
    /// A strict verifier does not know what is revoked: nobody can say whether the token holds.
    #[error("what is revoked cannot be known at the moment")]
    RevocationsUnavailable {
        /// When to ask again.
        retry_after_seconds: u32,
    },
    /// The route is guarded but no verifier was installed above it.
    #[error("this server is set up wrongly")]
    NoVerifier,
}

impl Refusal {
    /// The stable name of the reason: that of [`munjigi_token::Error::code`] for a token that does
    /// not hold, that of [`ProofError::code`] for a proof that does not, else one of
    /// `no_credentials`, `invalid_request`, `revoked`, `sender_constrained`, `wrong_proof_key`,
    /// `proof_replayed`, `not_bound`, `overloaded`, `insufficient_scope`, `missing_role`,
    /// `missing_permission`, `keys_unavailable`, `revocations_unavailable` and `no_verifier`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidToken(error) => error.code(),
            Self::Revoked(_) => "revoked",
            Self::SenderConstrained => "sender_constrained",
            Self::InvalidProof(error) => error.code(),
            Self::WrongProofKey => "wrong_proof_key",
            Self::ProofReplayed => "proof_replayed",
            Self::NotBound => "not_bound",
            Self::Overloaded => "overloaded",
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::MissingRole(_) => "missing_role",
            Self::MissingPermission(_) => "missing_permission",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::RevocationsUnavailable { .. } => "revocations_unavailable",
            Self::NoVerifier => "no_verifier",
        }
    }

    /// Whether the same token may hold in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest(_) => StatusCode::BAD_REQUEST,
            Self::NoCredentials
            | Self::InvalidToken(_)
            | Self::Revoked(_)
            | Self::SenderConstrained
            | Self::InvalidProof(_)
            | Self::WrongProofKey
            | Self::ProofReplayed
            | Self::NotBound => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope(_) | Self::MissingRole(_) | Self::MissingPermission(_) => {
                StatusCode::FORBIDDEN
            }
            // Not 401: a client would throw a good token away.
            Self::KeysUnavailable { .. }
            | Self::RevocationsUnavailable { .. }
            | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoVerifier => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `WWW-Authenticate` challenge; none where no other token would help.
    pub fn challenge(&self, resource_metadata: Option<&str>) -> Option<HeaderValue> {
        self.challenge_as("Bearer", resource_metadata)
    }

    fn challenge_as(&self, scheme: &str, resource_metadata: Option<&str>) -> Option<HeaderValue> {
        let error = match self {
            // RFC 6750 §3.1: who brought nothing is told nothing about errors.
            Self::NoCredentials => None,
            Self::InvalidRequest(_) => Some("invalid_request"),
            Self::InvalidToken(_) | Self::Revoked(_) | Self::SenderConstrained | Self::NotBound => {
                Some("invalid_token")
            }
            // RFC 9449 §7.1.
            Self::InvalidProof(_) | Self::WrongProofKey | Self::ProofReplayed => {
                Some("invalid_dpop_proof")
            }
            Self::InsufficientScope(_) | Self::MissingRole(_) | Self::MissingPermission(_) => {
                Some("insufficient_scope")
            }
            Self::KeysUnavailable { .. }
            | Self::RevocationsUnavailable { .. }
            | Self::Overloaded
            | Self::NoVerifier => return None,
        };
        let mut parameters = Vec::new();
        if let Some(error) = error {
            parameters.push(format!("error=\"{error}\""));
            parameters.push(format!("error_description=\"{}\"", quotable(&self.to_string())));
        }
        if let Self::InsufficientScope(scope) = self {
            parameters.push(format!("scope=\"{}\"", quotable(scope)));
        }
        // RFC 9728 §5.1: tells a client where to learn whom this API trusts.
        if let Some(url) = resource_metadata {
            parameters.push(format!("resource_metadata=\"{}\"", quotable(url)));
        }
        if scheme == "DPoP" {
            // RFC 9449 §7.1: which algorithms a proof may have.
            let algorithms = dpop::ALGORITHMS.map(Algorithm::as_str).join(" ");
            parameters.push(format!("algs=\"{algorithms}\""));
        }
        let text = format!("{scheme} {}", parameters.join(", "));
        HeaderValue::from_str(text.trim_end()).ok()
    }

    /// The answer. `request_id` is repeated in its body.
    pub fn answer(&self, resource_metadata: Option<&str>, request_id: Option<&str>) -> Response {
        self.answer_in(Dpop::Off, resource_metadata, request_id)
    }

    /// The same of a verifier that takes proofs of possession in this way: it challenges by each
    /// scheme that would help (RFC 9449 §7.1, §7.2).
    pub(crate) fn answer_in(
        &self,
        dpop: Dpop,
        resource_metadata: Option<&str>,
        request_id: Option<&str>,
    ) -> Response {
        let status = self.status();
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            request_id,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let mut put = |name: HeaderName, value: HeaderValue| {
            response.headers_mut().insert(name, value);
        };
        put(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        put(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::KeysUnavailable { retry_after_seconds }
        | Self::RevocationsUnavailable { retry_after_seconds } = self
        {
            put(RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
        }
        let schemes: &[&str] = match dpop {
            Dpop::Off => &["Bearer"],
            Dpop::Allowed => &["Bearer", "DPoP"],
            Dpop::Required => &["DPoP"],
        };
        for scheme in schemes {
            if let Some(challenge) = self.challenge_as(scheme, resource_metadata) {
                response.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }
}

impl From<munjigi_token::Error> for Refusal {
    fn from(error: munjigi_token::Error) -> Self {
        Self::InvalidToken(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.answer(None, None)
    }
}

/// RFC 9457 §3. `about:blank`: the title is that of the status and `code` tells more.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// RFC 6750 §3: a description holds %x20-21 / %x23-5B / %x5D-7E, so that it ends where it ends.
fn quotable(text: &str) -> String {
    let is_plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        let scope = "a\" , realm=\"evil\\\r\nSet-Cookie: x=1 ë";
        let refusal = Refusal::InsufficientScope(scope.to_owned());
        let challenge = refusal.challenge(Some("https://x/\"")).unwrap();
        let text = challenge.to_str().unwrap();
        assert_eq!(text.matches('"').count(), 8, "{text}");
        assert!(text.ends_with("resource_metadata=\"https://x/?\""), "{text}");
        assert!(!text.contains(['\\', '\r', '\n']), "{text}");
    }
}
