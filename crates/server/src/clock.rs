//! The clock of this server: the verifier's own, so that both tell the same time, in tests too.

use std::time::{Duration, Instant};

use munjigi_core::time::Timestamp;

/// Tells the time: the machine's, moved forward only by tests and `munjigi dev`.
#[derive(Clone, Debug, Default)]
pub struct Clock(munjigi_verify::Clock);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until it is moved: for tests.
    pub fn stopped_at(unix_seconds: i64) -> Self {
        Self(munjigi_verify::Clock::stopped_at(unix_seconds))
    }

    /// Now. A clock before 1970 reads as 1970.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.unix_millis())
    }

    /// Moves this clock forward, for every holder of it: time travel for tests and `munjigi dev`.
    pub fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    /// The same clock for a verifier.
    pub fn of_verifier(&self) -> munjigi_verify::Clock {
        self.0.clone()
    }
}

/// A point on the monotonic clock, to measure how long something takes.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

/// Waits for the next multiple of `step` since `began`: for answers whose time would tell what was
/// done for them (LG-02 of the attack kit). What takes less than a step tells nothing.
#[expect(clippy::disallowed_methods, reason = "the answer is to come at that time, no event")]
pub(crate) async fn even_out(began: Instant, step: Duration) {
    let took = began.elapsed();
    let steps = took.as_nanos().checked_div(step.as_nanos()).unwrap_or_default();
    let steps = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
    tokio::time::sleep(step.saturating_mul(steps).saturating_sub(took)).await;
}
