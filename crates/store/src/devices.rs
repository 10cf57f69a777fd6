//! Device authorizations (RFC 8628), by the hash of the device code or by the code that a person
//! types. What a poll or an answer means is decided by [`DeviceAuthorization`]; that each happens
//! once, by the guards here.

use munjigi_core::id::{ClientId, SessionId, UserId};
use munjigi_core::oauth::device::{DeviceAuthorization, StoredUserCode};
use munjigi_core::time::{Span, Timestamp};

use crate::{ReadTx, Result, Row, Tx, params};

/// What [`StoreError::Unique`](crate::StoreError::Unique) names when another device has this user
/// code at the moment.
pub const USER_CODE_TAKEN: &str = "device.user_code";

/// The columns that [`from_row`] reads.
macro_rules! device_columns {
    () => {
        "hash, user_code, client_id, scope, audiences, dpop_jkt, address, user_agent, created_at, \
         expires_at, polled_at, poll_interval, user_id, session_id, approved_at, denied_at, \
         spent_at"
    };
}

/// Adds what a device asks for, which nobody has answered yet.
///
/// # Errors
/// `Unique` with [`USER_CODE_TAKEN`]; `ForeignKey` when there is no such client.
pub fn insert(tx: &mut Tx<'_>, device: &DeviceAuthorization) -> Result<()> {
    tx.exec(
        "INSERT INTO device (hash, user_code, client_id, scope, audiences, dpop_jkt, address,
         user_agent, created_at, expires_at, poll_interval)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            device.hash,
            device.user_code,
            device.client_id,
            device.scope,
            device.audiences,
            device.dpop_jkt,
            device.address,
            device.user_agent,
            device.created_at,
            device.expires_at,
            device.poll_interval,
        ],
    )?;
    Ok(())
}

/// What the device with this code asked for.
pub fn find(tx: &mut ReadTx<'_>, hash: &[u8; 32]) -> Result<Option<DeviceAuthorization>> {
    let row = tx.find_row(
        concat!("SELECT ", device_columns!(), " FROM device WHERE hash = $1"),
        params![hash],
    )?;
    row.map(from_row).transpose()
}

/// What the device that shows this code asked for.
pub fn find_by_user_code(
    tx: &mut ReadTx<'_>,
    user_code: &StoredUserCode,
) -> Result<Option<DeviceAuthorization>> {
    let row = tx.find_row(
        concat!("SELECT ", device_columns!(), " FROM device WHERE user_code = $1"),
        params![user_code],
    )?;
    row.map(from_row).transpose()
}

/// Writes down that a device polled, and how long it has to wait from now on; false when another
/// poll of the same device was quicker.
pub fn poll(
    tx: &mut Tx<'_>,
    device: &DeviceAuthorization,
    poll_interval: Span,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE device SET polled_at = $3, poll_interval = $4
         WHERE hash = $1 AND polled_at IS NOT DISTINCT FROM $2 AND spent_at IS NULL",
        params![device.hash, device.polled_at, now, poll_interval],
    )?;
    Ok(changed > 0)
}

/// A signed-in person opens the page with the code: it is theirs to answer from then on, in this
/// session. False when somebody else was first, or it was answered.
pub fn open(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
    (user_id, session_id): (&UserId, &SessionId),
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE device SET user_id = $2, session_id = $3
         WHERE hash = $1 AND (user_id IS NULL OR user_id = $2)
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL",
        params![hash, user_id, session_id],
    )?;
    Ok(changed > 0)
}

/// They say yes; false when it is not theirs, too late, or answered already (DV-03 of the attack
/// kit).
pub fn approve(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
    (user_id, session_id): (&UserId, &SessionId),
    now: Timestamp,
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE device SET approved_at = $4
         WHERE hash = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL",
        params![hash, user_id, session_id, now],
    )?;
    Ok(changed > 0)
}

/// They say no; false as of [`approve`].
pub fn deny(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
    (user_id, session_id): (&UserId, &SessionId),
    now: Timestamp,
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE device SET denied_at = $4
         WHERE hash = $1 AND user_id = $2 AND session_id = $3 AND expires_at > $4
         AND approved_at IS NULL AND denied_at IS NULL AND spent_at IS NULL",
        params![hash, user_id, session_id, now],
    )?;
    Ok(changed > 0)
}

/// Spends a device code that was said yes to; false when somebody else was first.
pub fn spend(tx: &mut Tx<'_>, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE device SET spent_at = $2
         WHERE hash = $1 AND approved_at IS NOT NULL AND spent_at IS NULL",
        params![hash, now],
    )?;
    munjigi_core::planted!("device_code_spent_twice", return Ok(true));
    Ok(changed > 0)
}

/// Forgets what a person opened for a client, and it has no tokens for yet; how many. A device that
/// polls with it is told that nobody knows it.
pub fn forget_unspent(tx: &mut Tx<'_>, user_id: &UserId, client_id: &ClientId) -> Result<u64> {
    tx.exec(
        "DELETE FROM device WHERE user_id = $1 AND client_id = $2 AND spent_at IS NULL",
        params![user_id, client_id],
    )
}

/// Deletes what expired before `before`, at most `limit`; how many.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM device WHERE hash IN (
             SELECT old.hash FROM device old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)",
        params![before, limit],
    )
}

fn from_row(mut row: Row) -> Result<DeviceAuthorization> {
    Ok(DeviceAuthorization {
        hash: row.take(0)?,
        user_code: row.take(1)?,
        client_id: row.take(2)?,
        scope: row.take(3)?,
        audiences: row.take(4)?,
        dpop_jkt: row.take(5)?,
        address: row.take(6)?,
        user_agent: row.take(7)?,
        created_at: row.take(8)?,
        expires_at: row.take(9)?,
        polled_at: row.take(10)?,
        poll_interval: row.take(11)?,
        user_id: row.take(12)?,
        session_id: row.take(13)?,
        approved_at: row.take(14)?,
        denied_at: row.take(15)?,
        spent_at: row.take(16)?,
    })
}
