//! The right edge of a tree: all that is needed to go on writing it. A few kilobytes, however many
//! leaves there are.

use crate::Error;
use crate::bundle::to_usize;
use crate::merkle::{Hash, empty_root, node_hash};
use crate::tile::{Tile, WIDTH, fold};

/// A tree that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// The unfinished tile of each level; fewer than [`WIDTH`] hashes each.
    levels: Vec<Vec<Hash>>,
}

/// A tile and its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Which one; its level is there.
    pub tile: Tile,
    /// As many as it is wide.
    pub hashes: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree of `size` leaves. `tile` gives the hashes of a tile, or more than so many
    /// if it has grown since.
    ///
    /// # Errors
    /// What `tile` says; [`Error::BadTile`] when it gave too few.
    pub fn restore<E: From<Error>>(
        size: u64,
        mut tile: impl FnMut(Tile) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut levels = Vec::new();
        let mut hashes = size;
        for level in 0.. {
            if hashes == 0 {
                break;
            }
            let wanted = Tile { level: Some(level), index: hashes / WIDTH, width: hashes % WIDTH };
            let mut row = if wanted.width > 0 { tile(wanted)? } else { Vec::new() };
            if row.len() < to_usize(wanted.width) {
                return Err(Error::BadTile.into());
            }
            row.truncate(to_usize(wanted.width));
            levels.push(row);
            hashes /= WIDTH;
        }
        Ok(Self { size, levels })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; the tiles that it filled, which will not change any more.
    pub fn push(&mut self, leaf: Hash) -> Vec<Completed> {
        let mut completed = Vec::new();
        let (mut carried, mut level, mut place) = (Some(leaf), 0, self.size);
        self.size += 1;
        for number in 0.. {
            let Some(hash) = carried.take() else { break };
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { break };
            row.push(hash);
            if row.len() == to_usize(WIDTH) {
                let hashes = std::mem::take(row);
                carried = fold(&hashes);
                let tile = Tile { level: Some(number), index: place / WIDTH, width: WIDTH };
                completed.push(Completed { tile, hashes });
            }
            place /= WIDTH;
            level += 1;
        }
        completed
    }

    /// The tiles that are not full yet.
    pub fn unfinished(&self) -> Vec<Completed> {
        let mut hashes = self.size;
        let mut unfinished = Vec::new();
        for (level, row) in (0..).zip(&self.levels) {
            let tile = Tile { level: Some(level), index: hashes / WIDTH, width: hashes % WIDTH };
            if tile.width > 0 {
                unfinished.push(Completed { tile, hashes: row.clone() });
            }
            hashes /= WIDTH;
        }
        unfinished
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        // RFC 6962 §2.1: the largest complete subtree to the left, at every split. So the complete
        // subtrees, which the bits of the widths name, are joined from the right.
        let mut root: Option<Hash> = None;
        for row in &self.levels {
            let mut rest = row.as_slice();
            while !rest.is_empty() {
                let (before, last) = rest.split_at(rest.len() & (rest.len() - 1));
                let Some(peak) = fold(last) else { break };
                root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
                rest = before;
            }
        }
        root.unwrap_or_else(empty_root)
    }
}
