//! The lives of the rows, and how everything of an older one is ended. When a new one begins is not
//! decided here; that two nodes never begin the same one is.

use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, counters, params};

/// One life of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Which one; the first is 1.
    pub number: i64,
    /// The database that it began in.
    pub identity: String,
    /// What was seen.
    pub cause: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When everything that was given before was ended; nothing if nothing was lost.
    pub ended_before: Option<Timestamp>,
}

/// The present one; nothing before the first server was started.
pub fn find(tx: &mut ReadTx<'_>) -> Result<Option<Epoch>> {
    let row = tx.find_row(
        "SELECT number, identity, cause, began_at, ended_before FROM epoch
         ORDER BY number DESC LIMIT 1",
        params![],
    )?;
    let read = |mut row: Row| {
        Ok(Epoch {
            number: row.take(0)?,
            identity: row.take(1)?,
            cause: row.take(2)?,
            began_at: row.take(3)?,
            ended_before: row.take(4)?,
        })
    };
    row.map(read).transpose()
}

/// When everything that was given before was last ended.
pub fn ended_before(tx: &mut ReadTx<'_>) -> Result<Option<Timestamp>> {
    let row = tx.find_row("SELECT MAX(ended_before) FROM epoch", params![])?;
    row.map_or(Ok(None), |row| row.at(0))
}

/// Begins the next one; false when another node did. `seen` is the highest beat that anybody knows
/// who begins it.
pub fn begin(tx: &mut Tx<'_>, epoch: &Epoch, seen: i64) -> Result<bool> {
    let Epoch { number, identity, cause, began_at, ended_before } = epoch;
    let begun = tx.exec(
        "INSERT INTO epoch (number, identity, cause, began_at, ended_before)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (number) DO NOTHING",
        params![number, identity, cause, began_at, ended_before],
    )?;
    if begun == 1 && *number > 1 {
        // Whatever version somebody has seen of the rows that are gone, this is another one, and
        // beyond it: a counter that is moved on one by one never comes near to the time. The beat
        // among them, so that nobody takes these rows for older a second time; a clock that was
        // set back must not do that, either.
        let beyond = began_at.as_millis().max(seen.saturating_add(1));
        tx.push(
            "UPDATE counter SET value = CASE WHEN value < $1 THEN $1 ELSE value + 1 END
             WHERE name IN ('reference', 'beat')",
            params![beyond],
        )?;
    }
    Ok(begun == 1)
}

/// The number that only grows.
pub fn beat(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT value FROM counter WHERE name = 'beat'", params![])?;
    row.ok_or_else(counters::missing)?.at(0)
}

/// Moves it on.
pub fn move_beat(tx: &mut Tx<'_>) -> Result<i64> {
    let row = tx.find_row(
        "UPDATE counter SET value = value + 1 WHERE name = 'beat' RETURNING value",
        params![],
    )?;
    row.ok_or_else(counters::missing)?.at(0)
}

/// Ends sessions that live, at most `limit`; how many. Everybody's, so without the name of anybody.
pub fn end_sessions(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "UPDATE session SET ended_at = $1 WHERE (user_id, id) IN (
             SELECT s.user_id, s.id FROM session s WHERE s.ended_at IS NULL LIMIT $2)",
        params![now, limit],
    )
}

/// The same with grants.
pub fn revoke_grants(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "UPDATE grant_ SET revoked_at = $1 WHERE (user_id, id) IN (
             SELECT g.user_id, g.id FROM grant_ g WHERE g.revoked_at IS NULL LIMIT $2)",
        params![now, limit],
    )
}

/// Forgets what people allowed, since they may have taken it back: they are asked again.
pub fn forget_consents(tx: &mut Tx<'_>, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM consent WHERE (user_id, client_id) IN (
             SELECT c.user_id, c.client_id FROM consent c LIMIT $1)",
        params![limit],
    )
}

/// Forgets whatever is good once: codes, pushed requests, devices, mailed links and registration
/// tokens may have been spent.
pub fn forget_single_use(tx: &mut Tx<'_>) -> Result<()> {
    tx.push("DELETE FROM code", params![])?;
    tx.push("DELETE FROM pushed_request", params![])?;
    tx.push("DELETE FROM device", params![])?;
    tx.push("DELETE FROM link", params![])?;
    tx.push("DELETE FROM registration_token", params![])
}

/// Gives up what was to be sent: it may have been.
pub fn give_up_parcels(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.exec(
        "UPDATE outbox SET failed_at = $1, due_at = NULL, payload = NULL
         WHERE due_at IS NOT NULL",
        params![now],
    )
}
