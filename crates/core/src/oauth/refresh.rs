//! Refresh tokens as text: `mj_rt_` + base64url(user, grant, generation, nonce, MAC).
//!
//! The MAC is keyed by a secret of the server, so garbage is refused without touching the
//! database; the nonce is the grant row's own, so neither the secret without the database nor the
//! database without the secret is worth anything to a thief.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::{GrantId, UserId};
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::secret::{Secret, constant_time_eq, keyed_hash};

/// What every refresh token begins with, so that secret scanners can find leaked ones.
pub const PREFIX: &str = "mj_rt_";

const BODY_BYTES: usize = 16 + 16 + 8 + 16;
const MAC_BYTES: usize = 16;

/// The number of a grant's refresh token: 1 for the first, one more at every rotation.
pub type Generation = i64;

/// A refresh token that this server has made: its MAC was right. The row has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose it is; it leads the key of the row, and so the shard.
    pub user_id: UserId,
    /// The grant that it belongs to.
    pub grant_id: GrantId,
    /// Which of the grant's tokens it is.
    pub generation: Generation,
    /// The nonce of the grant's row.
    pub nonce: [u8; 16],
}

impl RefreshToken {
    /// The token as text: the same every time, so that a lost reply can be repeated.
    pub fn seal(&self, key: &[u8; 32]) -> Secret {
        let body = self.body();
        let mut bytes = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&mac(key, &body));
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Reads a token; anything that this server did not make, to the letter, is `invalid_grant`.
    pub fn open(key: &[u8; 32], text: &str) -> Result<Self, OAuthRefusal> {
        Self::read(key, text).ok_or(OAuthRefusal::new(
            ErrorCode::InvalidGrant,
            "refresh token is malformed or was not issued here",
        ))
    }

    fn read(key: &[u8; 32], text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != (BODY_BYTES + MAC_BYTES).div_ceil(3) * 4 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (body, presented_mac) = bytes.split_first_chunk::<BODY_BYTES>()?;
        if !constant_time_eq(presented_mac, &mac(key, body)) {
            return None;
        }
        let (user_id, rest) = body.split_first_chunk::<16>()?;
        let (grant_id, rest) = rest.split_first_chunk::<16>()?;
        let (generation, nonce) = rest.split_first_chunk::<8>()?;
        Some(Self {
            user_id: UserId::from_bytes(*user_id),
            grant_id: GrantId::from_bytes(*grant_id),
            generation: i64::from_be_bytes(*generation),
            nonce: nonce.try_into().ok()?,
        })
    }

    fn body(&self) -> [u8; BODY_BYTES] {
        let mut body = [0; BODY_BYTES];
        let parts: [&[u8]; 4] = [
            self.user_id.as_bytes(),
            self.grant_id.as_bytes(),
            &self.generation.to_be_bytes(),
            &self.nonce,
        ];
        for (to, from) in body.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        body
    }
}

fn mac(key: &[u8; 32], body: &[u8; BODY_BYTES]) -> [u8; MAC_BYTES] {
    let hash = keyed_hash(key, &[b"refresh", body]);
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(hash.split_at(MAC_BYTES).0);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const KEY: [u8; 32] = [9; 32];

    fn token() -> RefreshToken {
        RefreshToken {
            user_id: UserId::from_random([1; 16]),
            grant_id: GrantId::from_parts(Timestamp::from_millis(5), [2; 10]),
            generation: 7,
            nonce: [3; 16],
        }
    }

    #[test]
    fn a_token_is_read_back_and_is_always_the_same_text() {
        let text = token().seal(&KEY);
        assert_eq!(text.reveal(), token().seal(&KEY).reveal());
        assert_eq!(RefreshToken::open(&KEY, text.reveal()), Ok(token()));
    }

    /// RT-07 of the attack kit; ZD CVE-2026-27840 (a truncated token was accepted).
    #[test]
    fn a_token_changed_in_any_place_is_refused() {
        let text = token().seal(&KEY).reveal().to_owned();
        assert!(RefreshToken::open(&[8; 32], &text).is_err());
        for length in 0..text.len() {
            assert!(RefreshToken::open(&KEY, &text[..length]).is_err());
        }
        assert!(RefreshToken::open(&KEY, &format!("{text}A")).is_err());
        assert!(RefreshToken::open(&KEY, &format!("{text}=")).is_err());
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(RefreshToken::open(&KEY, &changed).is_err(), "{index}");
        }
    }
}
