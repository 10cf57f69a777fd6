//! Tokens that let somebody register clients (RFC 7591 §3), by their hash.

use munjigi_core::oauth::registration_token::RegistrationToken;
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, params};

/// How many tokens [`list`] shows at most.
pub const MAX_LISTED: u32 = 200;

/// Adds a token.
pub fn insert(tx: &mut Tx<'_>, token: &RegistrationToken) -> Result<()> {
    tx.push(
        "INSERT INTO registration_token (hash, created_at, expires_at, remaining)
         VALUES ($1, $2, $3, $4)",
        params![token.hash, token.created_at, token.expires_at, token.remaining],
    )
}

/// The tokens that are still good, the newest first; at most [`MAX_LISTED`].
pub fn list(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Vec<RegistrationToken>> {
    let rows = tx.rows(
        "SELECT hash, created_at, expires_at, remaining FROM registration_token
         WHERE remaining > 0 AND expires_at > $1 ORDER BY created_at DESC, hash LIMIT $2",
        params![now, MAX_LISTED],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// Spends one of the registrations that a token is good for; false when none is left, when it is
/// too late, and for a token that there is not.
pub fn spend_one(tx: &mut Tx<'_>, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE registration_token SET remaining = remaining - 1
         WHERE hash = $1 AND remaining > 0 AND expires_at > $2",
        params![hash, now],
    )?;
    Ok(changed > 0)
}

/// Takes a token back; false when there is none.
pub fn delete(tx: &mut Tx<'_>, hash: &[u8; 32]) -> Result<bool> {
    Ok(tx.exec("DELETE FROM registration_token WHERE hash = $1", params![hash])? > 0)
}

/// Deletes tokens that expired before `before`, at most `limit`; how many.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM registration_token WHERE hash IN (
             SELECT old.hash FROM registration_token old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)",
        params![before, limit],
    )
}

fn from_row(mut row: Row) -> Result<RegistrationToken> {
    Ok(RegistrationToken {
        hash: row.take(0)?,
        created_at: row.take(1)?,
        expires_at: row.take(2)?,
        remaining: row.take(3)?,
    })
}
