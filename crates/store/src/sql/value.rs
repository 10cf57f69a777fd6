//! Values on their way into statements and out of rows: four kinds, the same on both databases.

use std::fmt;

use munjigi_core::id::{
    ClientId, CodeId, EventId, GrantId, LinkId, OutboxId, RequestId, SessionId, TokenId, UserId,
};
use munjigi_core::time::{Span, Timestamp};

use super::error::{Result, StoreError};

/// What a column or a parameter holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(String),
    /// `BYTEA`, and `BLOB` on SQLite.
    Bytes(Vec<u8>),
}

/// Tells the kind and the size only: values are hashes, addresses and secrets, and drivers log.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(_) => f.write_str("Int"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

impl Value {
    fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Int(_) => "a number".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

/// What can be a parameter of a statement.
pub trait ToValue {
    /// The parameter.
    fn to_value(&self) -> Value;
}

/// What can be read from a column.
pub trait FromValue: Sized {
    /// What has to be there, for the message when something else is.
    const EXPECTED: &'static str;

    /// Reads the column; gives the value back when it is something else.
    fn from_value(value: Value) -> Result<Self, Value>;
}

/// The parameters of a statement: `params![user_id, now]` are `$1` and `$2`.
#[macro_export]
macro_rules! params {
    () => { ::std::vec::Vec::<$crate::Value>::new() };
    ($($value:expr),+ $(,)?) => { ::std::vec![$($crate::ToValue::to_value(&$value)),+] };
}

/// One row of a result. Columns are counted from zero, in the order of the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl Row {
    pub(super) const fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// Moves a column out of the row; a second `take` of the same column finds nothing in it.
    pub fn take<T: FromValue>(&mut self, index: usize) -> Result<T> {
        let slot = self.0.get_mut(index).ok_or_else(|| no_column(index))?;
        read(index, std::mem::replace(slot, Value::Null))
    }

    /// Reads a column and leaves it where it is.
    pub fn at<T: FromValue>(&self, index: usize) -> Result<T> {
        read(index, self.0.get(index).ok_or_else(|| no_column(index))?.clone())
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.0.len()
    }
}

fn read<T: FromValue>(index: usize, value: Value) -> Result<T> {
    T::from_value(value).map_err(|found| {
        let (expected, found) = (T::EXPECTED, found.kind());
        StoreError::Corrupt(format!("column {index}: {expected} expected, {found} found"))
    })
}

fn no_column(index: usize) -> StoreError {
    StoreError::Internal(format!("the row has no column {index}"))
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for i64 {
    fn to_value(&self) -> Value {
        Value::Int(*self)
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Int(number) => Ok(number),
            other => Err(other),
        }
    }
}

macro_rules! small_integer {
    ($($kind:ty),*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Int(i64::from(*self))
            }
        }

        impl FromValue for $kind {
            const EXPECTED: &'static str = concat!("a number that fits ", stringify!($kind));

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Int(number) => Self::try_from(number).map_err(|_| value),
                    other => Err(other),
                }
            }
        }
    )*};
}

small_integer!(u8, u16, u32, i32);

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Ok(text),
            other => Err(other),
        }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value {
        Value::Bytes(self.clone())
    }
}

impl FromValue for Vec<u8> {
    const EXPECTED: &'static str = "bytes";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(other),
        }
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl<const N: usize> FromValue for [u8; N] {
    const EXPECTED: &'static str = "bytes of a fixed length";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Bytes(bytes) => Self::try_from(bytes).map_err(Value::Bytes),
            other => Err(other),
        }
    }
}

impl ToValue for Timestamp {
    fn to_value(&self) -> Value {
        Value::Int(self.as_millis())
    }
}

impl FromValue for Timestamp {
    const EXPECTED: &'static str = "a time";

    fn from_value(value: Value) -> Result<Self, Value> {
        i64::from_value(value).map(Self::from_millis)
    }
}

impl ToValue for Span {
    fn to_value(&self) -> Value {
        Value::Int(self.as_millis())
    }
}

impl FromValue for Span {
    const EXPECTED: &'static str = "a span of time";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Int(millis) if millis >= 0 => Ok(Self::from_millis(millis)),
            other => Err(other),
        }
    }
}

impl ToValue for ClientId {
    fn to_value(&self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
}

impl FromValue for ClientId {
    const EXPECTED: &'static str = "a client id";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => text.parse().map_err(|_| Value::Text(text)),
            other => Err(other),
        }
    }
}

macro_rules! id_of_sixteen_bytes {
    ($($id:ident),*) => {$(
        impl ToValue for $id {
            fn to_value(&self) -> Value {
                Value::Bytes(self.as_bytes().to_vec())
            }
        }

        impl FromValue for $id {
            const EXPECTED: &'static str = "an id of 16 bytes";

            fn from_value(value: Value) -> Result<Self, Value> {
                <[u8; 16]>::from_value(value).map(Self::from_bytes)
            }
        }
    )*};
}

id_of_sixteen_bytes!(
    UserId, SessionId, CodeId, GrantId, LinkId, EventId, OutboxId, RequestId, TokenId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_column_says_what_was_expected_and_not_what_it_held() {
        let row = Row::new(vec![Value::Text("hunter2".into())]);
        let error = row.at::<Timestamp>(0).expect_err("text is no time");
        assert_eq!(error, StoreError::Corrupt("column 0: a time expected, text found".into()));
        assert!(!format!("{row:?}").contains("hunter2"));
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        let row = Row::new(vec![Value::Int(-1)]);
        assert!(row.at::<u32>(0).is_err());
        assert_eq!(row.at::<i64>(0), Ok(-1));
    }

    #[test]
    fn a_column_that_is_not_there_is_a_mistake_of_the_program() {
        let mut row = Row::new(Vec::new());
        assert!(matches!(row.take::<i64>(0), Err(StoreError::Internal(_))));
    }
}
