//! Leaves of the audit trail: one event has one text, and is the same event in the eyes of another
//! reader of JSON.

use munjigi_audit::{Leaf, canonical};
use serde_json::Value;

pub fn run(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        let text = canonical(&value);
        let Ok(again) = serde_json::from_str::<Value>(&text) else { panic!("no JSON: {text}") };
        // `serde_json` may read a double back one bit apart; events have none.
        let is_stable = has_fraction(&value) || canonical(&again) == text;
        assert!(is_stable, "the canonical form has another canonical form: {text}");
    }

    let Ok(leaf) = Leaf::parse(bytes) else { return };
    assert_eq!(leaf.to_entry().as_bytes(), bytes, "two texts for one event");
    let Ok(other) = serde_json::from_slice::<Value>(bytes) else { panic!("a leaf, and no JSON") };
    assert_eq!(other.get("kind").and_then(Value::as_str), Some(leaf.kind.as_str()));
    assert_eq!(other.get("actor").and_then(Value::as_str), leaf.actor.as_deref());
    assert_eq!(other.as_object().map(|members| members.len()), Some(12), "a member too many");
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
