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
/// Whoever learns of a revocation announces it here. Today that is the program which holds the
/// verifier: Munjigi's own server does it in the moment of the sign-out. The revocation feed, which
/// a later release brings, announces into this same set, so that resource servers in other
/// processes know as much; until then they refuse a revoked token when it expires.
///
/// The set is as large as what was revoked within the life of one access token: every entry says
/// until when it matters, and [`Revocations::forget_expired`] drops it then.
#[derive(Debug, Default)]
pub struct Revocations {
    /// Asked first, so that an empty set costs one load.
    entries: AtomicUsize,
    by_name: RwLock<Table>,
}

/// By the hash of kind and key, so that a lookup makes no key; equal hashes stand side by side.
#[derive(Debug, Default)]
struct Table {
    hasher: RandomState,
    names: HashMap<u64, Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: RevocationKind,
    key: Box<str>,
    not_before: i64,
    until: i64,
}

impl Revocations {
    /// Takes a revocation in. Announced twice, the stricter of each time counts.
    ///
    /// `not_before` is in Unix seconds and is compared with `iat`; from `until`, in Unix
    /// milliseconds, no token that it could kill is alive.
    pub fn announce(&self, kind: RevocationKind, key: &str, not_before: i64, until: i64) {
        let mut table = self.write();
        let name = table.name(kind, key);
        let entries = table.names.entry(name).or_default();
        match entries.iter_mut().find(|entry| entry.is(kind, key)) {
            Some(entry) => {
                entry.not_before = entry.not_before.max(not_before);
                entry.until = entry.until.max(until);
            }
            None => {
                entries.push(Entry { kind, key: key.into(), not_before, until });
                self.entries.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Drops what matters no longer at `now`, in Unix milliseconds; returns how many.
    pub fn forget_expired(&self, now: i64) -> usize {
        let mut table = self.write();
        let before = self.len();
        table.names.retain(|_, entries| {
            entries.retain(|entry| entry.until > now);
            !entries.is_empty()
        });
        let left = table.names.values().map(Vec::len).sum();
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
        let set = Revocations::default();
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
        let set = Revocations::default();
        set.announce(RevocationKind::Session, "same", 100, 5_000);
        assert_eq!(set.not_before(RevocationKind::Grant, "same"), None);
        assert_eq!(set.not_before(RevocationKind::Session, "other"), None);
        assert_eq!(set.not_before(RevocationKind::Session, "same"), Some(100));
    }

    #[test]
    fn every_kind_is_read_back() {
        for kind in RevocationKind::ALL {
            assert_eq!(RevocationKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(RevocationKind::parse("Grant"), None);
    }
}
