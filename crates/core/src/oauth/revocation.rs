//! Revocations: what makes a token dead before it expires, and places in the feed of them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use munjigi_token::base64url;

use crate::time::{Span, Timestamp};

/// What a revocation is about; with its key it names the tokens that are dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One grant: the `gid` of tokens.
    Grant,
    /// One session: the `sid` of tokens.
    Session,
    /// One person: the `sub` of tokens.
    User,
    /// One client: the `client_id` of tokens.
    Client,
    /// One signing key: the `kid` of tokens.
    Key,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: &'static [Self] =
        &[Self::Grant, Self::Session, Self::User, Self::Client, Self::Key];

    /// As stored and announced.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Session => "session",
            Self::User => "user",
            Self::Client => "client",
            Self::Key => "key",
        }
    }

    /// Reads the stored form back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// For how long a verifier may go on with keys that it fetched, while it cannot fetch them again.
const KEYS_SERVED: Span = Span::from_hours(25);
/// The last second of the year 9999: later than any `iat`, and a number that every language reads.
/// Whatever is dead before it is dead for good.
pub const END_OF_TIME: i64 = 253_402_300_799;

/// One revocation: every token of `kind` and `key` issued before `not_before` is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its place in the feed; zero until it was announced.
    pub seq: i64,
    /// What it is about.
    pub kind: Kind,
    /// The grant, session, user, client or key, as in the token's claim.
    pub key: String,
    /// A token whose `iat` is before this, in Unix seconds, is dead.
    pub not_before: i64,
    /// From then on no token that it could kill is alive, and it may be forgotten.
    pub until: Timestamp,
}

impl Revocation {
    /// Ends everything issued for `key` until `now`. `longest_ttl` is the longest life of any
    /// access token: after it the revocation is without effect.
    ///
    /// `iat` has whole seconds, so `not_before` is the *next* second: a token of this very second
    /// is dead too. Tokens issued later in this second are given that next second as their `iat`.
    ///
    /// A grant or a session that ended never comes back: whatever names it is dead, and a token
    /// that was given a later `iat`, because of another revocation in this very second, too.
    pub fn now(kind: Kind, key: impl ToString, now: Timestamp, longest_ttl: Span) -> Self {
        // More than the longest life by the longest leeway that a verifier has.
        let until = now.plus(longest_ttl).plus(Span::from_minutes(6));
        let not_before = match kind {
            Kind::Grant | Kind::Session => until.as_seconds(),
            Kind::User | Kind::Client | Kind::Key => now.as_seconds().saturating_add(1),
        };
        Self { seq: 0, kind, key: key.to_string(), not_before, until }
    }

    /// Ends everything that a withdrawn key signed, whatever time a token of it claims: whoever has
    /// the key writes the claims. It is remembered until no verifier has the key any more.
    pub fn of_withdrawn_key(kid: &str, now: Timestamp, longest_ttl: Span) -> Self {
        let never = Self::now(Kind::Key, kid, now, longest_ttl.max(KEYS_SERVED));
        Self { not_before: END_OF_TIME, ..never }
    }

    /// The same, after another one for the same key with this `not_before`: a token that was given
    /// that one as its `iat`, in the same second, is dead as well.
    #[must_use]
    pub fn after(mut self, previous: Option<i64>) -> Self {
        if let (Some(previous), Kind::User | Kind::Client) = (previous, self.kind) {
            self.not_before = self.not_before.max(previous.saturating_add(1));
        }
        self
    }
}

/// A place in the feed: how far somebody has read, and a mark of what stood there.
///
/// The mark is what makes it safe. A database that was restored from a backup, or a standby that
/// was promoted before it had everything, gives places a second time, to other revocations. Who
/// read the first ones would miss the second ones; the mark tells them apart, and nobody has to
/// remember to count an epoch. Its text is a cursor, opaque to whoever holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    seq: i64,
    mark: [u8; 8],
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this feed")]
pub struct NoPlace;

/// What a cursor begins with, so that another kind of it can follow some day.
const VERSION: u8 = 1;

impl Place {
    /// Before everything.
    pub const BEGINNING: Self = Self { seq: 0, mark: [0; 8] };

    /// Right after this revocation.
    pub fn after(revocation: &Revocation) -> Self {
        let Revocation { seq, kind, key, not_before, until } = revocation;
        // The key comes last: nothing else can be longer than it says.
        let text = format!("{seq} {} {not_before} {} {key}", kind.as_str(), until.as_millis());
        let digest = digest(&SHA256, text.as_bytes());
        let mut mark = [0; 8];
        mark.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Self { seq: *seq, mark }
    }

    /// The number of the last entry before it; zero before the first.
    pub const fn seq(self) -> i64 {
        self.seq
    }

    /// Whether it is the one right after this revocation.
    pub fn is_after(self, revocation: &Revocation) -> bool {
        self.seq == revocation.seq && self == Self::after(revocation)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.mark);
        f.write_str(&base64url::encode(&bytes))
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let bytes = base64url::decode(text).map_err(|_| NoPlace)?;
        let (version, rest) = bytes.split_first().ok_or(NoPlace)?;
        let (seq, mark) = rest.split_at_checked(8).ok_or(NoPlace)?;
        let seq = i64::from_be_bytes(seq.try_into().map_err(|_| NoPlace)?);
        let mark = mark.try_into().map_err(|_| NoPlace)?;
        let place = Self { seq, mark };
        let is_beginning = seq == 0 && place == Self::BEGINNING;
        (*version == VERSION && (seq > 0 || is_beginning)).then_some(place).ok_or(NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: i64, key: &str) -> Revocation {
        let now = Timestamp::from_millis(5_900);
        Revocation { seq, ..Revocation::now(Kind::Session, key, now, Span::from_minutes(10)) }
    }

    #[test]
    fn a_cursor_is_read_back() {
        for place in [Place::BEGINNING, Place::after(&entry(7, "a"))] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        let negative = Place { seq: -1, mark: [0; 8] }.to_string();
        let nowhere = Place { seq: 0, mark: [1; 8] }.to_string();
        for wrong in ["", "x", "AQ", "AgAAAAAAAAAAAAAAAAAAAAA", &negative, &nowhere, "AQ=="] {
            assert_eq!(wrong.parse::<Place>(), Err(NoPlace), "{wrong}");
        }
        let longer = format!("{}AA", Place::BEGINNING);
        assert_eq!(longer.parse::<Place>(), Err(NoPlace));
    }

    #[test]
    fn the_same_place_of_another_history_is_another_place() {
        let place = Place::after(&entry(7, "a"));
        assert!(place.is_after(&entry(7, "a")));
        assert!(!place.is_after(&entry(7, "b")));
        assert!(!place.is_after(&entry(8, "a")));
        let later = Revocation { until: Timestamp::from_millis(1), ..entry(7, "a") };
        assert!(!place.is_after(&later));
    }

    #[test]
    fn a_token_of_the_same_second_is_dead() {
        let now = Timestamp::from_millis(5_900);
        let revocation = Revocation::now(Kind::User, "u", now, Span::from_minutes(10));
        assert!(now.as_seconds() < revocation.not_before);
        assert_eq!(revocation.until, Timestamp::from_millis(5_900 + 16 * 60_000));
    }

    #[test]
    fn nothing_of_a_grant_or_session_is_ever_alive_again() {
        let now = Timestamp::from_millis(5_900);
        for kind in [Kind::Grant, Kind::Session] {
            let revocation = Revocation::now(kind, "x", now, Span::from_minutes(10));
            assert_eq!(revocation.not_before, revocation.until.as_seconds());
        }
    }

    #[test]
    fn nothing_of_a_withdrawn_key_is_taken_whenever_it_claims_to_be_from() {
        let now = Timestamp::from_millis(5_900);
        let revocation = Revocation::of_withdrawn_key("kid", now, Span::from_minutes(10));
        assert!(revocation.not_before > now.plus(Span::from_days(36_600)).as_seconds());
        // A verifier that cannot reach us serves the key for a day.
        assert!(revocation.until > now.plus(Span::from_hours(24)));
    }

    #[test]
    fn the_second_one_in_a_second_kills_what_came_between() {
        let now = Timestamp::from_millis(5_900);
        let first = Revocation::now(Kind::User, "u", now, Span::from_minutes(10));
        let second = Revocation::now(Kind::User, "u", now, Span::from_minutes(10));
        let issued_between = first.not_before;
        assert!(issued_between < second.after(Some(first.not_before)).not_before);
    }

    #[test]
    fn every_kind_is_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(Kind::parse("Grant"), None);
    }
}
