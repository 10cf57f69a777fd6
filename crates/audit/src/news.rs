//! What happened since a checkpoint that was kept: the entries behind it, once it is certain that
//! the log goes on from there. It costs as much as there is new, however long the log is.

use crate::merkle::{Hash, leaf_hash, root_at};
use crate::tile::{Tile, WIDTH, hash_in_tile};
use crate::verify::open;
use crate::{Checkpoint, Edge, Error, Finding, Keys, Log, VerifierKey};

/// What is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The log's checkpoint.
    pub checkpoint: Checkpoint,
    /// The same as it was signed, to be kept.
    pub note: String,
    /// The entries behind the checkpoint of before, and the index of the first.
    pub entries: (u64, Vec<Vec<u8>>),
}

/// Looks at a log, and at what it has beyond `old`.
///
/// # Errors
/// [`Finding::Forked`] when it does not go on from there; else what is wrong with it.
pub fn news(log: &dyn Log, key: &VerifierKey, old: &str) -> Result<News, Finding> {
    let keys = Keys::follow(key, &log.keys()?)?;
    let kept = keys.open(old).map_err(|error| {
        Finding::tampered(None, format!("the checkpoint that was kept: {error}"))
    })?;
    let note = log.checkpoint()?;
    let checkpoint = open(&note, keys.last())?;
    if checkpoint.size < kept.size {
        let (old, size) = (kept.size, checkpoint.size);
        return Err(Finding::Forked(format!("{old} entries were signed before, {size} are left")));
    }
    for change in keys.changes.iter().filter(|change| change.size <= checkpoint.size) {
        goes_on(log, &checkpoint, change)?;
    }
    let mut tree = goes_on(log, &checkpoint, &kept)?;
    let entries = entries(log, kept.size, checkpoint.size)?;
    for entry in &entries {
        tree.push(leaf_hash(entry));
    }
    if tree.root() != checkpoint.root {
        let what = "what is new is not what was signed";
        return Err(Finding::tampered(Some(kept.size), what));
    }
    Ok(News { checkpoint, note, entries: (kept.size, entries) })
}

/// The tree of an old checkpoint, as the tiles of the log have it.
fn goes_on(log: &dyn Log, new: &Checkpoint, old: &Checkpoint) -> Result<Edge, Finding> {
    let tree = Edge::restore(old.size, |tile| {
        let whole = Tile::of(new.size, tile.level, tile.index).ok_or(Error::OutOfRange)?;
        log.hashes(whole)
    })?;
    if tree.root() == old.root {
        return Ok(tree);
    }
    if root(log, new.size)? != new.root {
        return Err(Finding::tampered(None, "the tiles are not those that were signed"));
    }
    let what = format!("the first {} entries are others than were signed before", old.size);
    Err(Finding::Forked(what))
}

/// The root of a log of `size` entries, by its tiles.
fn root(log: &dyn Log, size: u64) -> Result<Hash, Finding> {
    root_at(size, |height, index| {
        hash_in_tile(height, index, |level, tile_index, _| {
            let tile = Tile::of(size, Some(level), tile_index).ok_or(Error::OutOfRange)?;
            log.hashes(tile)
        })
    })
}

fn entries(log: &dyn Log, first: u64, end: u64) -> Result<Vec<Vec<u8>>, Finding> {
    let mut found = Vec::new();
    let mut next = first;
    while next < end {
        let Some(tile) = Tile::of(end, None, next / WIDTH) else { break };
        let skipped = usize::try_from(next % WIDTH).unwrap_or(usize::MAX);
        let (bundle, _) = log.entries(tile)?;
        let length = u64::try_from(bundle.len()).unwrap_or(u64::MAX);
        if length < tile.width {
            let index = tile.first_entry().saturating_add(length);
            let what = format!("{} ends too early", tile.path());
            return Err(Finding::incomplete(Some(index), what));
        }
        let wide = usize::try_from(tile.width).unwrap_or(usize::MAX);
        found.extend(bundle.into_iter().take(wide).skip(skipped));
        next = tile.first_entry().saturating_add(tile.width);
    }
    Ok(found)
}
