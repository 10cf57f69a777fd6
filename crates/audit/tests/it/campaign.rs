//! AU-01: whatever is done to a log is seen. A slice runs with the tests; the whole campaign by
//! `cargo test --release -p munjigi-audit --test it -- --ignored --nocapture campaign`.

use std::collections::BTreeMap;
use std::path::Path;

use munjigi_audit::{Checkpoint, Directory, Finding, Tile, check_since, tiles_of, verify};
use tempfile::TempDir;

use crate::sample::{self, Files};

/// xorshift64*: the same mutations at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn path(&mut self, files: &Files) -> String {
        let paths: Vec<&String> = files.keys().filter(|path| !files[*path].is_empty()).collect();
        paths[self.below(paths.len())].clone()
    }
}

/// A log, what it was before, and what it might have been.
struct World {
    size: u64,
    now: Files,
    before: Files,
    other: Files,
    /// The checkpoint that somebody kept.
    kept: Checkpoint,
}

impl World {
    fn new(size: u64) -> Self {
        let now = sample::log(0, 0, size);
        let key = sample::signer().verifier();
        let note = String::from_utf8(now["checkpoint"].clone()).unwrap();
        let kept = Checkpoint::open(&note, &key).unwrap();
        let (before, other) = (sample::log(0, 0, size / 2), sample::log(1, size / 3, size));
        Self { size, now, before, other, kept }
    }

    /// The entries of the log in one place, so that they can be moved about.
    fn with_entries(&self, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Files {
        let mut entries = sample::entries(&self.now, self.size);
        change(&mut entries);
        // Bundles keep the names that the checkpoint gives them.
        let mut files = self.now.clone();
        let bundles: Vec<Tile> = tiles_of(self.size).filter(|tile| tile.level.is_none()).collect();
        for (at, bundle) in bundles.iter().enumerate() {
            let first = (bundle.first_entry() as usize).min(entries.len());
            let last = first + bundle.width as usize;
            let end = if at + 1 == bundles.len() { entries.len() } else { last.min(entries.len()) };
            let inside = entries[first..end.max(first)].iter().map(Vec::as_slice);
            files.insert(bundle.path(), munjigi_audit::write_bundle(inside).unwrap());
        }
        files
    }
}

const KINDS: [&str; 11] = [
    "flip",
    "flip a byte",
    "delete a file",
    "delete an event",
    "swap events",
    "insert an event",
    "truncate",
    "append",
    "splice",
    "recompute",
    "older snapshot",
];

fn mutate(world: &World, kind: &str, dice: &mut Dice) -> Files {
    let mut files = world.now.clone();
    let path = dice.path(&files);
    let length = files[&path].len();
    let bytes = files.get_mut(&path).unwrap();
    match kind {
        "flip" => bytes[dice.below(length)] ^= 1 << dice.below(8),
        "flip a byte" => bytes[dice.below(length)] ^= 1 + dice.below(255) as u8,
        "delete a file" => {
            // What could be erased may be gone.
            let path = if path == "personal.ndjson" { "checkpoint".to_owned() } else { path };
            files.remove(&path);
        }
        "truncate" => {
            let text = files["personal.ndjson"].clone();
            let cut = dice.below(length);
            // A line less is an erasure.
            let erases = path == "personal.ndjson" && (cut == 0 || text[cut - 1] == b'\n');
            let path = if erases { "checkpoint".to_owned() } else { path };
            let cut = cut.min(files[&path].len() - 1);
            files.get_mut(&path).unwrap().truncate(cut);
        }
        "append" => bytes.push(dice.below(256) as u8),
        "splice" => splice(world, &mut files, dice),
        "older snapshot" => return [&world.before, &world.other][dice.below(2)].clone(),
        _ => return move_events(world, kind, dice),
    }
    files
}

fn move_events(world: &World, kind: &str, dice: &mut Dice) -> Files {
    let (one, two) = (dice.below(world.size as usize), dice.below(world.size as usize));
    let foreign = sample::entries(&world.other, world.size)[world.size as usize - 1].clone();
    let files = world.with_entries(|entries| match kind {
        "delete an event" => drop(entries.remove(one)),
        "swap events" if one != two => entries.swap(one, two),
        "insert an event" => entries.insert(one, foreign.clone()),
        _ => entries[one] = foreign.clone(),
    });
    if kind != "recompute" {
        return files;
    }
    // With every tile computed anew: all that is lacking is the key.
    let mut entries = sample::entries(&world.now, world.size);
    entries[one] = foreign;
    let mut recomputed = sample::of_entries(&entries, false);
    recomputed.insert("checkpoint".to_owned(), world.now["checkpoint"].clone());
    recomputed
}

/// Takes some files, or a whole range with its lowest tiles, from another log of the same key.
fn splice(world: &World, files: &mut Files, dice: &mut Dice) {
    let from = [&world.other, &world.before][dice.below(2)];
    // What was known about people before is less than now, and may be.
    let erases = |path: &String| path == "personal.ndjson" && std::ptr::eq(from, &world.before);
    let differs = |path: &String| from.get(path).is_some_and(|other| *other != world.now[path]);
    let paths: Vec<String> =
        files.keys().filter(|path| differs(path) && !erases(path)).cloned().collect();
    let first = dice.below(paths.len());
    // All but the checkpoint, or a run of files.
    let taken = if dice.below(4) == 0 { 0..paths.len() } else { first..paths.len().min(first + 2) };
    for path in &paths[taken] {
        files.insert(path.clone(), from[path].clone());
    }
}

/// Writes what differs, looks, and puts the log back.
fn found(world: &World, files: &Files, directory: &Path) -> Result<(), Finding> {
    let log = Directory::new(directory);
    let all: Files = world.now.iter().chain(files).map(|(a, b)| (a.clone(), b.clone())).collect();
    for path in all.keys() {
        match files.get(path) {
            Some(bytes) if world.now.get(path) == Some(bytes) => {}
            Some(bytes) => log.write(path, bytes).unwrap(),
            None => std::fs::remove_file(directory.join(path)).unwrap(),
        }
    }
    let verdict = verify(&log, &sample::signer().verifier())
        .and_then(|verified| check_since(&log, &verified, &world.kept));
    for path in all.keys() {
        match world.now.get(path) {
            Some(bytes) if files.get(path) == Some(bytes) => {}
            Some(bytes) => log.write(path, bytes).unwrap(),
            None => std::fs::remove_file(directory.join(path)).unwrap(),
        }
    }
    verdict
}

/// How many mutations were seen, by kind and verdict.
fn campaign(size: u64, rounds: usize, seed: u64) -> BTreeMap<(&'static str, &'static str), usize> {
    let (world, mut dice) = (World::new(size), Dice(seed));
    let directory = TempDir::new().unwrap();
    sample::write(directory.path(), &world.now);
    let mut seen = BTreeMap::new();
    let mut round = 0;
    while round < rounds {
        let kind = KINDS[round % KINDS.len()];
        let files = mutate(&world, kind, &mut dice);
        // Two equal events swapped are no mutation.
        if files == world.now {
            continue;
        }
        let verdict = found(&world, &files, directory.path());
        let Err(finding) = verdict else { panic!("{kind} was not seen ({size}, {round})") };
        if kind == "older snapshot" {
            assert_eq!(finding.exit_code(), 3, "{finding}");
        }
        *seen.entry((kind, finding.as_str())).or_default() += 1;
        round += 1;
        // No false alarm: the log is as it was.
        if round % 97 == 0 {
            assert_eq!(found(&world, &world.now, directory.path()), Ok(()));
        }
    }
    seen
}

#[test]
fn au_01_every_mutation_of_a_slice_is_seen() {
    for (size, rounds) in [(3, 330), (257, 165), (300, 165)] {
        let seen = campaign(size, rounds, 7 + size);
        assert_eq!(seen.values().sum::<usize>(), rounds);
    }
}

/// AU-01 names the index: a changed byte of a bundle is found at the very event that it belongs to.
#[test]
fn au_01_a_changed_byte_names_its_event() {
    let world = World::new(300);
    let directory = TempDir::new().unwrap();
    sample::write(directory.path(), &world.now);
    let mut dice = Dice(99);
    let bundles = tiles_of(300).filter(|tile| tile.level.is_none());
    for tile in bundles.flat_map(|tile| std::iter::repeat_n(tile, 100)) {
        let mut files = world.now.clone();
        let bytes = files.get_mut(&tile.path()).unwrap();
        let place = dice.below(bytes.len());
        let index = event_at(tile, bytes, place);
        bytes[place] ^= 1 << dice.below(8);
        let finding = found(&world, &files, directory.path()).unwrap_err();
        let (Finding::Tampered(at, _) | Finding::Incomplete(at, _)) = &finding else {
            panic!("{finding}");
        };
        assert_eq!(*at, Some(index), "{finding}");
    }
}

/// Which event a byte of a bundle belongs to.
fn event_at(tile: Tile, bytes: &[u8], place: usize) -> u64 {
    let (mut index, mut end) = (tile.first_entry(), 0);
    loop {
        end += 2 + usize::from(u16::from_be_bytes([bytes[end], bytes[end + 1]]));
        if place < end {
            return index;
        }
        index += 1;
    }
}

#[test]
#[ignore = "the whole campaign takes minutes"]
fn au_01_the_campaign_sees_every_mutation() {
    let mut all: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (size, rounds) in
        [(2, 2_000), (255, 2_000), (256, 2_000), (257, 2_000), (700, 4_000), (66_000, 66)]
    {
        for (what, count) in campaign(size, rounds, 1_000 + size) {
            *all.entry(what).or_default() += count;
        }
    }
    for ((kind, verdict), count) in &all {
        println!("{count:>6}  {kind}: {verdict}");
    }
    let total: usize = all.values().sum();
    println!("{total:>6}  mutations, each of them seen; no false alarm");
    assert_eq!(total, 12_066);
}
