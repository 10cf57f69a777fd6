//! The key ring: signing keys by algorithm and time, and the root secret behind MACs.
//!
//! Which key signs follows from the times in its row, not from a state that somebody has to
//! change: pending before `activates_at`, active until one that was made later is, retiring until
//! `retires_at`, then destroyed. So several nodes agree without talking.

use std::sync::Arc;

use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::secret::keyed_hash;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::keys::{Purpose, StoredKey};
use munjigi_token::{Algorithm, Jwks, KeySet, SigningKey};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random;
use crate::seal::{EncryptionKey, SealError};

/// How long a new key is published before it signs (`architecture.md`, Keys).
pub const PUBLISH_AHEAD: Span = Span::from_hours(24);
/// How long a key stays published after the last token that it signed has expired.
pub const RETIRE_AFTER: Span = Span::from_hours(1);

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
    key: SigningKey,
    created_at: Timestamp,
    activates_at: Timestamp,
    retires_at: Option<Timestamp>,
}

/// The keys of one moment.
pub struct KeyRing {
    signing: Vec<Dated>,
    published: KeySet,
    jwks: Jwks,
    /// Keys the MAC of refresh tokens.
    pub refresh: Zeroizing<[u8; 32]>,
    /// Keys the hash under which attempts are counted.
    pub attempts: Zeroizing<[u8; 32]>,
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
    /// Opens the keys of the database.
    pub fn open(stored: &[StoredKey], kek: &EncryptionKey) -> Result<Self, KeyError> {
        let mut signing = Vec::new();
        let mut root = None;
        for key in stored {
            let Some(sealed) = &key.sealed else { continue };
            let plain = kek.open(&place(&key.kid), sealed)?;
            match key.purpose {
                Purpose::Mac => root = plain.first_chunk::<32>().copied().map(Zeroizing::new),
                Purpose::Sign => signing.push(open_signing(key, &plain)?),
            }
        }
        let root = root.ok_or(KeyError::NoRoot)?;
        let derive = |label: &[u8]| Zeroizing::new(keyed_hash(&root, &[label]));
        let public = signing.iter().filter_map(|dated| dated.key.public_jwk()).collect();
        Ok(Self {
            published: KeySet::from_keys(signing.iter().map(|dated| dated.key.verifying_key())),
            jwks: Jwks { keys: public },
            signing,
            refresh: derive(b"refresh token"),
            attempts: derive(b"attempts"),
            root,
        })
    }

    /// The key that signs with `algorithm` at `now`.
    pub fn active(&self, algorithm: Algorithm, now: Timestamp) -> Option<&SigningKey> {
        self.signing
            .iter()
            .filter(|dated| dated.key.algorithm() == algorithm && dated.activates_at <= now)
            .max_by_key(|dated| dated.created_at)
            .map(|dated| &dated.key)
    }

    /// Every key whose signatures are taken.
    pub fn published(&self) -> &KeySet {
        &self.published
    }

    /// The same as a document (RFC 7517 §5).
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// The algorithms that a client can have its tokens signed with: all of them, since a key is
    /// made for the first client that asks. RS256 alone is waited for, on the very first start.
    pub fn for_clients(&self, now: Timestamp) -> Vec<Algorithm> {
        let is_ready = |it: &Algorithm| *it != Algorithm::Rs256 || self.active(*it, now).is_some();
        ALGORITHMS.into_iter().filter(is_ready).collect()
    }

    /// When something changes by itself next: a key becomes active or may be destroyed.
    pub fn changes_at(&self, now: Timestamp) -> Option<Timestamp> {
        let times =
            self.signing.iter().flat_map(|dated| [Some(dated.activates_at), dated.retires_at]);
        times.flatten().filter(|at| *at > now).min()
    }

    /// A secret for a named use, the same on every node and after every restart.
    pub fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(keyed_hash(&self.root, &[b"derived", label.as_bytes()]))
    }
}

fn open_signing(key: &StoredKey, plain: &[u8]) -> Result<Dated, KeyError> {
    let damaged = |source| KeyError::Damaged { kid: key.kid.clone(), source };
    let algorithm: Algorithm = key.algorithm.parse().map_err(damaged)?;
    let signing = SigningKey::from_pkcs8(algorithm, &key.kid, plain).map_err(damaged)?;
    let StoredKey { created_at, activates_at, retires_at, .. } = *key;
    Ok(Dated { key: signing, created_at, activates_at, retires_at })
}

/// The place that a sealed key is bound to.
fn place(kid: &str) -> String {
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
    })
}

/// A key ring that is replaced as a whole.
pub type SharedKeyRing = Arc<KeyRing>;
