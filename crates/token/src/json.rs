//! JSON (RFC 8259), strictly: every name once at every depth (RFC 7515 §4, RFC 7519 §4), nothing
//! after the end, nested at most [`MAX_DEPTH`] deep. It must not repair anything.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::Error;

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON object.
///
/// Errors: [`Error::BadJson`], [`Error::DuplicateMember`], [`Error::TooDeep`]. The size of `bytes`
/// is for the caller to bound.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    record(bytes)
}

/// What is wrong: serde's own errors carry text alone.
#[derive(Default)]
pub(crate) struct Faults {
    /// Ended the reading.
    fatal: Cell<Option<Error>>,
    /// The first wrong value. Reading goes on, so that text which is not JSON is called that.
    noted: Cell<Option<Error>>,
}

impl Faults {
    fn fail<E: serde::de::Error>(&self, error: Error) -> E {
        self.fatal.set(Some(error));
        E::custom(error)
    }

    /// Remembers a value of the wrong type.
    pub fn note(&self, error: Error) {
        if self.noted.get().is_none() {
            self.noted.set(Some(error));
        }
    }
}

/// An object whose members are read into fields.
pub(crate) trait Record: Default {
    /// The members that are fields; at most 32.
    const FIELDS: &'static [&'static str];

    /// Reads the value of one of [`Record::FIELDS`].
    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        members: &mut A,
        strict: Strict<'_>,
    ) -> Result<(), A::Error>;

    /// Every other member.
    fn rest(&mut self) -> &mut Map<String, Value>;
}

impl Record for Map<String, Value> {
    const FIELDS: &'static [&'static str] = &[];

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        _: &'static str,
        _: &mut A,
        _: Strict<'_>,
    ) -> Result<(), A::Error> {
        Ok(())
    }

    fn rest(&mut self) -> &mut Self {
        self
    }
}

/// Reads one JSON object into its record.
pub(crate) fn record<R: Record>(bytes: &[u8]) -> Result<R, Error> {
    // RFC 8259 §8.1: UTF-8. A byte order mark is not JSON and is refused by the parser.
    let text = std::str::from_utf8(bytes).map_err(|_| Error::BadJson)?;
    let faults = Faults::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let strict = Strict { depth: 0, faults: &faults };
    let read = Fields::<R> { strict, record: R::default() };
    let outcome = read.deserialize(&mut parser).and_then(|record| parser.end().map(|()| record));
    match (outcome, faults.fatal.get(), faults.noted.get()) {
        (Ok(record), None, None) => Ok(record),
        (_, Some(error), _) | (Ok(_), None, Some(error)) => Err(error),
        (Err(_), None, _) => Err(Error::BadJson),
    }
}

struct Fields<'f, R> {
    strict: Strict<'f>,
    record: R,
}

impl<'de, R: Record> DeserializeSeed<'de> for Fields<'_, R> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, R: Record> Visitor<'de> for Fields<'_, R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<R, A::Error> {
        let strict = self.strict.deeper()?;
        let mut seen = 0_u32;
        while let Some(name) = members.next_key_seed(Name(R::FIELDS))? {
            match name {
                Named::Field(index, field) => {
                    let bit = 1_u32.checked_shl(index).unwrap_or(0);
                    if seen & bit != 0 {
                        return Err(strict.faults.fail(Error::DuplicateMember));
                    }
                    seen |= bit;
                    self.record.read(field, &mut members, strict)?;
                }
                Named::Other(name) => {
                    let value = members.next_value_seed(strict)?;
                    if self.record.rest().insert(name, value).is_some() {
                        return Err(strict.faults.fail(Error::DuplicateMember));
                    }
                }
            }
        }
        Ok(self.record)
    }
}

struct Name(&'static [&'static str]);

enum Named {
    Field(u32, &'static str),
    Other(String),
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Named, E> {
        let found = (0_u32..).zip(self.0).find(|(_, field)| **field == name);
        Ok(match found {
            Some((index, field)) => Named::Field(index, field),
            None => Named::Other(name.to_owned()),
        })
    }
}

/// Reads any value, and looks for names that come twice and for depth.
#[derive(Clone, Copy)]
pub(crate) struct Strict<'f> {
    depth: usize,
    /// Where to say what is wrong.
    pub faults: &'f Faults,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(self.faults.fail(Error::TooDeep));
        }
        Ok(Self { depth, faults: self.faults })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(value) = entries.next_element_seed(inner)? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        let read = Fields { strict: self, record: Map::new() };
        read.visit_map(members).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        let inner = depth.checked_sub(1).unwrap();
        format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
    }

    #[test]
    fn an_object_is_read_as_it_is_written() {
        let text = r#" {"a":[1,-2,3.5,"é",true,null,{"b":{}}],"c":{"a":1}} "#;
        let plain: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(object(text.as_bytes()), Ok(plain));
    }

    #[test]
    fn a_name_comes_once_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[[{"a":1,"b":2,"a":3}]]}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(Error::DuplicateMember), "{text}");
        }
        assert!(object(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(object(nested(MAX_DEPTH + 1).as_bytes()), Err(Error::TooDeep));
        assert_eq!(object(nested(10_000).as_bytes()), Err(Error::TooDeep));
        assert!(object("[".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_not_exactly_one_object_is_refused() {
        let cases: [&[u8]; 15] = [
            b"",
            b" ",
            b"[]",
            b"null",
            b"1",
            b"\"a\"",
            b"{}x",
            b"{} {}",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":NaN}",
            b"{\"a\":1e309}",
        ];
        for text in cases {
            assert_eq!(object(text), Err(Error::BadJson), "{:?}", String::from_utf8_lossy(text));
        }
    }
}
