//! Secrets that single APIs share with this server (HS256), sealed by the caller. Reference data:
//! every write moves the snapshot's version on.

use std::fmt;

use munjigi_core::oauth::api::Audience;
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, counters, params};

/// A secret as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// Its name: the `kid` of what it signs.
    pub kid: String,
    /// The API that it is of.
    pub audience: Audience,
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it may sign.
    pub activates_at: Timestamp,
    /// From when on nothing that it signed is taken.
    pub expires_at: Option<Timestamp>,
}

/// Without the secret, sealed or not.
impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecret")
            .field("kid", &self.kid)
            .field("audience", &self.audience)
            .field("activates_at", &self.activates_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Adds a secret.
///
/// # Errors
/// `ForeignKey` when there is no such API.
pub fn insert(tx: &mut Tx<'_>, secret: &StoredSecret) -> Result<()> {
    tx.exec(
        "INSERT INTO api_secret (kid, audience, sealed, created_at, activates_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            secret.kid,
            secret.audience,
            secret.sealed,
            secret.created_at,
            secret.activates_at,
            secret.expires_at,
        ],
    )?;
    counters::reference_changed(tx)
}

/// Every secret, the oldest first.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<StoredSecret>> {
    let rows = tx.rows(
        "SELECT kid, audience, sealed, created_at, activates_at, expires_at
         FROM api_secret ORDER BY created_at, kid",
        params![],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// The secrets of one API, the oldest first.
pub fn of_api(tx: &mut ReadTx<'_>, audience: &str) -> Result<Vec<StoredSecret>> {
    let rows = tx.rows(
        "SELECT kid, audience, sealed, created_at, activates_at, expires_at
         FROM api_secret WHERE audience = $1 ORDER BY created_at, kid",
        params![audience],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// Lets the secrets of an API that are not to end do so at `at`; how many.
pub fn expire(tx: &mut Tx<'_>, audience: &str, at: Timestamp) -> Result<u64> {
    let changed = tx.exec(
        "UPDATE api_secret SET expires_at = $2 WHERE audience = $1 AND expires_at IS NULL",
        params![audience, at],
    )?;
    counters::reference_changed_if(tx, changed)?;
    Ok(changed)
}

/// Deletes the secrets of an API at once; how many.
pub fn delete(tx: &mut Tx<'_>, audience: &str) -> Result<u64> {
    let changed = tx.exec("DELETE FROM api_secret WHERE audience = $1", params![audience])?;
    counters::reference_changed_if(tx, changed)?;
    Ok(changed)
}

/// Deletes a secret at once; false when it is gone.
pub fn delete_one(tx: &mut Tx<'_>, kid: &str) -> Result<bool> {
    let changed = tx.exec("DELETE FROM api_secret WHERE kid = $1", params![kid])?;
    counters::reference_changed_if(tx, changed)
}

/// Deletes secrets that are over; how many.
pub fn forget_expired(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    let changed = tx.exec("DELETE FROM api_secret WHERE expires_at <= $1", params![now])?;
    counters::reference_changed_if(tx, changed)?;
    Ok(changed)
}

/// Replaces what is sealed (another key-encryption key) if it is still what was read; false when it
/// is not.
pub fn reseal(tx: &mut Tx<'_>, kid: &str, was: &[u8], sealed: &[u8]) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE api_secret SET sealed = $3 WHERE kid = $1 AND sealed = $2",
        params![kid, was, sealed],
    )?;
    counters::reference_changed_if(tx, changed)
}

fn from_row(mut row: Row) -> Result<StoredSecret> {
    Ok(StoredSecret {
        kid: row.take(0)?,
        audience: row.take(1)?,
        sealed: row.take(2)?,
        created_at: row.take(3)?,
        activates_at: row.take(4)?,
        expires_at: row.take(5)?,
    })
}
