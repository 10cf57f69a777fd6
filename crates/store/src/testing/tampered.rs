//! What somebody who can write the database might do to the audit trail.

use munjigi_core::id::EventId;

use crate::{Audit, Committed, Result, Store, Tx, params};

/// One change behind the sequencer's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// The event says that it ended otherwise.
    EventChanged,
    /// The event is gone.
    EventDeleted,
    /// The event is gone as if it had been kept long enough.
    EventForgotten,
    /// The event is one that was erased, and says something else about a person.
    ErasedForged,
    /// There is another event with its place, from long ago.
    EventInserted,
    /// The event and its leaf say that it ended otherwise.
    LeafChanged,
    /// The leaf is gone.
    LeafDeleted,
    /// It has changed places with the next one.
    LeavesSwapped,
    /// The hash of the leaf is another one.
    TileChanged,
    /// The lowest tile is gone.
    TileDeleted,
    /// The checkpoint is an older one.
    RolledBack,
    /// The tree is that of a backup of before it was begun; the events are there.
    Restored,
}

/// Does it to the event at this place; how many rows were changed.
pub async fn tamper(store: &Store, what: Tampering, seq: i64) -> Result<u64> {
    let change = move |tx: &mut Tx<'_>| {
        let audit = Audit::Routine("a test tampers with the audit trail");
        Ok(Committed::new(apply(tx, what, seq)?, audit))
    };
    store.write(change).await
}

const OTHERWISE: &str = "UPDATE audit SET outcome =
     CASE outcome WHEN 'refused' THEN 'succeeded' ELSE 'refused' END WHERE seq = $1";

const LEAF_OTHERWISE: &str = "UPDATE audit_leaf SET entry = CASE
     WHEN entry LIKE '%\"outcome\":\"refused\"%'
     THEN REPLACE(entry, '\"outcome\":\"refused\"', '\"outcome\":\"succeeded\"')
     ELSE REPLACE(entry, '\"outcome\":\"succeeded\"', '\"outcome\":\"refused\"') END
     WHERE seq = $1";

const INSERTED: &str = "INSERT INTO audit (id, at, kind, outcome, actor_kind, actor_id, subject,
     client_id, address, request_id, detail, seq)
     SELECT $2, 0, kind, outcome, actor_kind, actor_id, subject, client_id,
     address, request_id, detail, seq FROM audit WHERE seq = $1";

const SALTLESS: &str = "UPDATE audit_leaf SET salt = NULL WHERE seq = $1";

fn apply(tx: &mut Tx<'_>, what: Tampering, seq: i64) -> Result<u64> {
    match what {
        Tampering::EventChanged => tx.exec(OTHERWISE, params![seq]),
        Tampering::EventDeleted => tx.exec("DELETE FROM audit WHERE seq = $1", params![seq]),
        Tampering::EventForgotten => {
            tx.exec(SALTLESS, params![seq])?;
            tx.exec("DELETE FROM audit WHERE seq = $1", params![seq])
        }
        Tampering::ErasedForged => {
            tx.exec(SALTLESS, params![seq])?;
            tx.exec(
                "UPDATE audit SET address = '198.51.100.66', detail = '{\"by\":\"somebody\"}'
                 WHERE seq = $1",
                params![seq],
            )
        }
        Tampering::EventInserted => tx.exec(INSERTED, params![seq, EventId::from_bytes([1; 16])]),
        Tampering::LeafChanged => {
            tx.exec(OTHERWISE, params![seq])?;
            tx.exec(LEAF_OTHERWISE, params![seq])
        }
        Tampering::LeafDeleted => tx.exec("DELETE FROM audit_leaf WHERE seq = $1", params![seq]),
        Tampering::LeavesSwapped => {
            let move_to = "UPDATE audit_leaf SET seq = $2 WHERE seq = $1";
            tx.exec(move_to, params![seq, -1])?;
            tx.exec(move_to, params![seq.saturating_add(1), seq])?;
            tx.exec(move_to, params![-1, seq.saturating_add(1)])
        }
        Tampering::TileChanged => change_tile(tx, seq),
        Tampering::TileDeleted => {
            tx.exec("DELETE FROM audit_tile WHERE level = 0 AND place = $1", params![seq / 256])
        }
        Tampering::RolledBack => tx.exec(
            "DELETE FROM audit_checkpoint WHERE size = (SELECT MAX(size) FROM audit_checkpoint)",
            params![],
        ),
        Tampering::Restored => restore(tx),
    }
}

fn change_tile(tx: &mut Tx<'_>, seq: i64) -> Result<u64> {
    let mut hashes = lowest(tx, seq)?;
    let place = usize::try_from(seq.rem_euclid(256)).unwrap_or(0).saturating_mul(32);
    if let Some(byte) = hashes.get_mut(place) {
        *byte ^= 1;
    }
    tx.exec(
        "UPDATE audit_tile SET hashes = $2 WHERE level = 0 AND place = $1",
        params![seq / 256, hashes],
    )
}

fn restore(tx: &mut Tx<'_>) -> Result<u64> {
    tx.exec("DELETE FROM audit_leaf", params![])?;
    tx.exec("DELETE FROM audit_tile", params![])?;
    tx.exec("DELETE FROM audit_checkpoint", params![])?;
    tx.exec("UPDATE audit SET seq = NULL", params![])?;
    tx.exec("DELETE FROM audit_log", params![])
}

fn lowest(tx: &mut Tx<'_>, seq: i64) -> Result<Vec<u8>> {
    let row = tx.find_row(
        "SELECT hashes FROM audit_tile WHERE level = 0 AND place = $1",
        params![seq / 256],
    )?;
    row.map_or_else(|| Ok(Vec::new()), |row| row.at(0))
}
