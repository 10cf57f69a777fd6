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
    /// Of which key the proof at a refresh has to be. RFC 9449 §5: the refresh tokens of public
    /// clients are bound to the key; those of clients that prove themselves are bound to the
    /// client, which may change its key.
    pub fn of_refresh(client: &Client, bound_to: Option<&'a str>) -> Self {
        match bound_to {
            None => Self::Free,
            Some(jkt) if client.is_public() => Self::Of(jkt),
            Some(_) => Self::Required,
        }
    }
}

/// What is asked of a proof.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// Of which key it has to be.
    pub possession: Possession<'a>,
    /// Whether it has to repeat a nonce.
    pub nonce: NoncePolicy,
    /// The key of this server's nonces.
    pub nonce_key: &'a [u8; 32],
    /// When.
    pub now: Timestamp,
}

/// The thumbprint of the key that tokens are to be bound to; `None` when they are bound to none.
///
/// # Errors
/// `invalid_dpop_proof`, or `use_dpop_nonce` (RFC 9449 §5, §8). Checked before anything is spent,
/// since the client comes again with the nonce.
pub fn possession<'p>(
    proof: Option<&'p Proof>,
    expected: &Expected<'_>,
) -> Result<Option<&'p str>, OAuthRefusal> {
    let refuse = |why| Err(OAuthRefusal::new(ErrorCode::InvalidDpopProof, why));
    let Some(proof) = proof else {
        return match expected.possession {
            Possession::Free => Ok(None),
            Possession::Required | Possession::Of(_) => refuse("a DPoP proof is missing"),
        };
    };
    let nonce_fits = match proof.nonce() {
        Some(nonce) => is_ours(expected.nonce_key, nonce, expected.now),
        None => expected.nonce == NoncePolicy::Optional,
    };
    if !nonce_fits {
        let why = "the DPoP proof has to repeat the nonce of this answer";
        return Err(OAuthRefusal::new(ErrorCode::UseDpopNonce, why));
    }
    match expected.possession {
        Possession::Of(jkt) if !constant_time_eq(jkt.as_bytes(), proof.jkt().as_bytes()) => {
            refuse("the DPoP proof is of another key")
        }
        Possession::Free | Possession::Required | Possession::Of(_) => Ok(Some(proof.jkt())),
    }
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

    fn expected(possession: Possession<'_>) -> Expected<'_> {
        Expected { possession, nonce: NoncePolicy::Optional, nonce_key: &KEY, now: now() }
    }

    fn code(result: Result<Option<&str>, OAuthRefusal>) -> ErrorCode {
        result.expect_err("is refused").code
    }

    /// fapi2 ensure-holder-of-key-required.
    #[test]
    fn a_proof_may_be_missing_only_where_none_is_asked_for() {
        assert_eq!(possession(None, &expected(Possession::Free)), Ok(None));
        for asked in [Possession::Required, Possession::Of("x")] {
            assert_eq!(code(possession(None, &expected(asked))), ErrorCode::InvalidDpopProof);
        }
    }

    /// fapi2 ensure-mismatched-dpop-jkt-fails.
    #[test]
    fn a_proof_is_of_the_key_that_was_named() {
        let proof = proof(None);
        let jkt = Ok(Some(proof.jkt()));
        assert_eq!(possession(Some(&proof), &expected(Possession::Free)), jkt);
        assert_eq!(possession(Some(&proof), &expected(Possession::Of(proof.jkt()))), jkt);
        let other = possession(Some(&proof), &expected(Possession::Of("other")));
        assert_eq!(code(other), ErrorCode::InvalidDpopProof);
    }

    #[test]
    fn a_nonce_is_ours_and_of_this_window_or_the_one_before() {
        let ours = proof(Some(&nonce(&KEY, now())));
        let at = |now| {
            possession(Some(&ours), &Expected { now, ..expected(Possession::Free) }).map(|_| ())
        };
        assert!(at(now()).is_ok());
        assert!(at(now().plus(NONCE_TTL)).is_ok());
        let late = at(now().plus(NONCE_TTL).plus(NONCE_TTL)).unwrap_err();
        assert_eq!(late.code, ErrorCode::UseDpopNonce);
        assert!(at(now().minus(NONCE_TTL)).is_err(), "one of the future");

        let foreign = proof(Some(&nonce(&[8; 32], now())));
        let foreign = possession(Some(&foreign), &expected(Possession::Free));
        assert_eq!(code(foreign), ErrorCode::UseDpopNonce);
    }

    #[test]
    fn a_nonce_can_be_required() {
        let strict = Expected { nonce: NoncePolicy::Required, ..expected(Possession::Free) };
        let without = proof(None);
        assert_eq!(code(possession(Some(&without), &strict)), ErrorCode::UseDpopNonce);
        let with = proof(Some(&nonce(&KEY, now())));
        assert!(possession(Some(&with), &strict).is_ok());
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
        client.auth_method = crate::oauth::client::AuthMethod::None;
        assert_eq!(Possession::of_refresh(&client, Some("jkt")), Possession::Of("jkt"));
    }
}
