//! Verifiers that follow a feed: at a cold start, in a partition, after it, and when there is too
//! much of it.

use std::time::Duration;

use munjigi_verify::{BuildError, Refusal, Revocations, Verifier};

use crate::feed_server::{FeedServer, Mood};

const STRICT: Revocations = Revocations::Strict { max_staleness: Duration::from_secs(30) };

/// Waits for what another task does.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> &'static str {
    outcome.map_or_else(|refusal| refusal.code(), |_| "ok")
}

async fn has_read(verifier: &Verifier) {
    until("the feed was read", || verifier.status().revocation_staleness.is_some()).await;
}

#[tokio::test]
async fn what_was_revoked_before_the_start_and_after_it_is_refused() {
    let server = FeedServer::start();
    for sid in ["one", "two", "three"] {
        server.revoke(sid);
    }
    let verifier = server.builder().revocations(Revocations::BestEffort).build().unwrap();
    let living = server.token("four");
    has_read(&verifier).await;
    for sid in ["one", "two", "three"] {
        assert_eq!(code(verifier.verify(&server.token(sid)).await), "revoked", "{sid}");
    }
    assert_eq!(code(verifier.verify(&living).await), "ok");
    assert_eq!(code(verifier.verify(&living).await), "ok", "and is remembered");

    until("it waits for more", || server.waiting() == 1).await;
    server.revoke("four");
    until("it is known", || verifier.status().revocations == 4).await;

    assert_eq!(code(verifier.verify(&living).await), "revoked");
    assert!(verifier.verify_cached(&living).is_none());
    let asked = server.asked();
    assert_eq!(asked[..2], ["wait=0", "wait=0&cursor=c2"], "all that is in force, at once");
    assert_eq!(asked[2], "wait=10&cursor=c3");
    let status = verifier.status();
    assert!(status.is_ready);
    assert_eq!((status.feed_failures, status.dropped_revocations), (0, 0));
}

/// The keys are handed in, so nothing but the feed is missing.
#[tokio::test]
async fn at_a_cold_start_best_effort_serves_and_strict_refuses() {
    let mut server = FeedServer::start();
    server.revoke("dead");
    server.cut_off();
    let best = server.builder().revocations(Revocations::BestEffort).build().unwrap();
    let strict = server.builder().revocations(STRICT).build().unwrap();
    let (living, dead) = (server.token("living"), server.token("dead"));
    until("both have tried", || [&best, &strict].iter().all(|it| it.status().feed_failures > 0))
        .await;

    assert_eq!(code(best.verify(&living).await), "ok");
    assert_eq!(code(best.verify(&dead).await), "ok", "nobody has told it");
    assert!(best.status().is_ready);
    let refusal = strict.verify(&living).await.unwrap_err();
    assert_eq!(refusal, Refusal::RevocationsUnavailable { retry_after_seconds: 1 });
    let answer = refusal.answer(None, None);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(!answer.headers().contains_key("www-authenticate"), "no other token would help");
    assert!(!strict.status().is_ready);
    let told = strict.status().prometheus("");
    assert!(told.contains("\nmunjigi_verify_ready 0\n"), "{told}");
    assert!(!told.contains("staleness"), "nothing is known yet: {told}");
    // What is wrong anyway is told as what it is.
    assert_eq!(code(strict.verify("xyz").await), "malformed");

    server.reconnect();
    has_read(&best).await;
    has_read(&strict).await;

    for verifier in [&best, &strict] {
        assert_eq!(code(verifier.verify(&living).await), "ok");
        assert_eq!(code(verifier.verify(&dead).await), "revoked");
        assert!(verifier.status().is_ready);
    }
}

#[tokio::test]
async fn in_a_partition_best_effort_serves_what_it_knows_and_strict_until_that_is_too_old() {
    let mut server = FeedServer::start();
    server.revoke("dead");
    let best = server.builder().revocations(Revocations::BestEffort).build().unwrap();
    let strict = server.builder().revocations(STRICT).build().unwrap();
    let (living, dead) = (server.token("living"), server.token("dead"));
    let missed = server.token("missed");
    for verifier in [&best, &strict] {
        has_read(verifier).await;
        assert_eq!(code(verifier.verify(&living).await), "ok");
    }
    until("both wait", || server.waiting() == 2).await;

    server.cut_off();
    server.revoke("missed");
    server.issuer.clock().advance(Duration::from_secs(30));

    for verifier in [&best, &strict] {
        assert_eq!(code(verifier.verify(&living).await), "ok", "30 seconds are borne");
        assert_eq!(verifier.status().revocation_staleness, Some(Duration::from_secs(30)));
        let told = verifier.status().prometheus("api=\"orders\"");
        let line = "munjigi_verify_revocation_staleness_seconds{api=\"orders\"} 30.000";
        assert!(told.lines().any(|it| it == line), "{told}");
    }
    server.issuer.clock().advance(Duration::from_millis(1));
    for verifier in [&best, &strict] {
        assert_eq!(code(verifier.verify(&dead).await), "revoked", "what is known stays known");
    }
    assert_eq!(code(best.verify(&living).await), "ok");
    assert_eq!(code(best.verify(&missed).await), "ok", "nobody has told it");
    assert!(best.status().is_ready);
    assert_eq!(code(strict.verify(&living).await), "revocations_unavailable");
    assert_eq!(code(strict.verify_now(&living)), "revocations_unavailable");
    assert!(strict.verify_cached(&living).is_none());
    assert!(!strict.status().is_ready);

    let misses = strict.status().cache_misses;
    server.reconnect();

    for verifier in [&best, &strict] {
        until("it is fresh", || verifier.status().revocation_staleness == Some(Duration::ZERO))
            .await;
        assert_eq!(code(verifier.verify(&missed).await), "revoked");
        assert_eq!(code(verifier.verify(&living).await), "ok");
    }
    // It was refused for a while, and was not forgotten for it: only `missed` is new.
    assert_eq!(strict.status().cache_misses, misses + 1);
}

/// An issuer that takes the request and never answers is one that does not answer.
#[tokio::test]
async fn a_feed_that_hangs_is_given_up_and_asked_again() {
    let server = FeedServer::start();
    server.be(Mood::Hangs);
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    until("it gives up", || verifier.status().feed_failures > 0).await;
    server.be(Mood::Answers);
    has_read(&verifier).await;
}

#[tokio::test]
async fn a_follower_whose_cursor_is_gone_begins_again_and_forgets_nothing() {
    let server = FeedServer::start();
    for sid in ["one", "two", "three"] {
        server.revoke(sid);
    }
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    until("all are known", || verifier.status().revocations == 3).await;
    until("it waits", || server.waiting() == 1).await;

    // Restored from a backup of before, with something new.
    server.lose_entries();
    server.be(Mood::Forgot);
    server.revoke("another");

    until("the new one is known", || verifier.status().revocations == 4).await;
    assert!(server.asked().iter().filter(|asked| *asked == "wait=0").count() >= 2);
    for sid in ["one", "two", "three", "another"] {
        assert_eq!(code(verifier.verify(&server.token(sid)).await), "revoked", "{sid}");
    }
}

/// By a clock that is ahead, revocations are over that are not.
#[tokio::test]
async fn a_follower_whose_clock_is_set_back_begins_again() {
    let server = FeedServer::start();
    server.revoke("dead");
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    let (living, dead) = (server.token("living"), server.token("dead"));
    has_read(&verifier).await;
    assert_eq!(code(verifier.verify(&dead).await), "revoked");
    until("it waits", || server.waiting() == 1).await;
    let waits_after = |cursor: &str| {
        let is_last = server.asked().last().is_some_and(|asked| asked.ends_with(cursor));
        is_last && server.waiting() == 1
    };

    let ahead = Duration::from_secs(1_000);
    server.issuer.clock().advance(ahead);
    server.revoke("two");
    until("it has forgotten what is over", || waits_after("cursor=c2")).await;
    assert_eq!(verifier.status().revocations, 1);
    server.issuer.clock().set_back(ahead);
    assert_eq!(code(verifier.verify(&living).await), "revocations_unavailable");
    server.revoke("three");
    until("it has read everything again", || verifier.status().revocations == 3).await;

    has_read(&verifier).await;
    assert_eq!(code(verifier.verify(&dead).await), "revoked");
    assert_eq!(code(verifier.verify(&living).await), "ok");
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|asked| *asked == "wait=0").count(), 2, "{asked:?}");
}

#[tokio::test]
async fn a_token_of_its_own_that_is_refused_is_replaced_at_once() {
    let server = FeedServer::start();
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    has_read(&verifier).await;
    until("it waits", || server.waiting() == 1).await;

    server.revoke_tokens();
    server.revoke("one");

    until("it is known", || verifier.status().revocations == 1).await;
    server.revoke("two");
    until("the next one, too", || verifier.status().revocations == 2).await;
    assert_eq!(verifier.status().feed_failures, 0);
}

#[tokio::test]
async fn where_nobody_may_wait_it_asks_now_and_then() {
    let server = FeedServer::start();
    server.be(Mood::Full);
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    has_read(&verifier).await;
    server.revoke("one");
    until("it is known", || verifier.status().revocations == 1).await;
    server.revoke("two");
    until("the next one, too", || verifier.status().revocations == 2).await;
    let asked = server.asked();
    assert!(asked.len() < 20, "{asked:?}");
}

/// What does not fit is not known, and a strict verifier says so.
#[tokio::test]
async fn more_revocations_than_may_be_held_make_a_strict_verifier_refuse() {
    let server = FeedServer::start();
    for sid in ["one", "two", "three"] {
        server.revoke(sid);
    }
    let builder = || server.builder().most_revocations(2);
    let best = builder().revocations(Revocations::BestEffort).build().unwrap();
    let strict = builder().revocations(STRICT).build().unwrap();
    for verifier in [&best, &strict] {
        until("it is full", || verifier.status().dropped_revocations == 1).await;
        assert_eq!(verifier.status().revocations, 2);
        assert_eq!(code(verifier.verify(&server.token("one")).await), "revoked");
        assert!(verifier.status().revocation_staleness.is_none());
    }
    assert_eq!(code(best.verify(&server.token("three")).await), "ok");
    assert_eq!(code(strict.verify(&server.token("four")).await), "revocations_unavailable");

    // All of them are over, so there is room; from the beginning it is all known again.
    server.issuer.clock().advance(Duration::from_secs(1_000));
    server.lose_entries();
    server.revoke("five");
    until("everything is known", || strict.status().revocation_staleness.is_some()).await;
    assert_eq!(code(strict.verify(&server.token("four")).await), "ok");
    assert_eq!(code(strict.verify(&server.token("five")).await), "revoked");
}

/// A kind of a later version may kill any token.
#[tokio::test]
async fn a_kind_that_is_not_known_makes_a_strict_verifier_refuse() {
    let server = FeedServer::start();
    server.announce("realm", "all");
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    until("it was told", || verifier.status().dropped_revocations == 1).await;
    assert_eq!(code(verifier.verify(&server.token("one")).await), "revocations_unavailable");
}

#[tokio::test]
async fn a_withdrawn_key_signs_nothing_any_more() {
    let server = FeedServer::start();
    let verifier = server.builder().revocations(Revocations::BestEffort).build().unwrap();
    let token = server.token("one");
    has_read(&verifier).await;
    assert_eq!(code(verifier.verify(&token).await), "ok");
    let key = server.issuer.key().verifying_key();
    server.announce("key", key.kid().unwrap());
    until("it is known", || verifier.status().revocations == 1).await;
    assert_eq!(code(verifier.verify(&token).await), "revoked");
}

/// One task for all clones, which ends with the last of them and with nobody else.
#[tokio::test]
async fn one_task_follows_for_all_clones_and_ends_with_them() {
    let server = FeedServer::start();
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    let clone = verifier.clone();
    has_read(&verifier).await;
    until("one waits", || server.waiting() == 1).await;
    drop(verifier);
    for _ in 0..100 {
        assert_eq!(code(clone.verify(&server.token("one")).await), "ok");
        assert_eq!(server.waiting(), 1);
    }
    drop(clone);
    until("nobody waits", || server.waiting() == 0).await;
}

/// Built before there is a runtime, it follows from the first token on.
#[test]
fn without_a_runtime_it_starts_with_the_first_token() {
    let server = FeedServer::start();
    server.revoke("dead");
    let verifier = server.builder().revocations(STRICT).build().unwrap();
    assert_eq!(code(verifier.verify_now(&server.token("one"))), "revocations_unavailable");
    assert!(server.asked().is_empty());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(code(verifier.verify(&server.token("one")).await), "revocations_unavailable");
        has_read(&verifier).await;
        assert_eq!(code(verifier.verify(&server.token("one")).await), "ok");
        assert_eq!(code(verifier.verify(&server.token("dead")).await), "revoked");
    });
}

#[tokio::test]
async fn a_verifier_that_could_not_follow_is_not_built() {
    let server = FeedServer::start();
    let strict = |seconds| Revocations::Strict { max_staleness: Duration::from_secs(seconds) };
    for seconds in [0, 4, 3_601] {
        let built = server.builder().revocations(strict(seconds)).build();
        assert!(matches!(built, Err(BuildError::Staleness)), "{seconds}");
    }
    let keys = munjigi_verify::token::KeySet::from_keys([server.issuer.key().verifying_key()]);
    let nobody = Verifier::with_keys(server.issuer.issuer(), "orders-api", keys.clone());
    let built = nobody.revocations(Revocations::BestEffort).build();
    assert!(matches!(built, Err(BuildError::Credentials)));
    let plain = Verifier::with_keys("http://id.example", "orders-api", keys);
    let built = plain.client_credentials("a", "b").revocations(strict(5)).build();
    assert!(matches!(built, Err(BuildError::Issuer)));
}
