//! Makes tokens that the crate itself refuses to make: any header, any payload, rightly signed.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, signature};
use munjigi_token::{Algorithm, Expectation, KeySet, SigningKey, Typ, base64url};
use serde_json::{Map, Value, json};

pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "https://api.example";
/// When tokens are issued, looked at, and end. Far enough apart that verifiers which insist on the
/// machine's clock agree.
pub const ISSUED: i64 = 1_700_000_000;
pub const NOW: i64 = 1_700_000_100;
pub const EXPIRES: i64 = 4_000_000_000;
pub const SECRET: &[u8; 32] = b"a secret of 32 bytes, for tests.";

/// One key for each algorithm, made once: RSA takes its time.
pub fn key(algorithm: Algorithm) -> &'static SigningKey {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| Algorithm::ALL.into_iter().map(new_key).collect());
    keys.iter().find(|key| key.algorithm() == algorithm).unwrap()
}

fn new_key(algorithm: Algorithm) -> SigningKey {
    match algorithm {
        Algorithm::Hs256 => SigningKey::hs256_shared_secret("shared", SECRET).unwrap(),
        other => SigningKey::generate(other).unwrap(),
    }
}

pub fn keys_of(key: &SigningKey) -> KeySet {
    KeySet::from_keys([key.verifying_key()])
}

pub fn expectation() -> Expectation {
    Expectation {
        issuer: ISSUER.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        typ: Typ::AccessToken,
        now: NOW,
        leeway: 0,
    }
}

/// The claims of a sound access token.
pub fn claims() -> Map<String, Value> {
    let claims = json!({
        "iss": ISSUER,
        "sub": "7d4f0a52-6f0e-4d3c-9a58-6a1f4f8f3f11",
        "aud": AUDIENCE,
        "client_id": "shop",
        "jti": "token-1",
        "iat": ISSUED,
        "exp": EXPIRES,
        "scope": "orders:read orders:write",
        "roles": ["buyer"],
    });
    claims.as_object().unwrap().clone()
}

/// The claims with one of them written like this.
pub fn claims_with(name: &str, json: &str) -> String {
    let mut others = claims();
    others.remove(name);
    let others = Value::Object(others).to_string();
    format!("{{\"{name}\":{json},{}", others.strip_prefix('{').unwrap())
}

pub fn claims_without(name: &str) -> String {
    let mut others = claims();
    others.remove(name);
    Value::Object(others).to_string()
}

pub fn sound_claims() -> String {
    Value::Object(claims()).to_string()
}

/// The header that the key itself writes.
pub fn header(key: &SigningKey) -> String {
    header_with(key, "at+jwt", "")
}

/// Another `typ`, and more members (each with a comma before it).
pub fn header_with(key: &SigningKey, typ: &str, more: &str) -> String {
    let (alg, kid) = (key.algorithm(), key.kid());
    format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{kid}"{more}}}"#)
}

/// A token with this header and payload, rightly signed.
pub fn forge(key: &SigningKey, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let input = signing_input(header, payload);
    let signature = sign(key, input.as_bytes());
    format!("{input}.{}", base64url::encode(signature))
}

pub fn signing_input(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}", base64url::encode(header), base64url::encode(payload))
}

/// The signature of this key over any bytes.
pub fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    let der = key.to_pkcs8();
    let der = der.as_deref().map(Vec::as_slice).unwrap_or_default();
    match key.algorithm() {
        Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING, der, message),
        Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256, der, message),
        Algorithm::Ps256 => rsa(&RSA_PSS_SHA256, der, message),
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            Ed25519KeyPair::from_pkcs8(der).unwrap().sign(message).as_ref().to_vec()
        }
        Algorithm::Hs256 => mac(SECRET, message),
    }
}

/// An ES256 signature in the form that X.509 uses and JWS does not.
pub fn sign_der(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &key.to_pkcs8().unwrap(), message)
}

fn ecdsa(
    algorithm: &'static signature::EcdsaSigningAlgorithm,
    der: &[u8],
    message: &[u8],
) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der).unwrap();
    pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

fn rsa(encoding: &'static dyn RsaEncoding, der: &[u8], message: &[u8]) -> Vec<u8> {
    let pair = RsaKeyPair::from_pkcs8(der).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

/// HMAC with SHA-256 under any bytes.
pub fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// PEM (RFC 7468) of a DER document.
pub fn pem(label: &str, der: &[u8]) -> String {
    let standard = base64_standard(der);
    let lines: Vec<&str> =
        standard.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The other alphabet, with padding (RFC 4648 §4).
pub fn base64_standard(bytes: &[u8]) -> String {
    let mut text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// The public key as SubjectPublicKeyInfo.
pub fn spki(key: &SigningKey) -> Vec<u8> {
    let jwk: Value = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
    let bytes = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
    match key.algorithm() {
        Algorithm::Es256 => {
            // RFC 5480: id-ecPublicKey, prime256v1, an uncompressed point.
            let prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
            [unhex(prefix), vec![4], bytes("x"), bytes("y")].concat()
        }
        Algorithm::EdDsa | Algorithm::Ed25519 => {
            [unhex("302a300506032b6570032100"), bytes("x")].concat()
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            // RFC 8017 A.1.1, of 2048 bits with the exponent 65537.
            let prefix = "30820122300d06092a864886f70d01010105000382010f003082010a0282010100";
            [unhex(prefix), bytes("n"), unhex("0203010001")].concat()
        }
        Algorithm::Hs256 => unreachable!("it has no public key"),
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
