//! PostgreSQL: a bounded set of connections, each with a thread of its own on which closures run.

mod connection;
mod explain;
mod hosts;
mod migrating;
mod session;
mod standing;
mod target;
mod tls;
mod turns;
mod value;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use self::connection::Connection;
use self::target::Target;
use self::turns::{Attempt, Turns};
use self::worker::Worker;
use super::error::StoreError;
use super::job::Job;
use super::options::StoreOptions;
use super::queue::Queue;
use super::standing::Standing;
use super::statistics::Counters;
use super::store::{Door, Opened};
use crate::migrate::Migration;

pub(super) fn open(
    url: &str,
    options: &StoreOptions,
    migrations: &[Migration],
    counters: &Arc<Counters>,
) -> Result<Opened, StoreError> {
    let target = Arc::new(Target::parse(url)?);
    let mut first = Connection::open(&target)?;
    migrating::migrate(&mut first, migrations, options.now)?;
    if options.is_guarded {
        first.tell_missing_grants();
    }
    // A connection that does not pass is of no use; that there is a server was seen.
    let passes = !options.is_guarded || first.check_epoch().is_ok();

    let queue = Arc::new(Queue::new(options.queue_size));
    let size = options.pool_size.max(1);
    let alive = Arc::new(AtomicUsize::new(size));
    let turns = Arc::new(Turns::default());
    let mut first = Some(first).filter(|_| passes);
    let mut threads = Vec::with_capacity(size);
    for number in 0..size {
        let worker = Worker {
            target: Arc::clone(&target),
            is_guarded: options.is_guarded,
            connection: first.take(),
            queue: Arc::clone(&queue),
            counters: Arc::clone(counters),
            alive: Arc::clone(&alive),
            turns: Arc::clone(&turns),
            one: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("postgres-{number}"))
            .spawn(move || worker.work())
            .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
        threads.push(thread);
    }
    let door = Door::Server(Arc::new(Unguarded { target, counters: Arc::clone(counters) }));
    Ok(Opened { queue, threads, readers: None, backend: "postgres", door })
}

/// The way to rows whose epoch is not settled: a connection of its own for each closure.
pub(super) struct Unguarded {
    target: Arc<Target>,
    counters: Arc<Counters>,
}

impl Unguarded {
    /// Runs one closure; waits for it.
    pub(super) fn run(&self, job: Box<dyn Job>) {
        let mut worker = Worker {
            target: Arc::clone(&self.target),
            is_guarded: false,
            connection: None,
            queue: Arc::new(Queue::new(1)),
            counters: Arc::clone(&self.counters),
            alive: Arc::new(AtomicUsize::new(1)),
            turns: Arc::new(Turns::default()),
            one: HashMap::new(),
        };
        worker.serve(Attempt::first(job));
    }

    /// What the database says about itself.
    pub(super) fn standing(&self) -> Result<Option<Standing>, StoreError> {
        Connection::open(&self.target)?.standing()
    }
}

/// Brings a database up to date without opening a store. For tests only.
#[cfg(feature = "testing")]
pub(crate) fn run_migrations(
    url: &str,
    migrations: &[Migration],
    now: munjigi_core::time::Timestamp,
) -> Result<(), StoreError> {
    migrating::migrate(&mut Connection::open(&Target::parse(url)?)?, migrations, now)
}

/// Runs statements on a server without opening a store. For tests only.
#[cfg(feature = "testing")]
pub(crate) fn run_batch(url: &str, sql: &str) -> Result<(), StoreError> {
    let mut connection = Connection::open(&Target::parse(url)?)?;
    connection.batch(sql).map_err(|failure| match failure {
        explain::Failure::Statement(error) => error,
        explain::Failure::Lost(reason) => StoreError::Unavailable(reason),
    })
}
