//! The error codes of the OAuth endpoints (RFC 6749 §4.1.2.1 and §5.2, and what extends them).

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
    /// The person, or this server, said no; RFC 6749 §4.1.2.1, RFC 8628 §3.5.
    AccessDenied,
    /// The server issues no such thing from its authorization endpoint; RFC 6749 §4.1.2.1.
    UnsupportedResponseType,
    /// The person has to sign in, and no page may be shown; OpenID Connect Core §3.1.2.6.
    LoginRequired,
    /// The person has to allow it, and no page may be shown; OpenID Connect Core §3.1.2.6.
    ConsentRequired,
    /// Some page is needed, and none may be shown; OpenID Connect Core §3.1.2.6.
    InteractionRequired,
    /// The person has to choose as whom; OpenID Connect Core §3.1.2.6.
    AccountSelectionRequired,
    /// The person cannot sign in as strongly as was asked for; OpenID Connect Unmet Authentication
    /// Requirements 1.0.
    UnmetAuthenticationRequirements,
    /// No request objects by value; OpenID Connect Core §3.1.2.6.
    RequestNotSupported,
    /// No request objects by reference; OpenID Connect Core §3.1.2.6.
    RequestUriNotSupported,
    /// No `registration` parameter; OpenID Connect Core §3.1.2.6.
    RegistrationNotSupported,
    /// The reference of a pushed request is unknown, used, expired, or another's; RFC 9101 §7.
    InvalidRequestUri,
    /// The request object is malformed or not signed as it has to be; RFC 9101 §7.
    InvalidRequestObject,
    /// The DPoP proof is missing or does not hold; RFC 9449 §5.
    InvalidDpopProof,
    /// The DPoP proof has to repeat the nonce of this answer; RFC 9449 §8.
    UseDpopNonce,
    /// The person has not answered yet; RFC 8628 §3.5.
    AuthorizationPending,
    /// As before, and the device polls too fast; RFC 8628 §3.5.
    SlowDown,
    /// The device code has expired; RFC 8628 §3.5.
    ExpiredToken,
    /// The token that is needed is missing, unknown, used up or expired; RFC 6750 §3.1.
    InvalidToken,
    /// A redirect URI cannot be registered; RFC 7591 §3.2.2.
    InvalidRedirectUri,
    /// Something else cannot be registered; RFC 7591 §3.2.2.
    InvalidClientMetadata,
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
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::InvalidToken => "invalid_token",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
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
