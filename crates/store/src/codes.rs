//! Authorization codes (RFC 6749 §4.1.2). What the presentation of one means is decided by
//! [`Code::redeem`]; that it is good once, by the guard of [`spend`].

use munjigi_core::id::{ClientId, CodeId, UserId};
use munjigi_core::oauth::code::{Code, KEPT_TTL};
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, params};

/// Adds a code.
///
/// # Errors
/// `ForeignKey` when there is no such session or client.
pub fn insert(tx: &mut Tx<'_>, code: &Code) -> Result<()> {
    tx.push(
        "INSERT INTO code (user_id, id, hash, client_id, session_id, grant_id, redirect_uri,
         redirect_uri_named, challenge, nonce, scope, audiences, claims, dpop_jkt,
         authenticated_at, created_at, expires_at, spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        params![
            code.user_id,
            code.id,
            code.hash,
            code.client_id,
            code.session_id,
            code.grant_id,
            code.redirect_uri,
            i64::from(code.redirect_uri_named),
            code.challenge,
            code.nonce,
            code.scope,
            code.audiences,
            code.claims,
            code.dpop_jkt,
            code.authenticated_at,
            code.created_at,
            code.expires_at,
            code.spent_at,
        ],
    )
}

/// A code, spent or not.
pub fn find(tx: &mut ReadTx<'_>, user_id: &UserId, id: &CodeId) -> Result<Option<Code>> {
    let row = tx.find_row(
        "SELECT user_id, id, hash, client_id, session_id, grant_id, redirect_uri,
         redirect_uri_named, challenge, nonce, scope, audiences, claims, dpop_jkt,
         authenticated_at, created_at, expires_at, spent_at
         FROM code WHERE user_id = $1 AND id = $2",
        params![user_id, id],
    )?;
    row.map(from_row).transpose()
}

/// Spends a code; false when somebody else was first: of many callers one is told that it was them.
pub fn spend(tx: &mut Tx<'_>, user_id: &UserId, id: &CodeId, now: Timestamp) -> Result<bool> {
    // RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once."
    let changed = tx.exec(
        "UPDATE code SET spent_at = $3 WHERE user_id = $1 AND id = $2 AND spent_at IS NULL",
        params![user_id, id, now],
    )?;
    munjigi_core::planted!("code_spent_twice", return Ok(true));
    Ok(changed > 0)
}

/// Forgets the codes of a person for a client that nobody has redeemed yet: what they allowed, they
/// have taken back; how many.
pub fn forget_unspent(tx: &mut Tx<'_>, user_id: &UserId, client_id: &ClientId) -> Result<u64> {
    tx.exec(
        "DELETE FROM code WHERE user_id = $1 AND client_id = $2 AND spent_at IS NULL",
        params![user_id, client_id],
    )
}

/// Forgets codes that expired so long ago that nobody can use them any more, at most `limit`; how
/// many.
pub fn forget_expired(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM code WHERE (user_id, id) IN (
             SELECT user_id, id FROM code WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        params![now.minus(KEPT_TTL), limit],
    )
}

fn from_row(mut row: Row) -> Result<Code> {
    let redirect_uri_named: i64 = row.take(7)?;
    Ok(Code {
        user_id: row.take(0)?,
        id: row.take(1)?,
        hash: row.take(2)?,
        client_id: row.take(3)?,
        session_id: row.take(4)?,
        grant_id: row.take(5)?,
        redirect_uri: row.take(6)?,
        redirect_uri_named: redirect_uri_named != 0,
        challenge: row.take(8)?,
        nonce: row.take(9)?,
        scope: row.take(10)?,
        audiences: row.take(11)?,
        claims: row.take(12)?,
        dpop_jkt: row.take(13)?,
        authenticated_at: row.take(14)?,
        created_at: row.take(15)?,
        expires_at: row.take(16)?,
        spent_at: row.take(17)?,
    })
}
