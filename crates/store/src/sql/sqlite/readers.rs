//! Reads on SQLite: microseconds, so they run on the caller's own thread, on one of a few
//! connections that refuse to write.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::open_reader;
use super::session::{SqliteSession, run};
use crate::clock::Stopwatch;
use crate::sql::error::StoreError;
use crate::sql::faults::Faults;
use crate::sql::job::run_read;
use crate::sql::statistics::Counters;
use crate::sql::store::stopped;
use crate::sql::tx::ReadTx;

/// The connections that read. A read never waits while it holds one, so a few more than there are
/// cores are enough.
pub(in crate::sql) struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let size = cores.saturating_add(2).min(32);
        let idle = (0..size).map(|_| open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Mutex::new(idle), permits: Semaphore::new(size) })
    }

    pub(in crate::sql) async fn read<F, T, E>(
        &self,
        closure: F,
        (counters, faults): (&Counters, &Faults),
    ) -> Result<T, E>
    where
        F: Fn(&mut ReadTx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let Ok(_permit) = self.permits.acquire().await else {
            return Err(stopped().into());
        };
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(connection) = connection else {
            return Err(stopped().into());
        };
        let outcome = read_once(&connection, &closure, (counters, faults));
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        outcome
    }

    pub(in crate::sql) fn close(&self) {
        self.permits.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn read_once<F, T, E>(
    connection: &Connection,
    closure: &F,
    (counters, faults): (&Counters, &Faults),
) -> Result<T, E>
where
    F: Fn(&mut ReadTx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let watch = Stopwatch::start();
    run(connection, "BEGIN")?;
    let (outcome, _) = run_read(closure, &mut SqliteSession::new(connection), faults);
    // Nothing was written, so that the end of the transaction cannot fail but by losing the file.
    let ended = run(connection, "ROLLBACK");
    counters.note_duration(watch.elapsed(), std::any::type_name::<F>());
    ended?;
    outcome
}
