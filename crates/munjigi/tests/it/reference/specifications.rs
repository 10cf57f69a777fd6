//! `docs/reference/rfc.md`: every test that it names exists, and whatever is said to work is shown
//! by one.

use std::collections::BTreeSet;

use super::conformance::{exists, tests};
use super::page;

/// The rows of the page: a specification, its state, what there is, and what shows it.
fn rows(page: &str) -> Vec<[&str; 4]> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let cells = cells.map(|cells| <[&str; 4]>::try_from(cells).expect("four cells"));
    cells.filter(|[name, ..]| *name != "specification").collect()
}

#[test]
fn every_test_that_the_page_of_specifications_names_is_there() {
    let page = page("rfc.md");
    let rows = rows(&page);
    let named: BTreeSet<_> = rows.iter().flat_map(|[.., shown]| tests(shown)).collect();
    assert!(named.len() > 60, "the search finds no more than {named:?}");
    let gone: Vec<_> = named.iter().filter(|(file, name)| !exists(file, name)).collect();
    assert!(gone.is_empty(), "docs/reference/rfc.md names {gone:?}");
}

#[test]
fn what_is_said_to_work_is_shown_and_what_is_left_out_is_said() {
    let page = page("rfc.md");
    let rows = rows(&page);
    let names: BTreeSet<_> = rows.iter().map(|[name, ..]| name).collect();
    assert_eq!(names.len(), rows.len(), "a specification stands there twice");
    for [name, state, what, shown] in rows {
        let is_shown = tests(shown).next().is_some();
        match state {
            "supported" => assert!(is_shown, "{name} is shown by nothing"),
            "partly" => assert!(is_shown && !what.is_empty(), "{name} does not say which part"),
            "no" => {}
            other => panic!("{name}: {other}"),
        }
    }
}
