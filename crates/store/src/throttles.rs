//! The attempt ledger: how often something was guessed at, under a keyed hash of what it was, so
//! that the table tells nobody who was asked for. What a row means is decided by [`Attempts`].

use munjigi_core::account::attempts::Attempts;
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Tx, params};

/// What is known of the guesses at `key`; nothing when there were none lately.
pub fn find(tx: &mut ReadTx<'_>, key: &[u8; 32]) -> Result<Option<Attempts>> {
    let row = tx.find_row(
        "SELECT failures, last_failed_at, blocked_until FROM throttle WHERE key = $1",
        params![key],
    )?;
    row.map(|mut row| {
        Ok(Attempts {
            failures: row.take(0)?,
            last_failed_at: row.take(1)?,
            blocked_until: row.take(2)?,
        })
    })
    .transpose()
}

/// Writes down what is known of the guesses at `key`, until it may be forgotten.
pub fn put(
    tx: &mut Tx<'_>,
    key: &[u8; 32],
    attempts: &Attempts,
    expires_at: Timestamp,
) -> Result<()> {
    tx.push(
        "INSERT INTO throttle (key, failures, last_failed_at, blocked_until, expires_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (key) DO UPDATE SET failures = excluded.failures,
         last_failed_at = excluded.last_failed_at, blocked_until = excluded.blocked_until,
         expires_at = excluded.expires_at",
        params![
            key,
            attempts.failures,
            attempts.last_failed_at,
            attempts.blocked_until,
            expires_at,
        ],
    )
}

/// Forgets the guesses at `key`.
pub fn clear(tx: &mut Tx<'_>, key: &[u8; 32]) -> Result<()> {
    tx.push("DELETE FROM throttle WHERE key = $1", params![key])
}

/// Deletes what may be forgotten, at most `limit` rows; how many.
pub fn forget_expired(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM throttle WHERE key IN (
             SELECT old.key FROM throttle old WHERE old.expires_at <= $1
             ORDER BY old.expires_at LIMIT $2)",
        params![now, limit],
    )
}
