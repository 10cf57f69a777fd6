//! The verifier: RFC 9068 §4 in order, with a cache of tokens that passed before.
//! It must not fetch by itself (`keys/` does) and must not log a token.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use munjigi_token::{
    Algorithm, Claims, Error, Expectation, Header, KeySet, Typ, Unverified, Verified,
};

use crate::bearer::Presented;
use crate::builder::Builder;
use crate::cache::{Mark, TokenCache};
use crate::clock::Clock;
use crate::feed::Feed;
use crate::keys::{Keys, Lack};
use crate::layer::{AuthLayer, RequireLayer};
use crate::metadata::ResourceMetadata;
use crate::possession::{Around, Dpop, Possession};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::requirement::Requirement;
use crate::revocation::RevocationSet;

/// An issuer whose tokens come from further ahead than this has a clock to be looked at.
const REMARKABLE_SKEW_SECONDS: i64 = 5;
const SKEW_WARNING_INTERVAL_SECONDS: i64 = 60;

/// Verifies the access tokens of one issuer for one API. Clones share keys, cache and revocations.
#[derive(Clone)]
pub struct Verifier(Arc<State>);

pub(crate) struct State {
    pub issuer: String,
    pub audience: Audience,
    pub leeway_seconds: i64,
    pub algorithms: Vec<Algorithm>,
    /// The HS256 keys, where they were asked for by name.
    pub shared_secret: Option<KeySet>,
    pub keys: Keys,
    pub cache: TokenCache,
    pub clock: Clock,
    pub resource_metadata: Option<Arc<str>>,
    pub metadata: ResourceMetadata,
    pub feed: Feed,
    pub counters: Counters,
    pub possession: Possession,
}

/// For whom a token must be.
pub(crate) enum Audience {
    Only(String),
    Any,
}

#[derive(Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    skew_warned_at: AtomicI64,
}

/// How a verifier is doing, for metrics and readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether there are keys that may be used, and a strict verifier knows what is revoked. Asking
    /// has keys fetched that are missing, so that the next answer may be another one.
    pub is_ready: bool,
    /// How many keys there are.
    pub keys: usize,
    /// How long ago they were fetched; `None` for keys that were handed in, or not fetched yet.
    pub key_age: Option<Duration>,
    /// How many fetches were started.
    pub fetches: u64,
    /// How many of them failed.
    pub fetch_failures: u64,
    /// How many tokens were found among those verified before.
    pub cache_hits: u64,
    /// How many were not.
    pub cache_misses: u64,
    /// How many verified tokens are remembered.
    pub cached_tokens: usize,
    /// How many revocations are held.
    pub revocations: usize,
    /// How old what is known of the issuer's revocations is, at most; `None` for a verifier that
    /// does not follow them, or has not heard of them yet.
    pub revocation_staleness: Option<Duration>,
    /// How many requests for them were answered.
    pub feed_answers: u64,
    /// How many were not.
    pub feed_failures: u64,
    /// How many were left out, because there were more than may be held.
    pub dropped_revocations: u64,
}

impl Verifier {
    /// A verifier that fetches the issuer's keys, first when the first token comes.
    ///
    /// `issuer` is exactly the `iss` of its tokens: an https URL, or http on this machine.
    /// `audience` is this API's identifier.
    #[cfg(feature = "remote")]
    pub fn builder(issuer: &str, audience: &str) -> Builder {
        Builder::new(issuer, audience, None)
    }

    /// A verifier that is handed its keys and never uses the network.
    pub fn with_keys(issuer: &str, audience: &str, keys: KeySet) -> Builder {
        Builder::new(issuer, audience, Some(keys))
    }

    pub(crate) fn from_state(state: State) -> Self {
        Self(Arc::new(state))
    }

    /// Replaces the keys of [`Verifier::with_keys`]: one that is not among them is not trusted any
    /// more, from this moment. Does nothing to a verifier that fetches its keys.
    pub fn replace_keys(&self, keys: KeySet) {
        self.0.keys.replace(keys);
    }

    /// Who presents this bearer token, if it holds. Waits only for keys that have to be fetched.
    pub async fn verify(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        as_bearer(self.verify_any(token).await?)
    }

    /// Who makes this request with this token, proof of possession included.
    pub(crate) async fn verify_presented(
        &self,
        presented: &Presented<'_>,
        around: Around<'_>,
    ) -> Result<Arc<Principal>, Refusal> {
        let principal = self.verify_any(presented.token).await?;
        let now = self.0.clock.unix_seconds();
        self.0.possession.check(presented, &principal, around, now)?;
        Ok(principal)
    }

    /// Whether proofs of possession are taken.
    pub(crate) fn dpop(&self) -> Dpop {
        self.0.possession.mode
    }

    async fn verify_any(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        let now = self.0.clock.unix_millis();
        let mark = self.0.cache.mark(token);
        if let Some(found) = self.find_remembered(mark.as_ref(), now) {
            return found;
        }
        let unverified = self.parse(token)?;
        let kid = unverified.header().kid.as_deref();
        if !self.is_own_secret(unverified.header()) && !self.0.keys.are_at_hand(now, kid) {
            // Before anybody is asked: a token that cannot hold makes no request anywhere.
            self.check(&unverified.peek()?, now)?;
            self.0.keys.obtain(now, kid).await.map_err(|lack| match lack {
                Lack::Unknown => Refusal::InvalidToken(Error::UnknownKid),
                Lack::Unavailable { retry_after_seconds } => {
                    Refusal::KeysUnavailable { retry_after_seconds }
                }
            })?;
        }
        self.complete(unverified, mark, token.len())
    }

    /// As [`Verifier::verify`], with the keys at hand and without waiting: what a verifier with
    /// keys of its own can do outside of async code. Missing keys are fetched by nobody.
    pub fn verify_now(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        as_bearer(self.danger_verify_without_proof(token)?)
    }

    /// As [`Verifier::verify_now`], and one that is bound to a key is taken without its proof, if
    /// proofs are taken at all. **Dangerous**: whoever has a copy of such a token is let in. Only
    /// for the issuer, which is asked about tokens that others hold (RFC 9449 §6.2).
    pub fn danger_verify_without_proof(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        let now = self.0.clock.unix_millis();
        let mark = self.0.cache.mark(token);
        if let Some(found) = self.find_remembered(mark.as_ref(), now) {
            return found;
        }
        let unverified = self.parse(token)?;
        if !self.is_own_secret(unverified.header()) && !self.0.keys.may_serve(now) {
            return Err(Refusal::KeysUnavailable { retry_after_seconds: 1 });
        }
        self.complete(unverified, mark, token.len())
    }

    /// Who presents this token, if it was verified before and still holds; `None` says nothing
    /// about a token.
    pub fn verify_cached(&self, token: &str) -> Option<Arc<Principal>> {
        let mark = self.0.cache.mark(token);
        let found = self.find_remembered(mark.as_ref(), self.0.clock.unix_millis())?;
        found.and_then(as_bearer).ok()
    }

    /// What is dead before it expires. Checked for every token, remembered ones too.
    pub fn revocations(&self) -> &RevocationSet {
        self.0.feed.set()
    }

    /// The layer that verifies a request's token once.
    pub fn layer(&self) -> AuthLayer {
        AuthLayer::new(self.clone())
    }

    /// The layer that refuses callers who do not bring this.
    pub fn require(&self, requirement: Requirement) -> RequireLayer {
        RequireLayer::new(self.clone(), requirement)
    }

    /// The public route `/.well-known/oauth-protected-resource` (RFC 9728), followed by the path of
    /// an audience that has one.
    pub fn metadata_router<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        self.0.metadata.router()
    }

    /// How the verifier is doing.
    pub fn status(&self) -> Status {
        let counters = &self.0.counters;
        let mut status = Status {
            cache_hits: counters.hits.load(Ordering::Relaxed),
            cache_misses: counters.misses.load(Ordering::Relaxed),
            cached_tokens: self.0.cache.len(),
            ..Status::default()
        };
        let now = self.0.clock.unix_millis();
        self.0.keys.report(now, &mut status);
        self.0.feed.report(now, &mut status);
        status
    }

    /// Forgets every token that passed, and fetches the keys again at their next use. The keys at
    /// hand serve until others are there.
    pub fn invalidate(&self) {
        self.0.cache.forget_all();
        self.0.keys.invalidate();
    }

    /// The URL that challenges name (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.0.resource_metadata.as_deref()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The answer of the cache, with everything that may have changed looked at again.
    fn find_remembered(
        &self,
        mark: Option<&Mark>,
        now: i64,
    ) -> Option<Result<Arc<Principal>, Refusal>> {
        let mark = mark?;
        let Some(remembered) = self.0.cache.find(mark) else {
            self.0.counters.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let snapshot = self.0.keys.snapshot();
        let is_served = now < snapshot.fresh_until || self.0.keys.may_serve(now);
        if remembered.generation != snapshot.generation || !is_served {
            self.0.counters.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.0.counters.hits.fetch_add(1, Ordering::Relaxed);
        munjigi_token::planted!("revoked_but_remembered", return Some(Ok(remembered.principal)));
        let outcome = self.still_holds(remembered.principal, now);
        // A token of which it is not known whether it was revoked may turn out to be good.
        if outcome.as_ref().is_err_and(|refusal| !refusal.is_passing()) {
            self.0.cache.forget(mark);
        }
        Some(outcome)
    }

    fn still_holds(&self, principal: Arc<Principal>, now: i64) -> Result<Arc<Principal>, Refusal> {
        self.check_expiry(principal.exp(), now)?;
        // First what is known: a token that is known to be dead is refused for good.
        if let Some(kind) = self.0.feed.set().killer_of(&principal) {
            return Err(Refusal::Revoked(kind));
        }
        self.0.feed.check(now)?;
        Ok(principal)
    }

    fn parse<'t>(&self, token: &'t str) -> Result<Unverified<'t>, Refusal> {
        let unverified = Unverified::parse(token)?;
        munjigi_token::planted!("any_algorithm", return Ok(unverified));
        // RFC 8725 §3.1: the verifier says which algorithms there are, never the token.
        if !self.0.algorithms.contains(&unverified.header().alg) {
            return Err(Error::UnsupportedAlg.into());
        }
        Ok(unverified)
    }

    fn is_own_secret(&self, header: &Header) -> bool {
        header.alg == Algorithm::Hs256 && self.0.shared_secret.is_some()
    }

    /// Signature, claims, revocation; then the token is remembered.
    fn complete(
        &self,
        unverified: Unverified<'_>,
        mark: Option<Mark>,
        len: usize,
    ) -> Result<Arc<Principal>, Refusal> {
        let snapshot = self.0.keys.snapshot();
        let generation = snapshot.generation;
        let verified = match &self.0.shared_secret {
            Some(secret) if self.is_own_secret(unverified.header()) => unverified.verify(secret)?,
            _ => unverified.verify(&snapshot.keys)?,
        };
        let now = self.0.clock.unix_millis();
        let claims = self.check_verified(&verified, now)?;
        self.remark_skew(&claims, now);

        let kid = verified.header().kid.as_deref();
        let principal = self.still_holds(Arc::new(Principal::new(claims, kid)), now)?;
        if let Some(mark) = mark {
            self.0.cache.remember(mark, &principal, generation, len);
        }
        Ok(principal)
    }

    fn check_verified(&self, verified: &Verified, now: i64) -> Result<Claims, Refusal> {
        let audience = match &self.0.audience {
            Audience::Only(audience) => vec![audience.clone()],
            Audience::Any => verified.claims()?.aud,
        };
        let claims = verified.check(&self.expectation(audience, now))?;
        self.check_rest(&claims, now)?;
        Ok(claims)
    }

    /// The same over claims that nobody vouches for.
    fn check(&self, claims: &Claims, now: i64) -> Result<(), Refusal> {
        let audience = match &self.0.audience {
            Audience::Only(audience) => vec![audience.clone()],
            Audience::Any => claims.aud.clone(),
        };
        claims.check(&self.expectation(audience, now))?;
        self.check_rest(claims, now)
    }

    fn expectation(&self, audience: Vec<String>, now: i64) -> Expectation {
        Expectation {
            issuer: self.0.issuer.clone(),
            audience,
            // RFC 9068 §4: at+jwt alone, so that an ID token is never taken for an access token.
            typ: Typ::AccessToken,
            now: now.div_euclid(1_000),
            // A token issued right after a revocation carries the next second as its `iat`: one
            // second ahead is no skew, even where no leeway is given. `exp` is held below.
            leeway: self.0.leeway_seconds.max(1),
        }
    }

    fn check_rest(&self, claims: &Claims, now: i64) -> Result<(), Refusal> {
        // RFC 9449 §7.1: a token that is bound to a key is not taken without its proof.
        let takes_proofs = self.0.possession.mode != Dpop::Off;
        let has_known_key = claims.cnf.as_ref().is_none_or(|cnf| cnf.jkt.is_some());
        if claims.cnf.is_some() && !(takes_proofs && has_known_key) {
            return Err(Refusal::SenderConstrained);
        }
        self.check_expiry(claims.exp.unwrap_or_default(), now)
    }

    /// RFC 7519 §4.1.4: on or after `exp` a token is not taken.
    fn check_expiry(&self, exp: i64, now: i64) -> Result<(), Refusal> {
        let end = exp.saturating_add(self.0.leeway_seconds);
        if now.div_euclid(1_000) >= end {
            return Err(Error::Expired.into());
        }
        Ok(())
    }

    /// Says once a minute that the clocks are apart, while the leeway still hides it.
    fn remark_skew(&self, claims: &Claims, now: i64) {
        let now = now.div_euclid(1_000);
        let ahead = claims.iat.unwrap_or_default().saturating_sub(now);
        let warned_at = &self.0.counters.skew_warned_at;
        let is_due =
            now.saturating_sub(warned_at.load(Ordering::Relaxed)) >= SKEW_WARNING_INTERVAL_SECONDS;
        if ahead > REMARKABLE_SKEW_SECONDS && is_due {
            warned_at.store(now, Ordering::Relaxed);
            tracing::warn!(seconds = ahead, "the issuer's clock is ahead of this machine's");
        }
    }
}

/// A token that is bound to a key is nobody's who just has it (RFC 9449 §7.1).
fn as_bearer(principal: Arc<Principal>) -> Result<Arc<Principal>, Refusal> {
    match principal.is_bound() {
        true => Err(Refusal::SenderConstrained),
        false => Ok(principal),
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}
