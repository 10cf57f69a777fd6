//! Numbers that only grow. `reference` is the version of the in-memory snapshot: every function of
//! this crate that writes roles, clients, APIs, settings or keys moves it on in the same
//! transaction, so that no caller can forget to tell the other nodes.

use crate::{ReadTx, Result, StoreError, Tx, params};

/// The version of the reference data: another number than last time means that it has to be read
/// again.
pub fn reference_version(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT value FROM counter WHERE name = 'reference'", params![])?;
    row.ok_or_else(missing)?.at(0)
}

/// What other nodes may have moved on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// As [`reference_version`].
    pub reference: i64,
    /// The last place that was given in the revocation feed.
    pub revocation: i64,
}

/// Both at once: one statement, for those who look before every token.
pub fn versions(tx: &mut ReadTx<'_>) -> Result<Versions> {
    let row = tx.find_row(
        "SELECT r.value, f.value FROM counter r, counter f
         WHERE r.name = 'reference' AND f.name = 'revocation'",
        params![],
    )?;
    let mut row = row.ok_or_else(missing)?;
    Ok(Versions { reference: row.take(0)?, revocation: row.take(1)? })
}

/// Moves the version of the reference data on, and returns it. Only for changes to reference data
/// that no function of this crate makes.
pub fn bump_reference(tx: &mut Tx<'_>) -> Result<i64> {
    let row = tx.find_row(
        "UPDATE counter SET value = value + 1 WHERE name = 'reference' RETURNING value",
        params![],
    )?;
    row.ok_or_else(missing)?.at(0)
}

/// The same for table functions, which do not read it: no wait of its own.
pub(crate) fn reference_changed(tx: &mut Tx<'_>) -> Result<()> {
    tx.push("UPDATE counter SET value = value + 1 WHERE name = 'reference'", params![])
}

/// Moves the reference data on if a guarded statement changed something; says whether it did.
pub(crate) fn reference_changed_if(tx: &mut Tx<'_>, rows: u64) -> Result<bool> {
    if rows > 0 {
        reference_changed(tx)?;
    }
    Ok(rows > 0)
}

pub(crate) fn missing() -> StoreError {
    StoreError::Corrupt("a counter is missing".to_owned())
}
