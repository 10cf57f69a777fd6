//! Closures that lost against others, one after another. They all want the same row (a place in a
//! feed), so side by side they would make each other lose, and with bad luck one of them every
//! time. No thread waits here: whoever has the turn works off what others leave behind.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sql::job::Job;

/// How many may wait for their turn: as many as may wait at the store's door.
const MOST: usize = 1_024;

/// A closure, and how it fared.
pub(super) struct Attempt {
    pub(super) job: Box<dyn Job>,
    /// How often it was run.
    pub(super) runs: u32,
    /// How often its connection broke.
    pub(super) lost: u32,
}

impl Attempt {
    pub(super) const fn first(job: Box<dyn Job>) -> Self {
        Self { job, runs: 0, lost: 0 }
    }
}

/// What becomes of a closure that asks for the turn.
pub(super) enum Asked {
    /// It is its turn, until [`Turns::next`] says that nobody waits.
    Now(Attempt),
    /// It waits; whoever has the turn takes it up.
    Later,
    /// Too many wait.
    Full(Attempt),
}

/// The turn of one store.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    is_taken: bool,
    waiting: VecDeque<Attempt>,
    /// Closures of these names have lost since nobody waited: the next ones need not try first.
    hot: HashSet<&'static str>,
}

impl Turns {
    /// Whether closures of this name had better ask at once.
    pub(super) fn is_hot(&self, name: &'static str) -> bool {
        let state = self.lock();
        state.is_taken && state.hot.contains(name)
    }

    /// Asks for the turn.
    pub(super) fn ask(&self, attempt: Attempt) -> Asked {
        let mut state = self.lock();
        state.hot.insert(attempt.job.name());
        if !state.is_taken {
            state.is_taken = true;
            return Asked::Now(attempt);
        }
        if state.waiting.len() >= MOST {
            return Asked::Full(attempt);
        }
        state.waiting.push_back(attempt);
        Asked::Later
    }

    /// The next one that waits, for whoever has the turn; nothing gives the turn back.
    pub(super) fn next(&self) -> Option<Attempt> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.is_taken = false;
            state.hot.clear();
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
