//! Tiles (C2SP tlog-tiles): every place of a tree has one tile, one path and one width; hashes are
//! read as they are written.

use munjigi_audit::{Hash, Tile, WIDTH, hash_in_tile, leaf_hash, read_hashes, write_hashes};

use crate::entropy::Entropy;

pub fn run(bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    let size = entropy.below(u64::MAX);
    let level = entropy.byte();
    let level = (level < 128).then_some(u32::from(level));
    let index = u64::from_be_bytes(entropy.array());
    if let Some(tile) = Tile::of(size, level, index) {
        assert!((1..=WIDTH).contains(&tile.width), "{tile:?}");
        assert_eq!(tile.is_full(), tile.width == WIDTH);
        assert!(tile.first_entry() < size, "a tile beyond the tree");
        let wider = Tile::of(size.saturating_add(1), level, index);
        assert!(wider.is_some_and(|wider| wider.width >= tile.width), "a tile shrinks");
        path(&tile);
    }

    let width = u64::try_from(entropy.0.len() / 32).unwrap_or(0);
    match read_hashes(entropy.0, width) {
        Ok(hashes) => {
            assert_eq!(write_hashes(&hashes), entropy.0);
            inside(&hashes);
        }
        Err(_) => assert!(entropy.0.len() % 32 != 0, "whole hashes refused"),
    }
    assert!(read_hashes(entropy.0, width.saturating_add(1)).is_err(), "a hash out of nothing");
}

/// C2SP tlog-tiles: groups of three digits, all but the last behind an `x`.
fn path(tile: &Tile) {
    let path = tile.path();
    let mut parts = path.split('/');
    let level = tile.level.map_or("entries".to_owned(), |level| level.to_string());
    assert_eq!((parts.next(), parts.next()), (Some("tile"), Some(level.as_str())), "{path}");
    let rest: Vec<&str> = parts.collect();
    let rest = rest.join("/");
    let (number, width) = rest.split_once(".p/").unwrap_or((&rest, "256"));
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.parse(), Ok(tile.index), "{path}");
    assert_eq!(width.parse(), Ok(tile.width), "{path}");
}

/// A hash of a subtree inside of a tile is the root over its leaves.
fn inside(hashes: &[Hash]) {
    let tile = |_, _, _| Ok::<_, munjigi_audit::Error>(hashes.to_vec());
    if let Some(first) = hashes.first().filter(|_| hashes.len() <= 256) {
        assert_eq!(hash_in_tile(0, 0, tile).ok().as_ref(), Some(first));
    }
    if let [left, right, ..] = hashes {
        let root = munjigi_audit::node_hash(left, right);
        assert_eq!(hash_in_tile(1, 0, tile).ok(), Some(root));
        assert_ne!(root, leaf_hash(&[left.as_slice(), right].concat()), "a node that is a leaf");
    }
}
