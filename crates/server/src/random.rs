//! The one place that draws randomness: the operating system's, through aws-lc.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use munjigi_core::id::{EventId, GrantId, RequestId, SessionId, TokenId, UserId};
use munjigi_core::secret::Secret;
use munjigi_core::time::Timestamp;
use thiserror::Error;

/// The operating system gave no randomness: nothing secret may be made.
#[derive(Debug, Clone, Copy, Error)]
#[error("the operating system gives no randomness")]
pub struct NoRandomness;

/// `N` random bytes.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new user id.
pub fn user_id() -> Result<UserId, NoRandomness> {
    bytes().map(UserId::from_random)
}

/// A new session id.
pub fn session_id(now: Timestamp) -> Result<SessionId, NoRandomness> {
    bytes().map(|random| SessionId::from_parts(now, random))
}

/// A new grant id.
pub fn grant_id(now: Timestamp) -> Result<GrantId, NoRandomness> {
    bytes().map(|random| GrantId::from_parts(now, random))
}

/// A new token id.
pub fn token_id(now: Timestamp) -> Result<TokenId, NoRandomness> {
    bytes().map(|random| TokenId::from_parts(now, random))
}

/// A new request id.
pub fn request_id(now: Timestamp) -> Result<RequestId, NoRandomness> {
    bytes().map(|random| RequestId::from_parts(now, random))
}

/// A new event id.
pub fn event_id(now: Timestamp) -> Result<EventId, NoRandomness> {
    bytes().map(|random| EventId::from_parts(now, random))
}

/// A secret of 256 random bits behind a prefix, of `[A-Za-z0-9_-]` only: no place that it is
/// pasted into has to escape it.
pub fn secret(prefix: &str) -> Result<Secret, NoRandomness> {
    let random = zeroize::Zeroizing::new(bytes::<32>()?);
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random.as_slice()))))
}
