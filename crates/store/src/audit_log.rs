//! The tree over the audit trail: leaves, tiles, checkpoints, and which node writes them. What a
//! hash or a signature means this table does not know; that two nodes never write one place it
//! does.

use munjigi_core::id::EventId;
use munjigi_core::time::{Span, Timestamp};

use crate::audit::{StoredEvent, audit_columns, from_row};
use crate::{ReadTx, Result, Row, Tx, params};

/// How far the tree has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The verifier key of its checkpoints, which carries its name.
    pub vkey: String,
    /// How many leaves it has.
    pub size: i64,
    /// Its root.
    pub root: [u8; 32],
    /// How many leaves the last checkpoint vouches for.
    pub signed_size: i64,
    /// When that was signed.
    pub signed_at: Timestamp,
    /// Counts hand-overs.
    pub term: i64,
    /// The node that writes it.
    pub holder: [u8; 16],
    /// Until when no other node may.
    pub held_until: Timestamp,
    /// Since when another key is wanted.
    pub rotation_asked_at: Option<Timestamp>,
}

/// A key that followed the first one.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its verifier key.
    pub vkey: String,
    /// What it is made from, sealed.
    pub sealed: Vec<u8>,
    /// The checkpoint that introduced it.
    pub note: String,
    /// When that was.
    pub created_at: Timestamp,
}

/// A leaf as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLeaf {
    /// Its place in the tree.
    pub seq: i64,
    /// The event that it is about.
    pub event_id: EventId,
    /// What was hashed.
    pub entry: String,
    /// The salt of what tells about a person; nothing once that is erased.
    pub salt: Option<[u8; 32]>,
}

/// The hashes of a tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTile {
    /// From 0, above the leaves.
    pub level: i64,
    /// Which of its level.
    pub place: i64,
    /// One after the other.
    pub hashes: Vec<u8>,
}

/// How the tree goes on.
#[derive(Clone, Debug)]
pub struct Growth {
    /// Where it stood, and in which term.
    pub from: Log,
    /// The new leaves, in order.
    pub leaves: Vec<StoredLeaf>,
    /// The tiles that changed.
    pub tiles: Vec<StoredTile>,
    /// The new root.
    pub root: [u8; 32],
    /// Until when the node that writes this goes on alone.
    pub held_until: Timestamp,
}

/// A checkpoint as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// How many leaves it vouches for.
    pub size: i64,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// How far the tree has come; nothing before it was begun.
pub fn find(tx: &mut ReadTx<'_>) -> Result<Option<Log>> {
    let row = tx.find_row(
        "SELECT vkey, size, root, signed_size, signed_at, term, holder, held_until,
         rotation_asked_at FROM audit_log WHERE name = 'log'",
        params![],
    )?;
    let read = |mut row: Row| {
        Ok(Log {
            vkey: row.take(0)?,
            size: row.take(1)?,
            root: row.take(2)?,
            signed_size: row.take(3)?,
            signed_at: row.take(4)?,
            term: row.take(5)?,
            holder: row.take(6)?,
            held_until: row.take(7)?,
            rotation_asked_at: row.take(8)?,
        })
    };
    row.map(read).transpose()
}

/// Begins the tree; false when somebody else did.
pub fn begin(tx: &mut Tx<'_>, log: &Log) -> Result<bool> {
    let begun = tx.exec(
        "INSERT INTO audit_log (name, vkey, size, root, signed_size, signed_at, term, holder,
         held_until)
         VALUES ('log', $1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING",
        params![
            log.vkey,
            log.size,
            log.root,
            log.signed_size,
            log.signed_at,
            log.term,
            log.holder,
            log.held_until,
        ],
    )?;
    Ok(begun == 1)
}

/// Takes the tree over from a node that is silent; false when that node, or another one, did
/// something since it was seen.
pub fn take(tx: &mut Tx<'_>, seen: &Log, holder: &[u8; 16], until: Timestamp) -> Result<bool> {
    let taken = tx.exec(
        "UPDATE audit_log SET holder = $2, held_until = $3, term = term + 1
         WHERE name = 'log' AND term = $1 AND held_until = $4 AND size = $5 AND signed_size = $6",
        params![seen.term, holder, until, seen.held_until, seen.size, seen.signed_size],
    )?;
    Ok(taken == 1)
}

/// Events that have no place in the tree yet, whenever they were committed; the oldest first.
pub fn unnumbered(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<StoredEvent>> {
    let rows = tx.rows(
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit a WHERE a.seq IS NULL ORDER BY a.id LIMIT $1"
        ),
        params![limit],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// How many events have no place in the tree yet.
pub fn count_unnumbered(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT COUNT(*) FROM audit WHERE seq IS NULL", params![])?;
    row.map_or(Ok(0), |row| row.at(0))
}

/// When the oldest event happened that has no place in the tree yet.
pub fn oldest_unnumbered(tx: &mut ReadTx<'_>) -> Result<Option<Timestamp>> {
    // Ids are made of times, and there is an index of those that have no place.
    let row =
        tx.find_row("SELECT at FROM audit WHERE seq IS NULL ORDER BY id LIMIT 1", params![])?;
    row.map(|row| row.at(0)).transpose()
}

/// Writes what the tree has grown by; false, and nothing is written, when it is not where it was
/// any more.
pub fn grow(tx: &mut Tx<'_>, growth: &Growth) -> Result<bool> {
    let Growth { from, leaves, tiles, root, held_until } = growth;
    let added = i64::try_from(leaves.len()).unwrap_or(i64::MAX);
    let grown = tx.exec(
        "UPDATE audit_log SET size = size + $3, root = $4, held_until = $5
         WHERE name = 'log' AND term = $1 AND size = $2",
        params![from.term, from.size, added, root, held_until],
    )?;
    if grown != 1 {
        return Ok(false);
    }
    // Whoever moved the size has these places for itself.
    for leaf in leaves {
        munjigi_core::planted!(
            "sequencer_skips_a_leaf",
            if leaf.seq % 3 == 2 {
                continue;
            }
        );
        tx.push(
            "INSERT INTO audit_leaf (seq, event_id, entry, salt) VALUES ($1, $2, $3, $4)",
            params![leaf.seq, leaf.event_id, leaf.entry, leaf.salt],
        )?;
        tx.push(
            "UPDATE audit SET seq = $2 WHERE id = $1 AND seq IS NULL",
            params![leaf.event_id, leaf.seq],
        )?;
    }
    for tile in tiles {
        tx.push(
            "INSERT INTO audit_tile (level, place, hashes) VALUES ($1, $2, $3)
             ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes",
            params![tile.level, tile.place, tile.hashes],
        )?;
    }
    Ok(true)
}

/// Writes a checkpoint down; false when another one was, or another node took over.
pub fn sign(tx: &mut Tx<'_>, seen: &Log, checkpoint: &StoredCheckpoint) -> Result<bool> {
    let StoredCheckpoint { size, note, signed_at } = checkpoint;
    let signed = tx.exec(
        "UPDATE audit_log SET signed_size = $3, signed_at = $4
         WHERE name = 'log' AND term = $1 AND signed_size = $2 AND size >= $3",
        params![seen.term, seen.signed_size, size, signed_at],
    )?;
    if signed != 1 {
        return Ok(false);
    }
    tx.push(
        "INSERT INTO audit_checkpoint (size, note, signed_at) VALUES ($1, $2, $3)",
        params![size, note, signed_at],
    )?;
    Ok(true)
}

/// Asks whoever writes the tree for another key; false when there is no tree yet, or somebody asked
/// before.
pub fn ask_rotation(tx: &mut Tx<'_>, now: Timestamp) -> Result<bool> {
    let asked = tx.exec(
        "UPDATE audit_log SET rotation_asked_at = $1
         WHERE name = 'log' AND rotation_asked_at IS NULL",
        params![now],
    )?;
    Ok(asked == 1)
}

/// Has another key follow, introduced in the checkpoint of all that there is; false when the tree
/// has gone on since, or another node took it over.
pub fn introduce(tx: &mut Tx<'_>, seen: &Log, key: &StoredKey) -> Result<bool> {
    let introduced = tx.exec(
        "UPDATE audit_log SET vkey = $5, rotation_asked_at = NULL
         WHERE name = 'log' AND term = $1 AND size = $2 AND signed_size = $2 AND vkey = $3
         AND rotation_asked_at IS NOT NULL AND held_until >= $4",
        params![seen.term, seen.size, seen.vkey, seen.held_until, key.vkey],
    )?;
    if introduced != 1 {
        return Ok(false);
    }
    tx.exec_one(
        "UPDATE audit_checkpoint SET note = $2 WHERE size = $1",
        params![seen.size, key.note],
    )?;
    // Which key follows which is told by these times: by a node whose clock is behind, too.
    let newest = tx.find_row("SELECT MAX(created_at) FROM audit_key", params![])?;
    let newest: Option<Timestamp> = newest.map(|row| row.at(0)).transpose()?.flatten();
    let after = newest.map(|at| at.plus(Span::from_millis(1)));
    let created_at = after.map_or(key.created_at, |at| at.max(key.created_at));
    tx.push(
        "INSERT INTO audit_key (vkey, sealed, note, created_at) VALUES ($1, $2, $3, $4)",
        params![key.vkey, key.sealed, key.note, created_at],
    )?;
    Ok(true)
}

/// The keys that followed the first one, in their order.
pub fn keys(tx: &mut ReadTx<'_>) -> Result<Vec<StoredKey>> {
    let rows = tx.rows(
        "SELECT vkey, sealed, note, created_at FROM audit_key ORDER BY created_at, vkey",
        params![],
    )?;
    let read = |mut row: Row| {
        Ok(StoredKey {
            vkey: row.take(0)?,
            sealed: row.take(1)?,
            note: row.take(2)?,
            created_at: row.take(3)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Replaces what is sealed (another key-encryption key) if it is still what was read; false when it
/// is not.
pub fn reseal_key(tx: &mut Tx<'_>, vkey: &str, was: &[u8], sealed: &[u8]) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE audit_key SET sealed = $3 WHERE vkey = $1 AND sealed = $2",
        params![vkey, was, sealed],
    )?;
    Ok(changed == 1)
}

/// The last checkpoint.
pub fn last_checkpoint(tx: &mut ReadTx<'_>) -> Result<Option<StoredCheckpoint>> {
    let row = tx.find_row(
        "SELECT size, note, signed_at FROM audit_checkpoint ORDER BY size DESC LIMIT 1",
        params![],
    )?;
    let read = |mut row: Row| {
        Ok(StoredCheckpoint { size: row.take(0)?, note: row.take(1)?, signed_at: row.take(2)? })
    };
    row.map(read).transpose()
}

/// Forgets checkpoints that were signed before then, but for the last one, at most `limit`. What
/// they said, the tiles say.
pub fn forget_checkpoints(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM audit_checkpoint WHERE size IN (
             SELECT size FROM audit_checkpoint WHERE signed_at < $1
             AND size < (SELECT MAX(size) FROM audit_checkpoint) ORDER BY size LIMIT $2)",
        params![before, limit],
    )
}

/// A tile.
pub fn tile(tx: &mut ReadTx<'_>, level: i64, place: i64) -> Result<Option<StoredTile>> {
    let row = tx.find_row(
        "SELECT hashes FROM audit_tile WHERE level = $1 AND place = $2",
        params![level, place],
    )?;
    row.map(|mut row| Ok(StoredTile { level, place, hashes: row.take(0)? })).transpose()
}

/// What was hashed, from the leaf at `first` on, at most `limit`.
pub fn entries(tx: &mut ReadTx<'_>, first: i64, limit: u32) -> Result<Vec<String>> {
    let rows = tx.rows(
        "SELECT entry FROM audit_leaf WHERE seq >= $1 ORDER BY seq LIMIT $2",
        params![first, limit],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// The leaves from `first` on, at most `limit`, each with its event as far as that is still there.
pub fn leaves(
    tx: &mut ReadTx<'_>,
    first: i64,
    limit: u32,
) -> Result<Vec<(StoredLeaf, Option<StoredEvent>)>> {
    let rows = tx.rows(
        concat!(
            "SELECT ",
            audit_columns!(),
            ", l.seq, l.event_id, l.entry, l.salt
             FROM audit_leaf l LEFT JOIN audit a ON a.id = l.event_id
             WHERE l.seq >= $1 ORDER BY l.seq LIMIT $2"
        ),
        params![first, limit],
    )?;
    let read = |mut row: Row| {
        let leaf = StoredLeaf {
            seq: row.take(11)?,
            event_id: row.take(12)?,
            entry: row.take(13)?,
            salt: row.take(14)?,
        };
        let is_there = row.at::<Option<EventId>>(0)?.is_some();
        let event = is_there.then(|| from_row(row)).transpose()?;
        Ok((leaf, event))
    };
    rows.into_iter().map(read).collect()
}

/// The first leaf from `first` to `last` whose event is gone though an older one, in an earlier
/// place, is still there: [`forget_events`] leaves no such gap.
pub fn gap(tx: &mut ReadTx<'_>, first: i64, last: i64) -> Result<Option<i64>> {
    let row = tx.find_row(
        "SELECT l.seq FROM audit_leaf l LEFT JOIN audit a ON a.id = l.event_id
         WHERE l.seq >= $1 AND l.seq <= $2 AND a.id IS NULL
         AND EXISTS (SELECT 1 FROM audit b WHERE b.id < l.event_id AND b.seq < l.seq)
         ORDER BY l.seq LIMIT 1",
        params![first, last],
    )?;
    row.map(|row| row.at(0)).transpose()
}

/// A place that an event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedPlace {
    /// The event.
    pub event_id: EventId,
    /// The place.
    pub seq: i64,
    /// The place of its leaf, if it has one.
    pub leaf: Option<i64>,
}

/// The places that events name, from the event `from` on by their ids, at most `limit`.
pub fn named_places(tx: &mut ReadTx<'_>, from: &EventId, limit: u32) -> Result<Vec<NamedPlace>> {
    let rows = tx.rows(
        "SELECT a.id, a.seq, l.seq FROM audit a LEFT JOIN audit_leaf l ON l.event_id = a.id
         WHERE a.id >= $1 AND a.seq IS NOT NULL ORDER BY a.id LIMIT $2",
        params![from, limit],
    )?;
    let read = |mut row: Row| {
        Ok(NamedPlace { event_id: row.take(0)?, seq: row.take(1)?, leaf: row.take(2)? })
    };
    rows.into_iter().map(read).collect()
}

/// The place of an event in the tree.
pub fn seq_of(tx: &mut ReadTx<'_>, event: &EventId) -> Result<Option<i64>> {
    let row = tx.find_row("SELECT seq FROM audit_leaf WHERE event_id = $1", params![event])?;
    row.map(|row| row.at(0)).transpose()
}

/// Forgets events older than `before` that are signed, at most `limit`, with their salts; how many
/// there were. Their leaves stay.
pub fn forget_events(tx: &mut Tx<'_>, before: &EventId, limit: u32) -> Result<u64> {
    tx.exec(
        "UPDATE audit_leaf SET salt = NULL WHERE event_id IN (
             SELECT id FROM audit WHERE id < $1
             AND seq < (SELECT signed_size FROM audit_log WHERE name = 'log')
             ORDER BY id LIMIT $2)",
        params![before, limit],
    )?;
    tx.exec(
        "DELETE FROM audit WHERE id IN (
             SELECT id FROM audit WHERE id < $1
             AND seq < (SELECT signed_size FROM audit_log WHERE name = 'log')
             ORDER BY id LIMIT $2)",
        params![before, limit],
    )
}

/// Erases what tells about a person in the events about them, and the salts by which it could be
/// guessed; how many events there were. The tree stays as it is, in a term of its own: a node that
/// has read those events, and has not given them their places yet, must read them again, or it
/// would make leaves of what is no longer there, with salts that nobody erases.
pub fn erase(tx: &mut Tx<'_>, subject: &str) -> Result<u64> {
    tx.exec(
        "UPDATE audit_leaf SET salt = NULL WHERE event_id IN
         (SELECT id FROM audit WHERE subject = $1)",
        params![subject],
    )?;
    let erased = tx.exec(
        "UPDATE audit SET address = NULL, detail = '{}' WHERE subject = $1",
        params![subject],
    )?;
    if erased > 0 {
        tx.push("UPDATE audit_log SET term = term + 1 WHERE name = 'log'", params![])?;
    }
    Ok(erased)
}
