//! The one place of this crate that reads the clock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells the time to a verifier: the machine's, or a time that stands still until it is moved.
///
/// Clones are the same clock.
#[derive(Clone, Default)]
pub struct Clock(Arc<Hands>);

#[derive(Default)]
struct Hands {
    is_stopped: bool,
    /// Milliseconds since 1970 of a stopped clock; what is added to the machine's of a running one.
    millis: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at this Unix time until [`Clock::advance`] moves it: for tests.
    pub fn stopped_at(unix_seconds: i64) -> Self {
        let millis = AtomicI64::new(unix_seconds.saturating_mul(1_000));
        Self(Arc::new(Hands { is_stopped: true, millis }))
    }

    /// Moves this clock forward, for every holder of it.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Moves this clock back, for every holder of it, as an operator does whose clock was ahead.
    pub fn set_back(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.millis.fetch_sub(millis, Ordering::Relaxed);
    }

    /// Now, in milliseconds since 1970. A clock before 1970 reads as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn unix_millis(&self) -> i64 {
        let hands = self.0.millis.load(Ordering::Relaxed);
        if self.0.is_stopped {
            return hands;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(hands)
    }

    /// Now, in whole seconds since 1970, as a `NumericDate` of RFC 7519 §2 without a fraction.
    pub fn unix_seconds(&self) -> i64 {
        self.unix_millis().div_euclid(1_000)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.unix_millis()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_moved() {
        let clock = Clock::stopped_at(1_000);
        let same = clock.clone();
        assert_eq!(clock.unix_seconds(), 1_000);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(same.unix_millis(), 1_001_500);
        assert_eq!(same.unix_seconds(), 1_001);
    }

    #[test]
    fn the_machines_clock_may_be_put_forward() {
        let clock = Clock::system();
        let before = clock.unix_seconds();
        clock.advance(Duration::from_secs(3_600));
        assert!(clock.unix_seconds() >= before + 3_600);
    }
}
