//! JWKS timelines: a clock that is set by hand, and fetches whose results are a script.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "tests"
)]

use munjigi_token::{Algorithm, SigningKey};

use super::*;

const START: i64 = 1_800_000_000_000;
const HOUR: i64 = 60 * MINUTE;

/// Keys by the letters of their script.
struct Keys {
    a: SigningKey,
    b: SigningKey,
}

impl Keys {
    fn new() -> Self {
        let key = || SigningKey::generate(Algorithm::EdDsa).unwrap();
        Self { a: key(), b: key() }
    }

    fn set(&self, names: &str) -> Arc<KeySet> {
        let named = |name: char| if name == 'a' { &self.a } else { &self.b };
        let keys = names.chars().map(|name| named(name).verifying_key());
        Arc::new(KeySet::from_keys(keys))
    }
}

/// A timeline that fetched key `a` at the start.
fn started(keys: &Keys) -> Timeline {
    let mut timeline = Timeline::new();
    assert_eq!(timeline.decide(START, Some(keys.a.kid())), Decision::Fetch);
    timeline.fetched(START, keys.set("a"), None);
    timeline
}

#[test]
fn the_first_token_starts_one_fetch_and_the_others_wait_for_it() {
    let keys = Keys::new();
    let mut timeline = Timeline::new();
    assert_eq!(timeline.decide(START, Some(keys.a.kid())), Decision::Fetch);
    assert_eq!(timeline.decide(START + 1, Some(keys.a.kid())), Decision::Wait);
    assert_eq!(timeline.decide(START + 2, None), Decision::Wait);

    timeline.fetched(START + 90, keys.set("a"), None);

    assert_eq!(timeline.decide_after_fetch(START + 90, Some(keys.a.kid())), Decision::Serve);
    assert_eq!(timeline.decide(START + 91, Some(keys.a.kid())), Decision::Serve);
}

#[test]
fn an_issuer_that_is_not_up_yet_is_asked_again_ever_more_slowly() {
    let keys = Keys::new();
    let kid = Some(keys.a.kid());
    let mut timeline = Timeline::new();
    let mut now = START;
    for seconds in [1, 2, 4, 8, 10, 10] {
        assert_eq!(timeline.decide(now, kid), Decision::Fetch);
        timeline.failed(now);
        let retry = Decision::Unavailable { retry_after_seconds: seconds };
        assert_eq!(timeline.decide_after_fetch(now, kid), retry);
        assert_eq!(timeline.decide(now, kid), retry);
        now += i64::from(seconds) * SECOND;
    }
    assert_eq!(timeline.decide(now, kid), Decision::Fetch);
    timeline.fetched(now, keys.set("a"), None);
    assert_eq!(timeline.decide(now, kid), Decision::Serve);
}

#[test]
fn stale_keys_serve_while_they_are_fetched_again() {
    let keys = Keys::new();
    let kid = Some(keys.a.kid());
    let mut timeline = started(&keys);
    let stale = START + 6 * MINUTE; // five minutes and at most 10 %
    assert_eq!(timeline.decide(START + 4 * MINUTE, kid), Decision::Serve);
    assert_eq!(timeline.decide(stale, kid), Decision::ServeAndRefresh);
    assert_eq!(timeline.decide(stale, kid), Decision::Serve, "one fetch at a time");

    timeline.fetched(stale + 5, keys.set("ab"), None);

    assert_eq!(timeline.decide(stale + 6, Some(keys.b.kid())), Decision::Serve);
}

#[test]
fn stale_keys_serve_for_a_day_without_an_issuer_and_then_nothing_passes() {
    let keys = Keys::new();
    let kid = Some(keys.a.kid());
    let mut timeline = started(&keys);
    let mut now = START + 6 * MINUTE;
    let mut fetches = 0;
    while now < START + 24 * HOUR {
        match timeline.decide(now, kid) {
            Decision::ServeAndRefresh => {
                fetches += 1;
                timeline.failed(now);
            }
            decision => assert_eq!(decision, Decision::Serve),
        }
        now += SECOND;
    }
    assert!((8_000..=8_640).contains(&fetches), "{fetches} fetches, one in ten seconds");

    let retry = timeline.decide(now, kid);
    assert!(matches!(retry, Decision::Unavailable { .. } | Decision::Fetch), "{retry:?}");
    timeline.failed(now);
    assert!(matches!(timeline.decide(now, kid), Decision::Unavailable { .. }));
    assert!(!timeline.is_alive(now));

    // And it recovers by itself.
    now += 10 * SECOND;
    assert_eq!(timeline.decide(now, kid), Decision::Fetch);
    timeline.fetched(now, keys.set("a"), None);
    assert_eq!(timeline.decide(now, kid), Decision::Serve);
}

#[test]
fn a_key_that_a_fetch_does_not_bring_is_gone_at_once() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    let later = START + 6 * MINUTE;
    assert_eq!(timeline.decide(later, Some(keys.a.kid())), Decision::ServeAndRefresh);

    timeline.fetched(later, keys.set("b"), None);

    assert_eq!(timeline.decide(later, Some(keys.a.kid())), Decision::Unknown);
    assert_eq!(timeline.decide(later, Some(keys.b.kid())), Decision::Serve);
}

#[test]
fn a_key_from_a_rotation_is_found_with_the_first_token_that_it_signed() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    let rotated = START + 20 * SECOND;
    assert_eq!(timeline.decide(rotated, Some(keys.b.kid())), Decision::Fetch);
    // The known key is not held up by it.
    assert_eq!(timeline.decide(rotated, Some(keys.a.kid())), Decision::Serve);
    timeline.fetched(rotated + 80, keys.set("ab"), None);
    assert_eq!(timeline.decide_after_fetch(rotated + 80, Some(keys.b.kid())), Decision::Serve);
}

#[test]
fn random_kids_cause_one_fetch_in_ten_seconds() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    let mut fetches = 0;
    for millis in 0..60_000_i64 {
        let now = START + 10 * SECOND + millis;
        let kid = format!("random {millis}");
        match timeline.decide(now, Some(&kid)) {
            Decision::Fetch => {
                fetches += 1;
                timeline.fetched(now, keys.set("a"), None);
                assert_eq!(timeline.decide_after_fetch(now, Some(&kid)), Decision::Unknown);
            }
            decision => assert_eq!(decision, Decision::Unknown),
        }
        assert_eq!(timeline.decide(now, Some(keys.a.kid())), Decision::Serve);
    }
    assert_eq!(fetches, 6);
}

#[test]
fn a_kid_that_was_asked_for_is_not_asked_for_again_within_a_minute() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    let asked = START + 10 * SECOND;
    assert_eq!(timeline.decide(asked, Some("forged")), Decision::Fetch);
    timeline.fetched(asked, keys.set("a"), None);
    assert_eq!(timeline.decide_after_fetch(asked, Some("forged")), Decision::Unknown);

    assert_eq!(timeline.decide(asked + MINUTE - 1, Some("forged")), Decision::Unknown);
    assert_eq!(timeline.decide(asked + MINUTE, Some("forged")), Decision::Fetch);
}

#[test]
fn the_memory_of_missing_kids_is_bounded() {
    let mut missing = MissingKids::default();
    for number in 0..5_000 {
        missing.remember(&format!("kid {number}"), START);
    }
    missing.remember(&"long".repeat(100), START);
    assert_eq!(missing.until.len(), MISSING_ENTRIES);
    assert_eq!(missing.in_order.len(), MISSING_ENTRIES);
    assert!(missing.holds("kid 4999", START) && !missing.holds("kid 0", START));
}

#[test]
fn after_a_failed_fetch_nobody_says_that_a_key_is_unknown() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    let now = START + 10 * SECOND;
    assert_eq!(timeline.decide(now, Some("new")), Decision::Fetch);

    timeline.failed(now);

    let retry = Decision::Unavailable { retry_after_seconds: 10 };
    assert_eq!(timeline.decide_after_fetch(now, Some("new")), retry);
    assert_eq!(timeline.decide(now, Some("new")), retry);
    assert_eq!(timeline.decide(now, Some(keys.a.kid())), Decision::Serve, "failure evicts nothing");
    assert_eq!(timeline.decide(now + 10 * SECOND, Some("new")), Decision::Fetch);
}

#[test]
fn what_the_issuer_says_about_freshness_is_held_between_a_minute_and_an_hour() {
    let keys = Keys::new();
    let soft = |max_age: Option<u64>| {
        let mut timeline = Timeline::new();
        timeline.decide(START, None);
        timeline.fetched(START, keys.set("a"), max_age.map(Duration::from_secs));
        timeline.fresh_until() - START
    };
    let near = |wanted: i64| wanted - wanted / 10..=wanted + wanted / 10;
    assert!(near(5 * MINUTE).contains(&soft(None)));
    assert!(near(20 * MINUTE).contains(&soft(Some(1_200))));
    assert!(near(MINUTE).contains(&soft(Some(0))));
    assert!(near(HOUR).contains(&soft(Some(86_400))));
    assert!(near(HOUR).contains(&soft(Some(u64::MAX))));
}

#[test]
fn verifiers_that_fetched_at_different_moments_ask_again_out_of_step() {
    let spans: std::collections::BTreeSet<i64> =
        (0..1_000).map(|millis| jittered(SOFT_TTL, START + millis)).collect();
    assert!(spans.len() > 150, "{} different spans", spans.len());
    assert!(spans.iter().all(|span| (270_000..=330_000).contains(span)));
}

#[test]
fn news_of_changed_keys_makes_the_next_use_fetch() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    timeline.invalidate();
    assert_eq!(timeline.decide(START + 1, Some(keys.a.kid())), Decision::ServeAndRefresh);
}

#[test]
fn a_clock_that_was_put_back_makes_keys_stale() {
    let keys = Keys::new();
    let mut timeline = started(&keys);
    timeline.next_fetch_at = START - 2 * HOUR;
    let decision = timeline.decide(START - HOUR, Some(keys.a.kid()));
    assert_eq!(decision, Decision::ServeAndRefresh);
}
