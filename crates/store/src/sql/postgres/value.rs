//! Our values in PostgreSQL's binary format.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Statement;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::sql::error::StoreError;
use crate::sql::value::{Row, Value};

type BoxError = Box<dyn Error + Sync + Send>;

/// Whether these parameters fit the statement. Asked before anything is sent: a statement that the
/// driver refuses later would be missing in front of its commit.
pub(super) fn fit(statement: &Statement, params: &[Value]) -> Result<(), StoreError> {
    let types = statement.params();
    if types.len() != params.len() {
        return Err(StoreError::Internal(format!(
            "a statement has {} parameters and was given {}",
            types.len(),
            params.len()
        )));
    }
    for (index, (kind, param)) in types.iter().zip(params).enumerate() {
        if !fits(kind, param) {
            return Err(StoreError::Internal(format!(
                "parameter ${} has to be {kind}, and is {param:?}",
                index.saturating_add(1)
            )));
        }
    }
    Ok(())
}

fn fits(kind: &Type, param: &Value) -> bool {
    match param {
        Value::Null => true,
        Value::Int(number) => {
            *kind == Type::INT8 || (*kind == Type::INT4 && i32::try_from(*number).is_ok())
        }
        Value::Text(text) => is_text(kind) && !text.contains('\0'),
        Value::Bytes(_) => *kind == Type::BYTEA,
    }
}

fn is_text(kind: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME].contains(kind)
}

pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let values = (0..row.len()).map(|column| row.try_get::<_, Value>(column));
    let values: Result<Vec<Value>, _> = values.collect();
    values.map(Row::new).map_err(|error| StoreError::Internal(format!("{error}; cast it")))
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(number) if *kind == Type::INT4 => i32::try_from(*number)?.to_sql(kind, out),
            Self::Int(number) => number.to_sql(kind, out),
            Self::Text(text) => text.to_sql(kind, out),
            Self::Bytes(bytes) => bytes.to_sql(kind, out),
        }
    }

    /// `fit` knows more: it sees the value, too.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        if *kind == Type::INT8 {
            i64::from_sql(kind, raw).map(Self::Int)
        } else if *kind == Type::INT4 {
            i32::from_sql(kind, raw).map(|number| Self::Int(i64::from(number)))
        } else if *kind == Type::INT2 {
            i16::from_sql(kind, raw).map(|number| Self::Int(i64::from(number)))
        } else if *kind == Type::BOOL {
            // SQLite's answer to a comparison.
            bool::from_sql(kind, raw).map(|truth| Self::Int(i64::from(truth)))
        } else if *kind == Type::BYTEA {
            Ok(Self::Bytes(raw.to_vec()))
        } else {
            String::from_sql(kind, raw).map(Self::Text)
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, BoxError> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::INT2, Type::BOOL, Type::BYTEA].contains(kind)
            || is_text(kind)
    }
}
