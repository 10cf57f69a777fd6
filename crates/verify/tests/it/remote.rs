//! Keys that are fetched: from a real issuer on loopback that counts, by a clock set by hand.

use std::time::Duration;

use munjigi_verify::token::{Algorithm, SigningKey};
use munjigi_verify::{BuildError, Refusal, Verifier};

use crate::issuer_server::{Behaviour, IssuerServer};

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// Waits until a fetch that runs beside the requests has ended.
async fn until(condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the condition holds in time");
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> &'static str {
    outcome.unwrap_err().code()
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_token() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    assert_eq!((server.metadata_fetches(), server.key_fetches()), (0, 0));

    verifier.verify(&server.token()).await.unwrap();

    assert_eq!((server.metadata_fetches(), server.key_fetches()), (1, 1));
    let status = verifier.status();
    assert!(status.is_ready);
    assert_eq!((status.keys, status.fetches, status.fetch_failures), (1, 1, 0));
    assert_eq!(status.key_age, Some(Duration::ZERO));
}

/// A balancer sends nothing to an API that is not ready.
#[tokio::test]
async fn who_asks_whether_it_is_ready_makes_it_ready_without_a_token() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    assert!(!verifier.status().is_ready);
    until(|| verifier.status().is_ready).await;
    assert_eq!((server.metadata_fetches(), server.key_fetches()), (1, 1));

    // A day later, in which nobody came, the keys are too old to be used.
    server.advance(25 * 60 * 60);
    assert!(!verifier.status().is_ready);
    until(|| verifier.status().is_ready).await;
    assert_eq!(server.key_fetches(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_away_is_asked_no_more_often_for_being_asked_whether_it_is_ready() {
    let server = IssuerServer::start();
    server.behave(Behaviour::Fails);
    let verifier = server.verifier();
    for _ in 0..100 {
        assert!(!verifier.status().is_ready);
        tokio::task::yield_now().await;
    }
    until(|| verifier.status().fetch_failures == 1).await;
    assert_eq!(verifier.status().fetches, 1);
    server.behave(Behaviour::Answers);
    server.advance(1);
    until(|| verifier.status().is_ready).await;
    assert_eq!(verifier.status().fetches, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_tokens_cause_one_fetch() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let verifier = verifier.clone();
        let token = server.bearer().claim("jti", number.to_string()).token().unwrap();
        tasks.spawn(async move { verifier.verify(&token).await });
    }
    let outcomes = tasks.join_all().await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(server.key_fetches(), 1);
}

#[tokio::test]
async fn ten_thousand_random_kids_cause_one_fetch_in_ten_seconds() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    verifier.verify(&server.token()).await.unwrap();
    server.advance(10);
    let stranger = new_key();
    // Signed by nobody's key under ever new names: only the header is new.
    let forged = |number: usize| {
        let kid = format!("random-{number}");
        let secret = b"0123456789abcdef0123456789abcdef";
        let named = SigningKey::hs256_shared_secret(&kid, secret).unwrap();
        let token = server.bearer().signed_by(&named).token().unwrap();
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
        let header = munjigi_verify::token::base64url::encode(header.as_bytes());
        format!("{header}.{}", token.split_once('.').unwrap().1)
    };

    let before = server.key_fetches();
    for number in 0..10_000 {
        assert_eq!(code(verifier.verify(&forged(number)).await), "unknown_kid");
    }
    assert_eq!(server.key_fetches() - before, 1);
    assert_eq!(code(verifier.verify(&forged(0)).await), "unknown_kid");
    verifier.verify(&server.token()).await.unwrap();

    // Later there is one more, and no second one for the kid that is known to be missing.
    server.advance(10);
    assert_eq!(code(verifier.verify(&forged(0)).await), "unknown_kid");
    assert_eq!(server.key_fetches() - before, 1);
    let token = server.bearer().signed_by(&stranger).token().unwrap();
    assert_eq!(code(verifier.verify(&token).await), "unknown_kid");
    assert_eq!(server.key_fetches() - before, 2);
}

#[tokio::test]
async fn a_token_that_cannot_hold_makes_no_request() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let token = || server.bearer().rotated_key();
    for (hopeless, expected) in [
        (token().expired(), "expired"),
        (token().claim("iss", "https://evil.test"), "wrong_issuer"),
        (token().audience("other"), "wrong_audience"),
        (token().without("exp"), "claim_missing"),
    ] {
        assert_eq!(code(verifier.verify(&hopeless.token().unwrap()).await), expected);
    }
    assert_eq!(code(verifier.verify("xyz").await), "malformed");
    assert_eq!((server.metadata_fetches(), server.key_fetches()), (0, 0));
}

#[tokio::test]
async fn a_rotated_key_is_found_with_its_first_token() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let old = server.token();
    verifier.verify(&old).await.unwrap();
    server.advance(10);
    let next = new_key();
    server.publish(&[server.issuer.key(), &next]);

    let new = server.bearer().signed_by(&next).token().unwrap();
    verifier.verify(&new).await.unwrap();
    verifier.verify(&old).await.unwrap();

    assert_eq!((server.metadata_fetches(), server.key_fetches()), (1, 2));
    assert_eq!(verifier.status().keys, 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_after_the_next_fetch_even_for_a_remembered_token() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let old = server.token();
    verifier.verify(&old).await.unwrap();
    let next = new_key();
    server.publish(&[&next]);
    server.advance(6 * 60);

    // Stale keys serve this one, while the new ones are fetched beside it.
    verifier.verify(&old).await.unwrap();
    until(|| verifier.status().key_age == Some(Duration::ZERO)).await;

    assert_eq!(code(verifier.verify(&old).await), "unknown_kid");
    let new = server.bearer().signed_by(&next).token().unwrap();
    verifier.verify(&new).await.unwrap();
    assert_eq!(server.key_fetches(), 2);
}

#[tokio::test]
async fn keys_that_did_not_change_keep_the_remembered_tokens() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let token = server.token();
    verifier.verify(&token).await.unwrap();
    server.advance(6 * 60);
    verifier.verify(&token).await.unwrap();
    until(|| verifier.status().key_age == Some(Duration::ZERO)).await;

    let hits = verifier.status().cache_hits;
    verifier.verify(&token).await.unwrap();
    assert_eq!(verifier.status().cache_hits, hits + 1);
}

#[tokio::test]
async fn good_tokens_pass_for_a_day_while_the_issuer_is_down_and_then_none_does() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    verifier.verify(&server.token()).await.unwrap();
    let issuer = server.stop();
    let token = || issuer.bearer("minji").token().unwrap();

    issuer.clock().advance(Duration::from_secs(3_600));
    verifier.verify(&token()).await.unwrap();
    until(|| verifier.status().fetch_failures == 1).await;
    verifier.verify(&token()).await.unwrap();

    // A key that is not known could be a new one: nobody can say, so nobody says 401.
    let unknown = issuer.bearer("minji").rotated_key().token().unwrap();
    let refusal = verifier.verify(&unknown).await.unwrap_err();
    assert!(matches!(refusal, Refusal::KeysUnavailable { .. }), "{refusal:?}");

    issuer.clock().advance(Duration::from_secs(22 * 3_600));
    let long_lived = issuer.bearer("minji").expires_in(7_200).token().unwrap();
    verifier.verify(&long_lived).await.unwrap();
    assert!(verifier.verify_cached(&long_lived).is_some());

    issuer.clock().advance(Duration::from_secs(3_600));
    assert!(verifier.verify_cached(&long_lived).is_none());
    assert_eq!(code(verifier.verify(&long_lived).await), "keys_unavailable");
    assert_eq!(code(verifier.verify(&token()).await), "keys_unavailable");
    assert!(!verifier.status().is_ready);
}

#[tokio::test]
async fn an_issuer_that_comes_up_later_is_found() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    server.behave(Behaviour::Fails);
    let refusal = verifier.verify(&server.token()).await.unwrap_err();
    assert_eq!(refusal, Refusal::KeysUnavailable { retry_after_seconds: 1 });
    let again = verifier.verify(&server.token()).await.unwrap_err();
    assert_eq!(again.status(), 503);
    assert_eq!(server.metadata_fetches(), 1, "not asked again within the second");

    server.behave(Behaviour::Answers);
    server.advance(1);
    verifier.verify(&server.token()).await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_does_not_behave_brings_no_keys() {
    for behaviour in [
        Behaviour::Redirects,
        Behaviour::SendsTooMuch,
        Behaviour::NamesAnotherIssuer,
        Behaviour::PointsElsewhere("http://127.0.0.1:9/jwks.json"),
        Behaviour::PointsElsewhere("http://192.0.2.1/jwks.json"),
        Behaviour::PointsElsewhere("file:///etc/passwd"),
        Behaviour::PointsElsewhere("jwks.json"),
    ] {
        let server = IssuerServer::start();
        server.behave(behaviour);
        let verifier = server.verifier();
        assert_eq!(code(verifier.verify(&server.token()).await), "keys_unavailable");
        assert_eq!(verifier.status().fetch_failures, 1);
    }
}

#[tokio::test]
async fn an_empty_key_set_withdraws_nothing() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    verifier.verify(&server.token()).await.unwrap();
    server.publish(&[]);
    server.advance(6 * 60);
    verifier.verify(&server.token()).await.unwrap();
    until(|| verifier.status().fetch_failures == 1).await;
    verifier.verify(&server.token()).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_fetch_along() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    server.hold_answers();
    let token = server.token();
    let impatient = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { verifier.verify(&token).await }
    });
    until(|| server.key_fetches() == 1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());

    let patient = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { verifier.verify(&token).await }
    });
    server.release_answers();
    patient.await.unwrap().unwrap();
    assert_eq!(server.key_fetches(), 1);
}

#[tokio::test]
async fn invalidating_fetches_at_the_next_use() {
    let server = IssuerServer::start();
    let verifier = server.verifier();
    let token = server.token();
    verifier.verify(&token).await.unwrap();
    verifier.invalidate();
    assert_eq!(verifier.status().cached_tokens, 0);
    verifier.verify(&token).await.unwrap();
    until(|| server.key_fetches() == 2).await;
}

#[test]
fn outside_a_runtime_there_are_no_keys_and_no_panic() {
    let verifier = Verifier::builder("http://127.0.0.1:9", "orders-api").build().unwrap();
    let issuer = munjigi_verify::testing::Issuer::new("orders-api").unwrap();
    let issuer = issuer.named("http://127.0.0.1:9");
    let token = issuer.bearer("minji").token().unwrap();
    assert_eq!(code(verifier.verify_now(&token)), "keys_unavailable");
}

#[test]
fn a_plain_text_issuer_elsewhere_is_refused() {
    let built = Verifier::builder("http://id.example", "orders-api").build();
    assert!(matches!(built, Err(BuildError::Issuer)));
}
