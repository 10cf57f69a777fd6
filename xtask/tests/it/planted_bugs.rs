//! The planted errors: the list that runs, the places in the code and the list in the documents are
//! the same, and no ordinary build has any of it. The errors themselves: `cargo xtask planted`.

use std::collections::BTreeSet;

use xtask::planted::BUGS;
use xtask::tidy::Tree;

fn names() -> BTreeSet<String> {
    BUGS.iter().map(|bug| bug.name.to_owned()).collect()
}

/// What stands between `before` and the next `after`, each time.
fn quoted<'t>(text: &'t str, before: &'t str, after: &'t str) -> impl Iterator<Item = String> + 't {
    let parts = text.split(before).skip(1);
    parts.filter_map(move |part| part.split_once(after).map(|(name, _)| name.to_owned()))
}

#[test]
fn every_planted_error_is_run_and_told_and_nothing_else_is() {
    let tree = Tree::read(&xtask::root()).unwrap();
    let code = tree.sources.iter().filter(|source| {
        source.path.starts_with("crates/") && !source.path.ends_with("token/src/planted.rs")
    });
    let mut places = BTreeSet::new();
    for source in code {
        let text: String = source.text.split_whitespace().collect();
        places.extend(quoted(&text, "::planted!(\"", "\""));
    }
    assert_eq!(places, names());

    let told = tree.sources.iter().find(|it| it.path == "docs/reference/reliability.md").unwrap();
    let section = told.text.split("## Broken on purpose").nth(1).expect("the section of the list");
    let section = section.split("\n## ").next().unwrap();
    assert_eq!(quoted(section, "\n| `", "`").collect::<BTreeSet<_>>(), names());
    assert_eq!(names().len(), BUGS.len(), "a name stands there twice");
}

/// A test that was renamed would pass for one that ran.
#[test]
fn the_tests_that_have_to_notice_are_there() {
    let tree = Tree::read(&xtask::root()).unwrap();
    for bug in BUGS {
        let folder = format!("crates/{}/", bug.program.split('/').next().unwrap());
        let word = bug.tests.rsplit("::").next().unwrap();
        let module = bug.tests.split("::").next().unwrap();
        let is_there = tree.sources.iter().any(|source| {
            source.path.starts_with(&folder)
                && source.path.contains(module)
                && source.text.contains(&format!("fn {word}"))
        });
        assert!(is_there, "{}: no test is called like {}", bug.name, bug.tests);
    }
}
