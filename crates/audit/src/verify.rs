//! Whether a log is the one that was signed: every hash is computed anew from the entries, and
//! compared with every tile and with the checkpoint. What is wrong is said with the entry that it
//! begins at.

use std::fmt;

use serde_json::Value;

use crate::leaf::{hash_of_hex, pii_digest};
use crate::merkle::{Hash, leaf_hash, root_at};
use crate::tile::{Tile, hash_in_tile};
use crate::{Checkpoint, Completed, Edge, Error, Keys, Leaf, Log, VerifierKey, bundle, canonical};

/// What was found to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Something was changed, from this entry on if that can be told.
    Tampered(Option<u64>, String),
    /// Something is missing, from this entry on if that can be told.
    Incomplete(Option<u64>, String),
    /// The log contradicts what it signed before, or has gone back behind it.
    Forked(String),
    /// Nothing was found, since it could not be looked at: its server is away or lets nobody in, or
    /// a file cannot be read.
    Unreadable(String),
}

/// A log that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// Of how many events the personal data was there, and is what the leaf says.
    pub personal: u64,
    /// The keys that it was signed with, from the trusted one on.
    pub keys: Keys,
}

impl Finding {
    /// Something was changed.
    pub fn tampered(index: Option<u64>, what: impl Into<String>) -> Self {
        Self::Tampered(index, what.into())
    }

    /// Something is missing.
    pub fn incomplete(index: Option<u64>, what: impl Into<String>) -> Self {
        Self::Incomplete(index, what.into())
    }

    /// What a program that found this ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Tampered(..) => 1,
            Self::Incomplete(..) => 2,
            Self::Forked(_) => 3,
            // `EX_UNAVAILABLE` of sysexits.h.
            Self::Unreadable(_) => 69,
        }
    }

    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Tampered(..) => "tampered",
            Self::Incomplete(..) => "incomplete",
            Self::Forked(_) => "forked",
            Self::Unreadable(_) => "not looked at",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tampered(Some(index), what) | Self::Incomplete(Some(index), what) => {
                write!(f, "{}: index {index}: {what}", self.as_str())
            }
            Self::Tampered(None, what)
            | Self::Incomplete(None, what)
            | Self::Forked(what)
            | Self::Unreadable(what) => {
                write!(f, "{}: {what}", self.as_str())
            }
        }
    }
}

/// Where a wrong tile is asked for while proofs are computed.
impl From<Error> for Finding {
    fn from(error: Error) -> Self {
        Self::tampered(None, error.to_string())
    }
}

/// Whether a log is the one that `key` signed, or a key that it introduced.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(log: &dyn Log, key: &VerifierKey) -> Result<Verified, Finding> {
    let keys = Keys::follow(key, &log.keys()?)?;
    let checkpoint = open(&log.checkpoint()?, keys.last())?;
    let personal = log.personal()?;
    let mut walk = Walk {
        log,
        tree: Edge::default(),
        claimed: Edge::default(),
        changed: None,
        personal: Personal::read(personal.as_deref().unwrap_or_default()),
    };
    let walked = walk.all(checkpoint.size);
    // What was changed is said even when something else is missing.
    if let Some((index, path)) = walk.changed.take() {
        return Err(walk.blame(index, &path, &checkpoint));
    }
    walked?;
    if walk.tree.root() != checkpoint.root {
        let what = "entries and tiles fit together, and are not those that were signed";
        return Err(Finding::tampered(None, what));
    }
    walk.personal.check_end()?;
    let verified = Verified { checkpoint, personal: walk.personal.found, keys };
    verified.keys.changes.iter().try_for_each(|old| check_since(log, &verified, old))?;
    Ok(verified)
}

/// The checkpoint of a note that `key` signed.
///
/// # Errors
/// [`Finding::Tampered`] when it is none.
pub fn open(note: &str, key: &VerifierKey) -> Result<Checkpoint, Finding> {
    let changed = |error| Finding::tampered(None, format!("the checkpoint: {error}"));
    Checkpoint::open(note, key).map_err(changed)
}

/// Whether a log that holds goes on from a checkpoint that somebody kept.
///
/// # Errors
/// [`Finding::Forked`] when it does not.
pub fn check_since(log: &dyn Log, verified: &Verified, old: &Checkpoint) -> Result<(), Finding> {
    let size = verified.checkpoint.size;
    if old.size > size {
        let what = format!("{} entries were signed before, {size} are left", old.size);
        return Err(Finding::Forked(what));
    }
    let root = root_at(old.size, |height, index| {
        hash_in_tile(height, index, |level, tile_index, _| {
            let tile = Tile::of(size, Some(level), tile_index).ok_or(Error::OutOfRange)?;
            log.hashes(tile)
        })
    })?;
    if root != old.root {
        let what = format!("the first {} entries are others than were signed before", old.size);
        return Err(Finding::Forked(what));
    }
    Ok(())
}

struct Walk<'log> {
    log: &'log dyn Log,
    /// The tree of the entries.
    tree: Edge,
    /// The tree of the lowest tiles.
    claimed: Edge,
    /// The first difference, and the file in which it shows.
    changed: Option<(u64, String)>,
    personal: Personal<'log>,
}

impl Walk<'_> {
    fn all(&mut self, size: u64) -> Result<(), Finding> {
        for index in 0.. {
            let Some(bundle) = Tile::of(size, None, index) else { break };
            self.bundle(bundle)?;
        }
        for edge in self.tree.unfinished() {
            self.compare(&edge)?;
        }
        Ok(())
    }

    fn bundle(&mut self, tile: Tile) -> Result<(), Finding> {
        let (entries, is_whole) = self.log.entries(tile)?;
        let lowest = Tile { level: Some(0), ..tile };
        let hashes = self.log.hashes(lowest)?;
        let mut completed = Vec::new();
        for ((index, entry), claimed) in (tile.first_entry()..).zip(&entries).zip(&hashes) {
            let hash = leaf_hash(entry);
            if hash != *claimed {
                self.note(index, tile.path());
            }
            self.personal.check(index, entry)?;
            self.claimed.push(*claimed);
            completed.extend(self.tree.push(hash));
        }
        let wide = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        for (file, length) in [(tile, wide(entries.len())), (lowest, wide(hashes.len()))] {
            let index = tile.first_entry().saturating_add(length.min(tile.width));
            if length > tile.width || (length == tile.width && file == tile && !is_whole) {
                self.note(index, file.path());
            } else if length < tile.width {
                let what = format!("{} ends too early", file.path());
                return Err(Finding::incomplete(Some(index), what));
            }
        }
        // The lowest level was compared by entry.
        let mut higher = completed.iter().filter(|completed| completed.tile.level != Some(0));
        higher.try_for_each(|completed| self.compare(completed))
    }

    /// Compares a computed tile with the one in the log.
    fn compare(&mut self, computed: &Completed) -> Result<(), Finding> {
        let tile = computed.tile;
        let found = self.log.hashes(tile)?;
        let step = 1_u64.checked_shl(tile.level.unwrap_or(0).saturating_mul(8)).unwrap_or(0);
        let at = |place: usize| {
            let place = u64::try_from(place).unwrap_or(u64::MAX);
            tile.first_entry().saturating_add(place.saturating_mul(step))
        };
        if let Some(place) = found.iter().zip(&computed.hashes).position(|(a, b)| a != b) {
            self.note(at(place), tile.path());
        } else if found.len() > computed.hashes.len() {
            self.note(at(computed.hashes.len()), tile.path());
        } else if found.len() < computed.hashes.len() {
            let what = format!("{} ends too early", tile.path());
            return Err(Finding::incomplete(Some(at(found.len())), what));
        }
        Ok(())
    }

    fn note(&mut self, index: u64, path: String) {
        self.changed.get_or_insert((index, path));
    }

    fn blame(&self, index: u64, path: &str, checkpoint: &Checkpoint) -> Finding {
        let what = if self.tree.root() == checkpoint.root {
            format!("a tile was changed, the entries were not; it shows in {path}")
        } else if self.claimed.root() == checkpoint.root {
            format!("the entry was changed, its hash was not; it shows in {path}")
        } else {
            format!("an entry or its hash was changed; it shows in {path}")
        };
        Finding::tampered(Some(index), what)
    }
}

/// The lines about people, walked along with the entries.
struct Personal<'text> {
    lines: std::iter::Peekable<std::str::SplitInclusive<'text, char>>,
    found: u64,
}

impl<'text> Personal<'text> {
    fn read(text: &'text str) -> Self {
        Self { lines: text.split_inclusive('\n').peekable(), found: 0 }
    }

    /// Compares the next line with the leaf that it is about, if it is this one.
    fn check(&mut self, index: u64, entry: &[u8]) -> Result<(), Finding> {
        let Some(line) = self.lines.peek() else { return Ok(()) };
        let changed = |what: &str| Finding::tampered(Some(index), format!("personal data: {what}"));
        let (about, digest) = read_line(line).ok_or_else(|| changed("a line was changed"))?;
        if about > index {
            return Ok(());
        }
        let leaf = Leaf::parse(entry).map_err(|_| changed("the entry is no leaf"))?;
        if about != index || digest != leaf.pii {
            return Err(changed("it is not what the leaf was made of"));
        }
        self.lines.next();
        self.found += 1;
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), Finding> {
        let is_over = self.lines.peek().is_none();
        let what = "personal data of an event that is not in the log";
        is_over.then_some(()).ok_or_else(|| Finding::tampered(None, what))
    }
}

/// Which entry a line is about, and the digest of what it tells. Strictly as it is written.
fn read_line(line: &str) -> Option<(u64, Hash)> {
    let line = line.strip_suffix('\n')?;
    let value: Value = serde_json::from_str(line).ok()?;
    if canonical(&value) != line {
        return None;
    }
    let index = value.get("index")?.as_u64()?;
    let salt = hash_of_hex(value.get("salt")?.as_str()?)?;
    Some((index, pii_digest(&salt, value.get("pii")?)))
}

/// A line about an event's personal data, as an export holds it.
pub fn personal_line(index: u64, salt: &Hash, pii: &Value) -> String {
    let salt = crate::leaf::to_hex(salt);
    let line = canonical(&serde_json::json!({ "index": index, "salt": salt, "pii": pii }));
    format!("{line}\n")
}

/// Entry `index` of a log of this size.
///
/// # Errors
/// It is not there.
pub fn entry_at(log: &dyn Log, size: u64, index: u64) -> Result<Vec<u8>, Finding> {
    let missing = || Finding::incomplete(Some(index), "there is no such entry");
    let tile = Tile::of(size, None, index / crate::WIDTH).ok_or_else(missing)?;
    let (entries, _) = log.entries(tile)?;
    let place = bundle::to_usize(index % crate::WIDTH);
    entries.into_iter().nth(place).filter(|_| index < size).ok_or_else(missing)
}
