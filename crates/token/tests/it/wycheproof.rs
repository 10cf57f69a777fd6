//! Wycheproof's vectors for JWS and JWK. What is valid under an algorithm of ours verifies; what is
//! invalid, and what is valid under any other, is refused. The bare signatures are tested in
//! `src/wycheproof.rs`.

use munjigi_token::{Error, Jwk, Jwks, KeySet, Unverified, VerifyingKey, base64url};
use serde_json::{Value, json};

use crate::outside;

/// Tests 367 and 370 say "invalid" of the very text that test 357 calls valid: their padding was
/// lost when the file was made. They are held to what 357 says.
const SAME_AS_357: [u64; 2] = [367, 370];

/// Tests 372 and 373 say "valid" of a token with a `?` in it, under the MAC of the text without.
/// RFC 7515 §2: that is no base64url, and not what was signed. We refuse them.
const VALID_WITH_A_STRAY_CHARACTER: [u64; 2] = [372, 373];

#[derive(Default, PartialEq, Eq, Debug)]
struct Counts {
    /// Valid, and verified.
    verified: usize,
    /// Valid, but not under an algorithm of ours, or with a key that we do not take: refused.
    not_ours: usize,
    /// Invalid, and refused.
    refused: usize,
}

impl Counts {
    /// `keys` are what we make of the group's keys; `is_ours` says whether we should take a valid
    /// test.
    fn run(&mut self, test: &Value, keys: &KeySet, is_ours: impl Fn(&str) -> bool) {
        let token = test["jws"].as_str().or(test["jwe"].as_str()).map(str::to_owned);
        let token = token.unwrap_or_else(|| test["jws"].to_string());
        let outcome = Unverified::parse(&token).and_then(|token| token.verify(keys));
        let what = format!("{}: {}", test["tcId"], test["comment"]);
        match (test["result"].as_str().unwrap(), is_ours(&token)) {
            ("valid", true) => {
                assert!(outcome.is_ok(), "{what}: {:?}", outcome.err());
                self.verified += 1;
            }
            ("valid", false) => {
                assert!(outcome.is_err(), "{what}");
                self.not_ours += 1;
            }
            ("invalid", _) => {
                assert!(outcome.is_err(), "{what}");
                self.refused += 1;
            }
            (other, _) => panic!("{what}: {other}"),
        }
    }
}

fn groups(file: &Value) -> impl Iterator<Item = (&Value, &[Value])> {
    let groups = file["testGroups"].as_array().unwrap().iter();
    groups.map(|group| (group, group["tests"].as_array().unwrap().as_slice()))
}

/// Whether the header names an algorithm of ours, read without the code that is tested.
fn names_our_algorithm(token: &str) -> bool {
    let header = token.split('.').next().and_then(|head| base64url::decode(head).ok());
    let header: Option<Value> = header.and_then(|json| serde_json::from_slice(&json).ok());
    let ours = ["HS256", "ES256", "RS256", "PS256", "EdDSA", "Ed25519"];
    header.is_some_and(|header| header["alg"].as_str().is_some_and(|alg| ours.contains(&alg)))
}

/// A symmetric key is for HS256, configured by hand: it never comes in a document.
fn symmetric(jwk: &Value) -> Result<VerifyingKey, Error> {
    let is_for_hs256 = jwk["alg"] == "HS256" && jwk["use"] == "sig";
    let secret = base64url::decode(jwk["k"].as_str().unwrap()).unwrap();
    let key = VerifyingKey::hs256_shared_secret(jwk["kid"].as_str().unwrap(), &secret);
    if is_for_hs256 { key } else { Err(Error::BadKey) }
}

/// The keys of a group, one JWK: its public half where it has one.
fn keys_of_jwk(group: &Value) -> KeySet {
    let key = match group.get("public") {
        Some(public) => {
            Jwk::parse(public.to_string().as_bytes()).and_then(|jwk| VerifyingKey::from_jwk(&jwk))
        }
        None => symmetric(&group["private"]),
    };
    KeySet::from_keys(key.ok())
}

/// The test, or what its neighbours say about the same token.
fn corrected(test: &Value, tests: &[Value]) -> Value {
    let mut test = test.clone();
    let id = test["tcId"].as_u64().unwrap();
    if SAME_AS_357.contains(&id) {
        let same = tests.iter().find(|other| other["tcId"] == 357).unwrap();
        assert_eq!((&test["jws"], &same["result"]), (&same["jws"], &json!("valid")));
        test["result"] = json!("valid");
    }
    if VALID_WITH_A_STRAY_CHARACTER.contains(&id) {
        assert!(test["jws"].as_str().unwrap().contains('?') && test["result"] == "valid");
        test["result"] = json!("invalid");
    }
    test
}

#[test]
fn signatures_in_compact_form() {
    let Some(file) = outside::wycheproof("json_web_signature_test.json") else { return };
    let mut counts = Counts::default();
    for (group, tests) in groups(&file) {
        let keys = keys_of_jwk(group);
        for test in tests {
            counts.run(&corrected(test, tests), &keys, names_our_algorithm);
        }
    }
    println!("json_web_signature: {counts:?}");
    assert_eq!(counts, Counts { verified: 26, not_ours: 20, refused: 355 });
}

#[test]
fn key_sets() {
    let Some(file) = outside::wycheproof("json_web_key_test.json") else { return };
    let (mut documents, mut secrets) = (Counts::default(), Counts::default());
    for (group, tests) in groups(&file) {
        // As a document: a symmetric key in one is never used, so that "valid" is refused too.
        let document = group.get("public").unwrap_or(&group["private"]);
        let keys = Jwks::parse(document.to_string().as_bytes());
        let keys = keys.map(|jwks| KeySet::from_jwks(&jwks)).unwrap_or_default();
        for test in tests {
            documents.run(test, &keys, |_| group.get("public").is_some());
        }
        // As secrets, of which a mixed or ambiguous set is none of ours.
        let entries = group["private"]["keys"].as_array().unwrap();
        let mut kids: Vec<_> = entries.iter().map(|entry| &entry["kid"]).collect();
        kids.dedup();
        if kids.len() < entries.len() || !entries.iter().all(|entry| entry["kty"] == "oct") {
            continue;
        }
        let keys = KeySet::from_keys(entries.iter().filter_map(|entry| symmetric(entry).ok()));
        for test in tests {
            secrets.run(test, &keys, names_our_algorithm);
        }
    }
    println!("json_web_key: documents {documents:?}, secrets {secrets:?}");
    assert_eq!(documents, Counts { verified: 1, not_ours: 4, refused: 21 });
    assert_eq!(secrets, Counts { verified: 2, not_ours: 2, refused: 9 });
}

#[test]
fn signatures_and_encryption() {
    let Some(file) = outside::wycheproof("json_web_crypto_test.json") else { return };
    let mut counts = Counts::default();
    for (group, tests) in groups(&file) {
        let is_encryption = group["comment"].as_str().unwrap().starts_with("jwe");
        let private = &group["private"];
        let keys = match private.get("keys") {
            // A mixed set is a document: its symmetric keys are not used.
            Some(entries) if entries.as_array().unwrap().iter().any(|key| key["kty"] != "oct") => {
                let jwks = Jwks::parse(private.to_string().as_bytes()).unwrap();
                KeySet::from_jwks(&jwks)
            }
            Some(entries) => {
                let entries = entries.as_array().unwrap().iter();
                KeySet::from_keys(entries.filter_map(|entry| symmetric(entry).ok()))
            }
            None if is_encryption => KeySet::default(),
            None => keys_of_jwk(group),
        };
        for test in tests {
            counts.run(test, &keys, |_| !is_encryption);
        }
    }
    println!("json_web_crypto: {counts:?}");
    assert_eq!(counts, Counts { verified: 4, not_ours: 2, refused: 77 });
}
