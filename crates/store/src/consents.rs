//! Consents: what a person allowed a client, one row each.

use munjigi_core::id::{ClientId, UserId};
use munjigi_core::oauth::consent::Consent;

use crate::{ReadTx, Result, Row, Tx, params};

/// How many consents [`list`] shows at most.
pub const MAX_LISTED: u32 = 200;

/// Writes a consent, in place of the one before.
///
/// # Errors
/// `ForeignKey` when there is no such person or client.
pub fn put(tx: &mut Tx<'_>, consent: &Consent) -> Result<()> {
    tx.push(
        "INSERT INTO consent (user_id, client_id, scope, audiences, granted_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, client_id) DO UPDATE
         SET scope = excluded.scope, audiences = excluded.audiences,
         granted_at = excluded.granted_at",
        params![
            consent.user_id,
            consent.client_id,
            consent.scope,
            consent.audiences,
            consent.granted_at,
        ],
    )
}

/// What a person allowed a client.
pub fn find(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    client_id: &ClientId,
) -> Result<Option<Consent>> {
    let row = tx.find_row(
        "SELECT user_id, client_id, scope, audiences, granted_at
         FROM consent WHERE user_id = $1 AND client_id = $2",
        params![user_id, client_id],
    )?;
    row.map(from_row).transpose()
}

/// What a person allowed whom, the newest first; at most [`MAX_LISTED`].
pub fn list(tx: &mut ReadTx<'_>, user_id: &UserId) -> Result<Vec<Consent>> {
    let rows = tx.rows(
        "SELECT user_id, client_id, scope, audiences, granted_at
         FROM consent WHERE user_id = $1 ORDER BY granted_at DESC, client_id LIMIT $2",
        params![user_id, MAX_LISTED],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// Takes a consent back; false when there was none.
pub fn delete(tx: &mut Tx<'_>, user_id: &UserId, client_id: &ClientId) -> Result<bool> {
    let deleted = tx.exec(
        "DELETE FROM consent WHERE user_id = $1 AND client_id = $2",
        params![user_id, client_id],
    )?;
    Ok(deleted > 0)
}

/// Takes back everything that a person allowed; how much that was.
pub fn delete_all(tx: &mut Tx<'_>, user_id: &UserId) -> Result<u64> {
    tx.exec("DELETE FROM consent WHERE user_id = $1", params![user_id])
}

fn from_row(mut row: Row) -> Result<Consent> {
    Ok(Consent {
        user_id: row.take(0)?,
        client_id: row.take(1)?,
        scope: row.take(2)?,
        audiences: row.take(3)?,
        granted_at: row.take(4)?,
    })
}
