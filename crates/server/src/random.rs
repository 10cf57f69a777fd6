//! The one place that draws randomness. Whatever has to be secret comes from aws-lc, which mixes
//! the operating system's with its own; ids, which have to be unique, come from the system alone.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use munjigi_core::id::{EventId, GrantId, OutboxId, RequestId, SessionId, TokenId, UserId};
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

/// Lets aws-lc gather the entropy of its generator, on a thread of its own: that takes 25 ms of one
/// core, and whoever draws first waits for it. Nothing that a start has to do needs it.
pub fn prepare() {
    let gathering = std::thread::Builder::new().name("randomness".to_owned()).spawn(|| {
        if bytes::<1>().is_err() {
            tracing::error!("the operating system gives no randomness");
        }
    });
    if let Err(error) = gathering {
        tracing::debug!(%error, "no thread: whoever draws first gathers the entropy");
    }
}

/// How many random bytes a thread draws at a time for ids.
const DRAWN: usize = 1_000;

/// Random bytes of which ids are made: unique, not secret.
struct Drawn {
    bytes: [u8; DRAWN],
    used: usize,
}

thread_local! {
    static DRAWN_FOR_IDS: RefCell<Drawn> =
        const { RefCell::new(Drawn { bytes: [0; DRAWN], used: DRAWN }) };
}

/// Ten random bytes for an id. A draw costs more than all the rest of an id, so a thread draws for
/// a hundred of them at a time; no byte is used twice.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
fn for_id() -> Result<[u8; 10], NoRandomness> {
    DRAWN_FOR_IDS.with_borrow_mut(|drawn| {
        if drawn.used >= DRAWN {
            getrandom::fill(&mut drawn.bytes).map_err(|_| NoRandomness)?;
            drawn.used = 0;
        }
        let next = drawn.bytes.get(drawn.used..).and_then(<[u8]>::first_chunk::<10>);
        let next = *next.ok_or(NoRandomness)?;
        drawn.used = drawn.used.saturating_add(10);
        Ok(next)
    })
}

/// A new user id.
pub fn user_id() -> Result<UserId, NoRandomness> {
    bytes().map(UserId::from_random)
}

/// A new session id.
pub fn session_id(now: Timestamp) -> Result<SessionId, NoRandomness> {
    for_id().map(|random| SessionId::from_parts(now, random))
}

/// A new grant id.
pub fn grant_id(now: Timestamp) -> Result<GrantId, NoRandomness> {
    for_id().map(|random| GrantId::from_parts(now, random))
}

/// A new token id.
pub fn token_id(now: Timestamp) -> Result<TokenId, NoRandomness> {
    for_id().map(|random| TokenId::from_parts(now, random))
}

/// A new request id.
pub fn request_id(now: Timestamp) -> Result<RequestId, NoRandomness> {
    for_id().map(|random| RequestId::from_parts(now, random))
}

/// A new event id.
pub fn event_id(now: Timestamp) -> Result<EventId, NoRandomness> {
    for_id().map(|random| EventId::from_parts(now, random))
}

/// A new id of something that is to be sent.
pub fn outbox_id(now: Timestamp) -> Result<OutboxId, NoRandomness> {
    for_id().map(|random| OutboxId::from_parts(now, random))
}

/// A secret of 256 random bits behind a prefix, of `[A-Za-z0-9_-]` only: no place that it is
/// pasted into has to escape it.
pub fn secret(prefix: &str) -> Result<Secret, NoRandomness> {
    let random = zeroize::Zeroizing::new(bytes::<32>()?);
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random.as_slice()))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_id_comes_twice() {
        let now = Timestamp::from_millis(1);
        let ids: BTreeSet<_> = (0..10_000).map(|_| request_id(now).unwrap()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn a_secret_needs_no_escaping_anywhere() {
        let secret = secret("mj_cs_").unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        assert!(secret.reveal().bytes().all(plain));
        assert_eq!(secret.reveal().len(), 6 + 43);
    }
}
