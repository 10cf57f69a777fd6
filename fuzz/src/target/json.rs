//! JSON (RFC 8259): ours reads exactly what `serde_json` reads and is one object without repeated
//! names, at most 32 deep; and it reads the same.

use std::collections::HashSet;
use std::fmt;

use munjigi_token::json::{MAX_DEPTH, object};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

pub fn run(bytes: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(bytes);
    let is_strict = serde_json::from_slice::<Strict>(bytes).is_ok();
    match (object(bytes), theirs) {
        (Ok(ours), Ok(Value::Object(theirs))) => {
            assert!(is_strict, "a repeated name, or nested too deep, yet read");
            assert!(ours.len() == theirs.len() && is_alike(&ours.into(), &theirs.into()));
        }
        (Ok(_), _) => panic!("read, and no object in other eyes"),
        (Err(why), Ok(Value::Object(_))) => assert!(!is_strict, "refused for nothing: {why}"),
        (Err(_), _) => {}
    }
}

/// Equal; but for the last bit of a double, which `serde_json` does not promise.
fn is_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON || (one - other).abs() < 1e-300
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(name, value)| other.get(name).is_some_and(|other| is_alike(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

/// A value without repeated names; its depth, a scalar's being 0.
struct Strict(usize);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Self(depth) = deserializer.deserialize_any(Walk)?;
        if depth > MAX_DEPTH { Err(D::Error::custom("too deep")) } else { Ok(Self(depth)) }
    }
}

struct Walk;

/// Scalars have no depth.
macro_rules! scalars {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E>(self, _: $type) -> Result<Strict, E> {
            Ok(Strict(0))
        }
    )*};
}

impl<'de> Visitor<'de> for Walk {
    type Value = Strict;

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut depth = 0;
        while let Some(Strict(inner)) = entries.next_element()? {
            depth = depth.max(inner);
        }
        Ok(Strict(depth + 1))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let (mut names, mut depth) = (HashSet::new(), 0);
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Err(A::Error::custom("a repeated name"));
            }
            let Strict(inner) = members.next_value()?;
            depth = depth.max(inner);
        }
        Ok(Strict(depth + 1))
    }
}
