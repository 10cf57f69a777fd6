//! Settings that are changed while the server runs: a name and a JSON text, which this crate does
//! not look into. Reference data: every write moves the snapshot's version on.

use munjigi_core::time::Timestamp;

use crate::{ReadTx, Result, Tx, counters, params};

/// The JSON of a setting, if it was ever set.
pub fn find(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<String>> {
    let row = tx.find_row("SELECT value FROM setting WHERE name = $1", params![name])?;
    row.map(|mut row| row.take(0)).transpose()
}

/// Every setting that was ever set, by name: names and JSON.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<(String, String)>> {
    let rows = tx.rows("SELECT name, value FROM setting ORDER BY name", params![])?;
    rows.into_iter().map(|mut row| Ok((row.take(0)?, row.take(1)?))).collect()
}

/// Sets a setting to a JSON text, whether or not it was set before.
pub fn put(tx: &mut Tx<'_>, name: &str, json: &str, now: Timestamp) -> Result<()> {
    tx.push(
        "INSERT INTO setting (name, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        params![name, json, now],
    )?;
    counters::reference_changed(tx)
}

/// Forgets what a setting was set to; false when it was not set.
pub fn forget(tx: &mut Tx<'_>, name: &str) -> Result<bool> {
    let changed = tx.exec("DELETE FROM setting WHERE name = $1", params![name])?;
    counters::reference_changed_if(tx, changed)
}
