//! Tokens (RFC 7515, RFC 7519, RFC 9068): what verifies was signed here, to the letter, and says
//! what was expected, also in the eyes of another reader of JSON.

use std::sync::LazyLock;

use munjigi_token::{Algorithm, Error, Expectation, KeySet, SigningKey, Typ, Unverified, verify};
use serde_json::Value;

use crate::entropy::Entropy;

const NOW: i64 = 1_700_000_100;
const PAYLOAD: &str = r#"{"iss":"https://id.example","aud":"https://api.example","sub":"minji","client_id":"shop","jti":"1","iat":1700000000,"exp":1700000600}"#;
/// PKCS#8 around a seed of 32 bytes (RFC 8410 §7). Both algorithms here sign without randomness, so
/// that what was signed can be signed again and compared.
const ED25519: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
    munjigi fuzz, a seed of 32 bytes";
const SECRET: &[u8] = b"munjigi fuzz, a secret that both sides know";

struct Keys {
    signing: [SigningKey; 2],
    verifying: KeySet,
    expected: Expectation,
}

static KEYS: LazyLock<Result<Keys, Error>> = LazyLock::new(|| {
    let signing = [
        SigningKey::from_pkcs8(Algorithm::EdDsa, "ed", ED25519)?,
        SigningKey::hs256_shared_secret("hs", SECRET)?,
    ];
    let verifying = KeySet::from_keys(signing.iter().map(SigningKey::verifying_key));
    let expected = Expectation {
        issuer: "https://id.example".to_owned(),
        audience: vec!["https://api.example".to_owned()],
        typ: Typ::AccessToken,
        now: NOW,
        leeway: 5,
    };
    Ok(Keys { signing, verifying, expected })
});

pub fn run(bytes: &[u8]) {
    let Ok(keys) = &*KEYS else { panic!("the keys of this target are keys") };
    let mut entropy = Entropy(bytes);
    let decision = entropy.byte();
    let key = &keys.signing[usize::from(decision & 1)];
    match decision >> 1 & 3 {
        0 => entropy.text().into_iter().for_each(|token| foreign(keys, token)),
        1 => signed(keys, key, entropy.0),
        _ => tampered(keys, key, entropy),
    }
}

/// Whatever a stranger sends: if it holds, one of our keys writes the same.
fn foreign(keys: &Keys, token: &str) {
    let Ok(read) = Unverified::parse(token) else {
        assert!(verify(token, &keys.verifying, &keys.expected).is_err(), "no form, yet it holds");
        return;
    };
    let typ = read.header().typ.clone();
    let Ok(verified) = read.verify(&keys.verifying) else {
        assert!(verify(token, &keys.verifying, &keys.expected).is_err(), "unsigned, yet it holds");
        return;
    };
    let again = |key: &SigningKey| key.sign_payload(typ.as_deref(), verified.payload());
    let is_ours = keys.signing.iter().any(|key| again(key).is_ok_and(|text| text == token));
    assert!(is_ours, "a token verifies that was not signed here");
}

/// Whatever an issuer might say: if it is accepted, another reader finds it acceptable.
fn signed(keys: &Keys, key: &SigningKey, payload: &[u8]) {
    let Ok(token) = key.sign_payload(Some("at+jwt"), payload) else { return };
    let Ok(claims) = verify(&token, &keys.verifying, &keys.expected) else { return };
    let Ok(other) = serde_json::from_slice::<Value>(payload) else {
        panic!("accepted, and no JSON");
    };
    let text = |name: &str| other.get(name).and_then(Value::as_str);
    let time = |name: &str| other.get(name).map(|time| time.as_f64().unwrap_or(f64::NAN));
    let is_named = match other.get("aud") {
        Some(Value::String(one)) => one == "https://api.example",
        Some(Value::Array(many)) => many.iter().any(|one| one == "https://api.example"),
        _ => false,
    };
    assert!(is_named, "another audience");
    assert_eq!(text("iss"), Some("https://id.example"));
    assert!(time("exp").is_some_and(|exp| exp > 1_700_000_095.0), "expired");
    assert!(time("iat").is_some_and(|iat| iat <= 1_700_000_105.0), "from the future");
    assert!(time("nbf").is_none_or(|nbf| nbf <= 1_700_000_105.0), "not yet valid");
    assert!(["sub", "client_id", "jti"].iter().all(|name| text(name).is_some()), "incomplete");
    assert_eq!(claims.sub.as_deref(), text("sub"));
    assert_eq!(claims.client_id.as_deref(), text("client_id"));
}

/// A sound token with some bytes changed never holds.
fn tampered(keys: &Keys, key: &SigningKey, entropy: Entropy<'_>) {
    let Ok(token) = key.sign_payload(Some("at+jwt"), PAYLOAD.as_bytes()) else { return };
    assert!(verify(&token, &keys.verifying, &keys.expected).is_ok(), "sound, yet refused");
    let Some(changed) = entropy.tamper(&token) else { return };
    let holds = verify(&changed, &keys.verifying, &keys.expected).is_ok();
    assert_eq!(holds, changed == token, "a changed token holds");
}
