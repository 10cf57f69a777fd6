//! What any text file has to obey, line by line. It must not know syntax.

use super::{Finding, Rule, Source};

const MAX_COLUMNS: usize = 100;
/// A word this long (a token, a digest, an address) cannot be broken.
const UNBREAKABLE: usize = 80;
/// Where whoever built this machine keeps things; spelt in two parts, so that tidy passes itself.
const WORKPLACE: &str = concat!("/wo", "rk/");

/// Holds the rules over one file.
pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if source.is_rust() && !source.text.starts_with("//!") {
        let what = "a file opens with `//!`: what it is, which RFC it carries, what it must not do";
        findings.push(Finding::of_file(Rule::DocHead, &source.path, 1, what));
    }
    if source.path.ends_with("package-lock.json") {
        lockfile(source, findings);
    }
    // Test vectors and bundled assets of others stay byte for byte as published.
    if source.is_under(&["vectors/"]) || source.path.contains("/vendor/") {
        return;
    }
    for (index, line) in source.text.split('\n').enumerate() {
        for (rule, what) in complaints(source, line) {
            findings.push(Finding::at(rule, &source.path, index + 1, what));
        }
    }
    let last = source.text.lines().count();
    if !source.text.is_empty() && (!source.text.ends_with('\n') || source.text.ends_with("\n\n")) {
        let what = "a file ends with one newline";
        findings.push(Finding::at(Rule::Whitespace, &source.path, last, what));
    }
}

fn complaints(source: &Source, line: &str) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    if line.ends_with([' ', '\t', '\r']) {
        found.push((Rule::Whitespace, "trailing white space".to_owned()));
    }
    if source.is_rust() && line.contains('\t') {
        found.push((Rule::Whitespace, "a tab; rustfmt writes spaces".to_owned()));
    }
    if names_workplace(line) {
        let what = format!("`{WORKPLACE}` exists on one machine only");
        found.push((Rule::Workplace, what));
    }
    if source.path.ends_with(".sql") {
        found.extend(too_wide(line).map(|what| (Rule::Columns, what)));
    }
    found
}

/// What to say about a line that is too wide, unless one word alone makes it so.
pub(super) fn too_wide(line: &str) -> Option<String> {
    let columns = line.chars().count();
    let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let is_wide = columns > MAX_COLUMNS && longest <= UNBREAKABLE;
    is_wide.then(|| format!("{columns} columns, at most {MAX_COLUMNS}"))
}

/// A path from the root, not the middle of an address.
fn names_workplace(line: &str) -> bool {
    line.match_indices(WORKPLACE).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-}".contains(c)))
    })
}

fn lockfile(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.text.lines().enumerate() {
        if line.contains("\"resolved\"") {
            let what = "names the host it came from; lock with `--omit-lockfile-registry-resolved`";
            findings.push(Finding::at(Rule::Lockfile, &source.path, index + 1, what));
        }
    }
}
