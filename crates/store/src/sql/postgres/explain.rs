//! PostgreSQL's errors in our words.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::sql::error::StoreError;

/// What an error says about the transaction that it happened in.
#[derive(Debug)]
pub(super) enum Failure {
    /// The statement failed; the connection lives, the transaction cannot go on.
    Statement(StoreError),
    /// The connection is gone, or of no more use.
    Lost(String),
}

pub(super) fn explain(error: &Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        // Not from the server: the connection broke, or the driver refused something. The text of
        // a broken connection holds no value of a row.
        return Failure::Lost(chain(error));
    };
    let code = db.code();
    let said = || format!("{} ({})", db.message(), code.code());
    let class = code.code().get(..2).unwrap_or_default();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Failure::Statement(StoreError::Conflict);
    }
    // No statement divides but those that are to fail when they do not change exactly one row.
    if *code == SqlState::DIVISION_BY_ZERO {
        return Failure::Statement(StoreError::Conflict);
    }
    if *code == SqlState::UNIQUE_VIOLATION {
        return Failure::Statement(unique(db));
    }
    if *code == SqlState::FOREIGN_KEY_VIOLATION {
        return Failure::Statement(StoreError::ForeignKey);
    }
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        return Failure::Statement(StoreError::Busy);
    }
    if *code == SqlState::QUERY_CANCELED {
        return Failure::Statement(StoreError::Unavailable(said()));
    }
    // A table got other columns under a statement that was compiled before: compile it again.
    let is_stale = *code == SqlState::FEATURE_NOT_SUPPORTED && db.message().contains("cached plan");
    match class {
        _ if is_stale => Failure::Lost(said()),
        // Connection exceptions, an operator or an administrator who intervenes.
        "08" | "57" => Failure::Lost(said()),
        "25" if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Failure::Lost(said()),
        // No resources, a limit, the system.
        "53" | "54" | "58" => Failure::Statement(StoreError::Unavailable(said())),
        _ => Failure::Statement(StoreError::Internal(said())),
    }
}

/// The error of somebody who could not connect. Never holds the password.
pub(super) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// `table.column, table.column`, as SQLite says it; the index where it is over an expression.
/// The columns stand in the detail (`Key (a, b)=(…) already exists.`), in every language alike.
fn unique(db: &DbError) -> StoreError {
    let index = || StoreError::Unique(db.constraint().unwrap_or("?").to_owned());
    let columns = db.detail().and_then(key_columns);
    let (Some(table), Some(columns)) = (db.table(), columns) else { return index() };
    if columns.contains(['(', ')', ':', ' ']) && !columns.split(", ").all(is_column) {
        return index();
    }
    let columns: Vec<_> =
        columns.split(", ").map(|column| format!("{table}.{}", column.trim_matches('"'))).collect();
    StoreError::Unique(columns.join(", "))
}

fn key_columns(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once('(')?;
    rest.split_once(")=(").map(|(columns, _)| columns)
}

fn is_column(text: &str) -> bool {
    text.trim_matches('"').chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_key_are_found_in_any_language() {
        assert_eq!(key_columns("Key (a, b)=(1, 2) already exists."), Some("a, b"));
        assert_eq!(key_columns("(a)=(1) 키가 이미 있습니다."), Some("a"));
        assert_eq!(key_columns("Key (lower(a))=(x) already exists."), Some("lower(a)"));
    }
}
