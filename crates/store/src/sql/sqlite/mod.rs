//! SQLite: one thread owns the connection that writes and commits many closures at once; reads run
//! where they are called, on connections that cannot write.

mod beside;
mod connection;
mod readers;
mod session;
mod writer;

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use self::writer::Writer;
use super::error::StoreError;
use super::options::StoreOptions;
use super::queue::Queue;
use super::statistics::Counters;
use super::store::{Door, Opened};
use crate::migrate::Migration;

pub use self::beside::Beside;
pub(super) use self::readers::Readers;

pub(super) fn open_file(
    path: &Path,
    options: &StoreOptions,
    migrations: &[Migration],
    counters: &Arc<Counters>,
) -> Result<Opened, StoreError> {
    let connection = connection::open_file(path)?;
    connection::migrate(&connection, migrations, options.now)?;
    let readers = Readers::open(path)?;
    start(connection, Some((readers, path)), options, counters)
}

/// In memory there is one connection, so reads take their turn between the writes.
pub(super) fn open_memory(
    options: &StoreOptions,
    migrations: &[Migration],
    counters: &Arc<Counters>,
) -> Result<Opened, StoreError> {
    let connection = connection::open_memory()?;
    connection::migrate(&connection, migrations, options.now)?;
    start(connection, None, options, counters)
}

fn start(
    connection: Connection,
    file: Option<(Readers, &Path)>,
    options: &StoreOptions,
    counters: &Arc<Counters>,
) -> Result<Opened, StoreError> {
    let queue = Arc::new(Queue::new(options.queue_size));
    let writer = Writer::new(connection, Arc::clone(&queue), Arc::clone(counters));
    let thread = std::thread::Builder::new()
        .name("sqlite-writer".to_owned())
        .spawn(move || writer.work())
        .map_err(|error| StoreError::Unavailable(format!("no thread for SQLite: {error}")))?;
    let (readers, door) = match file {
        Some((readers, path)) => (Some(readers), Door::File(path.to_owned())),
        None => (None, Door::Memory),
    };
    Ok(Opened { queue, threads: vec![thread], readers, backend: "sqlite", door })
}

/// What stands beside a file.
pub(super) fn remembered(path: &Path) -> Option<Beside> {
    beside::read(path)
}

/// Writes it.
pub(super) fn remember(path: &Path, beside: &Beside) -> Result<(), StoreError> {
    beside::write(path, beside)
}
