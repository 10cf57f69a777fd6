//! Monotonic readings, for measuring how long a closure ran. Never a date: the times that rows
//! hold come from the caller.

use std::time::{Duration, Instant};

/// A measurement that began when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[expect(clippy::disallowed_methods, reason = "this is the file named clock.rs")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
