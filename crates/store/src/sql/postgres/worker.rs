//! A thread with a connection. It takes closures from the queue, runs each as one transaction, and
//! runs it again when PostgreSQL could not serialize it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::session::{CommitError, PostgresSession, Shape};
use super::target::Target;
use crate::clock::Stopwatch;
use crate::sql::error::StoreError;
use crate::sql::job::{Access, Job, MAX_RUNS, Verdict, pause};
use crate::sql::queue::Queue;
use crate::sql::statistics::{Counters, add};
use crate::sql::store::stopped;

/// How often a closure is run because its connection broke before the commit.
const MAX_LOST: u32 = 3;

/// After so many runs a closure that still loses waits for its turn among those that do.
const RUNS_WITHOUT_TURN: u32 = 3;

pub(super) struct Worker {
    pub(super) target: Arc<Target>,
    pub(super) connection: Option<Connection>,
    pub(super) queue: Arc<Queue<Box<dyn Job>>>,
    pub(super) counters: Arc<Counters>,
    pub(super) alive: Arc<AtomicUsize>,
    /// Held by the one closure of this store that may be run again and again until it wins.
    pub(super) turn: Arc<Mutex<()>>,
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
                self.serve(job);
            }
        }
    }

    fn serve(&mut self, mut job: Box<dyn Job>) {
        let (mut runs, mut lost) = (0, 0);
        let turns = Arc::clone(&self.turn);
        let mut turn = None;
        loop {
            runs += 1;
            if runs > RUNS_WITHOUT_TURN && turn.is_none() {
                // Closures that all want the same row (a place in a feed) make each other lose, and
                // with bad luck one loses every time. Those that lose go one after another.
                turn = Some(turns.lock().unwrap_or_else(PoisonError::into_inner));
            }
            match self.run_once(&mut *job) {
                Outcome::Answer => return job.answer(),
                Outcome::Fail(error) => return job.fail(error),
                Outcome::Again(error) if runs >= MAX_RUNS => {
                    return match error {
                        Some(error) => job.fail(error),
                        None => job.answer(),
                    };
                }
                Outcome::Again(_) => {}
                Outcome::Mistaken => continue,
                Outcome::Lost(reason) => {
                    lost += 1;
                    if lost >= MAX_LOST {
                        return job.fail(StoreError::Unavailable(reason));
                    }
                }
            }
            add(&self.counters.retries);
            let salt = self.counters.retries.load(Ordering::Relaxed);
            std::thread::park_timeout(pause(runs, salt));
        }
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
            Some(connection) if !connection.is_closed() => Ok(connection),
            _ => Connection::open(&self.target),
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
