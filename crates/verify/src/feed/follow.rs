//! Follows the feed: one task for a verifier and all its clones, which ends with the last of them.
//! Everything that is in force first, then whatever is new, by long poll; after a failure again
//! from where it was. It must not hold a lock while it waits.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::feed::source::{AskError, Entry, Page, Source};
use crate::feed::{Known, Revocations, SET_BACK_MILLIS};
use crate::keys::Keys;
use crate::revocation::RevocationKind;

/// How long the issuer is asked to wait, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The first pause after a failure, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long after one beginning there is another, if something had to be left out.
const BEGIN_AGAIN_MILLIS: i64 = 60_000;
/// How full the set may still be, in percent, when it is tried again to take all of the feed in.
const ROOM_PERCENT: usize = 90;

/// A follower, before and after it was started.
pub(crate) struct Follower {
    /// Taken when it starts.
    work: Mutex<Option<Work>>,
    task: std::sync::OnceLock<AbortHandle>,
}

/// What the task owns.
pub(crate) struct Work {
    pub source: Source,
    pub known: Arc<Known>,
    pub keys: Keys,
    pub clock: Clock,
    pub pace: Pace,
    /// How many revocations are held at most.
    pub most: usize,
}

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    wait: Duration,
    longest_pause: Duration,
}

impl Pace {
    /// What is known is as old as the request that was answered last: twice the wait, just before
    /// the next answer. A strict verifier asks so often that this is half of what it bears.
    pub fn of(mode: Revocations) -> Self {
        match mode {
            Revocations::Off | Revocations::BestEffort => {
                Self { wait: LONGEST_WAIT, longest_pause: LONGEST_PAUSE }
            }
            Revocations::Strict { max_staleness } => {
                let quarter = max_staleness / 4;
                // The wait is told in whole seconds.
                let wait = Duration::from_secs(quarter.as_secs()).min(LONGEST_WAIT);
                Self { wait, longest_pause: quarter.min(LONGEST_PAUSE) }
            }
        }
    }
}

impl Follower {
    pub fn new(work: Work) -> Self {
        Self { work: Mutex::new(Some(work)), task: std::sync::OnceLock::new() }
    }

    /// Starts it, where there is a runtime and it was not started yet.
    pub fn start(&self) {
        if self.task.get().is_some() {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = work.take() {
            // Taken once, so set once.
            drop(self.task.set(runtime.spawn(work.run()).abort_handle()));
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// How far the task is.
#[derive(Default)]
struct Reading {
    /// `None`: at the beginning.
    cursor: Option<String>,
    /// Whether everything until the last request is known, so that it may be waited for more.
    is_caught_up: bool,
    /// Whether something was left out since the beginning.
    has_dropped: bool,
    failures: u32,
    /// When it began at the beginning, in Unix milliseconds.
    began_at: i64,
    /// How late it was by the clock when it asked or was answered last, in Unix milliseconds.
    clock_at: Option<i64>,
}

impl Work {
    async fn run(mut self) {
        let mut reading = Reading::default();
        loop {
            let asked_at = self.clock.unix_millis();
            self.note_clock(asked_at, &mut reading);
            if reading.cursor.is_none() {
                reading.began_at = asked_at;
            }
            // First it is asked what is new: the answer says at once how things stand.
            let wait = if reading.is_caught_up { self.pace.wait } else { Duration::ZERO };
            match self.source.ask(reading.cursor.as_deref(), wait).await {
                Ok(page) => self.take(page, asked_at, &mut reading),
                Err(error) => {
                    let pause = self.fail(&error, &mut reading);
                    pause_for(pause).await;
                }
            }
        }
    }

    /// A clock that is set back was ahead: revocations that matter may have been forgotten by it,
    /// and the issuer does not tell them again to whoever goes on from a cursor.
    fn note_clock(&self, asked_at: i64, reading: &mut Reading) {
        let before = reading.clock_at.replace(asked_at);
        if before.is_some_and(|before| before.saturating_sub(asked_at) > SET_BACK_MILLIS) {
            tracing::warn!("the clock was set back; the revocation feed is read anew");
            self.known.is_in_doubt();
            *reading = Reading { clock_at: Some(asked_at), ..Reading::default() };
        }
    }

    fn take(&self, page: Page, asked_at: i64, reading: &mut Reading) {
        self.known.answers.fetch_add(1, Ordering::Relaxed);
        if reading.failures > 0 {
            tracing::info!(failures = reading.failures, "the revocation feed answers again");
            reading.failures = 0;
        }
        let set = &self.known.set;
        let now = self.clock.unix_millis();
        reading.clock_at = reading.clock_at.max(Some(now));
        self.known.forget_expired(now);
        for entry in &page.entries {
            self.announce(entry, reading);
        }
        reading.cursor = Some(page.cursor);
        reading.is_caught_up = !page.more;
        if reading.has_dropped {
            // What was left out can be had again once there is room for it. Until then not
            // everything is known, and nothing says that it was.
            let has_room = set.len().saturating_mul(100) < self.most.saturating_mul(ROOM_PERCENT);
            if has_room && asked_at.saturating_sub(reading.began_at) >= BEGIN_AGAIN_MILLIS {
                *reading = Reading { clock_at: reading.clock_at, ..Reading::default() };
            }
        } else if reading.is_caught_up {
            self.known.is_known_until(asked_at);
        }
    }

    fn announce(&self, entry: &Entry, reading: &mut Reading) {
        let Entry { kind, key, not_before, until } = entry;
        // Of a later version: what it would kill cannot be told from what it would not.
        let Some(kind) = RevocationKind::parse(kind) else {
            tracing::warn!(%kind, "a revocation is of a kind that is not known here");
            self.leave_out(reading);
            return;
        };
        let until = until.saturating_mul(1_000);
        if !self.known.set.announce_within(self.most, (kind, key.as_str()), (*not_before, until)) {
            if !reading.has_dropped {
                tracing::error!(most = self.most, "more is revoked than can be remembered");
            }
            self.leave_out(reading);
        }
        if kind == RevocationKind::Key {
            // The key is gone from the issuer's document: another one has taken its place.
            self.keys.invalidate();
        }
    }

    fn leave_out(&self, reading: &mut Reading) {
        reading.has_dropped = true;
        self.known.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What to do about a failure: how long to pause.
    fn fail(&self, error: &AskError, reading: &mut Reading) -> Duration {
        self.known.failures.fetch_add(1, Ordering::Relaxed);
        if reading.failures == 0 {
            tracing::warn!(%error, "the revocation feed cannot be followed; trying again");
        }
        reading.failures = reading.failures.saturating_add(1);
        reading.is_caught_up = false;
        let asked = match error {
            AskError::Gone => {
                // What is known stays known: revocations are added, never taken back.
                (reading.cursor, reading.has_dropped) = (None, false);
                None
            }
            AskError::Busy { retry_after } => *retry_after,
            AskError::Refused(_) | AskError::Malformed | AskError::Fetch(_) => None,
        };
        let doubled = FIRST_PAUSE.saturating_mul(1 << reading.failures.saturating_sub(1).min(6));
        let pause = doubled.max(asked.unwrap_or_default()).min(self.pace.longest_pause);
        jittered(pause)
    }
}

/// Between half of it and one and a half, so that followers that were cut off together do not come
/// back together.
fn jittered(pause: Duration) -> Duration {
    // A hasher of its own each time is as random as this has to be; nothing depends on it.
    let permille = RandomState::new().hash_one(pause) % 1_000;
    let permille = u32::try_from(permille).unwrap_or_default().saturating_add(500);
    pause.saturating_mul(permille) / 1_000
}

#[expect(clippy::disallowed_methods, reason = "between two attempts there is nothing to wait for")]
async fn pause_for(pause: Duration) {
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_verifier_asks_so_often_that_a_request_may_fail() {
        for seconds in [5, 10, 30, 3_600] {
            let max_staleness = Duration::from_secs(seconds);
            let pace = Pace::of(Revocations::Strict { max_staleness });
            assert!(pace.wait >= Duration::from_secs(1));
            assert!(pace.wait * 2 + pace.longest_pause <= max_staleness, "{pace:?}");
        }
        assert_eq!(Pace::of(Revocations::BestEffort).wait, LONGEST_WAIT);
    }

    #[test]
    fn a_pause_is_not_the_same_for_everybody() {
        let pauses: Vec<_> = (0..20).map(|_| jittered(Duration::from_secs(10))).collect();
        assert!(pauses.iter().all(|pause| (5..=15).contains(&pause.as_secs())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| Some(pause) != pauses.first()));
    }
}
