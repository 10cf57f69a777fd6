//! What is to be sent, written in the transaction that it tells of. A node takes a row by moving
//! `due_at` on in a guarded statement: whoever changed it sends it. What is inside the sealed
//! payload this table does not know; it is gone once it is sent or given up.

use munjigi_core::id::OutboxId;
use munjigi_core::time::Timestamp;

use crate::columns::as_word;
use crate::{FromValue, ReadTx, Result, Row, ToValue, Tx, Value, params};

/// What kind of thing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A mail to a person.
    Mail,
    /// A logout token to a client (OpenID Connect Back-Channel Logout §2.5).
    Logout,
}

impl Kind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Logout => "logout",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Mail, Self::Logout].into_iter().find(|kind| kind.as_str() == text)
    }
}

as_word! {
    Kind: Kind::parse, "a kind of thing to send";
}

/// Something that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Its id.
    pub id: OutboxId,
    /// What it is.
    pub kind: Kind,
    /// The sealed content.
    pub payload: Vec<u8>,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What.
    pub parcel: Parcel,
    /// When it became due: what has to be unchanged for whoever takes it.
    pub due_at: Timestamp,
    /// How often it was taken before.
    pub attempts: u32,
}

/// Writes down what is to be sent at once.
pub fn insert(tx: &mut Tx<'_>, parcel: &Parcel) -> Result<()> {
    let Parcel { id, kind, payload, created_at } = parcel;
    tx.push(
        "INSERT INTO outbox (id, kind, payload, created_at, due_at, attempts)
         VALUES ($1, $2, $3, $4, $4, 0)",
        params![id, kind, payload, created_at],
    )
}

/// What is due at `now`, the oldest first, at most `limit`.
pub fn due(tx: &mut ReadTx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Due>> {
    let rows = tx.rows(
        "SELECT id, kind, payload, created_at, due_at, attempts FROM outbox
         WHERE due_at IS NOT NULL AND due_at <= $1 AND payload IS NOT NULL
         ORDER BY due_at, id LIMIT $2",
        params![now, limit],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// Takes what is due: it comes due again at `until`, should nothing be heard of whoever took it.
/// False when somebody else was quicker.
pub fn take(tx: &mut Tx<'_>, due: &Due, until: Timestamp) -> Result<bool> {
    let taken = tx.exec(
        "UPDATE outbox SET due_at = $3, attempts = attempts + 1 WHERE id = $1 AND due_at = $2",
        params![due.parcel.id, due.due_at, until],
    )?;
    Ok(taken == 1)
}

/// It is sent: its content is forgotten.
pub fn sent(tx: &mut Tx<'_>, id: &OutboxId, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE outbox SET sent_at = $2, due_at = NULL, payload = NULL
         WHERE id = $1 AND sent_at IS NULL",
        params![id, now],
    )?;
    Ok(changed == 1)
}

/// It was not sent by whoever holds it until `held`: again at `due_at`.
pub fn again(tx: &mut Tx<'_>, id: &OutboxId, held: Timestamp, due_at: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE outbox SET due_at = $3 WHERE id = $1 AND due_at = $2",
        params![id, held, due_at],
    )?;
    Ok(changed == 1)
}

/// It is given up by whoever holds it until `held`: its content is forgotten.
pub fn give_up(tx: &mut Tx<'_>, id: &OutboxId, held: Timestamp, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE outbox SET failed_at = $3, due_at = NULL, payload = NULL
         WHERE id = $1 AND due_at = $2",
        params![id, held, now],
    )?;
    Ok(changed == 1)
}

/// How much waits to be sent, and since when the oldest of it.
pub fn waiting(tx: &mut ReadTx<'_>) -> Result<(i64, Option<Timestamp>)> {
    let row = tx.find_row(
        "SELECT COUNT(*), MIN(created_at) FROM outbox WHERE due_at IS NOT NULL",
        params![],
    )?;
    row.map_or(Ok((0, None)), |row| Ok((row.at(0)?, row.at(1)?)))
}

/// Deletes what is over and was written before `before`, at most `limit` rows; how many. Ids are
/// made of times, so the oldest rows are the first ones.
pub fn forget_over(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM outbox WHERE id IN (
             SELECT old.id FROM outbox old WHERE old.id < $1 AND old.due_at IS NULL
             ORDER BY old.id LIMIT $2)",
        params![OutboxId::from_parts(before, [0; 10]), limit],
    )
}

fn from_row(mut row: Row) -> Result<Due> {
    let parcel = Parcel {
        id: row.take(0)?,
        kind: row.take(1)?,
        payload: row.take(2)?,
        created_at: row.take(3)?,
    };
    Ok(Due { parcel, due_at: row.take(4)?, attempts: row.take(5)? })
}
