//! Opening SQLite with the settings that durability rests on, and its errors in our words.

use std::path::Path;
use std::time::Duration;

use munjigi_core::time::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::clock::Stopwatch;
use crate::migrate::{self, Migration};
use crate::sql::error::StoreError;
use crate::sql::job::pause;

/// Another process (the command line) may write, too; its turn is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Every statement text of the program fits, so that each is compiled once.
const STATEMENTS: usize = 512;

/// Opens the connection that writes, and makes the file if there is none.
pub(super) fn open_file(path: &Path) -> Result<Connection, StoreError> {
    create_private(path)?;
    let connection = open(path)?;
    let mode = journal_ahead(&connection)?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "SQLite keeps its journal as `{mode}`, not as `wal`: is {} on a network file system?",
            path.display()
        )));
    }
    // A commit is told to its caller, so it has to survive a power loss: WAL with NORMAL does not.
    let synchronous = munjigi_core::planted!("sqlite_synchronous_normal" => 1, 2);
    set(&connection, "synchronous", synchronous)?;
    set(&connection, "fullfsync", 1)?;
    set(&connection, "wal_autocheckpoint", 4_000)?;
    set(&connection, "journal_size_limit", 64 * 1_024 * 1_024)?;
    Ok(connection)
}

/// Turns the write-ahead log on, and tells which journal there is now. The change needs the file
/// alone for a moment, and SQLite does not wait for that moment by itself as it does elsewhere: of
/// processes that open a new file at once, one would be told that it is busy.
fn journal_ahead(connection: &Connection) -> Result<String, StoreError> {
    let watch = Stopwatch::start();
    let mut lost = 0;
    loop {
        let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        match set.map_err(explain) {
            Err(StoreError::Busy) if watch.elapsed() < BUSY_TIMEOUT => {
                lost += 1;
                std::thread::park_timeout(pause(lost, u64::from(std::process::id())));
            }
            ended => return ended,
        }
    }
}

/// Opens a connection to the same file that refuses to write.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path)?;
    set(&connection, "query_only", 1)?;
    Ok(connection)
}

/// Opens a database of its own in memory.
pub(super) fn open_memory() -> Result<Connection, StoreError> {
    let connection = Connection::open_in_memory().map_err(explain)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Brings the tables up to date. Several processes may do so at once: each step begins by taking
/// the write lock.
pub(super) fn migrate(
    connection: &Connection,
    migrations: &[Migration],
    now: Timestamp,
) -> Result<(), StoreError> {
    loop {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(explain)?;
        let step = next_step(connection, migrations, now);
        let ended = if step.is_ok() { "COMMIT" } else { "ROLLBACK" };
        connection.execute_batch(ended).map_err(explain)?;
        match step? {
            Some(done) => tracing::info!(id = done.id, name = done.name, "migration applied"),
            None => return Ok(()),
        }
    }
}

fn next_step<'a>(
    connection: &Connection,
    migrations: &'a [Migration],
    now: Timestamp,
) -> Result<Option<&'a Migration>, StoreError> {
    connection.execute_batch(&migrate::for_sqlite(migrate::TABLE)).map_err(explain)?;
    let applied = applied(connection).map_err(explain)?;
    let Some(step) = migrate::due(&applied, migrations)? else { return Ok(None) };
    connection.execute_batch(&migrate::for_sqlite(step.sql)).map_err(explain)?;
    connection.execute(migrate::APPLY, (step.id, step.name, now.as_millis())).map_err(explain)?;
    Ok(Some(step))
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare(migrate::APPLIED)?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The file holds password hashes and sealed keys: from the first byte on it is the owner's alone.
/// SQLite gives its other files (`-wal`, `-shm`) the same permissions.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|error| {
        StoreError::Unavailable(format!("cannot open {}: {error}", path.display()))
    })
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    // No `CREATE`: the file is there. No `URI`: a path is a path.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(explain)?;
    prepare(&connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(explain)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan may not depend on what is bound: SQLite would compile every statement that joins
    // anew whenever other values are bound, which costs twenty times what running it does.
    let stable = DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
    connection.set_db_config(stable, true).map_err(explain)?;
    set(connection, "foreign_keys", 1)?;
    // What a savepoint may have to undo stays in memory.
    set(connection, "temp_store", 2)?;
    set(connection, "trusted_schema", 0)?;
    // Negative: in KiB.
    set(connection, "cache_size", -16_384)
}

/// Sets what has to be so, and looks whether it is.
fn set(connection: &Connection, name: &str, value: i64) -> Result<(), StoreError> {
    // Some of them answer with the new value, and some do not.
    connection.pragma_update(None, name, value).map_err(explain)?;
    let found: i64 =
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(explain)?;
    if found == value {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!("SQLite keeps `{name}` at {found} instead of {value}")))
}

/// SQLite's errors in our words. Its messages name tables and columns, and never a value.
pub(super) fn explain(error: rusqlite::Error) -> StoreError {
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            let message = message.unwrap_or_else(|| code.to_string());
            (code.extended_code, message)
        }
        rusqlite::Error::SqlInputError { msg, .. } => return StoreError::Internal(msg),
        other => return StoreError::Internal(other.to_string()),
    };
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => unique(&message),
        // There are no triggers of ours: what a trigger refuses is a foreign key, too.
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER => {
            StoreError::ForeignKey
        }
        // A connection that only reads was asked to write.
        ffi::SQLITE_READONLY => StoreError::Internal(message),
        _ => match code & 0xff {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => StoreError::Busy,
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => StoreError::Corrupt(message),
            ffi::SQLITE_IOERR
            | ffi::SQLITE_FULL
            | ffi::SQLITE_CANTOPEN
            | ffi::SQLITE_NOMEM
            | ffi::SQLITE_READONLY => StoreError::Unavailable(message),
            _ => StoreError::Internal(message),
        },
    }
}

/// `UNIQUE constraint failed: t.a, t.b` or `UNIQUE constraint failed: index 'name'`.
fn unique(message: &str) -> StoreError {
    let name = message.split_once(": ").map_or(message, |(_, name)| name);
    let index = name.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\''));
    StoreError::Unique(index.unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus::RePrepare;

    use super::*;

    #[test]
    fn a_join_is_compiled_once_whatever_is_bound() {
        let connection = open_memory().unwrap();
        let tables = "CREATE TABLE a (id BLOB PRIMARY KEY); CREATE TABLE b (id BLOB PRIMARY KEY);";
        connection.execute_batch(tables).unwrap();
        let join = "SELECT a.id FROM a JOIN b ON b.id = a.id WHERE a.id = $1";
        for value in 0..3 {
            let mut statement = connection.prepare_cached(join).unwrap();
            statement.raw_bind_parameter(1, value).unwrap();
            assert!(statement.raw_query().next().unwrap().is_none());
            assert_eq!(statement.get_status(RePrepare), 0);
        }
    }

    /// SQLite: "WAL mode with synchronous=NORMAL … might roll back following a power loss".
    #[test]
    fn a_commit_waits_for_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let connection = open_file(&directory.path().join("test.db")).unwrap();
        let setting = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!((setting("synchronous"), setting("fullfsync")), (Ok(2), Ok(1)));
    }
}
