//! `vectors/errors.json` is the list of codes that every language's verifier uses.

use std::collections::BTreeMap;

use munjigi_token::Error;

/// Every variant; `the_list_of_codes_is_that_of_the_vectors` counts them.
const ALL: [Error; 22] = [
    Error::TooLarge,
    Error::Malformed,
    Error::BadBase64,
    Error::BadJson,
    Error::DuplicateMember,
    Error::TooDeep,
    Error::UnsupportedAlg,
    Error::CritUnsupported,
    Error::UnknownKid,
    Error::KeyMismatch,
    Error::BadSignature,
    Error::WrongTyp,
    Error::WrongIssuer,
    Error::WrongAudience,
    Error::Expired,
    Error::NotYetValid,
    Error::IssuedInFuture,
    Error::ClaimMissing { claim: "{claim}" },
    Error::ClaimType { claim: "{claim}" },
    Error::BadKey,
    Error::WeakKey,
    Error::DuplicateKid,
];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    sentence: String,
}

#[test]
fn the_list_of_codes_is_that_of_the_vectors() {
    let variants = include_str!("../../src/error.rs").matches("#[error(").count();
    assert_eq!(ALL.len(), variants, "a variant is missing in this test");

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/errors.json");
    let entries: Vec<Entry> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let written: BTreeMap<_, _> =
        entries.iter().map(|entry| (entry.code.as_str(), entry.sentence.clone())).collect();
    assert_eq!(written.len(), entries.len(), "a code is listed twice");
    let ours: BTreeMap<_, _> = ALL.iter().map(|error| (error.code(), format!("{error}"))).collect();
    assert_eq!(ours, written);
}

/// RFC 6749 §5.2: an `error_description` is ASCII without quotes.
#[test]
fn a_sentence_can_stand_in_a_header() {
    for error in ALL {
        let sentence = error.to_string();
        assert!(sentence.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{sentence}");
        assert!(!sentence.contains(['"', '\\']), "{sentence}");
    }
}
