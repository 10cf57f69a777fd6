//! Each attack of the published advisories, and each small mistake, against each algorithm.

use munjigi_token::{
    Algorithm, Error, Expectation, KeySet, SigningKey, Typ, Unverified, base64url, verify,
};

use crate::corpus;
use crate::forge::{
    AUDIENCE, EXPIRES, ISSUED, claims, claims_with, expectation, forge, header, header_with, key,
    keys_of, mac, signing_input, sound_claims,
};

#[test]
fn a_token_with_one_thing_wrong_is_refused_for_that_and_a_sound_one_passes() {
    let mut run = 0;
    for algorithm in Algorithm::ALL {
        let key = key(algorithm);
        let keys = keys_of(key);
        for case in corpus::all(key) {
            let outcome = verify(&case.token, &keys, &expectation()).map(drop);
            assert_eq!(outcome, case.result, "{algorithm}: {}", case.name);
            run += 1;
        }
    }
    println!("{run} cases");
    assert!(run > 1_800, "only {run} cases ran");
}

#[test]
fn no_two_cases_have_one_name() {
    let mut names: Vec<String> =
        corpus::all(key(Algorithm::Es256)).into_iter().map(|case| case.name).collect();
    names.sort();
    let twice: Vec<_> = names.windows(2).filter(|two| two[0] == two[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// JW-01 where it hurts most: the verifier holds a shared secret beside public keys.
#[test]
fn an_hs256_token_under_the_name_of_a_public_key_is_refused_beside_a_shared_secret() {
    let (public, shared) = (key(Algorithm::Es256), key(Algorithm::Hs256));
    let keys = KeySet::from_keys([public.verifying_key(), shared.verifying_key()]);
    let head = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, public.kid());
    let input = signing_input(head, sound_claims());
    let jwk = serde_json::to_vec(&public.public_jwk().unwrap()).unwrap();
    let token = format!("{input}.{}", base64url::encode(mac(&jwk, input.as_bytes())));
    assert_eq!(verify(&token, &keys, &expectation()), Err(Error::KeyMismatch));

    let token = shared.sign("at+jwt", &claims()).unwrap();
    assert!(verify(&token, &keys, &expectation()).is_ok());
}

#[test]
fn a_token_names_its_key_where_several_fit() {
    let (one, two) = (key(Algorithm::Es256), SigningKey::generate(Algorithm::Es256).unwrap());
    let keys = KeySet::from_keys([one.verifying_key(), two.verifying_key()]);
    let nameless = forge(one, r#"{"alg":"ES256","typ":"at+jwt"}"#, sound_claims());
    assert_eq!(verify(&nameless, &keys, &expectation()), Err(Error::UnknownKid));
    assert!(verify(&nameless, &keys_of(one), &expectation()).is_ok());
    let crossed = forge(one, header(&two), sound_claims());
    assert_eq!(verify(&crossed, &keys, &expectation()), Err(Error::BadSignature));
}

/// JW-07: a key that is not among the issuer's, not yet or not any more, signs nothing.
#[test]
fn a_key_that_is_not_in_the_set_signs_nothing() {
    let token = key(Algorithm::EdDsa).sign("at+jwt", &claims()).unwrap();
    let retired = keys_of(key(Algorithm::Es256));
    assert_eq!(verify(&token, &retired, &expectation()), Err(Error::UnknownKid));
    assert_eq!(verify(&token, &KeySet::default(), &expectation()), Err(Error::UnknownKid));
}

#[test]
fn ten_thousand_names_of_keys_are_ten_thousand_refusals() {
    let key = key(Algorithm::EdDsa);
    let keys = keys_of(key);
    for number in 0..10_000 {
        let head = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{number}"}}"#);
        let token = format!("{}.AAAA", signing_input(head, "{}"));
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.verify(&keys).unwrap_err(), Error::UnknownKid);
    }
}

/// RFC 9864 §2.2: `Ed25519` and the older `EdDSA` are one algorithm.
#[test]
fn both_names_of_ed25519_verify_each_other() {
    for (signs, named) in
        [(Algorithm::EdDsa, Algorithm::Ed25519), (Algorithm::Ed25519, Algorithm::EdDsa)]
    {
        let key = key(signs);
        let head = format!(r#"{{"alg":"{named}","typ":"at+jwt","kid":"{}"}}"#, key.kid());
        let token = forge(key, head, sound_claims());
        assert!(verify(&token, &keys_of(key), &expectation()).is_ok());
    }
}

/// RFC 8725 §2.8, JW-06: one kind of token is not taken for another.
#[test]
fn each_kind_of_token_passes_where_it_is_expected_and_nowhere_else() {
    let key = key(Algorithm::Es256);
    let keys = keys_of(key);
    let kinds = [
        ("at+jwt", Typ::AccessToken),
        ("JWT", Typ::Jwt),
        ("logout+jwt", Typ::Exactly("logout+jwt".to_owned())),
        ("client-authentication+jwt", Typ::Exactly("client-authentication+jwt".to_owned())),
    ];
    for (typ, of_token) in &kinds {
        let token = key.sign(typ, &claims()).unwrap();
        for (_, expected) in &kinds {
            let expectation = Expectation { typ: expected.clone(), ..expectation() };
            let outcome = verify(&token, &keys, &expectation).map(drop);
            let right = if expected == of_token { Ok(()) } else { Err(Error::WrongTyp) };
            assert_eq!(outcome, right, "{typ} where {expected:?} is expected");
        }
    }
    let nameless = key.sign_payload(None, sound_claims().as_bytes()).unwrap();
    for (_, expected) in kinds {
        let right = if expected == Typ::Jwt { Ok(()) } else { Err(Error::WrongTyp) };
        let expectation = Expectation { typ: expected, ..expectation() };
        assert_eq!(verify(&nameless, &keys, &expectation).map(drop), right);
    }
}

#[test]
fn an_id_token_needs_fewer_claims() {
    let key = key(Algorithm::Es256);
    let keys = keys_of(key);
    let expected = Expectation { typ: Typ::Jwt, ..expectation() };
    let mut fewer = claims();
    for claim in ["client_id", "jti", "iat", "sub"] {
        fewer.remove(claim);
    }
    let token = key.sign("JWT", &fewer).unwrap();
    assert!(verify(&token, &keys, &expected).is_ok());
    for claim in ["exp", "iss", "aud"] {
        let mut fewer = fewer.clone();
        fewer.remove(claim);
        let token = key.sign("JWT", &fewer).unwrap();
        assert_eq!(verify(&token, &keys, &expected), Err(Error::ClaimMissing { claim }));
    }
}

#[test]
fn the_leeway_moves_each_edge_by_itself_and_no_further() {
    let key = key(Algorithm::EdDsa);
    let keys = keys_of(key);
    let outcome = |payload: String, now: i64, leeway: i64| {
        let token = forge(key, header(key), payload);
        verify(&token, &keys, &Expectation { now, leeway, ..expectation() }).map(drop)
    };
    let sound = sound_claims();
    // RFC 7519 §4.1.4: on `exp` it is over.
    assert_eq!(outcome(sound.clone(), EXPIRES - 1, 0), Ok(()));
    assert_eq!(outcome(sound.clone(), EXPIRES, 0), Err(Error::Expired));
    assert_eq!(outcome(sound.clone(), EXPIRES + 4, 5), Ok(()));
    assert_eq!(outcome(sound.clone(), EXPIRES + 5, 5), Err(Error::Expired));
    assert_eq!(outcome(sound.clone(), ISSUED, 0), Ok(()));
    assert_eq!(outcome(sound.clone(), ISSUED - 1, 0), Err(Error::IssuedInFuture));
    assert_eq!(outcome(sound.clone(), ISSUED - 5, 5), Ok(()));
    assert_eq!(outcome(sound.clone(), ISSUED - 6, 5), Err(Error::IssuedInFuture));
    let later = claims_with("nbf", &(ISSUED + 60).to_string());
    assert_eq!(outcome(later.clone(), ISSUED + 60, 0), Ok(()));
    assert_eq!(outcome(later.clone(), ISSUED + 59, 0), Err(Error::NotYetValid));
    assert_eq!(outcome(later.clone(), ISSUED + 55, 5), Ok(()));
    assert_eq!(outcome(later, ISSUED + 54, 5), Err(Error::NotYetValid));
    // A leeway below zero is none; clocks at the ends of time overflow nothing.
    assert_eq!(outcome(sound.clone(), EXPIRES - 1, -100), Ok(()));
    assert_eq!(outcome(sound.clone(), i64::MAX, i64::MAX), Ok(()));
    assert_eq!(outcome(sound.clone(), i64::MAX, 0), Err(Error::Expired));
    assert_eq!(outcome(sound, i64::MIN, 0), Err(Error::IssuedInFuture));
}

#[test]
fn nobody_expected_is_nobody_admitted() {
    let key = key(Algorithm::EdDsa);
    let token = key.sign("at+jwt", &claims()).unwrap();
    let nobody = Expectation { audience: Vec::new(), ..expectation() };
    assert_eq!(verify(&token, &keys_of(key), &nobody), Err(Error::WrongAudience));
    let several = vec!["https://x.example".to_owned(), AUDIENCE.to_owned()];
    let any_of = Expectation { audience: several, ..expectation() };
    assert!(verify(&token, &keys_of(key), &any_of).is_ok());
}

#[test]
fn a_signature_comes_before_what_the_token_says() {
    let key = key(Algorithm::EdDsa);
    let input = signing_input(header_with(key, "JWT", ""), "not JSON");
    let token = format!("{input}.{}", base64url::encode([0; 64]));
    assert_eq!(verify(&token, &keys_of(key), &expectation()), Err(Error::BadSignature));
}

#[test]
fn claims_are_read_into_their_types() {
    let key = key(Algorithm::EdDsa);
    let payload = r#"{"iss":"https://id.example","sub":"s","aud":["https://api.example","b"],
        "client_id":"shop","jti":"j","iat":1700000000,"exp":4000000000,"nbf":1,"auth_time":2,
        "sid":"S","gid":"G","acr":"A","amr":["pwd","otp"],"roles":["r"],"groups":["g"],
        "permissions":["p"],"scope":" a  b ","cnf":{"jkt":"J","x5t#S256":"X"},"x":{"y":[1]}}"#;
    let token = forge(key, header(key), payload);
    let read = verify(&token, &keys_of(key), &expectation()).unwrap();
    assert_each_claim(&read);
    let again = serde_json::to_vec(&read).unwrap();
    assert_eq!(munjigi_token::Claims::parse(&again).unwrap(), read);
}

fn assert_each_claim(read: &munjigi_token::Claims) {
    assert_eq!(read.aud, ["https://api.example", "b"]);
    assert_eq!((read.nbf, read.auth_time, read.exp), (Some(1), Some(2), Some(4_000_000_000)));
    assert_eq!((read.sid.as_deref(), read.gid.as_deref()), (Some("S"), Some("G")));
    assert_eq!((read.amr.len(), read.roles.len(), read.groups.len()), (2, 1, 1));
    assert_eq!(read.permissions, ["p"]);
    assert_eq!(read.scope.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert!(read.scope.has("b") && !read.scope.has("a b") && !read.scope.has(""));
    let cnf = read.cnf.as_ref().unwrap();
    assert_eq!((cnf.jkt.as_deref(), cnf.extra.len()), (Some("J"), 1));
    assert_eq!(read.extra["x"]["y"][0], 1);
}
