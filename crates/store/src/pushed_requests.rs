//! Pushed authorization requests (RFC 9126), by the hash of their reference. Whether one may be
//! referred to is decided by [`PushedRequest::refer`].

use munjigi_core::oauth::pushed::PushedRequest;
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, params};

/// Adds a request.
///
/// # Errors
/// `ForeignKey` when there is no such client.
pub fn insert(tx: &mut Tx<'_>, pushed: &PushedRequest) -> Result<()> {
    tx.push(
        "INSERT INTO pushed_request (hash, client_id, parameters, dpop_jkt, created_at, expires_at,
         spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            pushed.hash,
            pushed.client_id,
            pushed.parameters,
            pushed.dpop_jkt,
            pushed.created_at,
            pushed.expires_at,
            pushed.spent_at,
        ],
    )
}

/// The request of a reference, whether it is still good or not.
pub fn find(tx: &mut ReadTx<'_>, hash: &[u8; 32]) -> Result<Option<PushedRequest>> {
    let row = tx.find_row(
        "SELECT hash, client_id, parameters, dpop_jkt, created_at, expires_at, spent_at
         FROM pushed_request WHERE hash = $1",
        params![hash],
    )?;
    row.map(from_row).transpose()
}

/// Spends a request; false when somebody else was first, or it is not there.
pub fn spend(tx: &mut Tx<'_>, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    // RFC 9126 §4: "SHOULD treat request_uri values as one-time use".
    let changed = tx.exec(
        "UPDATE pushed_request SET spent_at = $2 WHERE hash = $1 AND spent_at IS NULL",
        params![hash, now],
    )?;
    munjigi_core::planted!("pushed_request_spent_twice", return Ok(true));
    Ok(changed > 0)
}

/// Deletes requests that expired before `before`, at most `limit`; how many.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM pushed_request WHERE hash IN (
             SELECT old.hash FROM pushed_request old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)",
        params![before, limit],
    )
}

fn from_row(mut row: Row) -> Result<PushedRequest> {
    Ok(PushedRequest {
        hash: row.take(0)?,
        client_id: row.take(1)?,
        parameters: row.take(2)?,
        dpop_jkt: row.take(3)?,
        created_at: row.take(4)?,
        expires_at: row.take(5)?,
        spent_at: row.take(6)?,
    })
}
