//! The key ring: signing keys by algorithm and time, and the root secret behind MACs.
//!
//! Which key signs follows from the times in its row, not from a state that somebody has to
//! change: pending before `activates_at`, active until one that was made later is, retiring until
//! `retires_at`, then destroyed. So several nodes agree without talking.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::secret::keyed_hash;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::keys::{Purpose, StoredKey};
use munjigi_token::{Algorithm, Jwk, Jwks, KeySet, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::accounts::rfc3339;
use crate::random;
use crate::seal::{EncryptionKey, SealError};

/// How long a new key is published before it signs (`architecture.md`, Keys).
pub const PUBLISH_AHEAD: Span = Span::from_hours(24);
/// How long a key stays published after the last token that it signed has expired.
pub const RETIRE_AFTER: Span = Span::from_hours(1);

/// How far the clocks of two nodes may be apart: a key that signs elsewhere already is taken here.
const CLOCKS_APART: Span = Span::from_minutes(2);
/// How exactly it is known when a key last signed.
const USE_PRECISION: Span = Span::from_minutes(5);

/// What is wrong with the keys.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A sealed key does not open, or could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key in the database is no key.
    #[error("key {kid} in the database is damaged: {source}")]
    Damaged {
        /// Which one.
        kid: String,
        /// How.
        source: munjigi_token::Error,
    },
    /// There is no root secret.
    #[error("the database holds no MAC key")]
    NoRoot,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] random::NoRandomness),
    /// A key could not be made.
    #[error("a signing key could not be made: {0}")]
    Generate(munjigi_token::Error),
}

/// One signing key and its times.
#[derive(Clone)]
struct Dated {
    public: Jwk,
    verifying: VerifyingKey,
    /// Nothing while this node cannot open it.
    private: Option<SigningKey>,
    created_at: Timestamp,
    activates_at: Timestamp,
    retires_at: Option<Timestamp>,
    last_use: Arc<LastUse>,
}

/// When a key last signed, as this node knows.
#[derive(Debug, Default)]
struct LastUse {
    /// Unix milliseconds, a multiple of the precision; zero before the first time.
    at: AtomicI64,
    /// What of it stands in the database.
    written: AtomicI64,
}

/// The keys of one moment.
pub struct KeyRing {
    signing: Vec<Dated>,
    published: KeySet,
    accepted: KeySet,
    jwks: Jwks,
    /// Keys the MAC of refresh tokens.
    pub refresh: Zeroizing<[u8; 32]>,
    /// Keys the hash under which attempts are counted.
    pub attempts: Zeroizing<[u8; 32]>,
    /// Keys what is kept of the codes that devices show.
    pub user_codes: Zeroizing<[u8; 32]>,
    root: Zeroizing<[u8; 32]>,
}

/// The state of a key, as shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Published, not yet signing.
    Pending,
    /// Signing.
    Active,
    /// Published, no longer signing.
    Retiring,
    /// Its private half is gone.
    Destroyed,
}

impl State {
    /// As shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Destroyed => "destroyed",
        }
    }

    /// The state of `key` among `all` keys at `now`.
    pub fn of(key: &StoredKey, all: &[StoredKey], now: Timestamp) -> Self {
        if key.destroyed_at.is_some() {
            return Self::Destroyed;
        }
        if now < key.activates_at {
            return Self::Pending;
        }
        let superseded = all.iter().any(|other| {
            other.purpose == key.purpose
                && other.algorithm == key.algorithm
                && other.created_at > key.created_at
                && other.activates_at <= now
        });
        if superseded { Self::Retiring } else { Self::Active }
    }
}

impl KeyRing {
    /// Opens the keys of the database, as they are at `now`.
    ///
    /// What a running node has open already, it goes on with: `known` are its keys of a moment ago.
    /// So a node that was not told of a new key-encryption key signs as long as it runs; a key that
    /// it cannot open is published by it, and signed with by others.
    pub fn open(
        stored: &[StoredKey],
        kek: &EncryptionKey,
        now: Timestamp,
        known: Option<&Self>,
    ) -> Result<Self, KeyError> {
        let mut signing = Vec::new();
        let mut root = known.map(|known| known.root.clone());
        for key in stored {
            let Some(sealed) = &key.sealed else { continue };
            match key.purpose {
                Purpose::Mac if root.is_some() => {}
                Purpose::Mac => {
                    let plain = kek.open(&place(&key.kid), sealed)?;
                    root = plain.first_chunk::<32>().copied().map(Zeroizing::new);
                }
                Purpose::Sign if key.retires_at.is_some_and(|at| at <= now) => {}
                Purpose::Sign => signing.push(Dated::open(key, sealed, kek, known)?),
            }
        }
        let root = root.ok_or(KeyError::NoRoot)?;
        let derive = |label: &[u8]| Zeroizing::new(keyed_hash(&root, &[label]));
        let is_taken = |dated: &&Dated| dated.activates_at <= now.plus(CLOCKS_APART);
        let verifying = |dated: &Dated| dated.verifying.clone();
        Ok(Self {
            published: KeySet::from_keys(signing.iter().map(verifying)),
            accepted: KeySet::from_keys(signing.iter().filter(is_taken).map(verifying)),
            jwks: Jwks { keys: signing.iter().map(|dated| dated.public.clone()).collect() },
            signing,
            refresh: derive(b"refresh token"),
            attempts: derive(b"attempts"),
            user_codes: derive(b"user code"),
            root,
        })
    }

    /// The key that signs with `algorithm` at `now`.
    pub fn active(&self, algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
        self.find_active(algorithm, now).and_then(|dated| dated.private.as_ref())
    }

    /// The same, to sign with: it is noted that it did.
    pub fn signer(&self, algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
        let dated = self.find_active(algorithm, now)?;
        dated.last_use.note(now);
        dated.private.as_ref()
    }

    fn find_active(&self, algorithm: Algorithm, now: Timestamp) -> Option<&Dated> {
        let is_ready = |dated: &&Dated| {
            let is_due = dated.activates_at <= now;
            dated.verifying.algorithm() == algorithm && is_due && dated.private.is_some()
        };
        self.signing.iter().filter(is_ready).max_by_key(|dated| dated.created_at)
    }

    /// Every key that is published: those among them that do not sign yet, too.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    /// Every key whose signatures are taken here: nobody signs with one that is yet to begin.
    pub fn accepted(&self) -> &KeySet {
        &self.accepted
    }

    /// The published keys as a document (RFC 7517 §5).
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// The keys that signed since that was last asked and written down, and when.
    pub(crate) fn uses(&self) -> Vec<(String, Timestamp)> {
        let used = self.signing.iter().filter_map(|dated| {
            let kid = dated.verifying.kid()?.to_owned();
            dated.last_use.unwritten().map(|at| (kid, at))
        });
        used.collect()
    }

    /// Notes that the use of a key stands in the database.
    pub(crate) fn wrote_use(&self, kid: &str, at: Timestamp) {
        let of = self.signing.iter().filter(|dated| dated.verifying.kid() == Some(kid));
        of.for_each(|dated| dated.last_use.written.store(at.as_millis(), Ordering::Relaxed));
    }

    /// The algorithms that a client can have its tokens signed with: all of them, since a key is
    /// made for the first client that asks. RS256 alone is waited for, on the very first start.
    pub fn for_clients(&self, now: Timestamp) -> Vec<Algorithm> {
        let is_ready = |it: &Algorithm| *it != Algorithm::Rs256 || self.active(*it, now).is_some();
        ALGORITHMS.into_iter().filter(is_ready).collect()
    }

    /// When something changes by itself next: a key is taken, signs, or is published no more.
    pub fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let times = self.signing.iter().flat_map(|dated| {
            let taken_at = dated.activates_at.minus(CLOCKS_APART);
            [Some(taken_at), Some(dated.activates_at), dated.retires_at]
        });
        times.flatten().filter(|at| *at > now).min()
    }

    /// When the next key of some algorithm is to be made, if keys live for so long.
    pub(crate) fn due_at(&self, lifetime: Span, now: Timestamp) -> Option<Timestamp> {
        let all = self.last_ones(now).into_iter();
        all.map(|dated| dated.due_at(lifetime)).filter(|at| *at > now).min()
    }

    /// The keys whose successors are to be made by now.
    pub(crate) fn due(&self, lifetime: Span, now: Timestamp) -> Vec<Due> {
        let all = self.last_ones(now).into_iter().filter(|dated| dated.due_at(lifetime) <= now);
        let due = all.map(|dated| Due {
            kid: dated.verifying.kid().unwrap_or_default().to_owned(),
            algorithm: dated.verifying.algorithm(),
            activates_at: dated.activates_at.plus(lifetime).max(now.plus(PUBLISH_AHEAD)),
        });
        due.collect()
    }

    /// The keys that sign, and that no other one waits to follow.
    fn last_ones(&self, now: Timestamp) -> Vec<&Dated> {
        let is_last = |dated: &&Dated| {
            let is_newer = |other: &Dated| {
                other.verifying.algorithm() == dated.verifying.algorithm()
                    && other.created_at > dated.created_at
            };
            dated.activates_at <= now && !self.signing.iter().any(is_newer)
        };
        self.signing.iter().filter(is_last).collect()
    }

    /// Since when the key of each algorithm signs that does at `now`.
    pub fn active_since(&self, now: Timestamp) -> Vec<(Algorithm, Timestamp)> {
        let signing = |algorithm| {
            self.find_active(algorithm, now).map(|dated| (algorithm, dated.activates_at))
        };
        ALGORITHMS.into_iter().filter_map(signing).collect()
    }

    /// A secret for a named use, the same on every node and after every restart.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(keyed_hash(&self.root, &[b"derived", label.as_bytes()]))
    }
}

/// A key whose successor is to be made.
pub(crate) struct Due {
    /// Which one.
    pub kid: String,
    /// What the next one signs with.
    pub algorithm: Algorithm,
    /// When the next one begins to.
    pub activates_at: Timestamp,
}

impl Dated {
    /// When its successor is to be published, so that it signs when this one is that old.
    fn due_at(&self, lifetime: Span) -> Timestamp {
        self.activates_at.plus(lifetime).minus(PUBLISH_AHEAD)
    }

    fn open(
        key: &StoredKey,
        sealed: &[u8],
        kek: &EncryptionKey,
        known: Option<&KeyRing>,
    ) -> Result<Self, KeyError> {
        let StoredKey { created_at, activates_at, retires_at, .. } = *key;
        let same = |dated: &&Self| dated.verifying.kid() == Some(&key.kid);
        if let Some(open) = known.and_then(|known| known.signing.iter().find(same))
            && open.private.is_some()
        {
            return Ok(Self { created_at, activates_at, retires_at, ..open.clone() });
        }
        let damaged = |source| KeyError::Damaged { kid: key.kid.clone(), source };
        let public = Jwk::parse(key.jwk.as_deref().unwrap_or_default().as_bytes());
        let public = public.map_err(damaged)?;
        let private = match kek.open(&place(&key.kid), sealed) {
            Ok(plain) => {
                let algorithm: Algorithm = key.algorithm.parse().map_err(damaged)?;
                Some(SigningKey::from_pkcs8(algorithm, &key.kid, &plain).map_err(damaged)?)
            }
            Err(error) if known.is_none() => return Err(error.into()),
            Err(error) => {
                tracing::error!(kid = key.kid, %error, "this node does not sign with this key");
                None
            }
        };
        let verifying = VerifyingKey::from_jwk(&public).map_err(damaged)?;
        let last_use = Arc::default();
        Ok(Self { public, verifying, private, created_at, activates_at, retires_at, last_use })
    }
}

impl LastUse {
    /// Once in so many minutes a store, and else a load.
    fn note(&self, now: Timestamp) {
        let step = USE_PRECISION.as_millis();
        let at = now.as_millis().div_euclid(step).saturating_mul(step);
        if self.at.load(Ordering::Relaxed) != at {
            self.at.store(at, Ordering::Relaxed);
        }
    }

    fn unwritten(&self) -> Option<Timestamp> {
        let at = self.at.load(Ordering::Relaxed);
        (at > self.written.load(Ordering::Relaxed)).then_some(Timestamp::from_millis(at))
    }
}

/// The place that a sealed key is bound to.
pub(crate) fn place(kid: &str) -> String {
    format!("key/{kid}")
}

/// A new signing key for the database, sealed. RSA takes a good part of a second: not for a
/// thread that has other things to do.
pub fn generate(
    algorithm: Algorithm,
    kek: &EncryptionKey,
    now: Timestamp,
    activates_at: Timestamp,
) -> Result<StoredKey, KeyError> {
    let key = SigningKey::generate(algorithm).map_err(KeyError::Generate)?;
    let wrong = KeyError::Generate;
    let der = key.to_pkcs8().ok_or(SealError::DoesNotSeal)?;
    let jwk = key.public_jwk().ok_or(SealError::DoesNotSeal)?;
    let jwk = serde_json::to_string(&jwk).map_err(|_| wrong(munjigi_token::Error::BadKey))?;
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        purpose: Purpose::Sign,
        algorithm: algorithm.as_str().to_owned(),
        jwk: Some(jwk),
        sealed: Some(kek.seal(&place(key.kid()), &der)?),
        created_at: now,
        activates_at,
        retires_at: None,
        destroyed_at: None,
        withdrawn_at: None,
        last_used_at: None,
    })
}

/// A new root secret for the database, sealed.
pub fn generate_root(kek: &EncryptionKey, now: Timestamp) -> Result<StoredKey, KeyError> {
    let secret = Zeroizing::new(random::bytes::<32>()?);
    let kid = "root".to_owned();
    Ok(StoredKey {
        sealed: Some(kek.seal(&place(&kid), secret.as_slice())?),
        kid,
        purpose: Purpose::Mac,
        algorithm: "HS256".to_owned(),
        jwk: None,
        created_at: now,
        activates_at: now,
        retires_at: None,
        destroyed_at: None,
        withdrawn_at: None,
        last_used_at: None,
    })
}

/// A key as it is shown: never its private half.
pub fn show_key(key: &StoredKey, state: State) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "purpose": key.purpose.as_str(),
        "state": state.as_str(),
        "created_at": rfc3339(key.created_at),
        "activates_at": rfc3339(key.activates_at),
        "retires_at": key.retires_at.map(rfc3339),
        "destroyed_at": key.destroyed_at.map(rfc3339),
        "withdrawn_at": key.withdrawn_at.map(rfc3339),
        "last_used_at": key.last_used_at.map(rfc3339),
    })
}

/// A key ring that is replaced as a whole.
pub type SharedKeyRing = Arc<KeyRing>;
