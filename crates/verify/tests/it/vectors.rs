//! The test vectors of the whole repository (`vectors/tokens.json`), as a resource server sees
//! them.

use std::time::Duration;

use munjigi_verify::token::{Jwks, KeySet};
use munjigi_verify::{Clock, Verifier};
use serde_json::Value;

/// A second that every verifier bears, with no leeway at all.
const BORNE: [&str; 2] = ["a second before iat", "a second before nbf"];

/// JW-01, JW-04 and JW-05 of the attack kit: what the vectors refuse gets past no verifier.
#[test]
fn a_verifier_refuses_what_the_vectors_refuse() {
    let text = include_str!("../../../../vectors/tokens.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let vectors = document.as_array().or_else(|| document["vectors"].as_array()).unwrap();
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for vector in vectors {
        let expected = &vector["expectation"];
        let audience = expected["audience"].as_array().unwrap();
        // A verifier is for one audience, and for access tokens.
        let ([audience], "at+jwt") = (&audience[..], expected["typ"].as_str().unwrap_or_default())
        else {
            continue;
        };
        let jwks = Jwks::parse(vector["jwks"].to_string().as_bytes());
        let Ok(keys) = jwks.map(|jwks| KeySet::from_jwks(&jwks)) else { continue };
        let leeway = Duration::from_secs(expected["leeway"].as_u64().unwrap());
        let issuer = expected["issuer"].as_str().unwrap();
        let verifier = Verifier::with_keys(issuer, audience.as_str().unwrap(), keys)
            .clock(Clock::stopped_at(expected["now"].as_i64().unwrap()))
            .leeway(leeway)
            .build()
            .unwrap();

        let outcome = verifier.verify_now(vector["token"].as_str().unwrap());

        let (name, result) = (&vector["name"], vector["result"].as_str().unwrap());
        let name = name.as_str().unwrap();
        match (result, outcome) {
            ("ok", Ok(_)) => taken += 1,
            ("ok", Err(refusal)) => wrong.push(format!("{name} is sound, and {refusal:?}")),
            // Right after a revocation an issuer dates a token into the very next second.
            (_, Ok(_)) if BORNE.iter().any(|borne| name.ends_with(borne)) => {}
            (_, Ok(_)) => wrong.push(format!("{name} passes, and is {result}")),
            (_, Err(_)) => refused += 1,
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(taken > 20 && refused > 200, "{taken} are sound and {refused} are not");
}
