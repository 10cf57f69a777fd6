//! Other people's verifiers: `jsonwebtoken` (Rust), PyJWT, jose (npm). Each is configured as
//! strictly as it can be.

use std::io::Write;
use std::process::{Command, Stdio};

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use munjigi_token::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::forge::{AUDIENCE, ISSUER, SECRET, base64_standard, claims, pem};
use crate::outside;

/// What one verifier says about many tokens, and tokens that it signed itself.
pub struct Answer {
    /// For each token why it is refused; `None` if it is accepted.
    pub verified: Vec<Option<String>>,
    /// One token for each key.
    pub signed: Vec<String>,
}

pub struct Question<'k> {
    pub tokens: Vec<(&'k SigningKey, String)>,
    pub keys: Vec<&'k SigningKey>,
}

pub fn jsonwebtoken(question: &Question<'_>) -> Answer {
    let tokens = question.tokens.iter();
    Answer {
        verified: tokens.map(|(key, token)| decode(key, token).err()).collect(),
        signed: question.keys.iter().map(|key| encode(key)).collect(),
    }
}

fn decode(key: &SigningKey, token: &str) -> Result<(), String> {
    let mut validation = Validation::new(key.algorithm().as_str().parse().unwrap());
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    let decoding = match key.public_jwk() {
        Some(jwk) => {
            let jwk = serde_json::from_value(serde_json::to_value(jwk).unwrap()).unwrap();
            DecodingKey::from_jwk(&jwk).unwrap()
        }
        None => DecodingKey::from_secret(SECRET),
    };
    let decoded = jsonwebtoken::decode::<Value>(token, &decoding, &validation);
    decoded.map(drop).map_err(|error| error.to_string())
}

fn encode(key: &SigningKey) -> String {
    let mut header = Header::new(key.algorithm().as_str().parse().unwrap());
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(key.kid().to_owned());
    let pem = private_pem(key);
    let pem = pem.as_deref().unwrap_or_default().as_bytes();
    let encoding = match key.algorithm() {
        Algorithm::Es256 => EncodingKey::from_ec_pem(pem).unwrap(),
        Algorithm::Rs256 | Algorithm::Ps256 => EncodingKey::from_rsa_pem(pem).unwrap(),
        Algorithm::EdDsa | Algorithm::Ed25519 => EncodingKey::from_ed_pem(pem).unwrap(),
        Algorithm::Hs256 => EncodingKey::from_secret(SECRET),
    };
    jsonwebtoken::encode(&header, &claims(), &encoding).unwrap()
}

fn private_pem(key: &SigningKey) -> Option<String> {
    Some(pem("PRIVATE KEY", &key.to_pkcs8()?))
}

pub fn pyjwt(question: &Question<'_>) -> Option<Answer> {
    let python = outside::find("PyJWT", "target/e2e-python/bin/python")?;
    let mut command = Command::new(python);
    command.arg(script("pyjwt.py"));
    Some(ask(command, question))
}

pub fn jose(question: &Question<'_>) -> Option<Answer> {
    outside::find("jose", "target/e2e-node/node_modules/jose")?;
    let folder = outside::find("jose", "target/e2e-node")?.canonicalize().unwrap();
    let mut command = Command::new("node");
    command.arg(script("jose.mjs")).arg(folder);
    Some(ask(command, question))
}

fn script(name: &str) -> String {
    format!("{}/tests/differential/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn ask(mut command: Command, question: &Question<'_>) -> Answer {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let asked = json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "verify": question.tokens.iter().map(|(key, token)| verification(key, token))
            .collect::<Vec<_>>(),
        "sign": question.keys.iter().map(|key| signing(key)).collect::<Vec<_>>(),
    });
    // Both read everything before they write anything.
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |name: &str| answer[name].as_array().unwrap().clone();
    let text = |value: Value| value.as_str().map(str::to_owned);
    Answer {
        verified: list("verified").into_iter().map(text).collect(),
        signed: list("signed").into_iter().filter_map(text).collect(),
    }
}

fn verification(key: &SigningKey, token: &str) -> Value {
    let alg = key.algorithm();
    match key.public_jwk() {
        Some(jwk) => json!({"alg": alg, "jwk": jwk, "token": token}),
        None => json!({"alg": alg, "secret": base64_standard(SECRET), "token": token}),
    }
}

fn signing(key: &SigningKey) -> Value {
    let (alg, kid) = (key.algorithm(), key.kid());
    match private_pem(key) {
        Some(pem) => json!({"alg": alg, "kid": kid, "pem": pem, "claims": claims()}),
        None => {
            let secret = base64_standard(SECRET);
            json!({"alg": alg, "kid": kid, "secret": secret, "claims": claims()})
        }
    }
}
