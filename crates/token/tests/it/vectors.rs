//! `vectors/tokens.json`: what every language's verifier says about the same tokens.
//!
//! When the list of cases changes, delete the file and run this test: it writes the file anew, with
//! new keys, and fails once, so that the change is looked at.

use munjigi_token::{Algorithm, Expectation, Jwks, KeySet, SigningKey, Typ, base64url, verify};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::corpus;
use crate::forge::{
    EXPIRES, ISSUED, SECRET, claims_with, expectation, forge, header, header_with, key,
    sound_claims,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    token: String,
    jwks: Value,
    expectation: Written,
    /// `ok`, or a code of `errors.json`.
    result: String,
    /// Of `claim_missing` and `claim_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Debug, Clone)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: String,
    audience: Vec<String>,
    typ: String,
    now: i64,
    leeway: i64,
}

impl Written {
    fn new(expected: &Expectation) -> Self {
        let typ = match &expected.typ {
            Typ::AccessToken => "at+jwt",
            Typ::Jwt => "JWT",
            Typ::Exactly(typ) => typ,
        };
        Self {
            issuer: expected.issuer.clone(),
            audience: expected.audience.clone(),
            typ: typ.to_owned(),
            now: expected.now,
            leeway: expected.leeway,
        }
    }

    fn expectation(self) -> Expectation {
        let typ = match self.typ.as_str() {
            "at+jwt" => Typ::AccessToken,
            "JWT" => Typ::Jwt,
            other => Typ::Exactly(other.to_owned()),
        };
        let Self { issuer, audience, now, leeway, .. } = self;
        Expectation { issuer, audience, typ, now, leeway }
    }
}

fn outcome(vector: &Vector) -> (String, Option<String>) {
    let keys = Jwks::parse(vector.jwks.to_string().as_bytes()).unwrap();
    let expected = vector.expectation.clone().expectation();
    match verify(&vector.token, &KeySet::from_jwks(&keys), &expected) {
        Ok(_) => ("ok".to_owned(), None),
        Err(error) => {
            let claim = match error {
                munjigi_token::Error::ClaimMissing { claim }
                | munjigi_token::Error::ClaimType { claim } => Some(claim.to_owned()),
                _ => None,
            };
            (error.code().to_owned(), claim)
        }
    }
}

#[test]
fn every_vector_has_the_result_that_is_written() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/tokens.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        std::fs::write(path, write(&all())).unwrap();
        panic!("vectors/tokens.json was written anew; look at the change and run the test again");
    };
    let vectors: Vec<Vector> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() > 400, "only {} vectors", vectors.len());
    for vector in &vectors {
        let written = (vector.result.clone(), vector.claim.clone());
        assert_eq!(outcome(vector), written, "{}", vector.name);
    }

    // Other keys and signatures, but the same cases.
    let what = |vector: &Vector| (vector.name.clone(), vector.result.clone());
    let (ours, theirs) = (all(), vectors);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(what(ours), what(theirs), "delete vectors/tokens.json to write it anew");
        assert_eq!(ours.expectation, theirs.expectation, "{}", ours.name);
    }
    assert_eq!(ours.len(), theirs.len(), "delete vectors/tokens.json to write it anew");
}

/// One case a line.
fn write(vectors: &[Vector]) -> String {
    let lines: Vec<String> =
        vectors.iter().map(|vector| serde_json::to_string(vector).unwrap()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn all() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for algorithm in
        [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Rs256, Algorithm::Ps256]
    {
        let key = key(algorithm);
        let cases = corpus::all(key).into_iter();
        // Most do not depend on the algorithm: those are written once.
        let cases = cases.filter(|case| {
            algorithm == Algorithm::Es256 || ABOUT_KEYS.iter().any(|word| case.name.contains(word))
        });
        vectors.extend(cases.map(|case| {
            let result = case.result.map_err(|error| error.code());
            vector(key, &case.name, case.token, expectation(), result)
        }));
    }
    let es256 = key(Algorithm::Es256);
    vectors.extend(edges(es256));
    vectors.extend(kinds(es256));
    vectors.extend(sets());
    for vector in &mut vectors {
        vector.claim = outcome(vector).1;
    }
    vectors
}

/// In the names of cases that depend on the algorithm.
const ABOUT_KEYS: [&str; 9] = [
    "sound",
    "signature",
    "signed by",
    "public key",
    "instead",
    "without kid",
    "kid of nobody",
    "other claims",
    "alg \"none\"",
];

fn vector(
    key: &SigningKey,
    name: &str,
    token: String,
    expected: Expectation,
    result: Result<(), &str>,
) -> Vector {
    Vector {
        name: format!("{}: {name}", key.algorithm()),
        token,
        jwks: json!({"keys": [key.public_jwk().unwrap()]}),
        expectation: Written::new(&expected),
        result: result.err().unwrap_or("ok").to_owned(),
        claim: None,
    }
}

/// The edges of time, with and without leeway.
fn edges(key: &SigningKey) -> Vec<Vector> {
    let sound = sound_claims();
    let later = claims_with("nbf", &(ISSUED + 60).to_string());
    let cases = [
        ("a second before exp", &sound, EXPIRES - 1, 0, Ok(())),
        ("on exp", &sound, EXPIRES, 0, Err("expired")),
        ("a second before exp and leeway", &sound, EXPIRES + 4, 5, Ok(())),
        ("on exp and leeway", &sound, EXPIRES + 5, 5, Err("expired")),
        ("on iat", &sound, ISSUED, 0, Ok(())),
        ("a second before iat", &sound, ISSUED - 1, 0, Err("issued_in_future")),
        ("leeway before iat", &sound, ISSUED - 5, 5, Ok(())),
        ("a second before leeway before iat", &sound, ISSUED - 6, 5, Err("issued_in_future")),
        ("on nbf", &later, ISSUED + 60, 0, Ok(())),
        ("a second before nbf", &later, ISSUED + 59, 0, Err("not_yet_valid")),
        ("leeway before nbf", &later, ISSUED + 55, 5, Ok(())),
        ("a second before leeway before nbf", &later, ISSUED + 54, 5, Err("not_yet_valid")),
    ];
    let of = |(name, payload, now, leeway, result): (_, &String, _, _, _)| {
        let expected = Expectation { now, leeway, ..expectation() };
        vector(key, name, forge(key, header(key), payload), expected, result)
    };
    cases.into_iter().map(of).collect()
}

/// Each kind of token where each is expected.
fn kinds(key: &SigningKey) -> Vec<Vector> {
    let kinds = [
        ("at+jwt", Typ::AccessToken),
        ("JWT", Typ::Jwt),
        ("logout+jwt", Typ::Exactly("logout+jwt".to_owned())),
    ];
    let mut vectors = Vec::new();
    for (typ, of_token) in &kinds {
        for (wanted, expected) in &kinds {
            let name = format!("typ {typ} where {wanted} is expected");
            let result = if expected == of_token { Ok(()) } else { Err("wrong_typ") };
            let token = forge(key, header_with(key, typ, ""), sound_claims());
            let expected = Expectation { typ: expected.clone(), ..expectation() };
            vectors.push(vector(key, &name, token, expected, result));
        }
    }
    let alg = format!(r#"{{"alg":"{}","kid":"{}"}}"#, key.algorithm(), key.kid());
    let expected = Expectation { typ: Typ::Jwt, ..expectation() };
    let name = "without typ where JWT is expected";
    vectors.push(vector(key, name, forge(key, alg, sound_claims()), expected, Ok(())));
    vectors
}

/// A name, a token, the keys, the result.
type SetCase = (&'static str, String, Value, &'static str);

/// Sets of several keys, and what does not count in one.
fn sets() -> Vec<Vector> {
    let of = |(name, token, keys, result): SetCase| Vector {
        name: format!("set: {name}"),
        token,
        jwks: json!({"keys": keys}),
        expectation: Written::new(&expectation()),
        result: result.to_owned(),
        claim: None,
    };
    several_keys().into_iter().chain(unusable_keys()).map(of).collect()
}

fn several_keys() -> [SetCase; 8] {
    let (es256, eddsa) = (key(Algorithm::Es256), key(Algorithm::EdDsa));
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let several = json!([jwk(key(Algorithm::Rs256)), jwk(es256), jwk(eddsa)]);
    let two = json!([jwk(es256), jwk(&stranger)]);
    let nameless = forge(es256, r#"{"alg":"ES256","typ":"at+jwt"}"#, sound_claims());
    let named_stranger = forge(es256, header(&stranger), sound_claims());
    let head = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{}"}}"#, eddsa.kid());
    let named_eddsa = forge(es256, head, sound_claims());
    [
        ("one of several keys", sound(es256), several.clone(), "ok"),
        ("another of several keys", sound(eddsa), several.clone(), "ok"),
        ("a key that is not in the set", sound(&stranger), several.clone(), "unknown_kid"),
        ("the name of another key", named_stranger, two.clone(), "bad_signature"),
        ("the name of another kind of key", named_eddsa, several.clone(), "key_mismatch"),
        ("without kid, where one of several keys fits", nameless.clone(), several, "ok"),
        ("without kid, where two keys fit", nameless, two, "unknown_kid"),
        ("an empty set", sound(es256), json!([]), "unknown_kid"),
    ]
}

fn unusable_keys() -> [SetCase; 7] {
    let es256 = key(Algorithm::Es256);
    let shared = key(Algorithm::Hs256);
    let oct =
        json!({"kty": "oct", "k": base64url::encode(SECRET), "alg": "HS256", "kid": "shared"});
    let changed = |name: &str, value: Value| {
        let mut jwk = jwk(es256);
        jwk[name] = value;
        json!([jwk])
    };
    let x = jwk(es256)["x"].clone();
    let beside = json!([{"kty": "AKP", "alg": "ML-DSA-65"}, jwk(es256)]);
    let token = || sound(es256);
    [
        ("a symmetric key", sound(shared), json!([oct]), "unknown_kid"),
        ("a key with a private half", token(), changed("d", json!("AQ")), "unknown_kid"),
        ("a key for encryption", token(), changed("use", json!("enc")), "unknown_kid"),
        ("a key that may only sign", token(), changed("key_ops", json!(["sign"])), "unknown_kid"),
        ("a key for another algorithm", token(), changed("alg", json!("ES384")), "unknown_kid"),
        ("a key that is no point of the curve", token(), changed("y", x), "unknown_kid"),
        ("keys of unknown kinds beside it", token(), beside, "ok"),
    ]
}

fn jwk(key: &SigningKey) -> Value {
    serde_json::to_value(key.public_jwk().unwrap()).unwrap()
}

fn sound(key: &SigningKey) -> String {
    forge(key, header(key), sound_claims())
}
