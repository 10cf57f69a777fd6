//! What can be wrong with something that was read. It must not carry what it found there.

use thiserror::Error;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Error {
    /// Not a verifier key (C2SP signed-note), or not of Ed25519.
    #[error("not a verifier key of an Ed25519 key: NAME+ID+KEY is expected")]
    BadKey,
    /// Not a signed note.
    #[error("not a signed note")]
    BadNote,
    /// A note without a signature of the key that is trusted.
    #[error("no signature of the trusted key")]
    Unsigned,
    /// A note whose signature of the trusted key does not hold.
    #[error("the signature of the trusted key does not hold")]
    BadSignature,
    /// Not a checkpoint (C2SP tlog-checkpoint).
    #[error("not a checkpoint")]
    BadCheckpoint,
    /// Not a tile, or not of that width.
    #[error("not a tile of the width that its name says")]
    BadTile,
    /// Not a bundle of entries, or not of that width.
    #[error("not a bundle of as many entries as its name says")]
    BadBundle,
    /// An entry that is too long for a bundle.
    #[error("an entry is too long")]
    TooLong,
    /// Not a proof (C2SP tlog-proof).
    #[error("not a proof of inclusion")]
    BadProof,
    /// Not a leaf of an audit trail in its canonical form.
    #[error("not a leaf of an audit trail")]
    BadLeaf,
    /// Something was asked about an entry, or a size, that the tree does not have.
    #[error("the tree has no such entry")]
    OutOfRange,
}
