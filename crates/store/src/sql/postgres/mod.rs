//! PostgreSQL: a bounded set of connections, each with a thread of its own on which closures run.

mod connection;
mod explain;
mod migrating;
mod session;
mod target;
mod tls;
mod value;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use self::connection::Connection;
use self::target::Target;
use self::worker::Worker;
use super::error::StoreError;
use super::options::StoreOptions;
use super::queue::Queue;
use super::statistics::Counters;
use super::store::Opened;
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

    let queue = Arc::new(Queue::new(options.queue_size));
    let size = options.pool_size.max(1);
    let alive = Arc::new(AtomicUsize::new(size));
    let turn = Arc::new(Mutex::new(()));
    let mut first = Some(first);
    let mut threads = Vec::with_capacity(size);
    for number in 0..size {
        let worker = Worker {
            target: Arc::clone(&target),
            connection: first.take(),
            queue: Arc::clone(&queue),
            counters: Arc::clone(counters),
            alive: Arc::clone(&alive),
            turn: Arc::clone(&turn),
            one: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("postgres-{number}"))
            .spawn(move || worker.work())
            .map_err(|error| StoreError::Unavailable(format!("no thread: {error}")))?;
        threads.push(thread);
    }
    Ok(Opened { queue, threads, readers: None, backend: "postgres" })
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
