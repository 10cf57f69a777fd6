//! The invariants over `use`, calls and string literals: what each layer may name.
//! It must not look at names or sizes.

use std::collections::BTreeSet;

use super::manifests::{DRIVERS, IMPURE};
use super::rust::RustFile;
use super::{Finding, Report, Rule, Tree};

/// Where tests, figures and chores live: they may read the clock.
const CHORES: [&str; 4] = ["bench/", "e2e/", "xtask/", "examples/"];
/// Who may write SQL: the store, an example with a file of its own, the bare baselines of `bench`,
/// and the planted violations of tidy itself.
const SQL_HOMES: [&str; 4] = ["crates/store/", "examples/planner/", "bench/", "xtask/"];
const DRIVER_HOMES: [&str; 5] =
    ["crates/store/src/sql/", "crates/store/src/sql.rs", "examples/planner/", "bench/", "xtask/"];
const CLOCKS: [&str; 2] = ["crates/server/src/clock.rs", "crates/verify/src/clock.rs"];
/// Key generation and signing draw their own, inside `token`.
const RANDOM_HOMES: [&str; 2] = ["crates/server/src/random.rs", "crates/token/"];
const ENDPOINTS: &str = "crates/server/src/endpoint/";

/// Holds the rules over one file.
pub(super) fn check(file: &RustFile<'_>, endpoints: &Endpoints, report: &mut Report) {
    let findings = &mut report.findings;
    pure(file, findings);
    sql(file, findings);
    driver(file, findings);
    clock(file, findings);
    randomness(file, findings);
    panics(file, findings);
    endpoints.check(file, findings);

    let routine = file.tokens.paths.iter().filter(|path| path.has(&["Audit", "Routine"]));
    let written = routine.filter(|path| !file.is_test_line(path.line));
    report.routine_writes.extend(written.map(|path| (file.path().to_owned(), path.line)));
}

fn names_crate(name: &str, crates: &[&str]) -> bool {
    crates.iter().any(|one| one.replace('-', "_") == name)
}

fn pure(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if !file.source.is_under(&["crates/audit/", "crates/token/", "crates/core/"]) {
        return;
    }
    for path in &file.tokens.paths {
        if let Some(name) = path.first_of_many().filter(|name| names_crate(name, &IMPURE)) {
            let what = format!("a pure crate does not name {name}; what needs it belongs outside");
            findings.push(Finding::at(Rule::Pure, file.path(), path.line, what));
        }
    }
}

fn driver(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if file.source.is_under(&DRIVER_HOMES) {
        return;
    }
    for path in file.tokens.paths.iter().filter(|path| !file.is_test_line(path.line)) {
        if let Some(name) = path.first_of_many().filter(|name| names_crate(name, &DRIVERS)) {
            let what = format!("only store/src/sql/ names {name}; go through Tx");
            findings.push(Finding::at(Rule::Driver, file.path(), path.line, what));
        }
    }
}

fn sql(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if file.source.is_under(&SQL_HOMES) {
        return;
    }
    for text in file.tokens.strings.iter().filter(|text| is_sql(&text.value)) {
        let what = "only store contains SQL; write a table function there";
        findings.push(Finding::at(Rule::Sql, file.path(), text.line, what));
    }
}

/// Whether a text is a statement. A sentence begins with "Select" or "Update", SQL with neither.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        ["SELECT" | "PRAGMA" | "TRUNCATE", _, ..] => true,
        ["INSERT", "INTO" | "OR", ..] | ["DELETE", "FROM", ..] | ["BEGIN", "IMMEDIATE", ..] => true,
        ["CREATE" | "ALTER" | "DROP", ..] => has("TABLE") || has("INDEX") || has("VIEW"),
        ["UPDATE", ..] => has("SET"),
        ["WITH", ..] => has("AS"),
        ["insert", "into", ..] | ["delete", "from", ..] | ["create", "table", ..] => true,
        ["update", _, "set", ..] => true,
        ["select", ..] => has("from") && (has("where") || has("*")),
        _ => false,
    }
}

fn clock(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if file.source.is_under(&CHORES) {
        return;
    }
    const READS: [(&str, &str); 5] = [
        ("SystemTime", "now"),
        ("Timestamp", "now"),
        ("Zoned", "now"),
        ("Utc", "now"),
        ("UNIX_EPOCH", "elapsed"),
    ];
    let is_clock = CLOCKS.contains(&file.path());
    let is_stopwatch = file.path().ends_with("/clock.rs");
    for path in file.tokens.paths.iter().filter(|path| !file.is_test_line(path.line)) {
        let reads_date = READS.iter().any(|(kind, now)| path.has(&[kind, now]));
        if reads_date && !is_clock {
            let what = "the clock is read in one file of server and one of verify; take `now`";
            findings.push(Finding::at(Rule::Clock, file.path(), path.line, what));
        }
        if path.has(&["Instant", "now"]) && !is_stopwatch {
            let what = "spans are measured in a file named clock.rs";
            findings.push(Finding::at(Rule::Clock, file.path(), path.line, what));
        }
    }
}

fn randomness(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if file.source.is_under(&RANDOM_HOMES) || file.source.is_under(&CHORES) {
        return;
    }
    for path in file.tokens.paths.iter().filter(|path| !file.is_test_line(path.line)) {
        let first = path.first_of_many();
        let draws = matches!(first, Some("rand" | "getrandom" | "rand_core" | "fastrand"))
            || path.has(&["aws_lc_rs", "rand"])
            || path.has(&["SystemRandom"])
            || path.has(&["OsRng"])
            || path.has(&["Uuid", "new_v4"])
            || path.has(&["Uuid", "now_v7"]);
        if draws {
            let what = "randomness is drawn in server/src/random.rs; take what was drawn";
            findings.push(Finding::at(Rule::Randomness, file.path(), path.line, what));
        }
    }
}

/// `bench`, `e2e` and `fuzz` are tests in all but name.
fn panics(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    if file.source.is_under(&["bench/", "e2e/", "fuzz/"]) {
        return;
    }
    let calls = file.tokens.methods.iter().filter(|(name, _)| name == "unwrap");
    let loud = ["todo", "unimplemented", "dbg"];
    let macros = file.tokens.macros.iter().filter(|(name, _)| loud.contains(&name.as_str()));
    for (name, line) in calls.chain(macros).filter(|(_, line)| !file.is_test_line(*line)) {
        let what = format!("no `{name}` outside tests; return an error, or finish it");
        findings.push(Finding::at(Rule::Panic, file.path(), *line, what));
    }
}

/// The modules of the endpoints. A `mod.rs` wires; everything else answers one request.
pub(super) struct Endpoints {
    modules: BTreeSet<Vec<String>>,
}

impl Endpoints {
    pub fn among(tree: &Tree) -> Self {
        let paths = tree.sources.iter().map(|source| source.path.as_str());
        Self { modules: paths.filter_map(module_of).collect() }
    }

    fn check(&self, file: &RustFile<'_>, findings: &mut Vec<Finding>) {
        let Some(own) = module_of(file.path()).filter(|_| !file.path().ends_with("/mod.rs")) else {
            return;
        };
        for path in file.tokens.paths.iter().filter(|path| !file.is_test_line(path.line)) {
            let Some(target) = self.target(&own, &path.segments) else { continue };
            let is_family = own.starts_with(&target) || target.starts_with(&own);
            if !is_family {
                let what = format!(
                    "an endpoint does not call another ({}); share a rule, an extractor or `issue`",
                    target.join("::")
                );
                findings.push(Finding::at(Rule::Endpoint, file.path(), path.line, what));
            }
        }
    }

    /// The endpoint module that a path of module `own` leads into.
    fn target(&self, own: &[String], segments: &[String]) -> Option<Vec<String>> {
        let (first, rest) = segments.split_first()?;
        let mut absolute = match first.as_str() {
            "crate" => Vec::new(),
            "self" => own.to_vec(),
            "super" => own.split_last()?.1.to_vec(),
            _ => return None,
        };
        for segment in rest {
            if segment == "super" {
                absolute.pop();
            } else {
                absolute.push(segment.clone());
            }
        }
        while absolute.len() > 1 && !self.modules.contains(&absolute) {
            absolute.pop();
        }
        self.modules.contains(&absolute).then_some(absolute)
    }
}

/// `crates/server/src/endpoint/oauth/revoke.rs` is `endpoint::oauth::revoke`.
fn module_of(path: &str) -> Option<Vec<String>> {
    let inside = path.strip_prefix(ENDPOINTS)?.strip_suffix(".rs")?;
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let mut module = vec!["endpoint".to_owned()];
    if inside != "mod" {
        module.extend(inside.split('/').map(str::to_owned));
    }
    Some(module)
}
