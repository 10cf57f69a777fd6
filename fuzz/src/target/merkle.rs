//! Merkle trees (RFC 6962 §2): every proof that is made holds, against a tree computed the slow
//! way; and a proof with anything changed does not.

use munjigi_audit::{
    Edge, Error, Hash, check_consistency, check_inclusion, consistency, empty_root, inclusion,
    leaf_hash, node_hash, root_at,
};

use crate::entropy::Entropy;

const MOST: u64 = 70;

pub fn run(bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let size = entropy.below(MOST) + 1;
    let (index, old) = (entropy.below(size), entropy.below(size + 1));
    let leaves: Vec<Hash> = (0..size).map(|_| leaf_hash(&entropy.array::<2>())).collect();
    let subtree = |height: u32, index: u64| {
        let range = usize::try_from(index << height)..usize::try_from((index + 1) << height);
        let (Ok(from), Ok(to)) = (range.start, range.end) else { return Err(Error::OutOfRange) };
        leaves.get(from..to).map(slow_root).ok_or(Error::OutOfRange)
    };

    let mut edge = Edge::default();
    leaves.iter().for_each(|leaf| drop(edge.push(*leaf)));
    let root = slow_root(&leaves);
    assert_eq!((edge.root(), root_at(size, subtree)), (root, Ok(root)), "{size} leaves");

    let leaf = &leaves[usize::try_from(index).unwrap_or(0)];
    let Ok(path) = inclusion(index, size, subtree) else { panic!("no path to {index}") };
    assert!(check_inclusion(leaf, index, size, &path, &root), "{index} of {size}");
    let old_root = slow_root(&leaves[..usize::try_from(old).unwrap_or(0)]);
    let Ok(proof) = consistency(old, size, subtree) else { panic!("no proof from {old}") };
    assert!(check_consistency((old, &old_root), (size, &root), &proof), "{old} to {size}");

    changed(&mut entropy, &path, |path| check_inclusion(leaf, index, size, path, &root));
    changed(&mut entropy, &proof, |proof| {
        check_consistency((old, &old_root), (size, &root), proof)
    });
}

/// A proof with one bit, one hash more or one hash less.
fn changed(entropy: &mut Entropy<'_>, proof: &[Hash], holds: impl Fn(&[Hash]) -> bool) {
    let longer: Vec<Hash> = proof.iter().copied().chain([entropy.array()]).collect();
    assert!(!holds(&longer), "a hash too many");
    let Some((_, shorter)) = proof.split_last() else { return };
    assert!(!holds(shorter), "a hash too few");
    let mut other = proof.to_vec();
    let at = usize::from(entropy.byte()) % other.len();
    other[at][usize::from(entropy.byte() & 31)] ^= 1 << (entropy.byte() & 7);
    assert!(!holds(&other), "another hash");
}

/// RFC 6962 §2.1, as it is written there.
fn slow_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&slow_root(left), &slow_root(right))
        }
    }
}
