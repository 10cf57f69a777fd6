//! Keys: the public halves in clear, the private ones sealed by the caller. Which one is active
//! follows from the times. Reference data: every write moves the snapshot's version on.

use std::fmt;

use munjigi_core::time::Timestamp;

use crate::columns::as_word;
use crate::{FromValue, ReadTx, Result, Row, ToValue, Tx, Value, counters, params};

/// What [`StoreError::Unique`](crate::StoreError::Unique) names when there is such a key already.
pub const KID_TAKEN: &str = "key.kid";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// It signs tokens; its public half is published.
    Sign,
    /// It authenticates what only this server reads.
    Mac,
}

/// A key as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name: the `kid` of what it signs.
    pub kid: String,
    /// What it is for.
    pub purpose: Purpose,
    /// The algorithm, as on the wire.
    pub algorithm: String,
    /// The public half as a JWK (RFC 7517), in JSON; a signing key has one.
    pub jwk: Option<String>,
    /// The private half, sealed; nothing once the key is destroyed.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it may sign.
    pub activates_at: Timestamp,
    /// From when on it signs no more.
    pub retires_at: Option<Timestamp>,
    /// When its private half was destroyed.
    pub destroyed_at: Option<Timestamp>,
    /// Since when nothing that it signed is taken, if it ended before its time.
    pub withdrawn_at: Option<Timestamp>,
    /// When it last signed, to five minutes.
    pub last_used_at: Option<Timestamp>,
}

/// Without the private half, sealed or not.
impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("purpose", &self.purpose)
            .field("algorithm", &self.algorithm)
            .field("activates_at", &self.activates_at)
            .field("retires_at", &self.retires_at)
            .field("destroyed_at", &self.destroyed_at)
            .finish_non_exhaustive()
    }
}

impl Purpose {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Mac => "mac",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Sign, Self::Mac].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

as_word! { Purpose: Purpose::parse, "what a key is for"; }

/// Adds a key.
///
/// # Errors
/// `Unique` with [`KID_TAKEN`].
pub fn insert(tx: &mut Tx<'_>, key: &StoredKey) -> Result<()> {
    tx.exec(
        "INSERT INTO key (kid, purpose, algorithm, jwk, sealed, created_at, activates_at,
         retires_at, destroyed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            key.kid,
            key.purpose,
            key.algorithm,
            key.jwk,
            key.sealed,
            key.created_at,
            key.activates_at,
            key.retires_at,
            key.destroyed_at,
        ],
    )?;
    counters::reference_changed(tx)
}

/// Every key, the oldest first.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<StoredKey>> {
    let rows = tx.rows(
        "SELECT kid, purpose, algorithm, jwk, sealed, created_at, activates_at, retires_at,
         destroyed_at, withdrawn_at, last_used_at
         FROM key ORDER BY created_at, kid",
        params![],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// The key of this name.
pub fn find(tx: &mut ReadTx<'_>, kid: &str) -> Result<Option<StoredKey>> {
    let row = tx.find_row(
        "SELECT kid, purpose, algorithm, jwk, sealed, created_at, activates_at, retires_at,
         destroyed_at, withdrawn_at, last_used_at
         FROM key WHERE kid = $1",
        params![kid],
    )?;
    row.map(from_row).transpose()
}

/// Lets a key sign no more from `at` on; false when that was decided before, or it is not there.
pub fn retire(tx: &mut Tx<'_>, kid: &str, at: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE key SET retires_at = $2
         WHERE kid = $1 AND retires_at IS NULL AND destroyed_at IS NULL",
        params![kid, at],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Why a key comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing that it signed is alive any more.
    Over,
    /// Nothing that it signed is taken any more.
    Withdrawn,
}

/// Destroys the private half of a key for ever; false when that was done before, or it is not
/// there.
pub fn destroy(tx: &mut Tx<'_>, kid: &str, end: End, now: Timestamp) -> Result<bool> {
    let withdrawn_at = (end == End::Withdrawn).then_some(now);
    let changed = tx.exec(
        "UPDATE key SET sealed = NULL, destroyed_at = $2, withdrawn_at = $3
         WHERE kid = $1 AND destroyed_at IS NULL",
        params![kid, now, withdrawn_at],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Lets a key that waits sign from `at` on, which is sooner; false when it signs already, or is
/// not there.
pub fn hasten(tx: &mut Tx<'_>, kid: &str, at: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE key SET activates_at = $2
         WHERE kid = $1 AND activates_at > $2 AND destroyed_at IS NULL",
        params![kid, at],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Lets a key that is to retire do so later; false when it is not to retire before, or is not
/// there.
pub fn postpone(tx: &mut Tx<'_>, kid: &str, retires_at: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE key SET retires_at = $2
         WHERE kid = $1 AND retires_at < $2 AND destroyed_at IS NULL",
        params![kid, retires_at],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Replaces the sealed private half (another key-encryption key) if it is still the one that was
/// read; false when it is not, or the key is destroyed.
pub fn reseal(tx: &mut Tx<'_>, kid: &str, was: &[u8], sealed: &[u8]) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE key SET sealed = $3 WHERE kid = $1 AND sealed = $2 AND destroyed_at IS NULL",
        params![kid, was, sealed],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Notes when a key last signed, if that was later than what is known. Not reference data: nobody
/// reads it but people, and it changes all the time.
pub fn note_use(tx: &mut Tx<'_>, kid: &str, at: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE key SET last_used_at = $2
         WHERE kid = $1 AND (last_used_at IS NULL OR last_used_at < $2)",
        params![kid, at],
    )?;
    Ok(changed > 0)
}

fn from_row(mut row: Row) -> Result<StoredKey> {
    Ok(StoredKey {
        kid: row.take(0)?,
        purpose: row.take(1)?,
        algorithm: row.take(2)?,
        jwk: row.take(3)?,
        sealed: row.take(4)?,
        created_at: row.take(5)?,
        activates_at: row.take(6)?,
        retires_at: row.take(7)?,
        destroyed_at: row.take(8)?,
        withdrawn_at: row.take(9)?,
        last_used_at: row.take(10)?,
    })
}
