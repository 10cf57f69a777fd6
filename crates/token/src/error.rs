//! Why a token or a key is refused, with codes that stay (`vectors/errors.json`).
//! No sentence repeats anything of the token: it may reach a stranger.

/// Why a token or a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Longer than the limit.
    #[error("it is too large")]
    TooLarge,
    /// Not a JWS in compact form, or its header lacks what a header has.
    #[error("it is not a signed token in compact form")]
    Malformed,
    /// Not strict base64url.
    #[error("it is not base64url without padding")]
    BadBase64,
    /// Not JSON, or not an object, or not UTF-8.
    #[error("it is not a JSON object in UTF-8")]
    BadJson,
    /// Two members of one name.
    #[error("it has two members of one name")]
    DuplicateMember,
    /// Nested deeper than the limit.
    #[error("it is nested too deeply")]
    TooDeep,
    /// An algorithm that is not on the list.
    #[error("its algorithm is not supported")]
    UnsupportedAlg,
    /// An extension that must be understood is not.
    #[error("it demands an extension that is not supported")]
    CritUnsupported,
    /// No key of that name, or no name where several keys fit.
    #[error("it is signed with a key that is not known")]
    UnknownKid,
    /// The key is not for this algorithm.
    #[error("its algorithm is not that of the key")]
    KeyMismatch,
    /// The signature is not of this key over this token.
    #[error("its signature does not hold")]
    BadSignature,
    /// Another kind of token.
    #[error("it is another kind of token")]
    WrongTyp,
    /// From another issuer.
    #[error("it comes from another issuer")]
    WrongIssuer,
    /// For somebody else.
    #[error("it is meant for another audience")]
    WrongAudience,
    /// On or after `exp`.
    #[error("it has expired")]
    Expired,
    /// Before `nbf`.
    #[error("it is not valid yet")]
    NotYetValid,
    /// `iat` lies ahead.
    #[error("it was issued in the future")]
    IssuedInFuture,
    /// A claim that has to be there is not.
    #[error("the claim {claim} is missing")]
    ClaimMissing {
        /// Which one.
        claim: &'static str,
    },
    /// A claim is not of its type.
    #[error("the claim {claim} has the wrong type")]
    ClaimType {
        /// Which one.
        claim: &'static str,
    },
    /// Not a key, or not one of a kind that is supported.
    #[error("the key cannot be used")]
    BadKey,
    /// A key that is too easy to break.
    #[error(
        "the key is too weak: RSA needs 2048 to 8192 bits without a known flaw, a secret 32 bytes"
    )]
    WeakKey,
    /// Two keys of one name.
    #[error("two keys have one name")]
    DuplicateKid,
}

impl Error {
    /// The stable name of the reason, for programs: the same in every language's verifier.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::BadBase64 => "bad_base64",
            Self::BadJson => "bad_json",
            Self::DuplicateMember => "duplicate_member",
            Self::TooDeep => "too_deep",
            Self::UnsupportedAlg => "unsupported_alg",
            Self::CritUnsupported => "crit_unsupported",
            Self::UnknownKid => "unknown_kid",
            Self::KeyMismatch => "key_mismatch",
            Self::BadSignature => "bad_signature",
            Self::WrongTyp => "wrong_typ",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::ClaimMissing { .. } => "claim_missing",
            Self::ClaimType { .. } => "claim_type",
            Self::BadKey => "bad_key",
            Self::WeakKey => "weak_key",
            Self::DuplicateKid => "duplicate_kid",
        }
    }
}
