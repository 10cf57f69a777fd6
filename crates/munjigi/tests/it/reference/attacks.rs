//! `docs/reference/attack-kit.md`: every case has a test that exists, or says what it waits for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::conformance::{exists, tests};
use super::{page, root};

/// Every case that there is: how many of each group, by their numbers.
const KIT: [(&str, &[u8]); 13] = [
    ("RU", &[1, 2, 3, 4, 5, 6, 9, 10]),
    ("PK", &[1, 2, 3, 4, 5]),
    ("RT", &[1, 2, 5, 6, 7, 9]),
    ("SS", &[1, 2, 3]),
    ("JW", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]),
    ("LG", &[1, 2, 4, 5, 6, 7, 9, 10]),
    ("MF", &[1, 2, 3, 4, 5]),
    ("RC", &[1, 2, 4, 5, 6, 8]),
    ("AD", &[1, 2, 3, 5, 6, 8, 9]),
    ("DV", &[1, 2, 3]),
    ("WB", &[1, 2, 3, 4, 5]),
    ("DS", &[1, 2, 3, 4, 6, 7]),
    ("AU", &[1, 2]),
];

fn rows(page: &str) -> Vec<[&str; 4]> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let cells = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    let cells = cells.map(|cells| <[&str; 4]>::try_from(cells).expect("four cells"));
    cells.filter(|[id, ..]| *id != "id").collect()
}

#[test]
fn every_case_of_the_attack_kit_is_on_the_page_once() {
    let page = page("attack-kit.md");
    let rows = rows(&page);
    let ids: Vec<_> = rows.iter().map(|[id, ..]| (*id).to_owned()).collect();
    let kit: Vec<_> = KIT
        .iter()
        .flat_map(|(group, numbers)| {
            numbers.iter().map(move |number| format!("{group}-{number:02}"))
        })
        .collect();
    assert_eq!(ids, kit);
}

/// Every Rust file below a directory, in one text.
fn sources(directory: &Path) -> String {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false if path.extension().is_some_and(|it| it == "rs") => {
            std::fs::read_to_string(path).unwrap()
        }
        false => String::new(),
    };
    entries.map(read).collect()
}

/// What the page says of itself: whoever looks for an id finds its tests.
#[test]
fn every_case_of_the_attack_kit_that_is_shown_is_found_by_its_id() {
    let page = page("attack-kit.md");
    let all = ["crates", "e2e"].map(|directory| sources(&root().join(directory))).concat();
    for [id, _, state, _] in rows(&page) {
        let in_a_name = id.to_lowercase().replace('-', "_");
        let is_found = all.contains(id) || all.contains(&in_a_name);
        assert!(is_found || state != "shown", "no test names {id}");
    }
}

#[test]
fn every_case_of_the_attack_kit_has_a_test_that_is_there_or_says_what_it_waits_for() {
    let page = page("attack-kit.md");
    for [id, what, state, shown] in rows(&page) {
        assert!(!what.is_empty(), "{id}");
        let named: BTreeSet<_> = tests(shown).collect();
        let gone: Vec<_> = named.iter().filter(|(file, name)| !exists(file, name)).collect();
        assert!(gone.is_empty(), "{id} names {gone:?}");
        match state.split_once(": ") {
            None if state == "shown" => assert!(!named.is_empty(), "{id} is shown by nothing"),
            Some(("later", why)) => assert!(named.is_empty() && why.len() > 10, "{id}"),
            _ => panic!("{id}: {state}"),
        }
    }
}
