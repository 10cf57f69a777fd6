//! Links that were mailed. What it means to follow one is decided by [`Link::follow`]; that each is
//! good once, by the guard of [`spend`].

use munjigi_core::account::link::{Link, Purpose};
use munjigi_core::id::{LinkId, UserId};
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, params};

/// Adds a link.
///
/// # Errors
/// `ForeignKey` when there is no such person.
pub fn insert(tx: &mut Tx<'_>, link: &Link) -> Result<()> {
    tx.push(
        "INSERT INTO link (user_id, id, purpose, hash, email, created_at, expires_at, spent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            link.user_id,
            link.id,
            link.purpose,
            link.hash,
            link.email,
            link.created_at,
            link.expires_at,
            link.spent_at,
        ],
    )
}

/// A link, whether it is still good or not.
pub fn find(tx: &mut ReadTx<'_>, user_id: &UserId, id: &LinkId) -> Result<Option<Link>> {
    let row = tx.find_row(
        "SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND id = $2",
        params![user_id, id],
    )?;
    row.map(from_row).transpose()
}

/// The newest link of a person for a purpose that is still good.
pub fn find_live(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Link>> {
    let row = tx.find_row(
        "SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND purpose = $2 AND spent_at IS NULL AND expires_at > $3
         ORDER BY id DESC LIMIT 1",
        params![user_id, purpose, now],
    )?;
    row.map(from_row).transpose()
}

/// The other link of a pair: made for the same person in the same moment, about the same address,
/// for another purpose. One that is not spent comes first, should there be two pairs of a moment.
pub fn find_twin(tx: &mut ReadTx<'_>, link: &Link, purpose: Purpose) -> Result<Option<Link>> {
    let row = tx.find_row(
        "SELECT user_id, id, purpose, hash, email, created_at, expires_at, spent_at
         FROM link WHERE user_id = $1 AND purpose = $2 AND created_at = $3 AND email = $4
         ORDER BY CASE WHEN spent_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT 1",
        params![link.user_id, purpose, link.created_at, link.email],
    )?;
    row.map(from_row).transpose()
}

/// Spends a link; false when somebody else was first.
pub fn spend(tx: &mut Tx<'_>, user_id: &UserId, id: &LinkId, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE link SET spent_at = $3 WHERE user_id = $1 AND id = $2 AND spent_at IS NULL",
        params![user_id, id, now],
    )?;
    munjigi_core::planted!("mailed_link_spent_twice", return Ok(true));
    Ok(changed > 0)
}

/// Takes back every link of a person for a purpose; how many there were. RC-02 of the attack kit: a
/// newer link is the only one, and a change of address or password leaves none.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    purpose: Purpose,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(
        "UPDATE link SET spent_at = $3 WHERE user_id = $1 AND purpose = $2 AND spent_at IS NULL",
        params![user_id, purpose, now],
    )
}

/// Takes back the links of a person for a purpose that are newer than one of them; how many there
/// were. Their ids begin with the time, so that the later one is the greater (RFC 9562 §5.7).
pub fn revoke_newer(
    tx: &mut Tx<'_>,
    (user_id, id): (&UserId, &LinkId),
    purpose: Purpose,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(
        "UPDATE link SET spent_at = $4
         WHERE user_id = $1 AND purpose = $2 AND id > $3 AND spent_at IS NULL",
        params![user_id, purpose, id, now],
    )
}

/// Deletes links that expired before `before`, at most `limit`; how many.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM link WHERE (user_id, id) IN (
             SELECT old.user_id, old.id FROM link old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)",
        params![before, limit],
    )
}

fn from_row(mut row: Row) -> Result<Link> {
    Ok(Link {
        user_id: row.take(0)?,
        id: row.take(1)?,
        purpose: row.take(2)?,
        hash: row.take(3)?,
        email: row.take(4)?,
        created_at: row.take(5)?,
        expires_at: row.take(6)?,
        spent_at: row.take(7)?,
    })
}
