//! When to come again: `Retry-After` (RFC 9110 §10.2.3) and, where a budget is the reason, which
//! one it is (draft-ietf-httpapi-ratelimit-headers-10). The same for right and wrong guesses.

use std::num::NonZeroU32;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use munjigi_core::account::budget::Budget;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// In how many seconds to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    seconds: NonZeroU32,
    quota: Option<Quota>,
}

/// What was used up: so many in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    name: &'static str,
    most: u32,
    window_seconds: Option<NonZeroU32>,
}

impl Quota {
    /// So many, in no fixed time.
    pub const fn new(name: &'static str, most: u32) -> Self {
        Self { name, most, window_seconds: None }
    }

    /// What a budget gives.
    pub fn of(name: &'static str, budget: &Budget) -> Self {
        let window_seconds = Some(at_least_one(budget.window().as_seconds()));
        Self { name, most: budget.most(), window_seconds }
    }
}

impl Wait {
    /// So many seconds; at least one.
    pub fn seconds(seconds: i64) -> Self {
        Self { seconds: at_least_one(seconds), quota: None }
    }

    /// The same because this is used up.
    #[must_use]
    pub fn used_up(self, quota: Quota) -> Self {
        Self { quota: Some(quota), ..self }
    }

    /// How long.
    pub fn as_seconds(&self) -> i64 {
        self.seconds.get().into()
    }

    /// Says so.
    pub fn say(&self, headers: &mut HeaderMap) {
        headers.insert(RETRY_AFTER, HeaderValue::from(self.seconds.get()));
        let Some(Quota { name, most, window_seconds }) = self.quota else { return };
        let window = window_seconds.map(|window| format!(";w={window}")).unwrap_or_default();
        let policy = format!(r#""{name}";q={most}{window}"#);
        let left = format!(r#""{name}";r=0;t={}"#, self.seconds);
        for (header, text) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header, value);
            }
        }
    }
}

/// So many; at least one. Small, since refusals carry it along.
fn at_least_one(seconds: i64) -> NonZeroU32 {
    let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
    NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use munjigi_core::time::Span;

    use super::*;

    fn said(wait: Wait) -> Vec<String> {
        let mut headers = HeaderMap::new();
        wait.say(&mut headers);
        let named = ["retry-after", "ratelimit-policy", "ratelimit"];
        let found = named.iter().filter_map(|name| headers.get(*name));
        found.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_used_up_is_told_with_how_much_of_it_there_is() {
        let budget = Budget::new(60, Span::from_seconds(2));
        let wait = Wait::seconds(2).used_up(Quota::of("password", &budget));
        assert_eq!(said(wait), ["2", r#""password";q=60;w=120"#, r#""password";r=0;t=2"#]);
        let wait = Wait::seconds(900).used_up(Quota::new("account", 5));
        assert_eq!(said(wait), ["900", r#""account";q=5"#, r#""account";r=0;t=900"#]);
    }

    #[test]
    fn nobody_is_told_to_come_again_at_once() {
        assert_eq!(said(Wait::seconds(0)), ["1"]);
        assert_eq!(said(Wait::seconds(-7)), ["1"]);
    }
}
