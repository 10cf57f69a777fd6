//! Revocations: what makes a token dead before it expires.

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

#[cfg(test)]
mod tests {
    use super::*;

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
