//! Migrations on PostgreSQL. Several nodes may start at once: a step begins by writing its row, on
//! which every other node waits, so that exactly one applies it.

use munjigi_core::time::Timestamp;

use super::connection::{Connection, Request, rows};
use super::explain::Failure;
use crate::migrate::{self, Migration};
use crate::params;
use crate::sql::error::StoreError;
use crate::sql::job::pause;

/// A node loses at most once for each step that another one applies.
const MAX_LOST: u32 = 100;

pub(super) fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut lost = 0;
    loop {
        match next_step(connection, migrations, now) {
            Ok(Some(done)) => {
                tracing::info!(id = done.id, name = done.name, "migration applied");
            }
            Ok(None) => return Ok(()),
            Err(error) if lost < MAX_LOST && is_race(&error) => {
                lost += 1;
                std::thread::park_timeout(pause(lost, u64::from(std::process::id())));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Another node was faster: its row is there, or the table that we were about to make.
fn is_race(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict => true,
        StoreError::Unique(name) => name.starts_with("migration.") || name.starts_with("pg_"),
        StoreError::Internal(said) => said.contains("(42P07)"),
        _ => false,
    }
}

fn next_step<'a>(
    connection: &mut Connection,
    migrations: &'a [Migration],
    now: Timestamp,
) -> Result<Option<&'a Migration>, StoreError> {
    connection.batch(migrate::TABLE).map_err(plain)?;
    let applied = connection.compile(migrate::APPLIED).map_err(plain)?;
    let applied = connection.round_trip(&[Request::Rows(applied, params![])]).map_err(plain)?;
    let applied: Vec<(i64, String)> = rows(&applied)?
        .into_iter()
        .map(|mut row| Ok((row.take(0)?, row.take(1)?)))
        .collect::<Result<_, StoreError>>()?;
    let Some(step) = migrate::due(&applied, migrations)? else { return Ok(None) };
    let done = apply(connection, step, now);
    let ended = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.batch(ended).map_err(plain)?;
    done.map(|()| Some(step))
}

fn apply(connection: &mut Connection, step: &Migration, now: Timestamp) -> Result<(), StoreError> {
    // A table that is rebuilt takes longer than a statement may.
    let begin = "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL statement_timeout = 0";
    connection.batch(begin).map_err(plain)?;
    let insert = connection.compile(migrate::APPLY).map_err(plain)?;
    let row = params![step.id, step.name, now];
    connection.round_trip(&[Request::Count(insert, row)]).map_err(plain)?;
    connection.batch(step.sql).map_err(plain)
}

fn plain(failure: Failure) -> StoreError {
    match failure {
        Failure::Statement(error) => error,
        Failure::Lost(reason) => StoreError::Unavailable(reason),
    }
}
