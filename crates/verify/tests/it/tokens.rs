//! Which tokens pass: RFC 9068 §4, one thing wrong at a time.

use std::time::Duration;

use munjigi_verify::testing::{Issuer, Token};
use munjigi_verify::token::{Algorithm, KeySet, SigningKey};
use munjigi_verify::{BuildError, Clock, Refusal, RevocationKind, Verifier};
use serde_json::json;

const NOW: i64 = 1_800_000_000;

pub fn issuer() -> Issuer {
    Issuer::at("orders-api", Clock::stopped_at(NOW)).unwrap()
}

/// The code with which a token is refused.
fn code(verifier: &Verifier, token: &Token) -> &'static str {
    verifier.verify_now(&token.token().unwrap()).unwrap_err().code()
}

#[test]
fn a_good_token_says_who_calls() {
    let issuer = issuer();
    let token = issuer
        .bearer("minji")
        .scope("orders:read orders:write")
        .role("admin")
        .role("manager")
        .group("staff")
        .permission("orders.refund")
        .claim("sid", "session")
        .claim("gid", "grant")
        .claim("acr", "1")
        .claim("amr", json!(["pwd"]))
        .claim("auth_time", NOW - 5)
        .claim("tenant", "seoul");

    let principal = issuer.verifier().unwrap().verify_now(&token.token().unwrap()).unwrap();

    assert_eq!((principal.sub(), principal.client_id()), ("minji", "test"));
    assert_eq!(principal.scopes().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
    assert!(principal.has_scope("orders:read") && !principal.has_scope("orders"));
    assert_eq!(principal.roles(), ["admin", "manager"]);
    assert!(principal.has_role("manager") && !principal.has_role("Admin"));
    assert!(principal.is_in_group("staff") && principal.has_permission("orders.refund"));
    assert_eq!((principal.sid(), principal.gid()), (Some("session"), Some("grant")));
    assert_eq!((principal.acr(), principal.auth_time()), (Some("1"), Some(NOW - 5)));
    assert_eq!((principal.amr(), principal.jti()), (&["pwd".to_owned()][..], Some("test")));
    assert_eq!((principal.iat(), principal.exp()), (NOW, NOW + 600));
    assert_eq!(principal.kid(), Some(issuer.key().kid()));
    assert_eq!(principal.claims().extra["tenant"], "seoul");
}

#[test]
fn an_id_token_is_not_an_access_token() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    assert_eq!(code(&verifier, &issuer.bearer("minji").typ("JWT")), "wrong_typ");
    assert_eq!(code(&verifier, &issuer.bearer("minji").typ("logout+jwt")), "wrong_typ");
    let long_form = issuer.bearer("minji").typ("application/at+jwt").token().unwrap();
    assert!(verifier.verify_now(&long_form).is_ok());
}

#[test]
fn each_claim_is_held() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = || issuer.bearer("minji");
    for (wrong, expected) in [
        (token().audience("other-api"), "wrong_audience"),
        (token().audience("orders-ap"), "wrong_audience"),
        (token().claim("aud", json!(["a", "b"])), "wrong_audience"),
        (token().claim("iss", "https://evil.test"), "wrong_issuer"),
        (token().claim("iss", "https://issuer.test/"), "wrong_issuer"),
        (token().expired(), "expired"),
        (token().expires_in(-31), "expired"),
        (token().claim("nbf", NOW + 31), "not_yet_valid"),
        (token().claim("iat", NOW + 31), "issued_in_future"),
        (token().claim("exp", "1900000000"), "claim_type"),
        (token().claim("exp", json!(null)), "claim_type"),
        (token().without("exp"), "claim_missing"),
        (token().without("iat"), "claim_missing"),
        (token().without("sub"), "claim_missing"),
        (token().without("client_id"), "claim_missing"),
        (token().without("aud"), "claim_missing"),
        (token().without("iss"), "claim_missing"),
        (token().rotated_key(), "unknown_kid"),
        (token().claim("cnf", json!({"jkt": "NzbLsXh8uDCcd"})), "sender_constrained"),
    ] {
        assert_eq!(code(&verifier, &wrong), expected, "{wrong:?}");
    }
    let listed = token().claim("aud", json!(["other-api", "orders-api"])).token().unwrap();
    assert!(verifier.verify_now(&listed).is_ok());
}

#[test]
fn what_is_no_token_is_refused() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let good = issuer.bearer("minji").token().unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{signed}.{flipped}{}", &signature[1..]);
    for garbage in ["", "xyz", "a.b.c", "..", &"x".repeat(100_000), signed, &format!("{good}.")] {
        assert!(matches!(verifier.verify_now(garbage), Err(Refusal::InvalidToken(_))));
    }
    assert_eq!(verifier.verify_now(&forged).unwrap_err().code(), "bad_signature");
    assert!(verifier.verify_now(&good).is_ok());
}

#[test]
fn the_leeway_is_exact() {
    let issuer = issuer();
    let strict = issuer.builder().leeway(Duration::ZERO).build().unwrap();
    let usual = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").expires_in(10).token().unwrap();
    let holds = |verifier: &Verifier| verifier.verify_now(&token).is_ok();

    issuer.clock().advance(Duration::from_secs(9));
    assert!(holds(&strict) && holds(&usual));
    issuer.clock().advance(Duration::from_secs(1));
    assert!(!holds(&strict) && holds(&usual));
    issuer.clock().advance(Duration::from_secs(29));
    assert!(holds(&usual));
    issuer.clock().advance(Duration::from_secs(1));
    assert!(!holds(&usual));
}

#[test]
fn a_token_of_the_very_next_second_passes_without_any_leeway() {
    let issuer = issuer();
    let strict = issuer.builder().leeway(Duration::ZERO).build().unwrap();
    let next = issuer.bearer("minji").claim("iat", NOW + 1).token().unwrap();
    assert!(strict.verify_now(&next).is_ok());
    assert_eq!(code(&strict, &issuer.bearer("minji").claim("iat", NOW + 2)), "issued_in_future");
    assert_eq!(code(&strict, &issuer.bearer("minji").expires_in(0)), "expired");
}

#[test]
fn only_the_listed_algorithms_are_taken() {
    let issuer = issuer();
    let only_rsa = issuer.builder().algorithms(&[Algorithm::Rs256]).build().unwrap();
    assert_eq!(code(&only_rsa, &issuer.bearer("minji")), "unsupported_alg");
}

#[test]
fn hs256_is_taken_only_where_it_was_asked_for_by_its_dangerous_name() {
    let issuer = issuer();
    let secret = b"0123456789abcdef0123456789abcdef";
    let shared = SigningKey::hs256_shared_secret("shared", secret).unwrap();
    let token = issuer.bearer("minji").signed_by(&shared);

    assert_eq!(code(&issuer.verifier().unwrap(), &token), "unsupported_alg");
    let with_key = Verifier::with_keys(
        issuer.issuer(),
        "orders-api",
        KeySet::from_keys([shared.verifying_key()]),
    )
    .clock(issuer.clock().clone())
    .build()
    .unwrap();
    assert_eq!(code(&with_key, &token), "unsupported_alg");

    let dangerous = issuer.builder().danger_hs256_shared_secret("shared", secret).build().unwrap();
    assert!(dangerous.verify_now(&token.token().unwrap()).is_ok());
    assert!(dangerous.verify_now(&issuer.bearer("minji").token().unwrap()).is_ok());
    let other = b"another secret of thirty-two bytes!!";
    let forged = SigningKey::hs256_shared_secret("shared", other).unwrap();
    assert_eq!(code(&dangerous, &issuer.bearer("minji").signed_by(&forged)), "bad_signature");
    let renamed = SigningKey::hs256_shared_secret("another", secret).unwrap();
    assert_eq!(code(&dangerous, &issuer.bearer("minji").signed_by(&renamed)), "unknown_kid");

    // While one takes the other's place, both are taken; and, said so, nothing else is.
    let both = issuer.builder().danger_hs256_shared_secret("shared", secret);
    let both = both.danger_hs256_shared_secret("next", other).algorithms(&[Algorithm::Hs256]);
    let both = both.build().unwrap();
    let next = SigningKey::hs256_shared_secret("next", other).unwrap();
    for key in [&shared, &next] {
        assert!(both.verify_now(&issuer.bearer("minji").signed_by(key).token().unwrap()).is_ok());
    }
    assert_eq!(code(&both, &issuer.bearer("minji").signed_by(&forged)), "bad_signature");
    assert_eq!(code(&both, &issuer.bearer("minji")), "unsupported_alg");
}

#[test]
fn any_audience_takes_tokens_of_every_api_but_not_of_none() {
    let issuer = issuer();
    let own = issuer.builder().any_audience().build().unwrap();
    let other = issuer.bearer("minji").audience("other-api").token().unwrap();
    assert!(own.verify_now(&other).is_ok());
    assert_eq!(code(&own, &issuer.bearer("minji").without("aud")), "claim_missing");
    assert_eq!(code(&own, &issuer.bearer("minji").typ("JWT")), "wrong_typ");
}

#[test]
fn a_key_that_is_taken_away_takes_its_tokens_along() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").token().unwrap();
    assert!(verifier.verify_now(&token).is_ok());

    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    verifier.replace_keys(KeySet::from_keys([other.verifying_key()]));

    assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "unknown_kid");
    let new = issuer.bearer("minji").signed_by(&other).token().unwrap();
    assert!(verifier.verify_now(&new).is_ok());
}

#[test]
fn a_revocation_of_anything_that_a_token_names_kills_it() {
    let issuer = issuer();
    let full = || issuer.bearer("minji").claim("sid", "s").claim("gid", "g");
    let token = full().token().unwrap();
    let kid = issuer.key().kid();
    for (kind, key) in [
        (RevocationKind::Grant, "g"),
        (RevocationKind::Session, "s"),
        (RevocationKind::User, "minji"),
        (RevocationKind::Client, "test"),
        (RevocationKind::Key, kid),
    ] {
        let verifier = issuer.verifier().unwrap();
        verifier.revocations().announce(kind, "somebody else", NOW + 1, i64::MAX);
        verifier.revocations().announce(kind, key, NOW, i64::MAX);
        assert!(verifier.verify_now(&token).is_ok(), "issued in that second or later: {kind:?}");
        verifier.revocations().announce(kind, key, NOW + 1, i64::MAX);
        let refusal = verifier.verify_now(&token).unwrap_err();
        assert_eq!(refusal, Refusal::Revoked(kind));
        let later = full().claim("iat", NOW + 1).token().unwrap();
        assert!(verifier.verify_now(&later).is_ok(), "issued after it: {kind:?}");
    }
}

#[test]
fn a_verifier_that_would_be_unsafe_is_not_built() {
    let build = |issuer: &str, audience: &str| {
        Verifier::with_keys(issuer, audience, KeySet::default()).build()
    };
    assert!(matches!(build("https://id.test", ""), Err(BuildError::Audience)));
    assert!(matches!(build("https://id.test", "a b"), Err(BuildError::Audience)));
    assert!(matches!(build("https://id.test", "https://api/{x}"), Err(BuildError::Audience)));
    assert!(matches!(build("", "api"), Err(BuildError::Issuer)));
    let builder = || Verifier::with_keys("https://id.test", "api", KeySet::default());
    assert!(matches!(builder().leeway(Duration::from_secs(301)).build(), Err(BuildError::Leeway)));
    assert!(matches!(builder().algorithms(&[]).build(), Err(BuildError::NoAlgorithms)));
    assert!(matches!(
        builder().algorithms(&[Algorithm::Hs256]).build(),
        Err(BuildError::SharedSecret)
    ));
    assert!(matches!(
        builder().danger_hs256_shared_secret("k", b"short").build(),
        Err(BuildError::SharedSecret)
    ));
}
