//! Whether requests are to be sent to this node, and if not, why, in a word. It must not flap: what
//! a busy database is late with now and then does not send everybody elsewhere at once.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use munjigi_store::{Audit, Committed, StoreError, counters, epochs};
use munjigi_token::Algorithm;

use crate::app::App;
use crate::clock::stopwatch;

/// How long the database may take to answer.
const BUDGET: Duration = Duration::from_secs(1);
/// For how long after an answer a database that is only late counts as there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why requests are to be sent elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The node is about to stop.
    Stopping,
    /// The database cannot be reached, has not answered for a while, or cannot write.
    Database,
    /// There is no key to sign access tokens with.
    Keys,
}

impl Reason {
    /// As told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Database => "database",
            Self::Keys => "keys",
        }
    }
}

/// When the database answered last.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<Instant>>);

impl Readiness {
    /// Whether a database that said this is there, asked at `now`.
    fn is_there(&self, answer: &Answer, now: Instant) -> bool {
        let mut answered_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Answer::Good => {
                *answered_at = Some(now);
                true
            }
            Answer::Late => answered_at.is_some_and(|at| now.duration_since(at) <= PATIENCE),
            Answer::Bad => false,
        }
    }
}

/// What the database said.
enum Answer {
    Good,
    /// It has too much to do.
    Late,
    /// It cannot be used.
    Bad,
}

/// Everything that speaks against this node.
pub(crate) async fn reasons(app: &App) -> Vec<Reason> {
    if app.leaving.is_leaving() {
        // First of all, so that whoever sends requests here sends them elsewhere while all of them
        // are still answered.
        return vec![Reason::Stopping];
    }
    let asked = tokio::time::timeout(BUDGET, ask(app)).await;
    let answer = match asked {
        Ok(Ok(_)) => Answer::Good,
        Err(_) | Ok(Err(StoreError::Overloaded | StoreError::Busy | StoreError::Conflict)) => {
            Answer::Late
        }
        Ok(Err(_)) => Answer::Bad,
    };
    let is_there = app.readiness.is_there(&answer, stopwatch());
    let signs = app.snapshot().keys.active(Algorithm::Es256, app.clock.now()).is_some();
    let against = [(!is_there, Reason::Database), (!signs, Reason::Keys)];
    against.into_iter().filter_map(|(speaks, reason)| speaks.then_some(reason)).collect()
}

/// Whether the database answers; and if the disk refused the last write, whether it takes another
/// one. Somebody has to try: whoever sends no requests to a node that is not ready writes nothing.
async fn ask(app: &App) -> Result<(), StoreError> {
    app.store.read(counters::reference_version).await?;
    if !app.store.refuses_writes() {
        return Ok(());
    }
    let tried = app.store.write(|tx| {
        epochs::move_beat(tx)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("whether the disk takes writes")))
    });
    tried.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_late_once_is_there_and_one_that_stays_late_is_not() {
        let (readiness, begin) = (Readiness::default(), stopwatch());
        assert!(!readiness.is_there(&Answer::Late, begin), "it has never answered");
        assert!(readiness.is_there(&Answer::Good, begin));
        assert!(readiness.is_there(&Answer::Late, begin + Duration::from_secs(4)));
        assert!(!readiness.is_there(&Answer::Late, begin + Duration::from_secs(6)));
        assert!(readiness.is_there(&Answer::Good, begin + Duration::from_secs(7)));
        assert!(!readiness.is_there(&Answer::Bad, begin + Duration::from_secs(7)));
    }
}
