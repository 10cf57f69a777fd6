//! The keys that a verifier trusts: handed in, or fetched from the issuer.
//! Readers take a snapshot and hold no lock; nobody holds one across a fetch.

#[cfg(feature = "remote")]
mod fetch;
#[cfg(feature = "remote")]
mod remote;
#[cfg(feature = "remote")]
mod timeline;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use munjigi_token::KeySet;

use crate::verifier::Status;

#[cfg(feature = "remote")]
pub(crate) use fetch::{FetchError, Source, is_usable_issuer, new_client, read_whole};
#[cfg(feature = "remote")]
use remote::Remote;

/// The keys of one moment.
pub(crate) struct Snapshot {
    pub keys: Arc<KeySet>,
    /// Counts how often the keys changed: a token that passed under others is verified anew.
    pub generation: u64,
    /// Until then nobody has to be asked; Unix milliseconds.
    pub fresh_until: i64,
}

/// Why a key is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// The issuer publishes no such key.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "an issuer is asked for it"))]
    Unknown,
    /// The issuer cannot be asked.
    #[cfg_attr(not(feature = "remote"), expect(dead_code, reason = "an issuer is asked for it"))]
    Unavailable { retry_after_seconds: u32 },
}

/// Where a verifier's keys are. Clones are the same keys.
#[derive(Clone)]
pub(crate) struct Keys {
    current: Arc<ArcSwap<Snapshot>>,
    #[cfg(feature = "remote")]
    remote: Option<Arc<Remote>>,
}

impl Keys {
    pub fn handed_in(keys: KeySet) -> Self {
        let snapshot = Snapshot { keys: Arc::new(keys), generation: 1, fresh_until: i64::MAX };
        Self {
            current: Arc::new(ArcSwap::from_pointee(snapshot)),
            #[cfg(feature = "remote")]
            remote: None,
        }
    }

    /// Fetched when the first token comes: the issuer need not be up before that.
    #[cfg(feature = "remote")]
    pub fn fetched(source: Source, clock: crate::Clock) -> Self {
        let nothing = Snapshot { keys: Arc::default(), generation: 0, fresh_until: i64::MIN };
        let current = Arc::new(ArcSwap::from_pointee(nothing));
        let remote = Remote::new(source, clock, Arc::clone(&current));
        Self { current, remote: Some(Arc::new(remote)) }
    }

    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Makes these the keys, of a verifier that fetches none.
    pub fn replace(&self, keys: KeySet) {
        if self.is_remote() {
            return;
        }
        let keys = Arc::new(keys);
        self.current.rcu(|old| Snapshot {
            keys: Arc::clone(&keys),
            generation: old.generation.wrapping_add(1),
            fresh_until: i64::MAX,
        });
    }

    /// Whether this key may be used without asking anybody, not even for fresher keys.
    pub fn are_at_hand(&self, now: i64, kid: Option<&str>) -> bool {
        let snapshot = self.snapshot();
        let is_known = kid.is_none_or(|kid| snapshot.keys.contains(kid));
        now < snapshot.fresh_until && (is_known || !self.is_remote())
    }

    fn is_remote(&self) -> bool {
        #[cfg(feature = "remote")]
        let is_remote = self.remote.is_some();
        #[cfg(not(feature = "remote"))]
        let is_remote = false;
        is_remote
    }

    /// Does what it takes so that the snapshot holds this key, or says why it cannot.
    #[cfg_attr(not(feature = "remote"), expect(clippy::unused_async, reason = "waits if remote"))]
    pub async fn obtain(&self, now: i64, kid: Option<&str>) -> Result<(), Lack> {
        #[cfg(feature = "remote")]
        if let Some(remote) = &self.remote {
            return remote.obtain(now, kid).await;
        }
        let _ = (now, kid);
        Ok(())
    }

    /// Whether the keys may serve a token that passed under them, although they are stale. Starts a
    /// fetch beside it when one is due.
    pub fn may_serve(&self, now: i64) -> bool {
        #[cfg(feature = "remote")]
        if let Some(remote) = &self.remote {
            return remote.may_serve(now);
        }
        let _ = now;
        true
    }

    /// The keys are fetched again at their next use.
    pub fn invalidate(&self) {
        #[cfg(feature = "remote")]
        if let Some(remote) = &self.remote {
            remote.invalidate();
        }
    }

    /// Puts what is known about the keys into `status`.
    pub fn report(&self, now: i64, status: &mut Status) {
        status.keys = self.snapshot().keys.len();
        status.is_ready = status.keys > 0;
        let _ = now;
        #[cfg(feature = "remote")]
        if let Some(remote) = &self.remote {
            remote.report(now, status);
        }
    }
}
