//! Keys and key sets (RFC 7517): what was read is public, is written, and is read back the same;
//! a set has each name once.

use std::collections::HashSet;

use munjigi_token::{Jwk, Jwks, MAX_JWKS_KEYS};
use serde_json::Value;

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub fn run(bytes: &[u8]) {
    if let Ok(key) = Jwk::parse(bytes) {
        let original = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        let is_private = |document: &Value| PRIVATE.iter().any(|it| document.get(it).is_some());
        assert!(!is_private(&original), "a private key was read as a public one");
        let Ok(written) = serde_json::to_value(&key) else { panic!("a key cannot be written") };
        assert!(!is_private(&written), "a private member was written");
        let Ok(again) = Jwk::parse(written.to_string().as_bytes()) else {
            panic!("a key is not read back")
        };
        assert_eq!((&again, again.thumbprint()), (&key, key.thumbprint()));
    }

    let Ok(set) = Jwks::parse(bytes) else { return };
    assert!(set.keys.len() <= MAX_JWKS_KEYS, "more keys than are looked at");
    let mut names = HashSet::new();
    let mut named = set.keys.iter().filter_map(Jwk::kid);
    assert!(named.all(|kid| names.insert(kid)), "two keys of one name");
    let Ok(written) = serde_json::to_vec(&set) else { panic!("a set cannot be written") };
    assert_eq!(Jwks::parse(&written).as_ref(), Ok(&set), "a set is not read back");
}
