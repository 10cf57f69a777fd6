//! The repository itself under tidy, so that `cargo test` holds the written rules.

use xtask::tidy::{self, Tree};

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(&xtask::root()).unwrap();

    let report = tidy::check(&tree);

    assert!(report.findings.is_empty(), "{report}");
}

#[test]
fn tidy_reads_the_code_that_it_judges() {
    let tree = Tree::read(&xtask::root()).unwrap();

    for path in ["Cargo.toml", "crates/token/src/lib.rs", "crates/core/Cargo.toml", ".ci/run"] {
        assert!(tree.sources.iter().any(|source| source.path == path), "{path} was not read");
    }
    assert!(tree.sources.iter().all(|source| !source.path.starts_with("target/")));
}
