//! The revocation feed. The place in it is taken from a counter row in the same transaction, so
//! the order of the places is the order of the commits: who has read up to one has missed nothing.

use std::collections::HashMap;

use munjigi_core::oauth::revocation::{Kind, Place, Revocation};
use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Row, Tx, counters, params};

/// Adds a revocation to the feed; its place, which `revocation.seq` need not hold.
pub fn announce(tx: &mut Tx<'_>, revocation: &Revocation) -> Result<i64> {
    // Whoever takes the next place waits for this transaction to end, or is run again.
    let row = tx.find_row(
        "UPDATE counter SET value = value + 1 WHERE name = 'revocation' RETURNING value",
        params![],
    )?;
    let seq: i64 = row.ok_or_else(counters::missing)?.at(0)?;
    insert(tx, &Revocation { seq, ..revocation.clone() })?;
    Ok(seq)
}

/// Adds several revocations of one kind at once; the same with their places. Each counts after
/// those for the same key that were announced in this very second ([`Revocation::after`]).
pub fn announce_all(
    tx: &mut Tx<'_>,
    kind: Kind,
    revocations: Vec<Revocation>,
) -> Result<Vec<Revocation>> {
    let Some(earliest) = revocations.iter().map(|it| it.not_before).min() else {
        return Ok(revocations);
    };
    let rows = tx.rows(
        "SELECT key, MAX(not_before) FROM revocation WHERE kind = $1 AND not_before >= $2
         GROUP BY key",
        params![kind, earliest],
    )?;
    let previous = rows.into_iter().map(|mut row| Ok((row.take(0)?, row.at(1)?)));
    let previous = previous.collect::<Result<HashMap<String, i64>>>()?;
    let places = i64::try_from(revocations.len()).unwrap_or(i64::MAX);
    let row = tx.find_row(
        "UPDATE counter SET value = value + $1 WHERE name = 'revocation' RETURNING value",
        params![places],
    )?;
    let last: i64 = row.ok_or_else(counters::missing)?.at(0)?;
    let mut announced = Vec::with_capacity(revocations.len());
    for (seq, revocation) in (last.saturating_sub(places).saturating_add(1)..).zip(revocations) {
        let before = previous.get(&revocation.key).copied();
        let revocation = Revocation { seq, ..revocation.after(before) };
        insert(tx, &revocation)?;
        announced.push(revocation);
    }
    Ok(announced)
}

fn insert(tx: &mut Tx<'_>, revocation: &Revocation) -> Result<()> {
    let Revocation { seq, kind, key, not_before, until } = revocation;
    tx.push(
        "INSERT INTO revocation (seq, kind, key, not_before, until) VALUES ($1, $2, $3, $4, $5)",
        params![seq, kind, key, not_before, until],
    )
}

/// The latest `not_before` that was announced for this key and still counts.
pub fn not_before(tx: &mut ReadTx<'_>, kind: Kind, key: &str) -> Result<Option<i64>> {
    let row = tx.find_row(
        "SELECT MAX(not_before) FROM revocation WHERE kind = $1 AND key = $2",
        params![kind, key],
    )?;
    row.map_or(Ok(None), |row| row.at(0))
}

/// What was announced after place `seq`, in order; at most `limit`.
pub fn since(tx: &mut ReadTx<'_>, seq: i64, limit: u32) -> Result<Vec<Revocation>> {
    let rows = tx.rows(
        "SELECT seq, kind, key, not_before, until FROM revocation WHERE seq > $1
         ORDER BY seq LIMIT $2",
        params![seq, limit],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// What stands behind a place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These, in order, and nothing between them that can still kill a token.
    After(Vec<Revocation>),
    /// What stood at the place was forgotten, though not the feed's last entry: whoever was there
    /// has been away for longer than a token lives.
    Forgotten,
    /// Something else stands at the place, or nothing was ever announced there: it is of a database
    /// that has been replaced, by a backup or by a standby that was behind.
    OtherHistory,
}

/// What was announced after a place, in order; at most `limit`.
pub fn after(tx: &mut ReadTx<'_>, place: Place, limit: u32) -> Result<News> {
    if place == Place::BEGINNING {
        return since(tx, 0, limit).map(News::After);
    }
    // One before it, so that what stands at the place itself is seen.
    let mut found = since(tx, place.seq().saturating_sub(1), limit.saturating_add(1))?;
    match found.first() {
        Some(first) if place.is_after(first) => {
            found.remove(0);
            Ok(News::After(found))
        }
        Some(first) if first.seq > place.seq() => Ok(News::Forgotten),
        Some(_) | None => Ok(News::OtherHistory),
    }
}

/// Everything that may still kill a token, in order.
pub fn live(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Vec<Revocation>> {
    let rows = tx.rows(
        "SELECT seq, kind, key, not_before, until FROM revocation WHERE until > $1 ORDER BY seq",
        params![now],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// The last place that was given, zero before the first.
pub fn last_seq(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT value FROM counter WHERE name = 'revocation'", params![])?;
    row.ok_or_else(counters::missing)?.at(0)
}

/// Deletes what can kill no token any more; how many. The last entry stays: who has read up to it
/// is shown by it that nothing was missed.
pub fn forget_expired(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.exec(
        "DELETE FROM revocation WHERE until <= $1
         AND seq < (SELECT value FROM counter WHERE name = 'revocation')",
        params![now],
    )
}

fn from_row(mut row: Row) -> Result<Revocation> {
    Ok(Revocation {
        seq: row.take(0)?,
        kind: row.take(1)?,
        key: row.take(2)?,
        not_before: row.take(3)?,
        until: row.take(4)?,
    })
}
