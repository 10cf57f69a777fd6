//! What is too large is refused before anything is done with it (JW-08).

use munjigi_token::{
    Algorithm, Error, Jwk, Jwks, MAX_JWKS_BYTES, MAX_JWKS_KEYS, MAX_TOKEN_BYTES, Unverified,
};
use serde_json::json;

use crate::forge::{key, sound_claims};

#[test]
fn a_token_that_is_too_large_is_refused_whatever_it_holds() {
    let tokens = [
        "A".repeat(10_000_000),
        ".".repeat(1_000_000),
        "é".repeat(5_000_000),
        format!("{}.{}.{}", "A".repeat(10_000), "A", "A"),
        "A".repeat(MAX_TOKEN_BYTES + 1),
    ];
    for token in tokens {
        assert_eq!(Unverified::parse(&token).unwrap_err(), Error::TooLarge);
    }
    assert_eq!(Unverified::parse(&"A".repeat(MAX_TOKEN_BYTES)).unwrap_err(), Error::Malformed);
}

#[test]
fn a_token_that_nobody_would_take_is_not_signed() {
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let payload = vec![b'x'; 6_144];
        assert_eq!(key.sign_payload(Some("at+jwt"), &payload), Err(Error::TooLarge));
        // The longest that fits is taken.
        let fits = (1..6_144).rev().find_map(|len| {
            let token = key.sign_payload(Some("at+jwt"), payload.get(..len)?).ok()?;
            Some(token.len())
        });
        let longest = fits.unwrap();
        assert!((MAX_TOKEN_BYTES - 2..=MAX_TOKEN_BYTES).contains(&longest), "{longest}");
    }
}

#[test]
fn claims_that_are_no_object_are_not_signed() {
    let key = key(Algorithm::EdDsa);
    for claims in [json!([]), json!("a"), json!(null), json!(1)] {
        assert_eq!(key.sign("at+jwt", &claims), Err(Error::BadJson), "{claims}");
    }
    assert!(key.sign("at+jwt", &json!({})).is_ok());
    assert!(key.sign_payload(None, sound_claims().as_bytes()).is_ok());
}

#[test]
fn a_key_set_is_bounded() {
    let entry = json!({"kty": "unknown"});
    let of = |count: usize| json!({"keys": vec![entry.clone(); count]}).to_string();
    assert_eq!(Jwks::parse(of(MAX_JWKS_KEYS).as_bytes()), Ok(Jwks::default()));
    assert_eq!(Jwks::parse(of(MAX_JWKS_KEYS + 1).as_bytes()), Err(Error::TooLarge));
    let long = format!("{{\"keys\":[]{}}}", " ".repeat(MAX_JWKS_BYTES));
    assert_eq!(Jwks::parse(long.as_bytes()), Err(Error::TooLarge));
    assert_eq!(Jwk::parse(long.as_bytes()), Err(Error::TooLarge));
}
