//! What lies outside the crate: other people's vectors and programs. What is not there is said
//! loudly, and fails where `CI` is set.

use std::path::{Path, PathBuf};

/// A place relative to the workspace, if it is there.
pub fn find(what: &str, place: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(place);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {what}: {place} is not there");
    assert!(std::env::var_os("CI").is_none(), "{what} did not run: {place} is not there");
    None
}

/// A file of Wycheproof's.
pub fn wycheproof(file: &str) -> Option<serde_json::Value> {
    let folder = find("Wycheproof", "../shared/vectors/wycheproof")?;
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}
