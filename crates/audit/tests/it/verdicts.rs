//! What is found, and where it is said to begin.

use munjigi_audit::{Checkpoint, Directory, Finding, check_since, verify};
use tempfile::TempDir;

use crate::sample::{self, Files};

fn verdict(files: &Files) -> Result<u64, Finding> {
    let directory = TempDir::new().unwrap();
    sample::write(directory.path(), files);
    let log = Directory::new(directory.path());
    verify(&log, &sample::signer().verifier()).map(|verified| verified.personal)
}

fn since(files: &Files, old: &Files) -> Result<(), Finding> {
    let directory = TempDir::new().unwrap();
    sample::write(directory.path(), files);
    let (log, key) = (Directory::new(directory.path()), sample::signer().verifier());
    let note = String::from_utf8(old["checkpoint"].clone()).unwrap();
    let old = Checkpoint::open(&note, &key).unwrap();
    check_since(&log, &verify(&log, &key)?, &old)
}

#[test]
fn logs_of_every_shape_hold() {
    for size in [0, 1, 2, 255, 256, 257, 700] {
        assert_eq!(verdict(&sample::log(0, 0, size)), Ok(size - size / 5), "{size}");
    }
}

#[test]
fn an_event_that_was_changed_is_named() {
    for changed in [0, 255, 256, 699] {
        let mut files = sample::log(0, 0, 700);
        let mut entries = sample::entries(&files, 700);
        entries[changed] = String::from_utf8(entries[changed].clone())
            .unwrap()
            .replace("succeeded", "refused")
            .into_bytes();
        let bundles = sample::of_entries(&entries, false);
        files.extend(bundles.into_iter().filter(|(path, _)| path.contains("entries")));
        let found = verdict(&files).unwrap_err();
        assert!(matches!(found, Finding::Tampered(Some(at), _) if at == changed as u64), "{found}");
        assert_eq!(found.exit_code(), 1);
    }
}

#[test]
fn whoever_computes_every_tile_anew_lacks_the_key() {
    let mut files = sample::log(0, 0, 700);
    let mut entries = sample::entries(&files, 700);
    entries.remove(300);
    entries.push(b"{}".to_vec());
    files.extend(sample::of_entries(&entries, false));
    files.remove("personal.ndjson");
    let found = verdict(&files).unwrap_err();
    assert_eq!((found.exit_code(), found.as_str()), (1, "tampered"));
}

#[test]
fn personal_data_may_be_erased_and_not_changed() {
    let mut files = sample::log(0, 0, 300);
    let text = String::from_utf8(files["personal.ndjson"].clone()).unwrap();
    let fewer: String =
        text.split_inclusive('\n').filter(|line| !line.contains("w\":0}")).collect();
    assert_eq!(fewer, "");
    let without = text.split_inclusive('\n').skip(7).collect::<String>();
    files.insert("personal.ndjson".to_owned(), without.clone().into_bytes());
    assert_eq!(verdict(&files), Ok(240 - 7));
    let changed = without.replacen("203.0.113.9\"", "203.0.113.8\"", 1);
    assert_ne!(changed, without);
    files.insert("personal.ndjson".to_owned(), changed.into_bytes());
    // Index 9 is among the erased of every five; 9 + 256 is the next with that address.
    assert!(matches!(verdict(&files), Err(Finding::Tampered(Some(265), _))));
    files.remove("personal.ndjson");
    assert_eq!(verdict(&files), Ok(0));
}

#[test]
fn what_is_missing_is_incomplete() {
    let whole = sample::log(0, 0, 700);
    for path in whole.keys().filter(|path| *path != "personal.ndjson") {
        let mut files = whole.clone();
        files.remove(path);
        assert_eq!(verdict(&files).unwrap_err().exit_code(), 2, "{path}");
    }
    assert_eq!(verdict(&Files::new()).unwrap_err().exit_code(), 2);
    let mut files = whole.clone();
    let bundle = files.get_mut("tile/entries/001").unwrap();
    bundle.truncate(bundle.len() / 2);
    assert!(matches!(verdict(&files), Err(Finding::Incomplete(Some(257..512), _))));
}

#[test]
fn a_full_tile_takes_the_place_of_a_partial_one() {
    let (mut files, longer) = (sample::log(0, 0, 700), sample::log(0, 0, 800));
    for (partial, full) in
        [("tile/0/002.p/188", "tile/0/002"), ("tile/entries/002.p/188", "tile/entries/002")]
    {
        files.remove(partial).unwrap();
        files.insert(full.to_owned(), longer[full].clone());
    }
    assert_eq!(verdict(&files), Ok(560));
}

#[test]
fn an_older_snapshot_and_a_fork_are_told_from_tampering() {
    let (old, new) = (sample::log(0, 0, 300), sample::log(0, 0, 700));
    assert_eq!(since(&new, &old), Ok(()));
    assert_eq!(since(&new, &new), Ok(()));
    assert_eq!(since(&new, &sample::log(0, 0, 0)), Ok(()));
    // Gone back.
    assert_eq!(since(&old, &new).unwrap_err().exit_code(), 3);
    // Another history, of the same length, longer, with a common beginning.
    for other in [sample::log(1, 0, 700), sample::log(1, 299, 700), sample::log(1, 0, 300)] {
        assert_eq!(
            verdict(&other).map_err(|found| found.exit_code()),
            verdict(&other).map_err(|_| 0)
        );
        assert_eq!(since(&other, &old).unwrap_err().exit_code(), 3);
    }
    assert_eq!(since(&sample::log(1, 300, 700), &old), Ok(()));
}

#[test]
fn a_checkpoint_of_another_key_is_none() {
    let mut files = sample::log(0, 0, 3);
    let note = String::from_utf8(files["checkpoint"].clone()).unwrap();
    let text = note.split_once("\n\n").unwrap().0;
    let other = munjigi_audit::Signer::from_seed(sample::NAME, &[1; 32]).unwrap();
    files.insert("checkpoint".to_owned(), other.sign(&format!("{text}\n")).unwrap().into_bytes());
    assert_eq!(verdict(&files).unwrap_err().exit_code(), 1);
}
