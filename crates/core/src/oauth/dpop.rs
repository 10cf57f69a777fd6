//! What this server asks of DPoP proofs (RFC 9449) beyond what makes one hold: its own nonces, the
//! key that it has to be of, and once only. Whether a proof holds at all is for
//! `munjigi_token::dpop`, which reads it.

use munjigi_token::base64url;
use munjigi_token::dpop::{MAX_AGE_SECONDS, Proof, ProofError};

use crate::oauth::client::Client;
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::secret::{constant_time_eq, keyed_hash};
use crate::time::{Span, Timestamp};

/// How long the server gives out the same nonce. Each is taken for as long again, so that none dies
/// in a client's hands.
pub const NONCE_TTL: Span = Span::from_minutes(5);

/// The nonce of this time: the same from every node, and nothing to remember. It cannot be made
/// ahead of time without the key (RFC 9449 §8).
pub fn nonce(key: &[u8; 32], now: Timestamp) -> String {
    nonce_of(key, window(now))
}

fn window(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(NONCE_TTL.as_millis().max(1))
}

fn nonce_of(key: &[u8; 32], window: i64) -> String {
    let hash = keyed_hash(key, &[b"dpop nonce", &window.to_be_bytes()]);
    base64url::encode(hash.split_at(16).0)
}

/// Whether a nonce is one that was given out a moment ago.
fn is_ours(key: &[u8; 32], nonce: &str, now: Timestamp) -> bool {
    let window = window(now);
    [window, window.saturating_sub(1)]
        .into_iter()
        .any(|window| constant_time_eq(nonce.as_bytes(), nonce_of(key, window).as_bytes()))
}

/// Whether proofs have to repeat a nonce of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoncePolicy {
    /// They may; one that is not ours is refused all the same.
    #[default]
    Optional,
    /// They must: then a proof cannot have been made long ago (RFC 9449 §11.2).
    Required,
}

/// Of which key a proof has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Possession<'a> {
    /// Of any; there may be none.
    Free,
    /// Of any, but there has to be one (`dpop_bound_access_tokens`, RFC 9449 §5.2).
    Required,
    /// Of the one with this thumbprint.
    Of(&'a str),
}

impl<'a> Possession<'a> {
    /// Of which key a proof has to be for a token that is new.
    pub fn of_client(client: &Client) -> Self {
        match client.metadata.dpop_bound_access_tokens {
            true => Self::Required,
            false => Self::Free,
        }
    }

    /// Of which key the proof at a refresh has to be. RFC 9449 §5: the refresh tokens of public
    /// clients are bound to the key; those of clients that prove themselves are bound to the
    /// client, which may change its key.
    pub fn of_refresh(client: &Client, bound_to: Option<&'a str>) -> Self {
        match bound_to {
            None => Self::of_client(client),
            Some(jkt) if client.is_public() => Self::Of(jkt),
            Some(_) => Self::Required,
        }
    }

    /// Whether a request is fine whose proof is of the key with this thumbprint, or has none.
    ///
    /// # Errors
    /// `invalid_dpop_proof` (RFC 9449 §5).
    pub fn admits(self, jkt: Option<&str>) -> Result<(), OAuthRefusal> {
        let refuse = |why| Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, why));
        match (self, jkt) {
            (Self::Free, _) | (Self::Required, Some(_)) => Ok(()),
            (Self::Required | Self::Of(_), None) => refuse("a DPoP proof is missing"),
            (Self::Of(bound), Some(jkt)) if constant_time_eq(bound.as_bytes(), jkt.as_bytes()) => {
                Ok(())
            }
            (Self::Of(_), Some(_)) => refuse("the DPoP proof is of another key"),
        }
    }
}

/// Whether a proof repeats a nonce as it has to.
///
/// # Errors
/// `use_dpop_nonce` (RFC 9449 §8). Checked before anything is spent, since the client comes again
/// with the nonce.
pub fn check_nonce(
    proof: &Proof,
    policy: NoncePolicy,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<(), OAuthRefusal> {
    let fits = match proof.nonce() {
        Some(nonce) => is_ours(key, nonce, now),
        None => policy == NoncePolicy::Optional,
    };
    let why = "the DPoP proof has to repeat the nonce of this answer";
    let refusal = OAuthRefusal::new(ErrorCode::UseDpopNonce, why);
    if fits { Ok(()) } else { Err(refusal) }
}

/// Under what a proof is remembered, so that it is good once (RFC 9449 §11.1), and until when. The
/// key counts too: nobody can use up another's ids.
pub fn seen_once(proof: &Proof) -> ([u8; 32], Timestamp) {
    const DOMAIN: &[u8; 32] = b"munjigi DPoP proof id, version 1";
    let key = keyed_hash(DOMAIN, &[proof.jkt().as_bytes(), proof.jti().as_bytes()]);
    // One second more: a proof is taken while its age, in whole seconds, is not above the limit.
    let seconds = proof.iat().saturating_add(MAX_AGE_SECONDS).saturating_add(1);
    (key, Timestamp::from_seconds(seconds))
}

/// What a client hears of a proof that does not hold.
pub fn refusal(error: &ProofError) -> OAuthRefusal {
    let why = match error {
        ProofError::WrongMethod => "the DPoP proof is for another method",
        ProofError::WrongUrl => "the DPoP proof is for another URL",
        ProofError::Stale => "the DPoP proof is too old, or comes from the future",
        ProofError::WrongToken => "the DPoP proof is for another access token",
        _ => "the DPoP proof is not valid",
    };
    OAuthRefusal::new(ErrorCode::InvalidDpopProof, why)
}

#[cfg(test)]
mod tests {
    use munjigi_token::{Algorithm, SigningKey, dpop};
    use serde_json::json;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_700_000_000)
    }

    fn proof(nonce: Option<&str>) -> Proof {
        let mut claims = json!({"jti": "1", "htm": "POST", "htu": "https://id.example/", "iat": 9});
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        Proof::parse(&dpop::sign(&key, &claims).unwrap()).unwrap()
    }

    fn code(result: Result<(), OAuthRefusal>) -> ErrorCode {
        result.expect_err("is refused").code
    }

    /// fapi2 ensure-holder-of-key-required.
    #[test]
    fn a_proof_may_be_missing_only_where_none_is_asked_for() {
        assert_eq!(Possession::Free.admits(None), Ok(()));
        for asked in [Possession::Required, Possession::Of("x")] {
            assert_eq!(code(asked.admits(None)), ErrorCode::InvalidDpopProof);
        }
    }

    /// fapi2 ensure-mismatched-dpop-jkt-fails.
    #[test]
    fn a_proof_is_of_the_key_that_was_named() {
        for asked in [Possession::Free, Possession::Required, Possession::Of("jkt")] {
            assert_eq!(asked.admits(Some("jkt")), Ok(()));
        }
        let other = Possession::Of("jkt").admits(Some("other"));
        assert_eq!(code(other), ErrorCode::InvalidDpopProof);
    }

    #[test]
    fn a_nonce_is_ours_and_of_this_window_or_the_one_before() {
        let ours = proof(Some(&nonce(&KEY, now())));
        let at = |now| check_nonce(&ours, NoncePolicy::Optional, &KEY, now);
        assert!(at(now()).is_ok());
        assert!(at(now().plus(NONCE_TTL)).is_ok());
        let late = at(now().plus(NONCE_TTL).plus(NONCE_TTL));
        assert_eq!(code(late), ErrorCode::UseDpopNonce);
        assert!(at(now().minus(NONCE_TTL)).is_err(), "one of the future");

        let foreign = proof(Some(&nonce(&[8; 32], now())));
        let foreign = check_nonce(&foreign, NoncePolicy::Optional, &KEY, now());
        assert_eq!(code(foreign), ErrorCode::UseDpopNonce);
    }

    #[test]
    fn a_nonce_can_be_required() {
        let without = proof(None);
        assert_eq!(check_nonce(&without, NoncePolicy::Optional, &KEY, now()), Ok(()));
        let strict = |proof| check_nonce(proof, NoncePolicy::Required, &KEY, now());
        assert_eq!(code(strict(&without)), ErrorCode::UseDpopNonce);
        assert!(strict(&proof(Some(&nonce(&KEY, now())))).is_ok());
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_is_taken() {
        let (first, second) = (proof(None), proof(None));
        let (key, until) = seen_once(&first);
        assert_eq!(until, Timestamp::from_seconds(9 + MAX_AGE_SECONDS + 1));
        assert_ne!(key, seen_once(&second).0, "the same jti of another key");
    }

    #[test]
    fn what_a_refresh_needs_depends_on_how_its_client_proves_itself() {
        let mut client = crate::oauth::authorization::tests::client();
        assert_eq!(Possession::of_refresh(&client, None), Possession::Free);
        assert_eq!(Possession::of_refresh(&client, Some("jkt")), Possession::Required);
        client.metadata.dpop_bound_access_tokens = true;
        assert_eq!(Possession::of_refresh(&client, None), Possession::Required);
        client.auth_method = crate::oauth::client::AuthMethod::None;
        assert_eq!(Possession::of_refresh(&client, Some("jkt")), Possession::Of("jkt"));
    }
}
