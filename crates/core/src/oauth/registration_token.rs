//! Tokens that let somebody register clients (RFC 7591 §3, "initial access token"): each is good
//! for some registrations and for some time.

use crate::time::{Span, Timestamp};

/// The most registrations that one is good for.
pub const MAX_REGISTRATIONS: u32 = 1_000;

/// The longest that one is good.
pub const MAX_TTL: Span = Span::from_days(365);

/// How long one is good, where nobody says it.
pub const DEFAULT_TTL: Span = Span::from_days(7);

/// A token that lets somebody register clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    /// The hash of the token.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// How many registrations are left.
    pub remaining: u32,
}
