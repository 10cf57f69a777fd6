//! The same tokens, to us and to other people's verifiers, and tokens of each to the other. We
//! accept nothing that any of them refuses. Where we are stricter, the table below says why.

use munjigi_token::{Algorithm, Error, verify};

use crate::corpus::{self, Case};
use crate::forge::{claims, expectation, key, keys_of};
use crate::peers::{self, Answer, Question};

/// What one of them accepts and we refuse.
struct Stricter {
    peer: &'static str,
    /// Our code.
    code: &'static str,
    /// How the names of the cases begin; none of them: every case of this code.
    cases: &'static [&'static str],
    why: &'static str,
}

const fn stricter(
    peer: &'static str,
    code: &'static str,
    cases: &'static [&'static str],
    why: &'static str,
) -> Stricter {
    Stricter { peer, code, cases, why }
}

const RUST: &str = "jsonwebtoken";
const PYTHON: &str = "PyJWT";
const NODE: &str = "jose";

const STRICTER: [Stricter; 31] = [
    stricter(RUST, "too_large", &[], "it has no limit"),
    stricter(PYTHON, "too_large", &[], "it has no limit"),
    stricter(NODE, "too_large", &[], "it has no limit"),
    stricter(RUST, "too_deep", &["a claim 32"], "its limit is 128"),
    stricter(PYTHON, "too_deep", &["a claim 32"], "its limit is Python's stack"),
    stricter(NODE, "too_deep", &[], "it has no limit"),
    stricter(RUST, "duplicate_member", &[], "serde_json takes the last of two, if no field has it"),
    stricter(PYTHON, "duplicate_member", &[], "Python's json takes the last of two"),
    stricter(NODE, "duplicate_member", &[], "JSON.parse takes the last of two"),
    stricter(PYTHON, "bad_base64", &["padding"], "base64 of Python forgives padding"),
    stricter(
        NODE,
        "bad_base64",
        &["padding", "a line end", "white space after", "stray bits"],
        "Buffer.from forgives padding, white space and stray bits",
    ),
    stricter(PYTHON, "bad_json", &["NaN"], "Python's json reads NaN"),
    stricter(
        PYTHON,
        "bad_json",
        &["claims with a byte order mark", "header with a byte order mark", "half a surrogate"],
        "Python's json skips the mark and keeps half a pair",
    ),
    stricter(
        NODE,
        "bad_json",
        &[
            "claims with a byte order",
            "header with a byte order",
            "an overlong",
            "half a surrogate",
        ],
        "TextDecoder skips the mark and replaces what is no UTF-8",
    ),
    stricter(RUST, "malformed", &["kid null", "typ null"], "null is taken for absent"),
    stricter(PYTHON, "malformed", &["typ "], "typ is not read"),
    stricter(NODE, "malformed", &["kid "], "a kid that is no string is ignored where one key fits"),
    stricter(RUST, "crit_unsupported", &[], "crit and b64 are not looked at"),
    stricter(PYTHON, "crit_unsupported", &["b64 true"], "it knows b64, and true changes nothing"),
    stricter(
        NODE,
        "crit_unsupported",
        &["b64 true", "b64 false, not"],
        "it knows b64; without crit it is ignored",
    ),
    stricter(RUST, "unknown_kid", &[], "it is handed the key, whatever the name"),
    stricter(PYTHON, "unknown_kid", &[], "it is handed the key, whatever the name"),
    stricter(NODE, "unknown_kid", &[], "it is handed the secret, whatever the name"),
    stricter(RUST, "wrong_typ", &[], "typ is not looked at"),
    stricter(PYTHON, "wrong_typ", &[], "typ is not looked at"),
    stricter(
        RUST,
        "claim_missing",
        &["without client_id", "without iat", "without jti"],
        "it cannot be told to require them",
    ),
    stricter(RUST, "issued_in_future", &[], "iat is not looked at"),
    stricter(NODE, "issued_in_future", &[], "iat is looked at with a maximum age alone"),
    stricter(RUST, "claim_type", &[], "only exp, nbf, iss, aud and sub have a type"),
    stricter(PYTHON, "claim_type", &[], "only registered claims have a type, and 1e309 is a time"),
    stricter(NODE, "claim_type", &[], "only iss, aud, exp, nbf and iat have one, and any number"),
];

impl Stricter {
    fn covers(&self, peer: &str, case: &Case) -> bool {
        let is_named = self.cases.iter().any(|start| case.name.starts_with(start));
        let code = case.result.map_err(|error| error.code());
        self.peer == peer && code == Err(self.code) && (is_named || self.cases.is_empty())
    }
}

fn compare(
    peer: &'static str,
    algorithms: &[Algorithm],
    ask: impl Fn(&Question<'_>) -> Option<Answer>,
) {
    let with_key = |algorithm: &Algorithm| {
        let key = key(*algorithm);
        corpus::all(key).into_iter().map(move |case| (key, case))
    };
    let cases: Vec<_> = algorithms.iter().flat_map(with_key).collect();
    let tokens = cases.iter().map(|(key, case)| (*key, case.token.clone())).collect();
    let keys: Vec<_> = algorithms.iter().map(|algorithm| key(*algorithm)).collect();
    let question = Question { tokens, keys: keys.clone() };
    let Some(answer) = ask(&question) else { return };
    assert_eq!(answer.verified.len(), cases.len());

    let rows: Vec<_> = STRICTER.iter().filter(|row| row.peer == peer).collect();
    let mut needed = vec![false; rows.len()];
    let (mut accepted, mut refused, mut stricter) = (0, 0, 0);
    for ((key, case), theirs) in cases.iter().zip(&answer.verified) {
        let what = format!("{peer}, {}, {}", key.algorithm(), case.name);
        let ours = verify(&case.token, &keys_of(key), &expectation()).map(drop);
        assert_eq!(ours, case.result, "{what}");
        match (ours, theirs) {
            (Ok(()), None) => accepted += 1,
            (Err(_), Some(_)) => refused += 1,
            (Ok(()), Some(why)) => panic!("{what}: we accept what it refuses: {why}"),
            (Err(error), None) => {
                let row = rows.iter().position(|row| row.covers(peer, case));
                let row = row.unwrap_or_else(|| panic!("{what}: it accepts, and we say {error:?}"));
                needed[row] = true;
                stricter += 1;
            }
        }
    }
    println!("{peer}: {accepted} accepted and {refused} refused by both, {stricter} by us alone");
    assert!(accepted >= 15 * algorithms.len() && refused >= 100 * algorithms.len());
    for (row, is_needed) in rows.iter().zip(needed) {
        assert!(is_needed, "{peer} is as strict as we are now: {} ({})", row.code, row.why);
    }

    assert_eq!(answer.signed.len(), keys.len());
    for (key, token) in keys.iter().zip(answer.signed) {
        let read = verify(&token, &keys_of(key), &expectation());
        assert_eq!(read.unwrap().sub.as_deref(), claims()["sub"].as_str(), "{peer}");
    }
}

const BY_ALL: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Hs256];

#[test]
fn jsonwebtoken_and_we_agree_but_for_what_is_listed() {
    compare(RUST, &BY_ALL, |question| Some(peers::jsonwebtoken(question)));
}

#[test]
fn pyjwt_and_we_agree_but_for_what_is_listed() {
    compare(PYTHON, &BY_ALL, peers::pyjwt);
}

#[test]
fn jose_and_we_agree_but_for_what_is_listed() {
    compare(NODE, &Algorithm::ALL, peers::jose);
}

/// What nobody may be laxer in: these codes are in no row of the table.
#[test]
fn no_row_excuses_a_wrong_signature_key_issuer_audience_or_time() {
    let serious = [
        Error::BadSignature,
        Error::KeyMismatch,
        Error::UnsupportedAlg,
        Error::WrongIssuer,
        Error::WrongAudience,
        Error::Expired,
        Error::NotYetValid,
    ];
    for row in &STRICTER {
        assert!(serious.iter().all(|error| error.code() != row.code), "{}", row.why);
    }
}
