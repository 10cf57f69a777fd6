//! Claims (RFC 7519 §4): what was read is written, and read back the same; and no claim is read
//! that another reader of JSON does not see.

use munjigi_token::Claims;
use serde_json::Value;

pub fn run(bytes: &[u8]) {
    let Ok(claims) = Claims::parse(bytes) else { return };
    let Ok(other) = serde_json::from_slice::<Value>(bytes) else { panic!("claims, and no JSON") };
    for (name, read) in [("iss", &claims.iss), ("sub", &claims.sub), ("sid", &claims.sid)] {
        assert_eq!(read.as_deref(), other.get(name).and_then(Value::as_str), "{name}");
    }
    for (name, read) in [("exp", claims.exp), ("iat", claims.iat), ("nbf", claims.nbf)] {
        assert_eq!(read.is_some(), other.get(name).is_some(), "{name}");
        let in_range =
            read.is_none_or(|time| (0..=munjigi_token::MAX_NUMERIC_DATE).contains(&time));
        assert!(in_range, "{name} is a time that no calendar holds");
    }

    let Ok(written) = serde_json::to_vec(&claims) else { panic!("claims cannot be written") };
    assert_eq!(Claims::parse(&written).as_ref(), Ok(&claims), "not read back as written");
}
