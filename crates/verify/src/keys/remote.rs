//! Does what the timeline decides: one fetch at a time, in a task of its own, so that a caller who
//! goes away does not take it along. It must not decide anything itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::keys::fetch::{FetchError, Fetched, Source};
use crate::keys::timeline::{Decision, Timeline};
use crate::keys::{Lack, Snapshot};
use crate::verifier::Status;

pub(crate) struct Remote {
    source: Source,
    clock: Clock,
    /// Never held across a wait.
    timeline: Mutex<Timeline>,
    /// What the readers see.
    published: Arc<ArcSwap<Snapshot>>,
    /// Counts the fetches that ended; the waiting are woken by it.
    ended: watch::Sender<u64>,
    started: AtomicU64,
    failures: AtomicU64,
    document: Mutex<Option<[u8; 32]>>,
}

impl Remote {
    pub fn new(source: Source, clock: Clock, published: Arc<ArcSwap<Snapshot>>) -> Self {
        Self {
            source,
            clock,
            timeline: Mutex::new(Timeline::new()),
            published,
            ended: watch::Sender::new(0),
            started: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            document: Mutex::new(None),
        }
    }

    pub async fn obtain(self: &Arc<Self>, now: i64, kid: Option<&str>) -> Result<(), Lack> {
        let (decision, mut ended) = {
            // Subscribed under the lock, so that exactly the end of this fetch is waited for.
            let mut timeline = self.timeline();
            (timeline.decide(now, kid), self.ended.subscribe())
        };
        match decision {
            Decision::Serve => return Ok(()),
            Decision::ServeAndRefresh => {
                self.start_fetch();
                return Ok(());
            }
            Decision::Unknown => return Err(Lack::Unknown),
            Decision::Unavailable { retry_after_seconds } => {
                return Err(Lack::Unavailable { retry_after_seconds });
            }
            Decision::Fetch => self.start_fetch(),
            Decision::Wait => {}
        }

        // The sender lives as long as `self`; were it gone, the decision below says so.
        let _closed = ended.changed().await;
        match self.timeline().decide_after_fetch(self.clock.unix_millis(), kid) {
            Decision::Unknown => Err(Lack::Unknown),
            Decision::Unavailable { retry_after_seconds } => {
                Err(Lack::Unavailable { retry_after_seconds })
            }
            _ => Ok(()),
        }
    }

    pub fn may_serve(self: &Arc<Self>, now: i64) -> bool {
        let is_alive = self.timeline().is_alive(now);
        if is_alive {
            self.fetch_if_due(now);
        }
        is_alive
    }

    /// Has keys fetched that are missing or stale, and waits for nothing.
    fn fetch_if_due(self: &Arc<Self>, now: i64) {
        // Outside a runtime there is no network.
        if Handle::try_current().is_err() {
            return;
        }
        let decision = self.timeline().decide(now, None);
        if matches!(decision, Decision::Fetch | Decision::ServeAndRefresh) {
            self.start_fetch();
        }
    }

    pub fn invalidate(&self) {
        self.timeline().invalidate();
        self.published.rcu(|old| Snapshot {
            keys: Arc::clone(&old.keys),
            generation: old.generation,
            fresh_until: i64::MIN,
        });
    }

    /// Puts what is known about the keys into `status`. Whoever asks whether there are keys before
    /// a token came, or long after the last one, has them fetched: an API that is not asked
    /// anything until it is ready would never be ready.
    pub fn report(self: &Arc<Self>, now: i64, status: &mut Status) {
        self.fetch_if_due(now);
        let timeline = self.timeline();
        let age = timeline.fetched_at().map(|at| now.saturating_sub(at).max(0));
        status.key_age =
            age.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
        status.is_ready = timeline.is_alive(now);
        status.fetches = self.started.load(Ordering::Relaxed);
        status.fetch_failures = self.failures.load(Ordering::Relaxed);
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a fetch that the timeline has begun.
    fn start_fetch(self: &Arc<Self>) {
        self.started.fetch_add(1, Ordering::Relaxed);
        let flight = Flight { remote: Arc::clone(self), has_landed: false };
        // Outside a runtime there is no network: the flight is dropped, which is a failure.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let outcome = flight.remote.source.fetch().await;
                flight.land(outcome);
            });
        }
    }

    fn succeed(&self, fetched: Fetched) {
        let now = self.clock.unix_millis();
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = *document == Some(fetched.digest);
        *document = Some(fetched.digest);
        drop(document);

        let mut timeline = self.timeline();
        timeline.fetched(now, Arc::new(fetched.keys), fetched.max_age);
        let (keys, fresh_until) = (Arc::clone(timeline.keys()), timeline.fresh_until());
        let generation = self.published.load().generation.wrapping_add(u64::from(!is_same));
        self.published.store(Arc::new(Snapshot { keys, generation, fresh_until }));
        self.wake();
    }

    fn fail(&self, why: &FetchError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %why, "the issuer's keys could not be fetched");
        let mut timeline = self.timeline();
        timeline.failed(self.clock.unix_millis());
        self.wake();
    }

    /// Called with the timeline locked.
    fn wake(&self) {
        self.ended.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// A fetch under way. However it ends, it ends: a task that is dropped counts as failed.
struct Flight {
    remote: Arc<Remote>,
    has_landed: bool,
}

impl Flight {
    fn land(mut self, outcome: Result<Fetched, FetchError>) {
        self.has_landed = true;
        match outcome {
            Ok(fetched) => self.remote.succeed(fetched),
            Err(why) => self.remote.fail(&why),
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.has_landed {
            self.remote.fail(&FetchError::Abandoned);
        }
    }
}
