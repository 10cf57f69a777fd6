//! Budgets that fill up again: how often something may be tried, or asked for, where nothing that
//! goes right proves that what went before it was honest. Whoever types the code of a device of
//! their own has not shown that the codes before were slips, so that a success gives nothing back
//! (as it does in [`Attempts`], where it proves who the person is).

use std::net::{IpAddr, Ipv6Addr};

use crate::account::attempts::{Attempts, Taken};
use crate::time::{Span, Timestamp};

/// So many at once, and one more after each span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How many at once.
    most: u32,
    /// After how long one more.
    refill: Span,
}

impl Budget {
    /// A budget of `most` at once, and one more after each `refill`.
    pub const fn new(most: u32, refill: Span) -> Self {
        Self { most, refill }
    }

    /// How many at once.
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// After how long everything is back that was taken at once.
    pub fn window(&self) -> Span {
        self.refill_of(self.most)
    }

    /// Takes one out, if one is left at `now`. What is stored, of the budget as of any ledger, is
    /// how many are out and when the last one was taken.
    pub fn take(&self, before: &Attempts, now: Timestamp) -> Taken {
        let out = self.out(before, now);
        if out < self.most {
            let failures = out.saturating_add(1);
            return Taken::Counted(Attempts { failures, last_failed_at: now, blocked_until: None });
        }
        let too_many = out.saturating_sub(self.most).saturating_add(1);
        // A last time that has not come yet was written before the clock was set back.
        let last = before.last_failed_at.min(now);
        let since = Span::from_millis(now.since(last).as_millis() % self.millis());
        Taken::Wait { until: now.minus(since).plus(self.refill_of(too_many)) }
    }

    /// When a state may be forgotten: once everything is back.
    pub fn expires_at(&self, state: &Attempts) -> Timestamp {
        state.last_failed_at.plus(self.refill_of(state.failures))
    }

    /// How many are out at `now`. Whatever is left of a span when one is taken is lost, which is
    /// never to the taker's advantage.
    fn out(&self, state: &Attempts, now: Timestamp) -> u32 {
        let back = now.since(state.last_failed_at).as_millis().div_euclid(self.millis());
        state.failures.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
    }

    fn refill_of(&self, count: u32) -> Span {
        Span::from_millis(self.refill.as_millis().saturating_mul(i64::from(count)))
    }

    fn millis(&self) -> i64 {
        self.refill.as_millis().max(1)
    }
}

/// Who counts as one address: of IPv6 the network of one household (/64), since a single machine
/// has as many addresses in it as it likes.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// What one site is given of IPv6 (/48): whoever has it has 65,536 such networks. IPv4 has no such
/// thing that could be told from an address.
pub fn site(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 80 << 80;
            Some(IpAddr::V6(Ipv6Addr::from(network)))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEN: Budget = Budget::new(10, Span::from_minutes(1));
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn later(seconds: i64) -> Timestamp {
        NOW.plus(Span::from_seconds(seconds))
    }

    fn taken(times: u32) -> Attempts {
        (0..times).fold(Attempts::CLEAR, |state, _| match TEN.take(&state, NOW) {
            Taken::Counted(state) => state,
            Taken::Wait { .. } => panic!("it is empty"),
        })
    }

    #[test]
    fn so_many_at_once_and_one_more_after_each_span() {
        let empty = taken(10);
        assert_eq!(TEN.take(&empty, NOW), Taken::Wait { until: later(60) });
        assert_eq!(TEN.take(&empty, later(59)), Taken::Wait { until: later(60) });
        let Taken::Counted(again) = TEN.take(&empty, later(60)) else { panic!("one is back") };
        assert_eq!(again.failures, 10);
        assert_eq!(TEN.take(&again, later(61)), Taken::Wait { until: later(120) });
    }

    #[test]
    fn everything_comes_back_and_may_then_be_forgotten() {
        let empty = taken(10);
        assert_eq!(TEN.expires_at(&empty), later(600));
        let Taken::Counted(first) = TEN.take(&empty, later(600)) else { panic!("all is back") };
        assert_eq!(first.failures, 1);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_out_for_long() {
        let empty = Attempts { last_failed_at: later(1_000_000), ..taken(10) };
        assert_eq!(TEN.take(&empty, NOW), Taken::Wait { until: later(60) });
    }

    #[test]
    fn a_household_counts_as_one_address() {
        let same = |one: &str, two: &str| {
            neighbourhood(one.parse().unwrap()) == neighbourhood(two.parse().unwrap())
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:2"));
        assert!(!same("2001:db8:0:1::1", "2001:db8:0:2::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_site_is_what_its_networks_have_in_common() {
        let of = |text: &str| site(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:ffff::1"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
        assert_eq!(of("192.0.2.1"), None);
        assert_eq!(of("::ffff:192.0.2.1"), None);
    }

    proptest! {
        #[test]
        fn any_stored_state_is_answered(
            failures in any::<u32>(), last in any::<i64>(), now in any::<i64>(),
        ) {
            let last_failed_at = Timestamp::from_millis(last);
            let state = Attempts { failures, last_failed_at, blocked_until: None };
            let _expires = TEN.expires_at(&state);
            let now = Timestamp::from_millis(now);
            match TEN.take(&state, now) {
                Taken::Counted(next) => prop_assert!(next.failures <= 10),
                Taken::Wait { until } => prop_assert!(until >= now),
            }
        }
    }
}
