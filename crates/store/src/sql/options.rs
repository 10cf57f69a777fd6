//! Which database, and how it is used.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use munjigi_core::time::Timestamp;
use thiserror::Error;

/// Where the rows are.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of this machine: `sqlite:munjigi.db`, `sqlite:///var/lib/munjigi/munjigi.db`.
    SqliteFile(PathBuf),
    /// Memory of this process, gone with it: `sqlite::memory:`.
    SqliteMemory,
    /// A PostgreSQL server: `postgres://user:password@host/database`.
    Postgres(String),
}

/// Never shows the password of a PostgreSQL URL.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SqliteFile(path) => write!(f, "sqlite:{}", path.display()),
            Self::SqliteMemory => f.write_str("sqlite::memory:"),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

/// A text that names no database that this program can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a database is `sqlite:PATH`, `sqlite::memory:` or `postgres://user@host/name`")]
pub struct DatabaseUrlError;

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError)?;
        if path == ":memory:" {
            return Ok(Self::SqliteMemory);
        }
        // `sqlite:///var/x.db` has an empty host; `sqlite://x.db` would name one, and is a mistake.
        let path = path.strip_prefix("//").map_or(Ok(path), |rest| {
            if rest.starts_with('/') { Ok(rest) } else { Err(DatabaseUrlError) }
        })?;
        // `?` would be a parameter for SQLite's own URLs, and `:…:` one of its special names.
        if path.is_empty() || path.contains('?') || path.starts_with(':') {
            return Err(DatabaseUrlError);
        }
        Ok(Self::SqliteFile(PathBuf::from(path)))
    }
}

/// How to open the store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreOptions {
    /// Where the rows are.
    pub database: DatabaseUrl,
    /// When this is: written beside the migrations that are applied.
    pub now: Timestamp,
    /// PostgreSQL: how many connections, each with a thread of its own (default 16).
    pub pool_size: usize,
    /// How many closures may wait; one more is told [`Overloaded`](super::StoreError::Overloaded)
    /// at once (default 1,024).
    pub queue_size: usize,
    /// PostgreSQL: keeps away from rows that turn out to stand in another database than their epoch
    /// began in, until that is settled ([`Store::settle`](super::Store::settle)): for servers.
    pub is_guarded: bool,
}

impl StoreOptions {
    /// The defaults for a database.
    pub const fn new(database: DatabaseUrl, now: Timestamp) -> Self {
        Self { database, now, pool_size: 16, queue_size: 1_024, is_guarded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_one_text() {
        let file = |path: &str| Ok(DatabaseUrl::SqliteFile(path.into()));
        assert_eq!("sqlite:munjigi.db".parse(), file("munjigi.db"));
        assert_eq!("sqlite:/var/lib/m.db".parse(), file("/var/lib/m.db"));
        assert_eq!("sqlite:///var/lib/m.db".parse(), file("/var/lib/m.db"));
        assert_eq!("sqlite::memory:".parse(), Ok(DatabaseUrl::SqliteMemory));
        assert!(matches!("postgresql://h/d".parse(), Ok(DatabaseUrl::Postgres(_))));
        for bad in ["", "munjigi.db", "sqlite:", "sqlite://m.db", "mysql://h/d", "sqlite:a?b=c"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError), "{bad:?}");
        }
    }

    #[test]
    fn a_database_does_not_show_its_password() {
        let url: DatabaseUrl = "postgres://u:hunter2@h/d".parse().expect("a database");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
