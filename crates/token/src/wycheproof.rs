//! Wycheproof's vectors for the bare signatures behind ES256, EdDSA, RS256 and PS256, through the
//! keys as a token meets them. It is compiled for tests alone.

use serde_json::{Value, json};

use crate::outside;
use crate::{Algorithm, Error, Jwk, VerifyingKey, base64url};

/// Tests that passed: verified, refused.
type Counts = (usize, usize);

/// Runs a file whose groups have their key as the JWK `member`.
fn run(file: &str, member: &str, algorithm: Algorithm) -> Option<Counts> {
    let file = outside::wycheproof(file)?;
    let mut counts = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let mut jwk = group.get(member).cloned().unwrap_or_else(|| point(group));
        jwk["alg"] = Value::from(algorithm.as_str());
        let jwk = Jwk::parse(jwk.to_string().as_bytes()).unwrap();
        let key = VerifyingKey::from_jwk(&jwk).unwrap();
        for test in group["tests"].as_array().unwrap() {
            check(&key, algorithm, test, &mut counts);
        }
    }
    println!("{algorithm}: {} verified, {} refused", counts.0, counts.1);
    Some(counts)
}

/// The key of a group that has a point instead of a JWK.
fn point(group: &Value) -> Value {
    let bytes = unhex(&group["publicKey"]["uncompressed"]);
    let (x, y) = bytes[1..].split_at(32);
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
}

fn check(key: &VerifyingKey, algorithm: Algorithm, test: &Value, counts: &mut Counts) {
    let (message, signature) = (unhex(&test["msg"]), unhex(&test["sig"]));
    let outcome = key.check(algorithm, &message, &signature);
    let what = format!("{algorithm} {}: {}", test["tcId"], test["comment"]);
    match test["result"].as_str().unwrap() {
        "valid" => {
            assert_eq!(outcome, Ok(()), "{what}");
            counts.0 += 1;
        }
        // "acceptable" is what an old encoding let pass: we do not.
        _ => {
            assert_eq!(outcome, Err(Error::BadSignature), "{what}");
            counts.1 += 1;
        }
    }
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits: Vec<u8> = text
        .as_str()
        .unwrap()
        .chars()
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

#[test]
fn ecdsa_over_p256_in_the_form_of_jws() {
    let file = "ecdsa_secp256r1_sha256_p1363_test.json";
    if let Some(counts) = run(file, "publicKeyJwk", Algorithm::Es256) {
        assert_eq!(counts, (173, 89));
    }
}

#[test]
fn ed25519() {
    if let Some(counts) = run("ed25519_test.json", "publicKeyJwk", Algorithm::EdDsa) {
        assert_eq!(counts, (88, 63));
    }
}

#[test]
fn rsa_pkcs1_v1_5() {
    if let Some(counts) = run("rsa_signature_2048_sha256_test.json", "keyJwk", Algorithm::Rs256) {
        assert_eq!(counts, (9, 250));
    }
}

#[test]
fn rsa_pss() {
    let file = "rsa_pss_2048_sha256_mgf1_32_test.json";
    if let Some(counts) = run(file, "publicKeyJwk", Algorithm::Ps256) {
        assert_eq!(counts, (63, 45));
    }
}
