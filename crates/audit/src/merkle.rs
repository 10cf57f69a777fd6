//! Merkle trees over SHA-256 (RFC 6962 §2.1), proofs and their checks (RFC 9162 §2.1.3, §2.1.4).
//! Whoever proves looks complete subtrees up; whoever checks needs nothing but the proof.

use aws_lc_rs::digest::{Context, SHA256};

/// The hash of a leaf, of a node or of a tree.
pub type Hash = [u8; 32];

/// The hash of the tree without leaves.
pub fn empty_root() -> Hash {
    digest(&[])
}

/// RFC 6962 §2.1: MTH({d}) = SHA-256(0x00 || d).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    digest(&[&[0], entry])
}

/// RFC 6962 §2.1: SHA-256(0x01 || left || right). The other first byte keeps a node from being
/// taken for a leaf.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[1], left, right])
}

/// SHA-256 over parts, one after the other.
pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// The root of the tree's first `size` leaves. `subtree(height, index)` is the hash of the complete
/// subtree over the leaves from `index << height` to `(index + 1) << height`.
pub fn root_at<E>(
    size: u64,
    mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    if size == 0 {
        return Ok(empty_root());
    }
    range(0, size, &mut subtree)
}

/// RFC 6962 §2.1.1: the path from leaf `index` to the root of the first `size` leaves, beginning
/// beside the leaf. Empty when there is no such leaf.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut first, mut end) = (0, size);
    let mut path = Vec::new();
    while index < end && end - first > 1 {
        let middle = first + split(end - first);
        if index < middle {
            path.push(range(middle, end, &mut subtree)?);
            end = middle;
        } else {
            path.push(range(first, middle, &mut subtree)?);
            first = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// RFC 6962 §2.1.2: that the first `old` of `new` leaves are those of the tree of that size. Empty
/// when there is nothing to prove.
pub fn consistency<E>(
    old: u64,
    new: u64,
    mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut first, mut end) = (0, new);
    // Whether the old tree is, so far, a subtree that the checker knows the hash of.
    let mut is_known = true;
    while old != end {
        let middle = first + split(end - first);
        if old <= middle {
            path.push(range(middle, end, &mut subtree)?);
            end = middle;
        } else {
            path.push(range(first, middle, &mut subtree)?);
            first = middle;
            is_known = false;
        }
    }
    if !is_known {
        path.push(range(first, end, &mut subtree)?);
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two that is smaller than `size`, which is at least two.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

fn range<E>(
    first: u64,
    end: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let size = end - first;
    if size.is_power_of_two() {
        let height = size.ilog2();
        return subtree(height, first >> height);
    }
    let middle = first + split(size);
    let left = range(first, middle, subtree)?;
    Ok(node_hash(&left, &range(middle, end, subtree)?))
}

/// RFC 9162 §2.1.3.2: whether `proof` leads from the leaf at `index` to the root of `size` leaves.
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// RFC 9162 §2.1.4.2: whether the tree `new` (size, root) begins with the tree `old`.
pub fn check_consistency(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old_size > new_size {
        return false;
    }
    // A complete old tree is itself the first hash of the path.
    let known = old_size.is_power_of_two().then_some(old_root);
    let mut path = known.into_iter().chain(proof);
    let Some(first) = path.next() else { return false };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut before, mut after) = (*first, *first);
    for hash in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = node_hash(hash, &before);
            after = node_hash(hash, &after);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            after = node_hash(&after, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && before == *old_root && after == *new_root
}
