//! Keys: what is one, what is none, what is too weak, and what they say about themselves.

use munjigi_token::{Algorithm, Error, Jwk, Jwks, KeySet, SigningKey, VerifyingKey, base64url};
use serde_json::{Value, json};

use crate::forge::{SECRET, claims, expectation, key};

const ASYMMETRIC: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Ed25519];

fn jwk(algorithm: Algorithm) -> Value {
    serde_json::to_value(key(algorithm).public_jwk().unwrap()).unwrap()
}

fn parse(jwk: &Value) -> Result<Jwk, Error> {
    Jwk::parse(jwk.to_string().as_bytes())
}

/// The key with one member changed; `Null` removes it.
fn changed(algorithm: Algorithm, name: &str, value: Value) -> Result<Jwk, Error> {
    let mut jwk = jwk(algorithm);
    match value {
        Value::Null => drop(jwk.as_object_mut().unwrap().remove(name)),
        value => jwk[name] = value,
    }
    parse(&jwk)
}

#[test]
fn a_private_key_comes_back_from_its_document() {
    for algorithm in ASYMMETRIC {
        let key = key(algorithm);
        let der = key.to_pkcs8().unwrap();
        let same = SigningKey::from_pkcs8(algorithm, "other-name", &der).unwrap();
        assert_eq!((same.kid(), same.algorithm()), ("other-name", algorithm));
        assert_eq!(same.to_pkcs8().unwrap(), der);
        let thumbprint = |key: &SigningKey| key.public_jwk().unwrap().thumbprint();
        assert_eq!(thumbprint(&same), thumbprint(key));
        assert_eq!(key.kid(), thumbprint(key), "a new key is named by its thumbprint");

        let token = same.sign("at+jwt", &claims()).unwrap();
        let keys = KeySet::from_jwks(&Jwks { keys: vec![same.public_jwk().unwrap()] });
        assert!(munjigi_token::verify(&token, &keys, &expectation()).is_ok());
    }
}

#[test]
fn a_document_of_another_kind_of_key_is_refused() {
    for (is, as_if) in [
        (Algorithm::Es256, Algorithm::Rs256),
        (Algorithm::Es256, Algorithm::EdDsa),
        (Algorithm::Rs256, Algorithm::Es256),
        (Algorithm::EdDsa, Algorithm::Es256),
        (Algorithm::EdDsa, Algorithm::Ps256),
    ] {
        let der = key(is).to_pkcs8().unwrap();
        let refused = SigningKey::from_pkcs8(as_if, "a", &der).unwrap_err();
        assert_eq!(refused, Error::BadKey, "{is} as {as_if}");
    }
    for der in [&b""[..], b"0", &[0x30; 64]] {
        for algorithm in ASYMMETRIC {
            assert_eq!(SigningKey::from_pkcs8(algorithm, "a", der).unwrap_err(), Error::BadKey);
        }
    }
}

#[test]
fn a_shared_secret_is_neither_drawn_nor_written_nor_published() {
    let hs256 = Algorithm::Hs256;
    assert_eq!(SigningKey::generate(hs256).unwrap_err(), Error::UnsupportedAlg);
    assert_eq!(SigningKey::from_pkcs8(hs256, "a", b"").unwrap_err(), Error::UnsupportedAlg);
    assert!(key(hs256).to_pkcs8().is_none() && key(hs256).public_jwk().is_none());
    let short = &SECRET[1..];
    assert_eq!(SigningKey::hs256_shared_secret("a", short).unwrap_err(), Error::WeakKey);
    assert_eq!(VerifyingKey::hs256_shared_secret("a", short).unwrap_err(), Error::WeakKey);
    assert!(Error::WeakKey.to_string().contains("32 bytes"));
}

#[test]
fn printing_a_key_shows_its_name_and_algorithm_alone() {
    let text = format!("{:?}", key(Algorithm::Hs256));
    assert_eq!(text, r#"SigningKey { kid: "shared", alg: Hs256 }"#);
    let text = format!("{:?}", key(Algorithm::Hs256).verifying_key());
    assert_eq!(text, r#"VerifyingKey { kid: Some("shared"), alg: Hs256 }"#);
    let text = format!("{:?}", key(Algorithm::Rs256));
    assert!(text.len() < 120, "{text}");
}

/// RFC 7638 §3.1 and RFC 8037 appendix A.3.
#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rsa = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc\
              _BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR\
              0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTW\
              hAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    });
    let rsa = parse(&rsa).unwrap();
    assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!((rsa.kid(), rsa.algorithm()), (Some("2011-04-29"), Algorithm::Rs256));
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let ed25519 = parse(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap();
    assert_eq!(ed25519.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!((ed25519.kid(), ed25519.algorithm()), (None, Algorithm::EdDsa));
}

#[test]
fn a_public_key_is_read_as_it_was_written() {
    for algorithm in ASYMMETRIC {
        let written = key(algorithm).public_jwk().unwrap();
        let jwk = jwk(algorithm);
        assert_eq!(parse(&jwk), Ok(written));
        assert_eq!(
            (jwk["use"].as_str(), jwk["alg"].as_str()),
            (Some("sig"), Some(algorithm.as_str()))
        );
        assert!(jwk.get("d").is_none());
    }
}

#[test]
fn a_key_that_does_not_say_its_algorithm_has_one() {
    for (algorithm, default) in [
        (Algorithm::Es256, Algorithm::Es256),
        (Algorithm::Ps256, Algorithm::Rs256),
        (Algorithm::Ed25519, Algorithm::EdDsa),
    ] {
        let nameless = changed(algorithm, "alg", Value::Null).unwrap();
        assert_eq!(nameless.algorithm(), default);
    }
}

/// RFC 7517 §4, RFC 7518 §6.
#[test]
fn a_key_that_is_none_is_refused() {
    use Algorithm::{EdDsa, Es256, Rs256};
    let x = jwk(EdDsa)["x"].clone();
    let short = base64url::encode([1; 31]);
    let long = base64url::encode([[0; 32], [1; 32]].concat());
    let cases = [
        (Es256, "kty", Value::Null),
        (Es256, "kty", json!("RSA")),
        (Es256, "kty", json!("oct")),
        (Es256, "kty", json!("ec")),
        (Es256, "crv", json!("P-384")),
        (Es256, "crv", json!("secp256k1")),
        (Es256, "crv", Value::Null),
        (Es256, "y", Value::Null),
        (Es256, "y", jwk(Es256)["x"].clone()),
        (Es256, "x", json!(short)),
        (Es256, "x", json!(long)),
        (Es256, "x", json!(1)),
        (Es256, "x", json!("=")),
        (EdDsa, "crv", json!("Ed448")),
        (EdDsa, "crv", json!("X25519")),
        (EdDsa, "x", json!(short)),
        (EdDsa, "alg", json!("ES256")),
        (EdDsa, "alg", json!("HS256")),
        (EdDsa, "alg", json!(1)),
        (EdDsa, "kid", json!(1)),
        (EdDsa, "use", json!("enc")),
        (EdDsa, "use", json!(["sig"])),
        (EdDsa, "key_ops", json!(["sign"])),
        (EdDsa, "key_ops", json!([])),
        (EdDsa, "key_ops", json!("verify")),
        (Rs256, "n", Value::Null),
        (Rs256, "e", json!("")),
        (Rs256, "e", json!("AAEAAQ")),
        (Rs256, "alg", json!("ES256")),
        // RFC 7517 §9.2: what is private is not published.
        (EdDsa, "d", x.clone()),
        (Rs256, "p", x.clone()),
        (Rs256, "oth", json!([])),
        (Es256, "k", x),
    ];
    for (algorithm, name, value) in cases {
        let outcome = changed(algorithm, name, value.clone());
        assert_eq!(outcome, Err(Error::BadKey), "{algorithm} with {name} {value}");
    }
    for alg in ["RS384", "none", "ECDH-ES", ""] {
        assert_eq!(changed(Es256, "alg", json!(alg)), Err(Error::UnsupportedAlg), "{alg}");
    }
    for (name, value) in [("key_ops", json!(["verify"])), ("x5c", json!([])), ("ext", json!(true))]
    {
        assert!(changed(Es256, name, value).is_ok(), "{name}");
    }
}

#[test]
fn a_weak_rsa_key_is_refused() {
    let n = base64url::decode(jwk(Algorithm::Rs256)["n"].as_str().unwrap()).unwrap();
    let mut even = n.clone();
    *even.last_mut().unwrap() ^= 1;
    let mut short_by_a_bit = n.clone();
    short_by_a_bit[0] = 0x7f;
    let threefold: Vec<u8> = std::iter::repeat_n(0xff, 256).collect(); // 2^2048 - 1
    let moduli = [
        ("1024 bits", n[..128].to_vec()),
        ("2047 bits", short_by_a_bit),
        ("even", even),
        ("a multiple of 3", threefold),
        ("16384 bits", n.repeat(8)),
    ];
    for (name, modulus) in moduli {
        let modulus = json!(base64url::encode(modulus));
        assert_eq!(changed(Algorithm::Rs256, "n", modulus), Err(Error::WeakKey), "{name}");
    }
    for e in [&[1][..], &[2], &[1, 0], &[1, 0, 0, 0, 1]] {
        let exponent = json!(base64url::encode(e));
        assert_eq!(changed(Algorithm::Rs256, "e", exponent), Err(Error::WeakKey), "{e:?}");
    }
    assert!(changed(Algorithm::Rs256, "e", json!("Aw")).is_ok(), "3 is a sound exponent");
}

#[test]
fn an_ed25519_key_of_small_order_is_refused() {
    let mut one = [0; 32];
    one[0] = 1;
    for x in [[0; 32], one] {
        let x = json!(base64url::encode(x));
        assert_eq!(changed(Algorithm::EdDsa, "x", x), Err(Error::WeakKey));
    }
}

/// RFC 7517 §5: entries that are not understood are left out.
#[test]
fn a_key_set_is_what_can_be_used_of_it() {
    let mut enc = jwk(Algorithm::Rs256);
    enc["use"] = json!("enc");
    let mut leaked = jwk(Algorithm::Ps256);
    leaked["d"] = json!("AQAB");
    let good = jwk(Algorithm::Es256);
    let document = json!({"keys": [
        {"kty": "oct", "k": base64url::encode(SECRET), "alg": "HS256", "kid": "shared"},
        {"kty": "AKP", "alg": "ML-DSA-65"}, enc, leaked, 1, null, {}, good, jwk(Algorithm::EdDsa),
    ], "more": 1});
    let jwks = Jwks::parse(document.to_string().as_bytes()).unwrap();
    let kids: Vec<_> = jwks.keys.iter().filter_map(Jwk::kid).collect();
    assert_eq!(kids, [key(Algorithm::Es256).kid(), key(Algorithm::EdDsa).kid()]);

    let again = serde_json::to_vec(&jwks).unwrap();
    assert_eq!(Jwks::parse(&again), Ok(jwks));
}

#[test]
fn a_key_set_that_is_none_is_refused() {
    for text in [r#"{}"#, r#"{"keys":{}}"#, "[]", r#"{"keys":[]"#, ""] {
        assert_eq!(Jwks::parse(text.as_bytes()), Err(Error::BadJson), "{text}");
    }
    let twice = r#"{"keys":[],"keys":[]}"#;
    assert_eq!(Jwks::parse(twice.as_bytes()), Err(Error::DuplicateMember));
    let one = jwk(Algorithm::Es256);
    let mut other = jwk(Algorithm::EdDsa);
    other["kid"] = one["kid"].clone();
    let same_name = json!({"keys": [one, other]}).to_string();
    assert_eq!(Jwks::parse(same_name.as_bytes()), Err(Error::DuplicateKid));
}

#[test]
fn a_key_is_found_by_its_name_and_algorithm() {
    let all = ASYMMETRIC.map(|algorithm| key(algorithm).verifying_key());
    let keys = KeySet::from_keys(all);
    assert_eq!((keys.len(), keys.is_empty(), keys.kids().count()), (5, false, 5));
    let kid = key(Algorithm::Rs256).kid();
    assert!(keys.contains(kid) && !keys.contains("nobody"));
    assert_eq!(keys.find(Some(kid), Algorithm::Rs256).unwrap().kid(), Some(kid));
    assert!(keys.find(Some(kid), Algorithm::Ps256).is_none(), "one key, one algorithm");
    assert!(keys.find(Some("nobody"), Algorithm::Rs256).is_none());
    // Without a name: RS256 is one key, Ed25519 two under its two names.
    assert_eq!(keys.find(None, Algorithm::Rs256).unwrap().kid(), Some(kid));
    assert!(keys.find(None, Algorithm::EdDsa).is_none());
    assert!(
        KeySet::default().is_empty() && KeySet::default().find(None, Algorithm::Es256).is_none()
    );
}
