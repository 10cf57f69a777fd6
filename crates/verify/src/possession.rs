//! DPoP at an API (RFC 9449 §7): a token that is bound to a key is taken from whoever signs the
//! request with it, once. It must not decide what a token says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, Uri};
use munjigi_token::dpop::{self, MAX_AGE_SECONDS, Proof};
use munjigi_token::{Error, base64url};

use crate::bearer::{Presented, Scheme};
use crate::principal::Principal;
use crate::refusal::Refusal;

/// How many proofs are remembered: each for a minute, at about a hundred bytes.
const MAX_REMEMBERED: usize = 200_000;

/// Whether tokens that are bound to a key are taken (RFC 9449).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dpop {
    /// Bearer tokens alone; one that is bound to a key is refused.
    #[default]
    Off,
    /// Both: a bound token needs its proof, a bearer token needs none.
    Allowed,
    /// Bound tokens alone.
    Required,
}

/// What a verifier knows about proofs.
pub(crate) struct Possession {
    pub mode: Dpop,
    /// The URL of this API as its clients know it, without a path of its own at the end.
    pub public_url: Option<String>,
    seen: Mutex<Seen>,
}

/// Proofs that were taken, until they are too old to be taken anyway.
#[derive(Default)]
struct Seen {
    /// Until when, in Unix seconds, by digest of key and `jti`.
    until: HashMap<[u8; 32], i64>,
    cleaned_at: i64,
}

impl Seen {
    /// Whether this is the first time.
    fn spend(&mut self, mark: [u8; 32], until: i64, now: i64) -> Result<(), Refusal> {
        if self.cleaned_at != now || self.until.len() >= MAX_REMEMBERED {
            let is_due = now.saturating_sub(self.cleaned_at) >= MAX_AGE_SECONDS / 4;
            if is_due || self.until.len() >= MAX_REMEMBERED {
                self.until.retain(|_, until| *until >= now);
                self.cleaned_at = now;
            }
        }
        if self.until.len() >= MAX_REMEMBERED {
            // To forget one would be to take it twice.
            return Err(Refusal::Overloaded);
        }
        match self.until.insert(mark, until) {
            None => Ok(()),
            Some(before) => {
                self.until.insert(mark, before.max(until));
                Err(Refusal::ProofReplayed)
            }
        }
    }
}

/// The request around a token.
#[derive(Clone, Copy)]
pub(crate) struct Around<'r> {
    pub method: &'r Method,
    pub uri: &'r Uri,
    pub headers: &'r HeaderMap,
}

impl Possession {
    pub fn new(mode: Dpop, public_url: Option<String>) -> Self {
        Self { mode, public_url, seen: Mutex::default() }
    }

    /// Whether this caller may use this token on this request. `now` in Unix seconds.
    pub fn check(
        &self,
        presented: &Presented<'_>,
        principal: &Principal,
        around: Around<'_>,
        now: i64,
    ) -> Result<(), Refusal> {
        match (presented.scheme, principal.is_bound()) {
            (Scheme::Bearer, false) if self.mode == Dpop::Required => Err(Refusal::NotBound),
            (Scheme::Bearer, false) => Ok(()),
            // RFC 9449 §7.1: a bound token is no bearer token.
            (Scheme::Bearer, true) => Err(Refusal::SenderConstrained),
            // RFC 9449 §7.1: "MUST check … that the public key … is the key to which the access
            // token is bound"; a token that is bound to none cannot be presented so.
            (Scheme::Dpop, false) => Err(Refusal::NotBound),
            (Scheme::Dpop, true) => self.check_proof(presented.token, principal, around, now),
        }
    }

    fn check_proof(
        &self,
        token: &str,
        principal: &Principal,
        around: Around<'_>,
        now: i64,
    ) -> Result<(), Refusal> {
        let mut lines = around.headers.get_all("dpop").iter();
        // RFC 9449 §4.3, 1: "there is not more than one".
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(Refusal::InvalidProof(Error::Malformed.into()));
        };
        let text = line.to_str().map_err(|_| Refusal::InvalidProof(Error::Malformed.into()))?;
        let proof = Proof::parse(text)?;
        let base = self.public_url.as_deref().unwrap_or_default();
        let url = format!("{base}{}", around.uri.path());
        let request =
            dpop::Request { method: around.method.as_str(), url: &url, access_token: Some(token) };
        proof.check(&request, now)?;
        if principal.jkt() != Some(proof.jkt()) {
            return Err(Refusal::WrongProofKey);
        }
        // Last, so that nobody fills the memory who has no token.
        let until = proof.iat().saturating_add(MAX_AGE_SECONDS);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.spend(mark(&proof), until, now)
    }
}

/// Key and `jti` together: one client cannot use up another's ids.
fn mark(proof: &Proof) -> [u8; 32] {
    let text = dpop::access_token_hash(&format!("{} {}", proof.jkt(), proof.jti()));
    let bytes = base64url::decode(text).unwrap_or_default();
    bytes.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_remembered_until_it_is_too_old() {
        let mut seen = Seen::default();
        assert!(seen.spend([1; 32], 160, 100).is_ok());
        assert_eq!(seen.spend([1; 32], 160, 130), Err(Refusal::ProofReplayed));
        assert_eq!(seen.spend([1; 32], 160, 160), Err(Refusal::ProofReplayed));
        assert!(seen.spend([1; 32], 240, 180).is_ok());
        assert_eq!(seen.until.len(), 1);
    }

    #[test]
    fn a_full_memory_refuses_instead_of_forgetting() {
        let mut seen = Seen::default();
        for number in 0..MAX_REMEMBERED {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&number.to_be_bytes());
            seen.spend(mark, 160, 100).unwrap();
        }
        assert_eq!(seen.spend([9; 32], 160, 100), Err(Refusal::Overloaded));
        assert!(seen.spend([9; 32], 260, 200).is_ok());
    }
}
