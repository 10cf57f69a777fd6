//! The error codes of the token endpoint and its siblings (RFC 6749 §5.2, RFC 8707 §2).

/// A code for `error`, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A parameter is missing, repeated, malformed, or does not fit the others.
    InvalidRequest,
    /// The client is unknown or did not prove itself.
    InvalidClient,
    /// The credentials, code or refresh token are wrong, expired, revoked, or someone else's.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The server knows no such grant.
    UnsupportedGrantType,
    /// The scope is malformed or more than may be had.
    InvalidScope,
    /// RFC 8707 §2: the resource is unknown or may not be had.
    InvalidTarget,
    /// RFC 7009 §2.2.1: this kind of token cannot be revoked.
    UnsupportedTokenType,
    /// Overload or an outage behind the server; RFC 6749 §4.1.2.1.
    TemporarilyUnavailable,
    /// Something unforeseen; RFC 6749 §4.1.2.1.
    ServerError,
}

impl ErrorCode {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }
}

/// What a rule of OAuth refuses: a code, and an ASCII sentence that the caller may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.as_str())]
pub struct OAuthRefusal {
    /// The code for `error`.
    pub code: ErrorCode,
    /// The sentence for `error_description`; ASCII, without `"` and `\` (RFC 6749 §5.2).
    pub description: &'static str,
}

impl OAuthRefusal {
    /// A refusal with its sentence.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }
}
