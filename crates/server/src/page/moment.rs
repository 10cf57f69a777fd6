//! Points in time as people read them. Korean pages show Korea's time (it has no summer time), the
//! others UTC: a server does not know where somebody is, and says which time it means.

use jiff::Timestamp as Instant;
use jiff::tz::{Offset, TimeZone};
use munjigi_core::time::Timestamp;

use crate::page::locale::Locale;

/// A point in time, for `<time>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// For programs: RFC 3339, UTC.
    pub machine: String,
    /// For people.
    pub text: String,
}

impl Moment {
    /// In a language.
    pub fn new(locale: Locale, at: Timestamp) -> Self {
        let Ok(instant) = Instant::from_second(at.as_seconds()) else { return Self::default() };
        let (offset, shape) = match locale {
            Locale::English => (0, "%-d %b %Y, %H:%M UTC"),
            Locale::Korean => (9, "%Y년 %-m월 %-d일 %H:%M (한국 시각)"),
        };
        let zone = TimeZone::fixed(Offset::constant(offset));
        let text = instant.to_zoned(zone).strftime(shape).to_string();
        Self { machine: instant.to_string(), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_says_which_one_it_is() {
        let at = Timestamp::from_seconds(1_700_000_000);
        let korean = Moment::new(Locale::Korean, at);
        assert_eq!(Moment::new(Locale::English, at).text, "14 Nov 2023, 22:13 UTC");
        assert_eq!(korean.text, "2023년 11월 15일 07:13 (한국 시각)");
        assert_eq!(korean.machine, "2023-11-14T22:13:20Z");
        assert_eq!(
            Moment::new(Locale::Korean, Timestamp::from_millis(i64::MAX)),
            Moment::default()
        );
    }
}
