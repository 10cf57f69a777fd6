//! What holds for every token: round trips, flipped bits, and bytes that make no sense.

use munjigi_token::{Algorithm, Claims, Error, Jwk, Jwks, Unverified, base64url, json, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value};

use crate::forge::{claims, expectation, key, keys_of};

/// Fast ones: what is tested is ours, not the mathematics.
fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::Es256),
        Just(Algorithm::EdDsa),
        Just(Algorithm::Ed25519),
        Just(Algorithm::Hs256),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15..1e15).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Names that are no registered claim.
fn members() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("x_.{0,8}", value(), 0..6)
        .prop_map(|members| members.into_iter().collect())
}

/// Something like a token, so that more than the first check is reached.
fn nearly_token() -> impl Strategy<Value = String> {
    let head = prop_oneof![
        ".{0,40}",
        Just(r#"{"alg":"ES256","kid":"a"}"#.to_owned()),
        r#"\{"alg":"(ES256|none|HS256)",?"?(crit|kid|b64)?"?:?.{0,8}\}"#,
    ];
    let encoded = |bytes: Vec<u8>| base64url::encode(bytes);
    (head, prop::collection::vec(any::<u8>(), 0..60), prop::collection::vec(any::<u8>(), 0..80))
        .prop_map(move |(head, payload, signature)| {
            [encoded(head.into_bytes()), encoded(payload), encoded(signature)].join(".")
        })
}

/// JSON that may have a mistake: texts with a few characters put in, taken out or changed, and
/// numbers and strings of every shape.
fn nearly_json() -> impl Strategy<Value = String> {
    let object = prop::collection::btree_map(".{0,8}", value(), 0..6);
    let text = object.prop_map(|members| Value::Object(members.into_iter().collect()).to_string());
    let edit = (any::<Index>(), r#"[-+0-9.eE"\[\]\{\}, :abfnrtu\\/ \t\n\r\x00\x1f]{0,2}"#);
    let edited = (text, prop::collection::vec(edit, 0..4)).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (at, replacement) in edits {
            if !characters.is_empty() {
                let at = at.index(characters.len());
                characters.splice(at..=at, replacement.chars());
            }
        }
        characters.into_iter().collect()
    });
    prop_oneof![
        edited,
        r#"\{"a":-?[0-9]{0,22}(\.[0-9]{0,20})?([eE][-+]?[0-9]{0,3})?\}"#,
        r#"\{"(\\(["\\/bfnrtux]|u[0-9a-fAg]{4}|ud8[0-9a-f]{2}(\\ud[c-f][0-9a]{2})?)|.){0,6}":1\}"#,
        r#"[ \t\n\r]{0,2}\{[ \t\n\r]?"a"[ \x0b\u00a0]?:[ \t]?(true|null|nul|True)[ \n]?\}"#,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_is_read_back(algorithm in algorithm(), extra in members()) {
        let key = key(algorithm);
        let mut all = claims();
        all.extend(extra.clone());
        let token = match key.sign("at+jwt", &all) {
            Err(Error::TooLarge) => return Ok(()),
            other => other.unwrap(),
        };
        let read = verify(&token, &keys_of(key), &expectation()).unwrap();
        prop_assert_eq!(read.extra, extra);
        prop_assert_eq!(read.sub.as_deref(), all["sub"].as_str());
    }

    #[test]
    fn any_payload_comes_back_byte_for_byte(
        algorithm in algorithm(),
        typ in prop::option::of("[ -~]{0,20}"),
        payload in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let key = key(algorithm);
        let token = key.sign_payload(typ.as_deref(), &payload).unwrap();
        let unverified = Unverified::parse(&token).unwrap();
        prop_assert_eq!(unverified.header().typ.clone(), typ);
        prop_assert_eq!(unverified.header().kid.as_deref(), Some(key.kid()));
        let verified = unverified.verify(&keys_of(key)).unwrap();
        prop_assert_eq!(verified.payload(), payload);
    }

    #[test]
    fn a_token_with_one_bit_flipped_is_refused(algorithm in algorithm(), at in any::<Index>()) {
        let key = key(algorithm);
        let token = key.sign("at+jwt", &claims()).unwrap();
        let bit = at.index(token.len() * 8);
        let mut bytes = token.into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // What is no UTF-8 any more cannot even be asked about.
        if let Ok(flipped) = String::from_utf8(bytes) {
            prop_assert!(verify(&flipped, &keys_of(key), &expectation()).is_err());
        }
    }

    #[test]
    fn a_token_cut_short_is_refused(algorithm in algorithm(), at in any::<Index>()) {
        let key = key(algorithm);
        let token = key.sign("at+jwt", &claims()).unwrap();
        let cut = &token[..at.index(token.len())];
        prop_assert!(verify(cut, &keys_of(key), &expectation()).is_err());
    }

    #[test]
    fn no_text_is_a_token_and_none_panics(text in prop_oneof![any::<String>(), nearly_token()]) {
        let keys = keys_of(key(Algorithm::Es256));
        prop_assert!(verify(&text, &keys, &expectation()).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Whatever comes of it.
        drop((Jwks::parse(&bytes), Jwk::parse(&bytes)));
        drop((Claims::parse(&bytes), json::object(&bytes)));
    }

    #[test]
    fn base64url_has_one_text_for_each_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = base64url::encode(&bytes);
        prop_assert_eq!(base64url::decode(&text), Ok(bytes));
    }

    #[test]
    fn a_text_that_is_read_is_the_text_that_is_written(text in "[A-Za-z0-9_=+/ -]{0,12}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(bytes), text);
        }
    }

    #[test]
    fn strict_json_is_json(members in prop::collection::btree_map(".{0,8}", value(), 0..6)) {
        let object: Map<String, Value> = members.into_iter().collect();
        let text = serde_json::to_vec(&object).unwrap();
        prop_assert_eq!(json::object(&text), Ok(object));
    }

    /// Both ways: what one takes the other takes, and alike.
    #[test]
    fn text_is_json_for_us_if_it_is_for_others(text in nearly_json()) {
        let ours = json::object(text.as_bytes());
        let theirs = serde_json::from_str::<Map<String, Value>>(&text);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(Error::BadJson | Error::DuplicateMember | Error::TooDeep), Err(_))
            | (Err(Error::DuplicateMember | Error::TooDeep), Ok(_)) => {}
            (ours, theirs) => prop_assert!(false, "{:?}: {:?}, {:?}", text, ours, theirs),
        }
    }
}

/// Every bit, not a sample.
#[test]
fn each_bit_of_a_token_matters() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Hs256] {
        let key = key(algorithm);
        let keys = keys_of(key);
        let token = key.sign("at+jwt", &claims()).unwrap();
        for bit in 0..token.len() * 8 {
            let mut bytes = token.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            assert!(verify(&flipped, &keys, &expectation()).is_err(), "bit {bit}: {flipped}");
        }
    }
}
