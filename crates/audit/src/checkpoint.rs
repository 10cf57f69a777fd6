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
    /// The key that the log is signed with from here on, where this introduces another one.
    pub next: Option<VerifierKey>,
}

/// How the line begins that introduces a key (tlog-checkpoint, "extension lines").
const NEXT_KEY: &str = "next-key ";

impl Checkpoint {
    /// A checkpoint of this log.
    pub fn new(origin: &str, size: u64, root: Hash) -> Self {
        Self { origin: origin.to_owned(), size, root, next: None }
    }

    /// The checkpoint in a note that `key` signed. The log is called as the key is.
    ///
    /// # Errors
    /// What is wrong with the note, or [`Error::BadCheckpoint`].
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, Error> {
        let checkpoint = Self::parse(key.open(note)?)?;
        (checkpoint.origin == key.name()).then_some(checkpoint).ok_or(Error::BadCheckpoint)
    }

    /// The same checkpoint, introducing another key of the same log.
    #[must_use]
    pub fn introducing(self, next: VerifierKey) -> Self {
        Self { next: Some(next), ..self }
    }

    /// The checkpoint that a text is: exactly three lines, and one more where a key is introduced.
    /// There may be others in the notes of other logs; ours have none, so that nothing is signed
    /// that nobody checks.
    fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.strip_suffix('\n').ok_or(Error::BadCheckpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root), next, None) =
            (lines.next(), lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::BadCheckpoint);
        };
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        let number: u64 = size.parse().map_err(|_| Error::BadCheckpoint)?;
        // No leading zeroes, no sign: one text for each number.
        if origin.is_empty() || number.to_string() != size {
            return Err(Error::BadCheckpoint);
        }
        let next = next.map(|line| next_key(line, origin).ok_or(Error::BadCheckpoint));
        let checkpoint = Self::new(origin, number, root.ok_or(Error::BadCheckpoint)?);
        Ok(Self { next: next.transpose()?, ..checkpoint })
    }
}

/// The key that a line introduces, for the log of this name, in its one spelling.
fn next_key(line: &str, origin: &str) -> Option<VerifierKey> {
    let text = line.strip_prefix(NEXT_KEY)?;
    let key: VerifierKey = text.parse().ok()?;
    (key.name() == origin && key.to_string() == text).then_some(key)
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))?;
        match &self.next {
            Some(next) => writeln!(f, "{NEXT_KEY}{next}"),
            None => Ok(()),
        }
    }
}
