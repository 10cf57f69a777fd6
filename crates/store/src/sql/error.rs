//! What can go wrong in the store, in the same words for both databases. A message never holds a
//! value of a row: it may be logged.

use thiserror::Error;

/// A failure of the store.
///
/// *Not found* is an `Option` and *lost the race* is a row count; neither is here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A row with this key is there already. Names the columns as `table.column, table.column`, or
    /// the index where it is over an expression; the same on both databases.
    #[error("a row with the same {0} exists")]
    Unique(String),
    /// A row that is referred to is missing, or one that is still referred to was to go.
    #[error("a row that is referred to is missing")]
    ForeignKey,
    /// A guarded statement lost, or the database could not serialize the transaction. The executor
    /// has already tried again; a caller who sees this may, too.
    #[error("the transaction lost against another one")]
    Conflict,
    /// Another process holds the database and did not let go of it in time.
    #[error("the database is locked by another process")]
    Busy,
    /// The queue in front of the database is full: answer 503 and let the caller come back.
    #[error("the store has too much to do")]
    Overloaded,
    /// The database cannot be reached or cannot be used. After a lost connection during a commit
    /// it is not known whether the change was made.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The database holds something that this program cannot have written.
    #[error("the database holds something unexpected: {0}")]
    Corrupt(String),
    /// A closure changed something and said that it had not. Nothing was written.
    #[error("a change without an audit event was refused")]
    Unaudited,
    /// A mistake in this program: a statement that the database does not understand, a panic.
    #[error("storage failed: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same request may succeed a little later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Conflict | Self::Busy | Self::Overloaded | Self::Unavailable(_) => true,
            Self::Unique(_)
            | Self::ForeignKey
            | Self::Corrupt(_)
            | Self::Unaudited
            | Self::Internal(_) => false,
        }
    }

    /// Whether this is a violation of the uniqueness of exactly these columns
    /// (`table.column, table.column`) or of this index.
    pub fn is_unique(&self, name: &str) -> bool {
        matches!(self, Self::Unique(found) if found == name)
    }
}

/// The store's results.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
