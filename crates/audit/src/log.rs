//! A log as it is read, wherever it lies: its files by the names that tlog-tiles gives them. It
//! must not believe anything that it reads.

use std::io::{self, ErrorKind};

use crate::bundle::{read_entries, to_usize};
use crate::merkle::Hash;
use crate::tile::Tile;
use crate::verify::Finding;

/// No bundle is longer than 256 entries with their lengths.
pub const MAX_FILE_BYTES: u64 = 256 * 65_537;

/// Where the files of a log are.
pub trait Log {
    /// A file, by its path below the log's prefix.
    ///
    /// # Errors
    /// `NotFound` when there is none, `FileTooLarge` when it is longer than [`MAX_FILE_BYTES`],
    /// else what keeps it from being read.
    fn file(&self, path: &str) -> io::Result<Vec<u8>>;

    /// The signed note of the log's checkpoint.
    ///
    /// # Errors
    /// It is not there, or not a text.
    fn checkpoint(&self) -> Result<String, Finding> {
        text("checkpoint", self.file("checkpoint"))
    }

    /// The notes that introduced the keys that followed the first one; empty where none did.
    ///
    /// # Errors
    /// They cannot be read.
    fn keys(&self) -> Result<String, Finding> {
        optional("keys.ndjson", self.file("keys.ndjson")).map(Option::unwrap_or_default)
    }

    /// What could be erased, one line for each event that still has it; nothing without the file.
    ///
    /// # Errors
    /// It cannot be read.
    fn personal(&self) -> Result<Option<String>, Finding> {
        optional("personal.ndjson", self.file("personal.ndjson"))
    }

    /// The hashes of a tile: of the full one, where that took its place. There may be more, or
    /// fewer, than the tile is wide.
    ///
    /// # Errors
    /// It is not there, or ends within a hash.
    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Finding> {
        let bytes = either(self.file(&tile.path()), tile, |path| self.file(path))?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            return Ok(hashes.to_vec());
        }
        let read = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
        if read >= tile.width {
            let what = format!("{} goes on too long", tile.path());
            return Err(Finding::tampered(None, what));
        }
        let index = tile.first_entry().saturating_add(read);
        Err(Finding::incomplete(Some(index), format!("{} ends within a hash", tile.path())))
    }

    /// The entries of a bundle, as many as can be read, and whether nothing stands behind them.
    ///
    /// # Errors
    /// It is not there.
    fn entries(&self, tile: Tile) -> Result<(Vec<Vec<u8>>, bool), Finding> {
        let bytes = either(self.file(&tile.path()), tile, |path| self.file(path))?;
        let entries = read_entries(&bytes);
        let read: usize = entries.iter().map(|entry| entry.len() + 2).sum();
        Ok((entries.iter().map(|entry| entry.to_vec()).collect(), read == bytes.len()))
    }
}

/// A tile, or so much of the full one as takes its place (tlog-tiles, "Partial Tiles").
fn either(
    found: io::Result<Vec<u8>>,
    tile: Tile,
    file: impl FnOnce(&str) -> io::Result<Vec<u8>>,
) -> Result<Vec<u8>, Finding> {
    let missing = |error| unreadable(&tile.path(), &error);
    if tile.is_full() || found.is_ok() {
        return found.map_err(missing);
    }
    let full = Tile { width: crate::WIDTH, ..tile };
    let Ok(mut bytes) = file(&full.path()) else { return found.map_err(missing) };
    if tile.level.is_some() {
        bytes.truncate(to_usize(tile.width.saturating_mul(32)));
    } else {
        let wide = read_entries(&bytes).into_iter().take(to_usize(tile.width));
        let end = wide.map(|entry| entry.len() + 2).sum();
        bytes.truncate(end);
    }
    Ok(bytes)
}

fn text(path: &str, found: io::Result<Vec<u8>>) -> Result<String, Finding> {
    let bytes = found.map_err(|error| unreadable(path, &error))?;
    let changed = |_| Finding::tampered(None, format!("{path} is not a text"));
    String::from_utf8(bytes).map_err(changed)
}

fn optional(path: &str, found: io::Result<Vec<u8>>) -> Result<Option<String>, Finding> {
    match found {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => text(path, found).map(Some),
    }
}

fn unreadable(path: &str, error: &io::Error) -> Finding {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Finding::incomplete(None, format!("{path} is not there"))
        }
        ErrorKind::FileTooLarge => Finding::tampered(None, format!("{path} is too long")),
        _ => Finding::Unreadable(format!("{path} cannot be read: {error}")),
    }
}
