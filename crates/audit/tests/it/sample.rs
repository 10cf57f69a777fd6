//! Logs to try things with: made of nothing but numbers, the same at every run.

use std::collections::BTreeMap;
use std::path::Path;

use munjigi_audit::{
    Checkpoint, Edge, Leaf, Signer, Tile, leaf_hash, personal_line, pii_digest, tiles_of,
    write_bundle, write_hashes,
};
use serde_json::json;

pub const NAME: &str = "id.example/audit";

pub fn signer() -> Signer {
    Signer::from_seed(NAME, &[42; 32]).unwrap()
}

/// Every file of a log, by its path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Entry `number` of a world: two worlds share the first `common` events.
fn event(world: u64, common: u64, number: u64) -> (Leaf, [u8; 32], serde_json::Value) {
    let world = if number < common { 0 } else { world };
    let mut salt = [0; 32];
    salt[..8].copy_from_slice(&(number * 31 + world).to_be_bytes());
    let pii = json!({ "address": format!("203.0.113.{}", number % 256), "detail": {"w": world} });
    let leaf = Leaf {
        id: format!("00000000-0000-7000-8000-{number:012}"),
        at: 1_700_000_000_000 + number as i64,
        kind: "signed_in".to_owned(),
        outcome: "succeeded".to_owned(),
        actor_kind: "user".to_owned(),
        actor: Some(format!("user {}", number % 7)),
        subject: Some(format!("user {}", number % 7)),
        client: (!number.is_multiple_of(3)).then(|| "shop".to_owned()),
        prefix: Some("203.0.113.0/24".to_owned()),
        request: None,
        pii: pii_digest(&salt, &pii),
    };
    (leaf, salt, pii)
}

/// The files of a log of `size` events.
pub fn log(world: u64, common: u64, size: u64) -> Files {
    let events: Vec<_> = (0..size).map(|number| event(world, common, number)).collect();
    let entries: Vec<Vec<u8>> =
        events.iter().map(|(leaf, ..)| leaf.to_entry().into_bytes()).collect();
    let mut files = of_entries(&entries, true);
    let lines = (0..).zip(&events).filter(|(index, _)| index % 5 != 4);
    let personal: String =
        lines.map(|(index, (_, salt, pii))| personal_line(index, salt, pii)).collect();
    files.insert("personal.ndjson".to_owned(), personal.into_bytes());
    files
}

/// Bundles and tiles of these entries, and a checkpoint if somebody has the key.
pub fn of_entries(entries: &[Vec<u8>], has_key: bool) -> Files {
    let (mut edge, mut files) = (Edge::default(), Files::new());
    for entry in entries {
        for full in edge.push(leaf_hash(entry)) {
            files.insert(full.tile.path(), write_hashes(&full.hashes));
        }
    }
    for part in edge.unfinished() {
        files.insert(part.tile.path(), write_hashes(&part.hashes));
    }
    for bundle in tiles_of(edge.size()).filter(|tile| tile.level.is_none()) {
        let first = bundle.first_entry() as usize;
        let inside = &entries[first..first + bundle.width as usize];
        let bytes = write_bundle(inside.iter().map(Vec::as_slice)).unwrap();
        files.insert(bundle.path(), bytes);
    }
    if has_key {
        let checkpoint = Checkpoint::new(NAME, edge.size(), edge.root());
        let note = signer().sign(&checkpoint.to_string()).unwrap();
        files.insert("checkpoint".to_owned(), note.into_bytes());
    }
    files
}

/// The entries of a log.
pub fn entries(files: &Files, size: u64) -> Vec<Vec<u8>> {
    let bundles = tiles_of(size).filter(|tile: &Tile| tile.level.is_none());
    let read = |tile: Tile| {
        let entries = munjigi_audit::read_bundle(&files[&tile.path()], tile.width).unwrap();
        entries.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    bundles.flat_map(read).collect()
}

/// Writes a log, and takes away what another one left there.
pub fn write(directory: &Path, files: &Files) {
    std::fs::remove_dir_all(directory).ok();
    std::fs::create_dir_all(directory).unwrap();
    let log = munjigi_audit::Directory::new(directory);
    for (path, bytes) in files {
        log.write(path, bytes).unwrap();
    }
}
