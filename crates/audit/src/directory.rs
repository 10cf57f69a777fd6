//! A log in a directory, laid out as tlog-tiles says, with what could be erased in a file beside
//! it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::log::{Log, MAX_FILE_BYTES};

/// The directory of a log.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// The log in this directory.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
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
}

impl Log for Directory {
    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        let whole = self.0.join(path);
        // What could be erased is one file, however many events there are.
        let is_bounded = path != "personal.ndjson";
        if is_bounded && fs::metadata(&whole)?.len() > MAX_FILE_BYTES {
            return Err(ErrorKind::FileTooLarge.into());
        }
        fs::read(&whole)
    }
}
