//! Checkpoints (C2SP tlog-checkpoint): how large a tree was, and its root.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::Hash;
use crate::{Error, VerifierKey};

/// What a log said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
}

impl Checkpoint {
    /// A checkpoint of this log.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root }
    }

    /// The checkpoint in a note that `key` signed. The log is called as the key is.
    ///
    /// # Errors
    /// What is wrong with the note, or [`Error::BadCheckpoint`].
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, Error> {
        let checkpoint = Self::parse(key.open(note)?)?;
        (checkpoint.origin == key.name()).then_some(checkpoint).ok_or(Error::BadCheckpoint)
    }

    /// The checkpoint that a text is: exactly three lines. There may be more in the notes of other
    /// logs; ours have no extension, so that nothing is signed that nobody checks.
    fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.strip_suffix('\n').ok_or(Error::BadCheckpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::BadCheckpoint);
        };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let number: u64 = size.parse().map_err(|_| Error::BadCheckpoint)?;
        // No leading zeroes, no sign: one text for each number.
        if origin.is_empty() || number.to_string() != size {
            return Err(Error::BadCheckpoint);
        }
        Ok(Self::new(origin, number, root.ok_or(Error::BadCheckpoint)?))
    }
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))
    }
}
