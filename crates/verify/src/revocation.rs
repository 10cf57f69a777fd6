//! What is dead before it expires: a set in memory, looked at for every token, cached ones too.
//! It must not fetch anything and keeps no clock: times are passed in.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::principal::Principal;

/// What a revocation is about; with its key it names the tokens that are dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationKind {
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

impl RevocationKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Grant, Self::Session, Self::User, Self::Client, Self::Key];

    /// As announced.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Session => "session",
            Self::User => "user",
            Self::Client => "client",
            Self::Key => "key",
        }
    }

    /// Reads the announced form back.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn named_by(self, principal: &Principal) -> Option<&str> {
        match self {
            Self::Grant => principal.gid(),
            Self::Session => principal.sid(),
            Self::User => Some(principal.sub()),
            Self::Client => Some(principal.client_id()),
            Self::Key => principal.kid(),
        }
    }
}

/// The revocations that a verifier knows of: a token issued before `not_before` for any of the
/// things that it names is dead.
///
/// A verifier that follows the issuer's feed ([`Revocations`](crate::Revocations)) fills it by
/// itself. A program that learns of revocations in another way announces them here:
/// Munjigi's own server does so in the moment of the sign-out.
///
/// The set is as large as what was revoked within the life of one access token: every entry says
/// until when it matters, and [`RevocationSet::forget_expired`] drops it then.
#[derive(Debug, Default)]
pub struct RevocationSet {
    /// Asked first, so that an empty set costs one load.
    entries: AtomicUsize,
    by_name: RwLock<Table>,
}

/// By the hash of kind and key, so that a lookup makes no key; equal hashes stand side by side.
#[derive(Debug, Default)]
struct Table {
    hasher: RandomState,
    names: HashMap<u64, Vec<Entry>>,
    /// No entry is over before that; so nothing has to be looked through before it.
    first_over: Option<i64>,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: RevocationKind,
    key: Box<str>,
    not_before: i64,
    until: i64,
}

impl RevocationSet {
    /// Takes a revocation in. Announced twice, the stricter of each time counts.
    ///
    /// `not_before` is in Unix seconds and is compared with `iat`; from `until`, in Unix
    /// milliseconds, no token that it could kill is alive.
    pub fn announce(&self, kind: RevocationKind, key: &str, not_before: i64, until: i64) {
        self.announce_within(usize::MAX, (kind, key), (not_before, until));
    }

    /// The same, if there are not as many already; says whether it was taken in. What is there
    /// already may always become stricter.
    pub(crate) fn announce_within(
        &self,
        most: usize,
        (kind, key): (RevocationKind, &str),
        (not_before, until): (i64, i64),
    ) -> bool {
        let mut table = self.write();
        let has_room = self.len() < most;
        let name = table.name(kind, key);
        let known = table
            .names
            .get_mut(&name)
            .and_then(|entries| entries.iter_mut().find(|entry| entry.is(kind, key)));
        if let Some(entry) = known {
            entry.not_before = entry.not_before.max(not_before);
            entry.until = entry.until.max(until);
            return true;
        }
        if has_room {
            let entry = Entry { kind, key: key.into(), not_before, until };
            table.names.entry(name).or_insert_with(|| Vec::with_capacity(1)).push(entry);
            table.first_over = Some(table.first_over.map_or(until, |first| first.min(until)));
            self.entries.fetch_add(1, Ordering::Release);
        }
        has_room
    }

    /// Drops what matters no longer at `now`, in Unix milliseconds; returns how many.
    pub fn forget_expired(&self, now: i64) -> usize {
        if self.read().first_over.is_none_or(|first| now < first) {
            return 0;
        }
        let mut table = self.write();
        let before = self.len();
        table.names.retain(|_, entries| {
            entries.retain(|entry| entry.until > now);
            !entries.is_empty()
        });
        let left = table.names.values().map(Vec::len).sum();
        table.first_over = table.names.values().flatten().map(|entry| entry.until).min();
        self.entries.store(left, Ordering::Release);
        before.saturating_sub(left)
    }

    /// The Unix second before which tokens of this thing are dead, if it was revoked.
    pub fn not_before(&self, kind: RevocationKind, key: &str) -> Option<i64> {
        if self.is_empty() {
            return None;
        }
        self.read().find(kind, key)
    }

    /// How many revocations are held.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Acquire)
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What killed this token, if anything did.
    pub fn killer_of(&self, principal: &Principal) -> Option<RevocationKind> {
        if self.is_empty() {
            return None;
        }
        let table = self.read();
        RevocationKind::ALL.into_iter().find(|kind| {
            let not_before = kind.named_by(principal).and_then(|key| table.find(*kind, key));
            not_before.is_some_and(|second| principal.iat() < second)
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn name(&self, kind: RevocationKind, key: &str) -> u64 {
        self.hasher.hash_one((kind, key))
    }

    fn find(&self, kind: RevocationKind, key: &str) -> Option<i64> {
        let entries = self.names.get(&self.name(kind, key))?;
        entries.iter().find(|entry| entry.is(kind, key)).map(|entry| entry.not_before)
    }
}

impl Entry {
    fn is(&self, kind: RevocationKind, key: &str) -> bool {
        self.kind == kind && *self.key == *key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_announcements_counts() {
        let set = RevocationSet::default();
        set.announce(RevocationKind::User, "u", 100, 5_000);
        set.announce(RevocationKind::User, "u", 90, 9_000);
        assert_eq!(set.not_before(RevocationKind::User, "u"), Some(100));
        assert_eq!(set.len(), 1);
        assert_eq!(set.forget_expired(5_000), 0);
        assert_eq!(set.forget_expired(9_000), 1);
        assert!(set.is_empty());
        assert_eq!(set.not_before(RevocationKind::User, "u"), None);
    }

    #[test]
    fn a_key_of_one_kind_says_nothing_about_another() {
        let set = RevocationSet::default();
        set.announce(RevocationKind::Session, "same", 100, 5_000);
        assert_eq!(set.not_before(RevocationKind::Grant, "same"), None);
        assert_eq!(set.not_before(RevocationKind::Session, "other"), None);
        assert_eq!(set.not_before(RevocationKind::Session, "same"), Some(100));
    }

    #[test]
    fn a_full_set_takes_in_nothing_new_until_something_is_over() {
        let set = RevocationSet::default();
        let announce =
            |key: &str, until| set.announce_within(2, (RevocationKind::Session, key), (100, until));
        assert!(announce("a", 5_000));
        assert!(announce("b", 9_000));
        assert!(!announce("c", 9_000));
        assert!(announce("b", 10_000), "what is there may become stricter");
        assert_eq!((set.forget_expired(4_999), set.len()), (0, 2));
        assert_eq!((set.forget_expired(5_000), set.len()), (1, 1));
        assert!(announce("c", 9_000));
        assert_eq!(set.not_before(RevocationKind::Session, "c"), Some(100));
        assert_eq!((set.forget_expired(9_000), set.forget_expired(10_000)), (1, 1));
    }

    #[test]
    fn every_kind_is_read_back() {
        for kind in RevocationKind::ALL {
            assert_eq!(RevocationKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RevocationKind::parse("Grant"), None);
    }
}
