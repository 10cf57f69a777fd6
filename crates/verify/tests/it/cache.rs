//! Tokens that passed before: faster, never more lenient, and bounded.

use std::time::Duration;

use munjigi_verify::RevocationKind;

use crate::tokens::issuer;

#[test]
fn a_token_that_passed_is_remembered() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").token().unwrap();
    assert!(verifier.verify_cached(&token).is_none());

    let first = verifier.verify_now(&token).unwrap();
    let again = verifier.verify_now(&token).unwrap();

    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert!(verifier.verify_cached(&token).is_some());
    let status = verifier.status();
    assert_eq!((status.cache_hits, status.cached_tokens), (2, 1));
}

#[test]
fn a_remembered_token_is_refused_once_it_expires() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").token().unwrap();
    verifier.verify_now(&token).unwrap();

    issuer.clock().advance(Duration::from_secs(600 + 30));

    assert_eq!(verifier.status().cached_tokens, 1, "it was remembered until now");
    assert!(verifier.verify_cached(&token).is_none());
    assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "expired");
    assert_eq!(verifier.status().cached_tokens, 0);
}

#[test]
fn a_remembered_token_is_refused_once_it_is_revoked() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").claim("sid", "session").token().unwrap();
    verifier.verify_now(&token).unwrap();

    let next_second = issuer.clock().unix_seconds() + 1;
    verifier.revocations().announce(RevocationKind::Session, "session", next_second, i64::MAX);

    assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "revoked");
    assert_eq!(verifier.status().cache_hits, 1, "it was the remembered one that was refused");
    assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "revoked", "and it stays refused");
}

#[test]
fn the_memory_of_tokens_is_bounded() {
    let issuer = issuer();
    let verifier = issuer.builder().token_cache(100).build().unwrap();
    for number in 0..1_000 {
        let token = issuer.bearer(&format!("user {number}")).token().unwrap();
        verifier.verify_now(&token).unwrap();
    }
    let kept = verifier.status().cached_tokens;
    assert!((1..=100).contains(&kept), "{kept} tokens are kept");
}

#[test]
fn long_tokens_count_for_more() {
    let issuer = issuer();
    let verifier = issuer.builder().token_cache(100).build().unwrap();
    for number in 0..200 {
        let filler = "x".repeat(4_000);
        let token = issuer.bearer(&format!("user {number}")).claim("filler", filler);
        verifier.verify_now(&token.token().unwrap()).unwrap();
    }
    let kept = verifier.status().cached_tokens;
    assert!((1..=25).contains(&kept), "{kept} tokens of 5 kB each within 200 KiB");
}

#[test]
fn nothing_is_remembered_where_nothing_shall_be() {
    let issuer = issuer();
    let verifier = issuer.builder().token_cache(0).build().unwrap();
    let token = issuer.bearer("minji").token().unwrap();
    verifier.verify_now(&token).unwrap();
    verifier.verify_now(&token).unwrap();
    let status = verifier.status();
    assert_eq!((status.cache_hits, status.cached_tokens), (0, 0));
}

#[test]
fn invalidating_forgets_every_token() {
    let issuer = issuer();
    let verifier = issuer.verifier().unwrap();
    let token = issuer.bearer("minji").token().unwrap();
    verifier.verify_now(&token).unwrap();
    verifier.invalidate();
    assert_eq!(verifier.status().cached_tokens, 0);
    assert!(verifier.verify_now(&token).is_ok());
}
