//! Tiles (C2SP tlog-tiles): what they are called, how wide each is in a tree of some size, and the
//! hashes inside. It must not read files.

use crate::merkle::{Hash, node_hash};
use crate::{Error, bundle};

/// How many hashes, or entries, a full tile has.
pub const WIDTH: u64 = 256;
/// How many levels of the tree a tile spans: 2^8 is [`WIDTH`].
const HEIGHT: u32 = 8;

/// One tile, or one bundle of entries, of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 above the entries, 1 above that; none for the entries themselves.
    pub level: Option<u32>,
    /// Which of its level.
    pub index: u64,
    /// How many hashes or entries it holds: [`WIDTH`], or fewer at the right edge.
    pub width: u64,
}

impl Tile {
    /// The tile at this place in a tree of `size` leaves, as wide as it is there; nothing when the
    /// tree does not reach there.
    pub fn of(size: u64, level: Option<u32>, index: u64) -> Option<Self> {
        let hashes = size.checked_shr(level.unwrap_or(0).checked_mul(HEIGHT)?).unwrap_or(0);
        let width = hashes.checked_sub(index.checked_mul(WIDTH)?)?.min(WIDTH);
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether it will not change any more.
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// Its path below the log's prefix: `tile/0/x001/x234/067`, `tile/entries/003.p/17`.
    pub fn path(&self) -> String {
        let mut number = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1_000);
            rest /= 1_000;
        }
        let partial = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        match self.level {
            Some(level) => format!("tile/{level}/{number}{partial}"),
            None => format!("tile/entries/{number}{partial}"),
        }
    }

    /// The tile of a path, which has to be exactly as [`Tile::path`] writes it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let level = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, WIDTH),
        };
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        // No number of 64 bits has more groups of three digits than seven.
        let index = if digits.len() > 21 { return None } else { digits.parse().ok()? };
        let tile = Self { level, index, width };
        (tile.path() == path && (1..=WIDTH).contains(&width)).then_some(tile)
    }

    /// The first of the entries below it.
    pub fn first_entry(&self) -> u64 {
        let shift = self.level.unwrap_or(0).saturating_mul(HEIGHT);
        self.index.saturating_mul(WIDTH).checked_shl(shift).unwrap_or(u64::MAX)
    }
}

/// Every tile and every bundle of a tree of `size` leaves, bundles first.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    let levels = std::iter::once(None).chain((0..HEIGHT).map(Some));
    levels.flat_map(move |level| (0..).map_while(move |index| Tile::of(size, level, index)))
}

/// The hashes of a tile, which has to be exactly so wide.
///
/// # Errors
/// [`Error::BadTile`].
pub fn read_hashes(bytes: &[u8], width: u64) -> Result<Vec<Hash>, Error> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    let is_wide = u64::try_from(hashes.len()) == Ok(width);
    (is_wide && rest.is_empty()).then(|| hashes.to_vec()).ok_or(Error::BadTile)
}

/// The hashes of a tile, one after the other.
pub fn write_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The hash of the complete subtree of this height and index, found in its tile: `tile(level,
/// index, width)` gives at least the first `width` hashes of one.
///
/// # Errors
/// What `tile` says; [`Error::BadTile`] when it gave too few.
pub fn hash_in_tile<E: From<Error>>(
    height: u32,
    index: u64,
    mut tile: impl FnMut(u32, u64, u64) -> Result<Vec<Hash>, E>,
) -> Result<Hash, E> {
    let (level, inside) = (height / HEIGHT, height % HEIGHT);
    let first = index.checked_shl(inside).ok_or(Error::OutOfRange)?;
    let (tile_index, from) = (first / WIDTH, first % WIDTH);
    let end = from.saturating_add(1 << inside);
    let hashes = tile(level, tile_index, end)?;
    let range = bundle::to_usize(from)..bundle::to_usize(end);
    fold(hashes.get(range).ok_or(Error::BadTile)?).ok_or_else(|| Error::BadTile.into())
}

/// The root over hashes, of which there are a power of two.
pub(crate) fn fold(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, rest) = row.as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(level: Option<u32>, index: u64, width: u64) -> String {
        Tile { level, index, width }.path()
    }

    /// C2SP tlog-tiles, "Merkle Tree".
    #[test]
    fn a_path_is_in_groups_of_three_digits() {
        assert_eq!(path(Some(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Some(2), 0, 1), "tile/2/000.p/1");
        assert_eq!(path(None, 999, 256), "tile/entries/999");
        assert_eq!(path(None, 1_000, 255), "tile/entries/x001/000.p/255");
    }

    #[test]
    fn a_path_is_read_back_and_no_other_is() {
        let all = tiles_of(70_000).chain([Tile { level: None, index: 1_234_067, width: 9 }]);
        for tile in all {
            assert_eq!(Tile::parse(&tile.path()), Some(tile));
        }
        for bad in [
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/+0/000",
            "tile/0/x000/001",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/07",
            "tile/entries/x01/000",
            "tile/data/000",
            "tile/0/../000",
            "/tile/0/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(Tile::parse(bad), None, "{bad}");
        }
    }

    /// C2SP tlog-tiles, "Partial Tiles": the two examples.
    #[test]
    fn a_tree_has_the_tiles_that_the_specification_counts() {
        let count = |size, level, is_full: bool| {
            let fits = |tile: &Tile| tile.level == Some(level) && tile.is_full() == is_full;
            tiles_of(size).filter(fits).map(|tile| tile.width).collect::<Vec<_>>()
        };
        assert_eq!(count(70_000, 0, true).len(), 273);
        assert_eq!(count(70_000, 0, false), [112]);
        assert_eq!(count(70_000, 1, true).len(), 1);
        assert_eq!(count(70_000, 1, false), [17]);
        assert_eq!(count(70_000, 2, false), [1]);
        assert_eq!(count(256, 0, false).len(), 0);
        assert_eq!(count(256, 1, false), [1]);
        assert_eq!(tiles_of(0).count(), 0);
        assert_eq!(Tile::of(70_000, Some(1), 1).map(|tile| tile.first_entry()), Some(65_536));
    }
}
