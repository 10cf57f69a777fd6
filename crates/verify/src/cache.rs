//! Tokens that were verified before, by the digest of their text. Bounded in entries and in bytes.
//! It must not decide: expiry, keys and revocations are looked at again by the verifier.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::principal::Principal;

/// What an entry is counted as at least, so that the bytes bound the entries too.
const ENTRY_BYTES: u64 = 2_048;

/// SHA-256 of a token: a cache that leaks holds no token.
pub(crate) type Mark = [u8; 32];

/// A token that passed.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub principal: Arc<Principal>,
    /// The keys under which it passed: with other keys it is verified anew.
    pub generation: u64,
    weight: u32,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Mark, Remembered> for ByWeight {
    fn weight(&self, _: &Mark, value: &Remembered) -> u64 {
        u64::from(value.weight).max(ENTRY_BYTES)
    }
}

pub(crate) struct TokenCache(Option<Cache<Mark, Remembered, ByWeight>>);

impl TokenCache {
    /// At most this many tokens and 2 KiB for each of them; none at all for 0.
    pub fn new(entries: usize) -> Self {
        let bytes = u64::try_from(entries).unwrap_or(u64::MAX).saturating_mul(ENTRY_BYTES);
        Self((entries > 0).then(|| Cache::with_weighter(entries, bytes, ByWeight)))
    }

    /// The name of a token in here; `None` when nothing is remembered at all.
    pub fn mark(&self, token: &str) -> Option<Mark> {
        self.0.as_ref()?;
        Mark::try_from(digest(&SHA256, token.as_bytes()).as_ref()).ok()
    }

    pub fn find(&self, mark: &Mark) -> Option<Remembered> {
        self.0.as_ref()?.get(mark)
    }

    pub fn remember(&self, mark: Mark, principal: &Arc<Principal>, generation: u64, len: usize) {
        let Some(cache) = &self.0 else { return };
        // The claims are decoded strings: their text, its copies in lists, and the lists.
        let weight = u32::try_from(len.saturating_mul(2).saturating_add(512)).unwrap_or(u32::MAX);
        cache.insert(mark, Remembered { principal: Arc::clone(principal), generation, weight });
    }

    pub fn forget(&self, mark: &Mark) {
        if let Some(cache) = &self.0 {
            cache.remove(mark);
        }
    }

    pub fn forget_all(&self) {
        if let Some(cache) = &self.0 {
            cache.clear();
        }
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Cache::len)
    }
}
