//! A tamper-evident log, for whoever writes one and whoever doubts one: Merkle trees (RFC 6962 §2,
//! RFC 9162 §2.1), C2SP tlog-tiles, signed notes, checkpoints and proofs with Ed25519, and the
//! leaves of Munjigi's audit trail. It must not know a server, a network, a clock or randomness.
//!
//! ```
//! use munjigi_audit::{Checkpoint, Edge, Signer, leaf_hash};
//! # fn main() -> Result<(), munjigi_audit::Error> {
//! let signer = Signer::from_seed("id.example/audit", &[7; 32])?;
//! let mut tree = Edge::default();
//! for entry in ["first", "second", "third"] {
//!     tree.push(leaf_hash(entry.as_bytes()));
//! }
//! let checkpoint = Checkpoint::new("id.example/audit", tree.size(), tree.root());
//! let note = signer.sign(&checkpoint.to_string())?;
//! assert_eq!(Checkpoint::open(&note, &signer.verifier())?, checkpoint);
//! # Ok(())
//! # }
//! ```

mod bundle;
mod canonical;
mod checkpoint;
mod directory;
mod edge;
mod error;
mod kept;
mod leaf;
mod log;
mod merkle;
mod news;
mod note;
mod proof;
mod tile;
mod verify;

pub use bundle::{MAX_ENTRY_BYTES, read_bundle, write_bundle};
pub use canonical::canonical;
pub use checkpoint::Checkpoint;
pub use directory::Directory;
pub use edge::{Completed, Edge};
pub use error::Error;
pub use kept::{Keys, kept_line, kept_notes};
pub use leaf::{Leaf, VERSION, pii_digest, prefix_of};
pub use log::{Log, MAX_FILE_BYTES};
pub use merkle::{
    Hash, check_consistency, check_inclusion, consistency, empty_root, inclusion, leaf_hash,
    node_hash, root_at,
};
pub use news::{News, news};
pub use note::{Signer, VerifierKey};
pub use proof::Proof;
pub use tile::{Tile, WIDTH, hash_in_tile, read_hashes, tiles_of, write_hashes};
pub use verify::{Finding, Verified, check_since, entry_at, personal_line, verify};
