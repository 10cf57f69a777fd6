//! DPoP proofs (RFC 9449): one that passes has the method, the URL in other eyes too, the time and
//! the token of the request; and a changed one never passes.

use std::sync::LazyLock;

use munjigi_token::dpop::{Proof, Request, access_token_hash, sign};
use munjigi_token::{Algorithm, Error, SigningKey};
use serde_json::json;
use url::Url;

use crate::entropy::{Entropy, two_lines};

const NOW: i64 = 1_700_000_000;
const URL: &str = "https://id.example/oauth2/token";
const ED25519: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
    munjigi fuzz, a seed of 32 bytes";

static KEY: LazyLock<Result<SigningKey, Error>> =
    LazyLock::new(|| SigningKey::from_pkcs8(Algorithm::EdDsa, "ed", ED25519));

pub fn run(bytes: &[u8]) {
    let Ok(key) = &*KEY else { panic!("the key of this target is a key") };
    let mut entropy = Entropy(bytes);
    match entropy.byte() % 4 {
        0 => drop(entropy.text().map(Proof::parse)),
        1 => two_lines(entropy.0).into_iter().for_each(|(htu, url)| urls(key, htu, url)),
        2 => times(key, &mut entropy),
        _ => {
            let claims = json!({"jti": "1", "htm": "POST", "htu": URL, "iat": NOW});
            let Ok(proof) = sign(key, &claims) else { panic!("not signed") };
            let Some(changed) = entropy.tamper(&proof).filter(|text| *text != proof) else {
                return;
            };
            assert!(Proof::parse(&changed).is_err(), "a changed proof holds");
        }
    }
}

/// RFC 9449 §4.3, 9: equal after normalisation, without query and fragment.
fn urls(key: &SigningKey, htu: &str, url: &str) {
    let claims = json!({"jti": "1", "htm": "POST", "htu": htu, "iat": NOW});
    let Ok(proof) =
        sign(key, &claims).map_err(drop).and_then(|text| Proof::parse(&text).map_err(drop))
    else {
        return;
    };
    let request = Request { method: "POST", url, access_token: None };
    if proof.check(&request, NOW).is_err() {
        return;
    }
    if let (Some(theirs), Some(ours)) = (seen(htu), seen(url)) {
        assert_eq!(theirs, ours, "{htu} passes for {url}");
    }
}

/// A URL as another reader sees it, without what RFC 3986 §6.2.2 calls equivalent.
fn seen(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let mut plain = String::new();
    let mut rest = url.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let (digits, after) = after.split_at_checked(2)?;
        match u8::from_str_radix(digits, 16).ok()? {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(char::from(byte));
            }
            byte => plain.push_str(&format!("%{byte:02X}")),
        }
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

fn times(key: &SigningKey, entropy: &mut Entropy<'_>) {
    let [iat, exp, nbf] = [(); 3].map(|()| i64::from(i16::from_be_bytes(entropy.array())) / 64);
    let bound = entropy.byte().is_multiple_of(2);
    let claims = json!({
        "jti": "1", "htm": "POST", "htu": URL,
        "iat": NOW + iat, "exp": NOW + exp, "nbf": NOW + nbf,
        "ath": access_token_hash(if bound { "token" } else { "another" }),
    });
    let Ok(text) = sign(key, &claims) else { panic!("not signed") };
    let Ok(proof) = Proof::parse(&text) else { panic!("signed, and refused") };
    let request = Request { method: "POST", url: URL, access_token: Some("token") };
    let passes = proof.check(&request, NOW).is_ok();
    let fits = (-60..=10).contains(&iat) && exp > -10 && nbf <= 10 && bound;
    assert_eq!(passes, fits, "iat {iat}, exp {exp}, nbf {nbf}, bound {bound}");
    for method in ["GET", "post", "POST "] {
        let request = Request { method, ..request };
        assert!(proof.check(&request, NOW).is_err(), "for {method}, too");
    }
}
