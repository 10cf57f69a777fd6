//! When keys are fetched, served, and refused: a state machine over a clock that is passed in.
//! It must not wait, fetch or read the clock; `keys/remote.rs` does what it decides.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use munjigi_token::KeySet;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// Keys are fresh for this long unless the issuer says otherwise.
const SOFT_TTL: i64 = 5 * MINUTE;
/// What an issuer may say (`Cache-Control: max-age`) is held between these two.
const SHORTEST_SOFT_TTL: i64 = MINUTE;
const LONGEST_SOFT_TTL: i64 = 60 * MINUTE;
/// Stale keys are served for so long while the issuer cannot be reached; then nothing passes.
const HARD_TTL: i64 = 24 * 60 * MINUTE;
/// At most one fetch in this time, whatever is presented.
const FETCH_INTERVAL: i64 = 10 * SECOND;
/// For so long a key that the issuer does not publish is not asked for again.
const MISSING_TTL: i64 = MINUTE;
const MISSING_ENTRIES: usize = 1_000;
/// No issuer names a key like this; what is longer is not remembered.
const LONGEST_KID: usize = 256;

/// What to do about a token that names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The keys at hand are to be used.
    Serve,
    /// They are to be used now, and fetched again beside it: the caller has to start a fetch.
    ServeAndRefresh,
    /// The caller has to start a fetch and to wait for it.
    Fetch,
    /// Somebody else fetches: wait for it.
    Wait,
    /// The issuer does not publish such a key.
    Unknown,
    /// There are no keys to decide by.
    Unavailable {
        /// When to ask again.
        retry_after_seconds: u32,
    },
}

/// The state. Times are Unix milliseconds.
pub(crate) struct Timeline {
    keys: Arc<KeySet>,
    fetched_at: Option<i64>,
    fresh_until: i64,
    is_fetching: bool,
    started_at: i64,
    next_fetch_at: i64,
    /// In a row, since the last success.
    failures: u32,
    missing: MissingKids,
}

impl Timeline {
    pub fn new() -> Self {
        Self {
            keys: Arc::default(),
            fetched_at: None,
            fresh_until: i64::MIN,
            is_fetching: false,
            started_at: i64::MIN,
            next_fetch_at: i64::MIN,
            failures: 0,
            missing: MissingKids::default(),
        }
    }

    /// Decides before anything was fetched for this token. A token that names no key asks for any.
    pub fn decide(&mut self, now: i64, kid: Option<&str>) -> Decision {
        if !self.is_alive(now) {
            return self.demand(now);
        }
        if kid.is_none_or(|kid| self.keys.contains(kid)) {
            let is_due = !self.is_fresh(now) && !self.is_fetching && now >= self.next_fetch_at;
            if is_due {
                self.begin(now);
                return Decision::ServeAndRefresh;
            }
            return Decision::Serve;
        }
        if kid.is_some_and(|kid| self.missing.holds(kid, now)) {
            return Decision::Unknown;
        }
        self.demand(now)
    }

    /// Decides after the fetch that this token waited for. It never asks for another one.
    pub fn decide_after_fetch(&mut self, now: i64, kid: Option<&str>) -> Decision {
        if !self.is_alive(now) {
            return self.unavailable(now);
        }
        match kid {
            None => Decision::Serve,
            Some(kid) if self.keys.contains(kid) => Decision::Serve,
            Some(_) if self.failures > 0 => self.unavailable(now),
            Some(kid) => {
                self.missing.remember(kid, now);
                Decision::Unknown
            }
        }
    }

    fn demand(&mut self, now: i64) -> Decision {
        if self.is_fetching {
            return Decision::Wait;
        }
        if now >= self.next_fetch_at {
            self.begin(now);
            return Decision::Fetch;
        }
        // Keys of the last ten seconds do not hold it. After a failure nobody can know.
        if self.is_alive(now) && self.failures == 0 {
            return Decision::Unknown;
        }
        self.unavailable(now)
    }

    fn begin(&mut self, now: i64) {
        self.is_fetching = true;
        self.started_at = now;
    }

    fn unavailable(&self, now: i64) -> Decision {
        let wait = self.next_fetch_at.saturating_sub(now).clamp(SECOND, FETCH_INTERVAL);
        let seconds = wait.saturating_add(SECOND - 1).div_euclid(SECOND);
        Decision::Unavailable { retry_after_seconds: u32::try_from(seconds).unwrap_or(1) }
    }

    /// A fetch brought these keys: they are the keys, and what they do not hold is gone at once.
    pub fn fetched(&mut self, now: i64, keys: Arc<KeySet>, max_age: Option<Duration>) {
        let soft = max_age.map_or(SOFT_TTL, |age| {
            let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            millis.clamp(SHORTEST_SOFT_TTL, LONGEST_SOFT_TTL)
        });
        self.keys = keys;
        self.fetched_at = Some(now);
        self.fresh_until = now.saturating_add(jittered(soft, now));
        self.is_fetching = false;
        self.next_fetch_at = self.started_at.saturating_add(FETCH_INTERVAL);
        self.failures = 0;
    }

    /// A fetch failed. Nothing is forgotten: the keys at hand serve until their hard end.
    pub fn failed(&mut self, now: i64) {
        self.is_fetching = false;
        self.failures = self.failures.saturating_add(1);
        let wait = if self.is_alive(now) {
            FETCH_INTERVAL
        } else {
            // Nothing passes without keys: ask again after 1, 2, 4, 8 and then every 10 seconds.
            let doublings = self.failures.saturating_sub(1).min(4);
            SECOND.saturating_mul(1_i64 << doublings).min(FETCH_INTERVAL)
        };
        self.next_fetch_at = now.saturating_add(wait);
    }

    /// Somebody says that the keys changed: they are fetched again at their next use.
    pub fn invalidate(&mut self) {
        self.fresh_until = i64::MIN;
        self.next_fetch_at = i64::MIN;
        self.missing = MissingKids::default();
    }

    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
    }

    /// Until when the keys need no look at this state.
    pub fn fresh_until(&self) -> i64 {
        self.fresh_until
    }

    /// When the keys were fetched.
    pub fn fetched_at(&self) -> Option<i64> {
        self.fetched_at
    }

    /// Whether the keys may be used. A clock that was put back makes them stale, not older.
    pub fn is_alive(&self, now: i64) -> bool {
        self.fetched_at.is_some_and(|at| now < at.saturating_add(HARD_TTL))
    }

    fn is_fresh(&self, now: i64) -> bool {
        now < self.fresh_until && self.fetched_at.is_some_and(|at| at <= now)
    }
}

/// ±10 %, so that the verifiers of one issuer do not ask in step. Two of them hardly finish a fetch
/// in the same millisecond, so its time tells them apart; nothing depends on it being secret.
fn jittered(span: i64, now: i64) -> i64 {
    let mixed = now.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    let permille = mixed.rem_euclid(201).saturating_sub(100);
    span.saturating_add(span.saturating_mul(permille).div_euclid(1_000))
}

/// Keys that the issuer did not publish when it was asked: bounded, and soon forgotten.
#[derive(Default)]
struct MissingKids {
    until: HashMap<Box<str>, i64>,
    in_order: VecDeque<Box<str>>,
}

impl MissingKids {
    fn holds(&self, kid: &str, now: i64) -> bool {
        self.until.get(kid).is_some_and(|until| now < *until)
    }

    fn remember(&mut self, kid: &str, now: i64) {
        if kid.len() > LONGEST_KID {
            return;
        }
        let until = now.saturating_add(MISSING_TTL);
        if self.until.insert(kid.into(), until).is_some() {
            return;
        }
        self.in_order.push_back(kid.into());
        if self.in_order.len() > MISSING_ENTRIES
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.until.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
