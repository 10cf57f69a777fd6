//! What holds for every tree.

use std::collections::BTreeMap;

use munjigi_audit::{
    Checkpoint, Edge, Error, Hash, Leaf, Proof, Signer, Tile, VerifierKey, canonical,
    check_consistency, check_inclusion, consistency, hash_in_tile, inclusion, leaf_hash, prefix_of,
    read_bundle, read_hashes, root_at, tiles_of, write_bundle, write_hashes,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::vectors::subtree;

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// Tiles as they are written while a tree grows.
fn grown(leaves: &[Hash]) -> (Edge, BTreeMap<(u32, u64), Vec<Hash>>) {
    let (mut edge, mut tiles) = (Edge::default(), BTreeMap::new());
    for leaf in leaves {
        for full in edge.push(*leaf) {
            tiles.insert((full.tile.level.unwrap(), full.tile.index), full.hashes);
        }
    }
    for part in edge.unfinished() {
        tiles.insert((part.tile.level.unwrap(), part.tile.index), part.hashes);
    }
    (edge, tiles)
}

#[test]
fn every_proof_of_every_small_tree_holds_and_of_no_other() {
    let leaves = leaves(40);
    let roots: Vec<Hash> = (0..=40).map(|size| root_at(size, subtree(&leaves)).unwrap()).collect();
    for new in 0..=40_u64 {
        let root = &roots[new as usize];
        for index in 0..new {
            let path = inclusion(index, new, subtree(&leaves)).unwrap();
            let leaf = &leaves[index as usize];
            assert!(check_inclusion(leaf, index, new, &path, root));
            assert!(!check_inclusion(leaf, index + 1, new, &path, root));
            assert!(!check_inclusion(&[0; 32], index, new, &path, root));
            assert!(!check_inclusion(leaf, index, new, &path, &[0; 32]));
            let longer: Vec<Hash> = path.iter().copied().chain([*leaf]).collect();
            assert!(!check_inclusion(leaf, index, new, &longer, root));
            if let Some((_, shorter)) = path.split_last() {
                assert!(!check_inclusion(leaf, index, new, shorter, root));
            }
        }
        for old in 0..=new {
            let path = consistency(old, new, subtree(&leaves)).unwrap();
            let old_root = &roots[old as usize];
            assert!(check_consistency((old, old_root), (new, root), &path), "{old} {new}");
            assert!(!check_consistency((old, &[0; 32]), (new, root), &path));
            if old > 0 {
                assert!(!check_consistency((old, old_root), (new, &[0; 32]), &path));
                assert!(!check_consistency((old - 1, old_root), (new, root), &path) || old == new);
            }
            if old > 0 && old < new {
                assert!(!check_consistency((new, root), (old, old_root), &path));
                let longer: Vec<Hash> = path.iter().copied().chain([*root]).collect();
                assert!(!check_consistency((old, old_root), (new, root), &longer));
            }
        }
    }
}

#[test]
fn a_tree_in_tiles_is_the_tree_of_its_leaves() {
    for size in [1, 2, 255, 256, 257, 511, 512, 65_536, 65_537] {
        let leaves = leaves(size);
        let (edge, tiles) = grown(&leaves);
        let root = root_at(size, subtree(&leaves)).unwrap();
        assert_eq!((edge.size(), edge.root()), (size, root), "{size}");
        let expected = tiles_of(size).filter(|tile| tile.level.is_some()).count();
        assert_eq!(tiles.len(), expected, "{size}");

        let find = |level, index, _| {
            let width = Tile::of(size, Some(level), index).unwrap().width;
            let hashes = tiles.get(&(level, index)).cloned().ok_or(Error::BadTile)?;
            assert_eq!(read_hashes(&write_hashes(&hashes), width), Ok(hashes.clone()));
            Ok::<_, Error>(hashes)
        };
        let in_tiles = |height, index| hash_in_tile(height, index, find);
        assert_eq!(root_at(size, in_tiles), Ok(root));
        for index in [0, size / 3, size - 1] {
            let path = inclusion(index, size, in_tiles).unwrap();
            assert!(check_inclusion(&leaves[index as usize], index, size, &path, &root));
        }
        for old in [1, size / 2, size - 1] {
            let at = |tile: Tile| find(tile.level.unwrap(), tile.index, 0);
            let mut restored = Edge::restore(old, at).unwrap();
            assert_eq!(Ok(restored.root()), root_at(old, in_tiles));
            for leaf in &leaves[old as usize..] {
                restored.push(*leaf);
            }
            assert_eq!((restored.root(), &restored), (root, &edge), "{old} {size}");
        }
    }
}

#[test]
fn an_edge_is_not_restored_from_too_few_hashes() {
    let few = |tile: Tile| Ok::<_, Error>(vec![[0; 32]; tile.width as usize - 1]);
    assert_eq!(Edge::restore(300, few), Err(Error::BadTile));
    assert_eq!(Edge::restore(0, few).map(|edge| edge.size()), Ok(0));
}

#[test]
fn an_address_is_told_by_its_network() {
    let prefix = |text: &str| prefix_of(text.parse().unwrap());
    assert_eq!(prefix("203.0.113.77"), "203.0.113.0/24");
    assert_eq!(prefix("::ffff:203.0.113.77"), "203.0.113.0/24");
    assert_eq!(prefix("2001:db8:7:8:9::1"), "2001:db8:7::/48");
}

proptest! {
    #[test]
    fn a_bundle_is_read_back(entries in vec(vec(any::<u8>(), 0..300), 0..20)) {
        let bytes = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let width = entries.len() as u64;
        prop_assert_eq!(read_bundle(&bytes, width).unwrap(), entries);
        prop_assert!(read_bundle(&bytes, width + 1).is_err());
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert!(read_bundle(&longer, width).is_err());
    }

    #[test]
    fn a_leaf_has_one_text(
        at in -1_i64 << 53..1 << 53,
        kind in ".{0,30}",
        actor in prop::option::of(".{0,30}"),
        pii in any::<[u8; 32]>(),
    ) {
        let leaf = Leaf {
            id: "0192".to_owned(), at, kind, outcome: "succeeded".to_owned(), pii,
            actor_kind: "user".to_owned(), actor: actor.clone(), subject: actor,
            client: None, prefix: None, request: None,
        };
        let entry = leaf.to_entry();
        prop_assert_eq!(Leaf::parse(entry.as_bytes()), Ok(leaf));
        let spaced = entry.replace("\"at\":", "\"at\": ");
        let newer = entry.replace("\"v\":1", "\"v\":2");
        for other in [spaced, newer, format!("{entry} ")] {
            prop_assert_eq!(Leaf::parse(other.as_bytes()), Err(Error::BadLeaf));
        }
        let value: serde_json::Value = serde_json::from_str(&entry).unwrap();
        prop_assert_eq!(canonical(&value), entry);
    }

    #[test]
    fn nothing_that_is_read_makes_it_panic(text in ".{0,200}", bytes in vec(any::<u8>(), 0..200)) {
        let key = Signer::from_seed("log", &[1; 32]).unwrap().verifier();
        let _ = (text.parse::<VerifierKey>().is_ok(), key.open(&text).is_ok());
        let _ = (Proof::parse(&text).is_ok(), Leaf::parse(&bytes).is_ok());
        let _ = (read_bundle(&bytes, 3).is_ok(), read_hashes(&bytes, 3).is_ok());
        let proof = format!("c2sp.org/tlog-proof@v1\nextra \nindex 1\n{text}\n\n{text}");
        prop_assert!(!Proof::parse(&proof).is_ok_and(|proof| proof.check(&key).is_ok()));
    }

    #[test]
    fn one_changed_bit_of_a_proof_is_seen(place in any::<Index>(), bit in 0_u32..8) {
        let leaves = leaves(11);
        let signer = Signer::from_seed("log", &[1; 32]).unwrap();
        let root = root_at(11, subtree(&leaves)).unwrap();
        let checkpoint = Checkpoint::new("log", 11, root);
        let note = signer.sign(&checkpoint.to_string()).unwrap();
        let path = inclusion(4, 11, subtree(&leaves)).unwrap();
        let proof = Proof { entry: 4_u64.to_be_bytes().to_vec(), index: 4, path, note };
        prop_assert_eq!(Proof::parse(&proof.to_string()), Ok(proof.clone()));
        prop_assert_eq!(proof.check(&signer.verifier()).map(|checkpoint| checkpoint.size), Ok(11));
        let mut bytes = proof.to_string().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let holds = String::from_utf8(bytes).ok().and_then(|text| Proof::parse(&text).ok());
        prop_assert!(holds.is_none_or(|proof| proof.check(&signer.verifier()).is_err()));
    }
}
