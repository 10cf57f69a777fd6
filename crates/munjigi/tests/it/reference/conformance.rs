//! `docs/reference/conformance.md`: every test that it names exists, and no module of a plan is
//! left out or said twice.

use std::collections::BTreeSet;

use super::{page, root, section};

/// The plans on the page, and how many modules each has.
const PLANS: &[(&str, usize)] = &[
    ("## Basic (36)", 36),
    ("## Config (1)", 1),
    ("## Form Post (the Basic set)", 1),
    ("## Further modules (10)", 10),
    ("## RP-initiated logout (11)", 11),
    ("## Back-channel logout (2)", 2),
    ("## Front-channel logout (2)", 2),
    ("## FAPI 2.0 Security Profile (62)", 62),
];

/// The rows of a plan: a module, and what shows it.
fn rows<'p>(page: &'p str, plan: &str) -> Vec<(&'p str, &'p str)> {
    let rows = section(page, plan).lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| row.trim_end_matches(" |").split_once(" | ").unwrap());
    cells.filter(|(module, _)| *module != "module").collect()
}

/// The tests that a cell names, each as a file and a function.
pub(super) fn tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.split_once("::"))
}

/// Whether a file has a test of that name: by itself, or one for each database.
pub(super) fn exists(file: &str, function: &str) -> bool {
    let below = if file.starts_with("e2e/") { root() } else { root().join("crates") };
    let text = std::fs::read_to_string(below.join(file)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let begins = format!("fn {function}(");
    lines.iter().enumerate().any(|(at, line)| {
        let above = at.checked_sub(1).map_or("", |above| lines[above].trim());
        let below = lines.get(at + 1).map_or("", |below| below.trim());
        let of_each = line.contains("(database)") || below.trim_end_matches(',') == "database";
        let is_test = above == "#[test]" || above.starts_with("#[tokio::test") || of_each;
        line.contains(&begins) && is_test
    })
}

#[test]
fn every_test_that_the_page_of_conformance_names_is_there() {
    let page = page("conformance.md");
    let rows: Vec<_> = PLANS.iter().flat_map(|(plan, _)| rows(&page, plan)).collect();
    let named: BTreeSet<_> = rows.iter().flat_map(|(_, cell)| tests(cell)).collect();
    assert!(named.len() > 30, "the search finds no more than {named:?}");
    let gone: Vec<_> = named.iter().filter(|(file, name)| !exists(file, name)).collect();
    assert!(gone.is_empty(), "docs/reference/conformance.md names {gone:?}");
}

#[test]
fn every_module_of_a_plan_has_one_answer() {
    let page = page("conformance.md");
    for (plan, expected) in PLANS {
        let rows = rows(&page, plan);
        let names: BTreeSet<_> = rows.iter().map(|(module, _)| *module).collect();
        assert_eq!(names.len(), rows.len(), "{plan} says a module twice");
        // Two modules of one ecosystem share a line.
        let shared = rows.iter().filter(|(module, _)| module.ends_with("(2 modules)")).count();
        assert_eq!(rows.len() + shared, *expected, "{plan}");
        for (module, cell) in rows {
            let says = cell.starts_with("not yet") || cell.starts_with("does not apply: ");
            assert!(says || tests(cell).next().is_some(), "{plan}, {module}: {cell}");
        }
    }
}
