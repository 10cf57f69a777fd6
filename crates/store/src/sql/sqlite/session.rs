//! One closure's view of SQLite. Parameters are bound by their number: SQLite itself counts `$n` by
//! first appearance.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql};

use super::connection::explain;
use crate::sql::error::{Result, StoreError};
use crate::sql::tx::{Session, is_write};
use crate::sql::value::{Row, Value};

/// A transaction is open on the connection; the closure's own part of it begins with its first
/// statement that writes.
pub(super) struct SqliteSession<'connection> {
    connection: &'connection Connection,
    savepoint: bool,
}

impl<'connection> SqliteSession<'connection> {
    pub(super) const fn new(connection: &'connection Connection) -> Self {
        Self { connection, savepoint: false }
    }

    /// Ends the closure's part: keeps what it did, or undoes it.
    pub(super) fn end(&mut self, keep: bool) -> Result<()> {
        if !std::mem::take(&mut self.savepoint) {
            return Ok(());
        }
        if !keep {
            run(self.connection, "ROLLBACK TO closure")?;
        }
        run(self.connection, "RELEASE closure")
    }

    /// What only reads has nothing to undo and needs no savepoint.
    fn begin_if_write(&mut self, sql: &str) -> Result<()> {
        if !self.savepoint && is_write(sql) {
            run(self.connection, "SAVEPOINT closure")?;
            self.savepoint = true;
        }
        Ok(())
    }
}

impl Session for SqliteSession<'_> {
    fn rows(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        self.begin_if_write(sql)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(explain)?;
        bind(&mut statement, &params)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(explain)? {
            let mut values = Vec::with_capacity(width);
            for column in 0..width {
                values.push(value(row.get_ref(column).map_err(explain)?)?);
            }
            out.push(Row::new(values));
        }
        Ok(out)
    }

    fn exec(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64> {
        self.begin_if_write(sql)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(explain)?;
        bind(&mut statement, &params)?;
        statement.raw_execute().map(crate::sql::tx::count).map_err(explain)
    }

    fn push(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        self.exec(sql, params).map(drop)
    }

    fn push_one(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        if self.exec(sql, params)? == 1 { Ok(()) } else { Err(StoreError::Conflict) }
    }

    #[cfg(feature = "testing")]
    fn check(&mut self, sql: &str) -> Result<()> {
        let statement = self.connection.prepare(sql).map_err(explain)?;
        (1..=statement.parameter_count()).try_for_each(|slot| number(&statement, slot).map(drop))
    }
}

/// Runs a statement of the executor's own.
pub(super) fn run(connection: &Connection, sql: &'static str) -> Result<()> {
    let mut statement = connection.prepare_cached(sql).map_err(explain)?;
    statement.raw_execute().map(drop).map_err(explain)
}

fn bind(statement: &mut Statement<'_>, params: &[Value]) -> Result<()> {
    let slots = statement.parameter_count();
    if slots != params.len() {
        return Err(StoreError::Internal(format!(
            "a statement has {slots} parameters and was given {}",
            params.len()
        )));
    }
    for slot in 1..=slots {
        let number = number(statement, slot)?;
        let param = number.checked_sub(1).and_then(|index| params.get(index));
        let param = param.ok_or_else(|| {
            StoreError::Internal(format!("a statement has no parameter for ${number}"))
        })?;
        statement.raw_bind_parameter(slot, param).map_err(explain)?;
    }
    Ok(())
}

/// The `n` of the `$n` that SQLite keeps in this slot.
fn number(statement: &Statement<'_>, slot: usize) -> Result<usize> {
    let name = statement.parameter_name(slot).unwrap_or("?");
    let number = name.strip_prefix('$').and_then(|number| number.parse().ok());
    number.ok_or_else(|| StoreError::Internal(format!("`{name}` is no numbered parameter")))
}

fn value(found: ValueRef<'_>) -> Result<Value> {
    match found {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(number) => Ok(Value::Int(number)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::Text(text.to_owned())),
            Err(_) => Err(StoreError::Corrupt("a text is not UTF-8".to_owned())),
        },
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
        ValueRef::Real(_) => {
            Err(StoreError::Internal("a statement gave a fraction; cast it".to_owned()))
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
