//! The one thread that writes to SQLite. It runs what waits, each closure in a savepoint of its
//! own, and commits it all with one flush to the disk: 225 commits a second one by one become more
//! than 5,000 where a flush takes 4 ms. Nobody hears "done" before the commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::connection::explain;
use super::session::{SqliteSession, run};
use crate::clock::Stopwatch;
use crate::sql::error::StoreError;
use crate::sql::job::{Access, Job, MAX_RUNS, Verdict, pause};
use crate::sql::queue::Queue;
use crate::sql::statistics::{Counters, add};
use crate::sql::store::stopped;
use crate::sql::tx::count;

/// A batch is as long as somebody waits, and no longer than this: the first one waits for the last.
const LARGEST_BATCH: usize = 512;

type Jobs = VecDeque<Box<dyn Job>>;

pub(super) struct Writer {
    connection: Connection,
    queue: Arc<Queue<Box<dyn Job>>>,
    counters: Arc<Counters>,
    pending: Jobs,
    again: VecDeque<(Box<dyn Job>, u32)>,
}

/// How a batch stands while its closures run.
#[derive(Default)]
struct Batch {
    done: Vec<Box<dyn Job>>,
    changed: usize,
}

/// SQLite gave up the whole transaction, or cannot be told to end a part of it.
struct Broken(StoreError);

impl Writer {
    pub(super) fn new(
        connection: Connection,
        queue: Arc<Queue<Box<dyn Job>>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { connection, queue, counters, pending: Jobs::new(), again: VecDeque::new() }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn work(mut self) {
        while self.wait_for_work() {
            match self.run_batch() {
                Ok(batch) => self.commit(batch),
                Err((batch, Broken(error))) => self.give_up(batch.done, &error),
            }
        }
    }

    /// Sleeps until something is to be done; `false` when there never will be.
    fn wait_for_work(&mut self) -> bool {
        self.queue.drain(LARGEST_BATCH, &mut self.pending);
        if !self.pending.is_empty() {
            return true;
        }
        if let Some((_, runs)) = self.again.front() {
            // Whoever it lost against is another process: give it a moment.
            let salt = self.counters.retries.load(Ordering::Relaxed);
            std::thread::park_timeout(pause(*runs, salt));
            return true;
        }
        self.pending.extend(self.queue.pop());
        !self.pending.is_empty()
    }

    fn run_batch(&mut self) -> Result<Batch, (Batch, Broken)> {
        let mut batch = Batch::default();
        if let Err(error) = run(&self.connection, "BEGIN IMMEDIATE") {
            // Another process kept the lock for as long as we wait. Whoever came meanwhile has
            // waited, too, and a further round for each of them would only let the queue grow.
            self.queue.drain(LARGEST_BATCH, &mut self.pending);
            batch.done.extend(self.again.drain(..).map(|(job, _)| job));
            batch.done.extend(self.pending.drain(..));
            return Err((batch, Broken(error)));
        }
        // Whoever loses again goes to the end, and is not met a second time in this batch.
        for _ in 0..self.again.len() {
            let Some((job, runs)) = self.again.pop_front() else { break };
            if let Err(broken) = self.run_one(job, runs, &mut batch) {
                return Err((batch, broken));
            }
        }
        while batch.done.len() < LARGEST_BATCH {
            if self.pending.is_empty() {
                self.queue.drain(LARGEST_BATCH, &mut self.pending);
            }
            let Some(job) = self.pending.pop_front() else { break };
            if job.is_abandoned() {
                continue;
            }
            if let Err(broken) = self.run_one(job, 0, &mut batch) {
                return Err((batch, broken));
            }
        }
        Ok(batch)
    }

    fn run_one(
        &mut self,
        mut job: Box<dyn Job>,
        runs: u32,
        batch: &mut Batch,
    ) -> Result<(), Broken> {
        let watch = Stopwatch::start();
        let (verdict, ended) = self.run_closure(&mut *job);
        self.counters.note_duration(watch.elapsed(), job.name());
        if ended.is_err() || self.connection.is_autocommit() {
            batch.done.push(job);
            return Err(Broken(ended.err().unwrap_or_else(given_up)));
        }
        match verdict {
            Verdict::Again if runs.saturating_add(1) < MAX_RUNS => {
                add(&self.counters.retries);
                self.again.push_back((job, runs.saturating_add(1)));
            }
            Verdict::Again | Verdict::Undo => batch.done.push(job),
            Verdict::Keep { changed } => {
                batch.changed += usize::from(changed);
                batch.done.push(job);
            }
        }
        Ok(())
    }

    fn run_closure(&self, job: &mut dyn Job) -> (Verdict, Result<(), StoreError>) {
        let mut session = SqliteSession::new(&self.connection);
        if job.access() == Access::Write {
            let verdict = job.run(&mut session);
            let ended = session.end(matches!(verdict, Verdict::Keep { .. }));
            return (verdict, ended);
        }
        // Only in memory do reads come here; what reads must not write there, either.
        let began = run(&self.connection, "PRAGMA query_only = 1");
        let verdict = job.run(&mut session);
        let ended = run(&self.connection, "PRAGMA query_only = 0");
        (verdict, began.and(session.end(false)).and(ended))
    }

    /// One flush for all of them. Even what only read is answered after it: it may have seen what
    /// the others were about to write.
    fn commit(&self, batch: Batch) {
        munjigi_core::planted!("answered_before_the_commit", {
            batch.done.into_iter().for_each(|job| job.answer());
            return drop(run(&self.connection, "COMMIT"));
        });
        if let Err(error) = run(&self.connection, "COMMIT") {
            self.give_up(batch.done, &error);
            return;
        }
        if batch.changed > 0 {
            self.counters.lost_to_disk.store(false, Ordering::Relaxed);
            add(&self.counters.commits);
            self.counters.committed.fetch_add(count(batch.changed), Ordering::Relaxed);
            self.counters.largest_batch.fetch_max(count(batch.changed), Ordering::Relaxed);
        }
        for job in batch.done {
            job.answer();
        }
    }

    fn give_up(&self, jobs: Vec<Box<dyn Job>>, error: &StoreError) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK").map_err(explain)
        {
            tracing::error!(%error, "SQLite could not undo a transaction");
        }
        tracing::error!(%error, closures = jobs.len(), "SQLite did not commit");
        if matches!(error, StoreError::Unavailable(_)) {
            self.counters.lost_to_disk.store(true, Ordering::Relaxed);
        }
        for job in jobs {
            job.fail(error.clone());
        }
    }
}

/// Whatever ends this thread: whoever waits is told, and whoever comes is refused.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.queue.drain(usize::MAX, &mut self.pending);
        let again = self.again.drain(..).map(|(job, _)| job);
        for job in self.pending.drain(..).chain(again) {
            job.fail(stopped());
        }
    }
}

fn given_up() -> StoreError {
    StoreError::Unavailable("SQLite gave up the transaction".to_owned())
}
