//! Proofs that an entry is in a log (C2SP tlog-proof@v1), which need nothing but the log's key to
//! be checked. The entry travels along as the extra data.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::{Hash, check_inclusion, leaf_hash};
use crate::{Checkpoint, Error, VerifierKey};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves has paths of 64 hashes.
const MAX_PATH: usize = 64;

/// A proof, not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The entry, which nothing vouches for before [`Proof::check`].
    pub entry: Vec<u8>,
    /// Which one of the log.
    pub index: u64,
    /// From beside the leaf upwards.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub note: String,
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`Error::BadProof`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (head, note) = text.split_once("\n\n").ok_or(Error::BadProof)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(Error::BadProof);
        }
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| Error::BadProof);
        let entry = lines.next().and_then(|line| line.strip_prefix("extra "));
        let entry = decode(entry.ok_or(Error::BadProof)?)?;
        let number = lines.next().and_then(|line| line.strip_prefix("index "));
        let number = number.ok_or(Error::BadProof)?;
        let index: u64 = number.parse().map_err(|_| Error::BadProof)?;
        let hash = |line| decode(line)?.try_into().map_err(|_| Error::BadProof);
        let path = lines.map(hash).collect::<Result<Vec<Hash>, _>>()?;
        if index.to_string() != number || path.len() > MAX_PATH {
            return Err(Error::BadProof);
        }
        Ok(Self { entry, index, path, note: note.to_owned() })
    }

    /// The checkpoint that the proof leads to, if it holds.
    ///
    /// # Errors
    /// What is wrong with the checkpoint; [`Error::BadProof`] when the path does not lead there.
    pub fn check(&self, key: &VerifierKey) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.note, key)?;
        let leaf = leaf_hash(&self.entry);
        let (size, root) = (checkpoint.size, &checkpoint.root);
        let holds = check_inclusion(&leaf, self.index, size, &self.path, root);
        holds.then_some(checkpoint).ok_or(Error::BadProof)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\nextra {}", STANDARD.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.note)
    }
}
