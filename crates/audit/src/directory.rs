//! A log in a directory, laid out as tlog-tiles says, with what could be erased in a file beside
//! it. It must not believe anything that it reads.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::bundle::{read_entries, to_usize};
use crate::merkle::Hash;
use crate::tile::Tile;
use crate::verify::Finding;

/// No bundle is longer than 256 entries with their lengths.
const MAX_FILE_BYTES: u64 = 256 * 65_537;

/// The directory of a log.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// The log in this directory.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// The signed note of the log's checkpoint.
    ///
    /// # Errors
    /// It is not there, or not a text.
    pub fn checkpoint(&self) -> Result<String, Finding> {
        let bytes = self.bytes("checkpoint")?;
        let changed = |_| Finding::tampered(None, "the checkpoint is not a text");
        String::from_utf8(bytes).map_err(changed)
    }

    /// The hashes of a tile: of the full one, where that took its place. There may be more, or
    /// fewer, than the tile is wide.
    ///
    /// # Errors
    /// It is not there, or ends within a hash.
    pub fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, Finding> {
        let bytes = self.tile(tile)?;
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
    pub fn entries(&self, tile: Tile) -> Result<(Vec<Vec<u8>>, bool), Finding> {
        let bytes = self.tile(tile)?;
        let entries = read_entries(&bytes);
        let read: usize = entries.iter().map(|entry| entry.len() + 2).sum();
        Ok((entries.iter().map(|entry| entry.to_vec()).collect(), read == bytes.len()))
    }

    /// What could be erased, one line for each event that still has it; nothing without the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn personal(&self) -> Result<Option<String>, Finding> {
        match fs::read_to_string(self.0.join("personal.ndjson")) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(Finding::tampered(None, "personal.ndjson is not a text"))
            }
            Err(error) => Err(unreadable("personal.ndjson", &error)),
        }
    }

    /// Writes a file of the log: over nothing, or over one that was written before.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)
    }

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Finding> {
        let found = self.bytes(&tile.path());
        if tile.is_full() || found.is_ok() {
            return found;
        }
        // tlog-tiles: the full one may have taken the partial one's place.
        let full = Tile { width: crate::WIDTH, ..tile };
        let Ok(mut bytes) = self.bytes(&full.path()) else { return found };
        if tile.level.is_some() {
            bytes.truncate(to_usize(tile.width.saturating_mul(32)));
        } else {
            let wide = read_entries(&bytes).into_iter().take(to_usize(tile.width));
            let end = wide.map(|entry| entry.len() + 2).sum();
            bytes.truncate(end);
        }
        Ok(bytes)
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Finding> {
        let whole = self.0.join(path);
        let length = fs::metadata(&whole).map_err(|error| unreadable(path, &error))?.len();
        if length > MAX_FILE_BYTES {
            return Err(Finding::tampered(None, format!("{path} is too long")));
        }
        fs::read(&whole).map_err(|error| unreadable(path, &error))
    }
}

fn unreadable(path: &str, error: &io::Error) -> Finding {
    let what = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => format!("{path} is not there"),
        _ => format!("{path} cannot be read: {error}"),
    };
    Finding::incomplete(None, what)
}
