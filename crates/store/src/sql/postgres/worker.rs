//! A thread with a connection. It takes closures from the queue, runs each as one transaction, and
//! runs it again when PostgreSQL could not serialize it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::connection::Connection;
use super::session::{CommitError, PostgresSession, Shape};
use super::target::Target;
use super::turns::{Asked, Attempt, Turns};
use crate::clock::Stopwatch;
use crate::sql::error::StoreError;
use crate::sql::job::{Access, Job, Verdict, pause};
use crate::sql::queue::Queue;
use crate::sql::statistics::{Counters, add};
use crate::sql::store::stopped;

/// How often a closure is run because its connection broke before the commit.
const MAX_LOST: u32 = 3;

/// After so many runs a closure that still loses waits for its turn among those that do.
const RUNS_WITHOUT_TURN: u32 = 2;

/// How often a closure is run before its caller is told that it lost. In its turn it meets one
/// closure of each other node at a time: of three nodes, it loses so often in a row never.
const MAX_RUNS: u32 = 100;

pub(super) struct Worker {
    pub(super) target: Arc<Target>,
    /// Whether it keeps away from rows whose epoch is not settled.
    pub(super) is_guarded: bool,
    pub(super) connection: Option<Connection>,
    pub(super) queue: Arc<Queue<Box<dyn Job>>>,
    pub(super) counters: Arc<Counters>,
    pub(super) alive: Arc<AtomicUsize>,
    /// Whose turn it is among the closures of this store that lose.
    pub(super) turns: Arc<Turns>,
    /// Which reading closures are one statement, by name: what was seen, until it is disproved.
    pub(super) one: HashMap<&'static str, bool>,
}

/// What came of one run.
enum Outcome {
    /// What the closure said stands.
    Answer,
    /// The caller is told this instead.
    Fail(StoreError),
    /// It lost, and may win the next time. This is what the caller is told if it never does.
    Again(Option<StoreError>),
    /// The connection broke before the commit: nothing was written.
    Lost(String),
    /// A read was taken for one statement, and was more.
    Mistaken,
}

impl Worker {
    /// Works until the queue is closed and empty.
    pub(super) fn work(mut self) {
        while let Some(job) = self.queue.pop() {
            if !job.is_abandoned() {
                self.serve(Attempt::first(job));
            }
        }
    }

    /// Runs one closure to its end.
    pub(super) fn serve(&mut self, attempt: Attempt) {
        let attempt = match self.turns.is_hot(attempt.job.name()) {
            true => attempt,
            // It has the connection to itself only if nobody else wants what it wants.
            false => match self.run(attempt, RUNS_WITHOUT_TURN) {
                Some(lost) => lost,
                None => return,
            },
        };
        let mut next = match self.turns.ask(attempt) {
            Asked::Now(attempt) => Some(attempt),
            Asked::Later => None,
            Asked::Full(attempt) => return attempt.job.fail(StoreError::Overloaded),
        };
        while let Some(attempt) = next {
            if !attempt.job.is_abandoned()
                && let Some(lost) = self.run(attempt, MAX_RUNS)
            {
                lost.job.fail(StoreError::Conflict);
            }
            next = self.turns.next();
        }
    }

    /// Runs a closure until it is answered, or was run so often and lost each time.
    fn run(&mut self, mut attempt: Attempt, most: u32) -> Option<Attempt> {
        loop {
            attempt.runs += 1;
            match self.run_once(&mut *attempt.job) {
                Outcome::Answer => attempt.job.answer(),
                Outcome::Fail(error) => attempt.job.fail(error),
                Outcome::Again(error) if attempt.runs >= MAX_RUNS => match error {
                    Some(error) => attempt.job.fail(error),
                    None => attempt.job.answer(),
                },
                Outcome::Again(_) if attempt.runs >= most => {
                    add(&self.counters.retries);
                    return Some(attempt);
                }
                Outcome::Mistaken => continue,
                Outcome::Lost(reason) if attempt.lost.saturating_add(1) >= MAX_LOST => {
                    attempt.job.fail(StoreError::Unavailable(reason));
                }
                again @ (Outcome::Again(_) | Outcome::Lost(_)) => {
                    attempt.lost += u32::from(matches!(again, Outcome::Lost(_)));
                    self.rest(attempt.runs, most);
                    // A server that hung may have kept it for longer than anybody waits.
                    if attempt.job.is_abandoned() {
                        return None;
                    }
                    continue;
                }
            }
            return None;
        }
    }

    /// A pause before the next run. Whoever has the turn has waited already: a long one would leave
    /// the row to another node's closures each time.
    fn rest(&self, runs: u32, most: u32) {
        add(&self.counters.retries);
        let salt = self.counters.retries.load(Ordering::Relaxed);
        let longest = if most == MAX_RUNS { runs.min(2) } else { runs };
        std::thread::park_timeout(pause(longest, salt));
    }

    fn run_once(&mut self, job: &mut dyn Job) -> Outcome {
        let mut connection = match self.take_connection() {
            Ok(connection) => connection,
            Err(error) => return Outcome::Fail(error),
        };
        connection.waited = Duration::ZERO;
        let watch = Stopwatch::start();
        // Two closures of one function have one name: a write must never be taken for a read.
        let expects_one =
            job.access() == Access::Read && self.one.get(job.name()).is_some_and(|one| *one);
        let mut session =
            PostgresSession::new(&mut connection, job.access()).expect_one(expects_one);
        let verdict = job.run(&mut session);
        let ran = watch.elapsed().saturating_sub(session.waited());
        let lost = session.take_lost();
        let outcome = match lost {
            Some(reason) => return Outcome::Lost(reason),
            None if self.learn(job, session.shape()) => Outcome::Mistaken,
            None => end(&mut session, verdict, job.access()),
        };
        let broken = session.take_lost().is_some();
        self.counters.note_duration(ran, job.name());
        if matches!(verdict, Verdict::Keep { changed: true }) && matches!(outcome, Outcome::Answer)
        {
            add(&self.counters.commits);
            add(&self.counters.committed);
        }
        if !broken {
            self.connection = Some(connection);
        }
        outcome
    }

    /// Remembers what a reading closure was like; whether it was expected to be otherwise.
    fn learn(&mut self, job: &dyn Job, shape: Shape) -> bool {
        if job.access() == Access::Read {
            match shape {
                Shape::One => {
                    self.one.entry(job.name()).or_insert(true);
                }
                Shape::Other => {}
                Shape::Mistaken => {
                    self.one.insert(job.name(), false);
                }
            }
        }
        shape == Shape::Mistaken
    }

    fn take_connection(&mut self) -> Result<Connection, StoreError> {
        match self.connection.take() {
            Some(connection) if !connection.is_over() => Ok(connection),
            _ => {
                let mut connection = Connection::open(&self.target)?;
                if self.is_guarded {
                    connection.check_epoch()?;
                }
                Ok(connection)
            }
        }
    }
}

fn end(session: &mut PostgresSession<'_>, verdict: Verdict, access: Access) -> Outcome {
    let changed = match verdict {
        Verdict::Undo => {
            session.rollback();
            return Outcome::Answer;
        }
        Verdict::Again => {
            session.rollback();
            return Outcome::Again(None);
        }
        Verdict::Keep { changed } => changed && access == Access::Write,
    };
    match session.commit() {
        Ok(()) => Outcome::Answer,
        Err(CommitError::Undone(error)) => {
            // A commit that fails has ended its transaction; one that a statement failed in front
            // of has not, as far as the server tells us: one more rollback is only a warning there.
            session.rollback();
            match error {
                StoreError::Conflict => Outcome::Again(Some(error)),
                error => Outcome::Fail(error),
            }
        }
        // Nothing was written, so nothing can have been written twice.
        Err(CommitError::Unknown(reason)) if !changed => Outcome::Lost(reason),
        Err(CommitError::Unknown(reason)) => Outcome::Fail(StoreError::Unavailable(format!(
            "the connection was lost during a commit, whose outcome is not known: {reason}"
        ))),
    }
}

/// Whatever ends the last of these threads: whoever waits is told, and whoever comes is refused.
impl Drop for Worker {
    fn drop(&mut self) {
        if self.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.queue.close();
            let mut waiting = std::collections::VecDeque::new();
            self.queue.drain(usize::MAX, &mut waiting);
            for job in waiting {
                job.fail(stopped());
            }
        }
    }
}
