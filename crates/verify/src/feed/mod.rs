//! What a verifier knows of its issuer's revocations, and since when. It must not guess: a strict
//! verifier that does not know refuses.

#[cfg(feature = "remote")]
mod follow;
#[cfg(feature = "remote")]
mod source;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::refusal::Refusal;
use crate::revocation::RevocationSet;
use crate::verifier::Status;

#[cfg(feature = "remote")]
pub(crate) use follow::{Follower, Pace, Work};
#[cfg(feature = "remote")]
pub(crate) use source::{Credentials, Source};

/// Until something was known.
const NEVER: i64 = i64::MIN;
/// How far ahead of ours the clock may have been when something became known, in milliseconds:
/// set back further than this, it says nothing about how old that is.
const SET_BACK_MILLIS: i64 = 1_000;

/// Whether a verifier follows the issuer's revocation feed, and what it does when it cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocations {
    /// It does not: a revoked token passes until it expires.
    #[default]
    Off,
    /// It refuses what it knows to be revoked. While the feed cannot be reached, and before it was
    /// read for the first time, it goes by what it knows: a revoked token may pass, a good one
    /// always does.
    BestEffort,
    /// As `BestEffort`, and what it knows must not be older than this: else nothing passes, and
    /// callers are told to come back (503). For APIs that would rather be down than wrong.
    Strict {
        /// From 5 seconds to an hour. A tenth of a minute survives no restart of the issuer;
        /// 30 seconds survive most.
        max_staleness: Duration,
    },
}

/// A verifier's view of the feed. The follower, if there is one, ends with it.
pub(crate) struct Feed {
    max_staleness_millis: Option<i64>,
    known: Arc<Known>,
    #[cfg(feature = "remote")]
    follower: Option<Follower>,
}

/// What the follower tells.
pub(crate) struct Known {
    pub set: Arc<RevocationSet>,
    /// Everything that was revoked before that is in the set; Unix milliseconds.
    known_at: AtomicI64,
    /// What was over then is not in the set any more; Unix milliseconds.
    forgotten_at: AtomicI64,
    pub answers: AtomicU64,
    pub failures: AtomicU64,
    pub dropped: AtomicU64,
}

impl Known {
    pub fn new(set: Arc<RevocationSet>) -> Self {
        let zero = AtomicU64::default;
        let never = || AtomicI64::new(NEVER);
        let (known_at, forgotten_at) = (never(), never());
        let (answers, failures, dropped) = (zero(), zero(), zero());
        Self { set, known_at, forgotten_at, answers, failures, dropped }
    }

    /// From now on everything until `at` is known.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "the follower tells"))]
    pub fn is_known_until(&self, at: i64) {
        self.known_at.store(at, Ordering::Release);
    }

    /// Drops what is over at `now`. By a clock that is set back behind it, not everything is known.
    #[cfg(feature = "remote")]
    pub fn forget_expired(&self, now: i64) {
        self.forgotten_at.store(now, Ordering::Release);
        self.set.forget_expired(now);
    }

    /// Nothing is known to be complete any more, until [`Known::is_known_until`] says so again.
    #[cfg(feature = "remote")]
    pub fn is_in_doubt(&self) {
        self.known_at.store(NEVER, Ordering::Release);
    }

    /// How old what is known is, in milliseconds; `None` while nothing is, and when the clock was
    /// set back behind it.
    fn staleness(&self, now: i64) -> Option<i64> {
        let known_at = self.known_at.load(Ordering::Acquire);
        let age = now.saturating_sub(known_at);
        let latest = known_at.max(self.forgotten_at.load(Ordering::Acquire));
        let is_set_back = latest.saturating_sub(now) > SET_BACK_MILLIS;
        (known_at != NEVER && !is_set_back).then(|| age.max(0))
    }
}

impl Feed {
    /// Nobody is asked; what the program announces itself is all there is.
    pub fn off() -> Self {
        Self {
            max_staleness_millis: None,
            known: Arc::new(Known::new(Arc::default())),
            #[cfg(feature = "remote")]
            follower: None,
        }
    }

    #[cfg(feature = "remote")]
    pub fn followed(mode: Revocations, known: Arc<Known>, follower: Follower) -> Self {
        let max_staleness_millis = match mode {
            Revocations::Off | Revocations::BestEffort => None,
            Revocations::Strict { max_staleness } => {
                Some(i64::try_from(max_staleness.as_millis()).unwrap_or(i64::MAX))
            }
        };
        Self { max_staleness_millis, known, follower: Some(follower) }
    }

    pub fn set(&self) -> &RevocationSet {
        &self.known.set
    }

    /// Whether as much is known as has to be. Starts the follower, if it could not be started
    /// before for want of a runtime.
    pub fn check(&self, now: i64) -> Result<(), Refusal> {
        #[cfg(feature = "remote")]
        if let Some(follower) = &self.follower {
            follower.start();
        }
        let Some(most) = self.max_staleness_millis else { return Ok(()) };
        match self.known.staleness(now) {
            Some(staleness) if staleness <= most => Ok(()),
            _ => Err(Refusal::RevocationsUnavailable { retry_after_seconds: 1 }),
        }
    }

    /// Puts what is known about it into `status`.
    pub fn report(&self, now: i64, status: &mut Status) {
        let known = &self.known;
        let staleness = known.staleness(now).and_then(|millis| u64::try_from(millis).ok());
        status.revocation_staleness = staleness.map(Duration::from_millis);
        status.feed_answers = known.answers.load(Ordering::Relaxed);
        status.feed_failures = known.failures.load(Ordering::Relaxed);
        status.dropped_revocations = known.dropped.load(Ordering::Relaxed);
        status.revocations = known.set.len();
        status.is_ready = status.is_ready && self.check(now).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_grows_old_and_a_clock_that_was_set_back_says_nothing() {
        let known = Known::new(Arc::default());
        assert_eq!(known.staleness(0), None);
        known.is_known_until(100_000);
        assert_eq!(known.staleness(100_000), Some(0));
        assert_eq!(known.staleness(107_000), Some(7_000));
        assert_eq!(known.staleness(99_500), Some(0));
        assert_eq!(known.staleness(98_000), None);
    }
}
