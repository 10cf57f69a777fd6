//! Reads clocks: the monotonic one, and the processor time of a thread and of this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Now, on the monotonic clock.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// The processor time that the calling thread has used, in user space and in the kernel.
pub fn of_thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// The processor time that this process has used, its ended threads included.
pub fn of_process() -> Duration {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().unwrap_or_default()
}
