//! How often may be guessed (NIST SP 800-63B-4 §3.2.2, ASVS 6.3.1): one ledger for each account,
//! for every kind of guess. Whoever fails on purpose makes it slow, and after a day of that closes
//! it to passwords from devices that are not known. Those that are have a ledger of their own, and
//! a new password, by mail or from an operator, begins anew.
//!
//! # A guess is counted before it is looked at
//!
//! ```text
//! transaction 1   take(state, now)   Counted → the state with one failure more is committed
//!                                    Wait    → refused, nothing is written, nothing is hashed
//! hashing pool    the password is hashed and compared
//! transaction 2   right              after_success: the state is clear again
//!                 wrong              nothing: it was counted already
//!                 never hashed       given_back: the pool was full, the guess was no guess
//! ```
//!
//! Were it counted afterwards, 200 guesses sent at once would all see a clear state. Like this each
//! sees, in a serializable transaction, those before it: of 200 exactly [`FREE_FAILURES`] are
//! hashed and the rest wait (from a device that is known [`FREE_FAILURES_AT_HOME`]). A success
//! clears the guesses that are being hashed at that moment too, at most as many; only somebody who
//! knows the password can make it happen.

use crate::time::{Span, Timestamp};

/// So many failures in a row cost nothing: people mistype.
pub const FREE_FAILURES: u32 = 5;
/// So many from a device with which somebody has signed in before: it is most likely theirs.
pub const FREE_FAILURES_AT_HOME: u32 = 10;
/// So many failures in a row, and no more, until they are forgotten.
pub const HARD_LIMIT: u32 = 100;
/// The wait after the last free failure; it doubles with each one more.
const FIRST_DELAY: Span = Span::from_seconds(1);
/// The longest wait.
const LONGEST_DELAY: Span = Span::from_minutes(15);
/// How long failures are remembered if nothing happens any more.
const KEPT_FOR: Span = Span::from_days(30);

/// What the ledger knows about one account, or about a name that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Failures in a row, guesses under way among them.
    pub failures: u32,
    /// When the last of them was counted.
    pub last_failed_at: Timestamp,
    /// Until when nothing may be guessed.
    pub blocked_until: Option<Timestamp>,
}

/// Whether one more guess may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It may.
    Allowed,
    /// Not before then. The answer is the same for right and wrong passwords, and for nobody's
    /// name.
    Wait {
        /// When the next guess may be made.
        until: Timestamp,
    },
}

/// What became of a wish to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is counted: store this state, commit, then look at the guess.
    Counted(Attempts),
    /// Not before then; there is nothing to store. Waiting longer is not asked of those who try too
    /// early, or a stranger could keep the owner out by trying on.
    Wait {
        /// When the next guess may be made.
        until: Timestamp,
    },
}

impl Attempts {
    /// No failure. A stored state that equals it may as well be deleted.
    pub const CLEAR: Self =
        Self { failures: 0, last_failed_at: Timestamp::from_millis(0), blocked_until: None };

    /// Whether one more guess may be made at `now`.
    pub fn may_attempt(&self, now: Timestamp) -> Attempt {
        match self.blocked_until {
            // A block longer than the longest there is was written before the clock was set back.
            Some(until) if until > now && until.since(now) <= LONGEST_DELAY => {
                Attempt::Wait { until }
            }
            _ => Attempt::Allowed,
        }
    }

    /// Counts an attempt before it is looked at, if one may be made at `now`; the first `free` ones
    /// are not delayed.
    pub fn take(&self, free: u32, now: Timestamp) -> Taken {
        match self.may_attempt(now) {
            Attempt::Allowed => Taken::Counted(self.after_failure(free, now)),
            Attempt::Wait { until } => Taken::Wait { until },
        }
    }

    /// The same for a guess at what proves who somebody is: after 100 failures in a row, none until
    /// they are forgotten (NIST SP 800-63B-4 §3.2.2).
    pub fn take_guess(&self, free: u32, now: Timestamp) -> Taken {
        let until = self.expires_at();
        // What was counted before the clock was set back does not hold.
        match self.failures >= HARD_LIMIT && self.last_failed_at <= now {
            true if now < until => Taken::Wait { until },
            true => Self::CLEAR.take(free, now),
            false => self.take(free, now),
        }
    }

    /// With one failure more, at `now`: the first `free` ones cost nothing, the last of them begins
    /// a delay of 1 s, and each one more doubles it, to 15 min at most.
    #[must_use]
    pub fn after_failure(&self, free: u32, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        Self { failures, last_failed_at: now, blocked_until: blocked_until(failures, free, now) }
    }

    /// After a success.
    #[must_use]
    pub const fn after_success(&self) -> Self {
        Self::CLEAR
    }

    /// Without one failure: a guess that was taken and never looked at. What others had counted in
    /// the meantime stays counted.
    #[must_use]
    pub fn given_back(&self, free: u32) -> Self {
        let failures = self.failures.saturating_sub(1);
        if failures == 0 {
            return Self::CLEAR;
        }
        let blocked_until = blocked_until(failures, free, self.last_failed_at);
        Self { failures, blocked_until, ..*self }
    }

    /// When it may be forgotten: 30 days after the last failure. Waiting for that is slower for a
    /// guesser than the longest delay.
    pub const fn expires_at(&self) -> Timestamp {
        self.last_failed_at.plus(KEPT_FOR)
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::CLEAR
    }
}

fn blocked_until(failures: u32, free: u32, last_failed_at: Timestamp) -> Option<Timestamp> {
    let doublings = failures.checked_sub(free)?;
    let factor = 1_i64.checked_shl(doublings.min(32)).unwrap_or(i64::MAX);
    let delay = FIRST_DELAY.as_millis().saturating_mul(factor).min(LONGEST_DELAY.as_millis());
    Some(last_failed_at.plus(Span::from_millis(delay)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const FREE: u32 = FREE_FAILURES;

    fn failed(times: u32) -> Attempts {
        failed_of(FREE, times)
    }

    fn failed_of(free: u32, times: u32) -> Attempts {
        (0..times).fold(Attempts::CLEAR, |state, _| state.after_failure(free, NOW))
    }

    fn wait(seconds: i64) -> Attempt {
        Attempt::Wait { until: NOW.plus(Span::from_seconds(seconds)) }
    }

    #[test]
    fn five_failures_are_free_and_then_the_delay_doubles_up_to_fifteen_minutes() {
        for times in 0..5 {
            assert_eq!(failed(times).may_attempt(NOW), Attempt::Allowed, "{times}");
        }
        let delays = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900];
        for (times, seconds) in (5..).zip(delays) {
            assert_eq!(failed(times).may_attempt(NOW), wait(seconds), "{times}");
        }
        for times in [99, 100, 101, 1_000] {
            assert_eq!(failed(times).may_attempt(NOW), wait(900), "{times}");
        }
    }

    #[test]
    fn ten_failures_are_free_at_home_and_then_it_is_as_elsewhere() {
        let home = FREE_FAILURES_AT_HOME;
        for times in 0..10 {
            assert_eq!(failed_of(home, times).may_attempt(NOW), Attempt::Allowed, "{times}");
        }
        for (times, seconds) in (10..).zip([1, 2, 4, 8]) {
            assert_eq!(failed_of(home, times).may_attempt(NOW), wait(seconds), "{times}");
        }
        assert_eq!(failed_of(home, 99).may_attempt(NOW), wait(900));
        let slow = NOW.plus(LONGEST_DELAY);
        assert!(matches!(failed_of(home, HARD_LIMIT).take_guess(home, slow), Taken::Wait { .. }));
    }

    #[test]
    fn the_wait_ends_at_its_time_and_not_before() {
        let state = failed(5);
        assert_eq!(state.may_attempt(NOW.plus(Span::from_millis(999))), wait(1));
        assert_eq!(state.may_attempt(NOW.plus(Span::from_millis(1_000))), Attempt::Allowed);
    }

    #[test]
    fn after_a_hundred_failures_in_a_row_nothing_is_guessed_until_they_are_forgotten() {
        let slow = NOW.plus(Span::from_minutes(15));
        assert!(matches!(failed(99).take_guess(FREE, slow), Taken::Counted(_)));
        let until = NOW.plus(KEPT_FOR);
        for later in [NOW, slow, until.minus(Span::from_millis(1))] {
            assert_eq!(failed(100).take_guess(FREE, later), Taken::Wait { until });
            assert_eq!(failed(101).take_guess(FREE, later), Taken::Wait { until });
        }
        let anew = Taken::Counted(Attempts::CLEAR.after_failure(FREE, until));
        assert_eq!(failed(100).take_guess(FREE, until), anew);
        assert!(matches!(failed(100).after_success().take_guess(FREE, NOW), Taken::Counted(_)));
        assert!(matches!(failed(100).take(FREE, slow), Taken::Counted(_)), "mails are no guesses");
    }

    /// LG-05: each of the parallel guesses takes in a serializable transaction, so one after
    /// another.
    #[test]
    fn of_two_hundred_parallel_guesses_five_are_looked_at() {
        let mut state = Attempts::CLEAR;
        let mut looked_at = 0;
        for _ in 0..200 {
            if let Taken::Counted(next) = state.take(FREE, NOW) {
                state = next;
                looked_at += 1;
            }
        }
        assert_eq!(looked_at, FREE_FAILURES);
        assert_eq!(state, failed(5), "those refused changed nothing");
    }

    #[test]
    fn a_patient_guesser_gets_a_hundred_guesses_in_a_month() {
        let (mut state, mut now, mut guesses) = (Attempts::CLEAR, NOW, 0);
        let end = NOW.plus(Span::from_days(30));
        while now < end {
            match state.take_guess(FREE, now) {
                Taken::Counted(next) => (state, guesses) = (next, guesses + 1),
                Taken::Wait { until } => now = until,
            }
        }
        assert_eq!(guesses, HARD_LIMIT);
    }

    #[test]
    fn a_success_clears_everything() {
        assert_eq!(failed(42).after_success(), Attempts::CLEAR);
    }

    #[test]
    fn a_guess_that_was_never_looked_at_is_given_back() {
        for free in [FREE_FAILURES, FREE_FAILURES_AT_HOME] {
            for times in 0..25 {
                let (one_more, state) = (failed_of(free, times + 1), failed_of(free, times));
                assert_eq!(one_more.given_back(free), state, "{times} of {free}");
            }
            assert_eq!(Attempts::CLEAR.given_back(free), Attempts::CLEAR);
        }
    }

    #[test]
    fn a_block_from_before_the_clock_was_set_back_does_not_hold() {
        let long_ago = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(failed(50).may_attempt(long_ago), Attempt::Allowed);
        assert_eq!(failed(50).after_failure(FREE, long_ago).failures, 51, "and it is counted");
        assert!(matches!(failed(100).take_guess(FREE, long_ago), Taken::Counted(_)));
    }

    proptest! {
        #[test]
        fn any_stored_state_is_answered(
            failures in any::<u32>(), last in any::<i64>(), until in any::<Option<i64>>(),
            now in any::<i64>(),
        ) {
            let state = Attempts {
                failures,
                last_failed_at: Timestamp::from_millis(last),
                blocked_until: until.map(Timestamp::from_millis),
            };
            let now = Timestamp::from_millis(now);
            let next = state.after_failure(FREE, now);
            prop_assert!(next.failures >= state.failures);
            prop_assert!(state.given_back(FREE).failures <= state.failures);
            if let Attempt::Wait { until } = next.may_attempt(now) {
                prop_assert!(until.since(now) <= LONGEST_DELAY);
            }
        }
    }
}
