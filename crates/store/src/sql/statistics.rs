//! What the executor counts, for metrics and benchmarks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A closure that takes longer than this is logged: it does something that belongs outside.
const SLOW: Duration = Duration::from_millis(5);

/// Counts since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Closures that were asked to write and have been answered.
    pub writes: u64,
    /// Closures that were asked to read and have been answered.
    pub reads: u64,
    /// Commits that made something durable. On SQLite one commit may carry many closures.
    pub commits: u64,
    /// Closures that were run again because the first run lost.
    pub retries: u64,
    /// Closures that ran longer than 5 ms, waiting for the database not counted.
    pub slow: u64,
    /// Closures that found the queue full.
    pub rejected: u64,
    /// SQLite: the largest number of closures that one commit carried.
    pub largest_batch: u64,
    /// Closures whose changes were committed: divided by `commits`, what one commit carries.
    pub committed: u64,
    /// Closures that wait for their turn at this moment.
    pub waiting: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) writes: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) largest_batch: AtomicU64,
    pub(super) committed: AtomicU64,
    /// Whether the last batch was lost to the disk.
    pub(super) lost_to_disk: AtomicBool,
}

impl Counters {
    pub(super) fn read(&self, waiting: usize) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            writes: read(&self.writes),
            reads: read(&self.reads),
            commits: read(&self.commits),
            retries: read(&self.retries),
            slow: read(&self.slow),
            rejected: read(&self.rejected),
            largest_batch: read(&self.largest_batch),
            committed: read(&self.committed),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
        }
    }

    /// Logs a closure that took too long, by the name that the compiler gave it.
    pub(super) fn note_duration(&self, took: Duration, closure: &'static str) {
        if took > SLOW {
            add(&self.slow);
            tracing::warn!(?took, closure, "slow: a closure kept a transaction waiting");
        }
    }
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
