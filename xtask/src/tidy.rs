//! Tidy: the invariants of ARCHITECTURE.md and the caps of CONTRIBUTING.md, held by a test.
//!
//! It reads text and syntax, never the compiled program. It must not know a rule that is not
//! written in one of those two documents. Each rule has its violation in `tests/it/planted.rs`.

mod exceptions;
mod layers;
mod manifests;
mod names;
mod rust;
mod shape;
mod templates;
mod text;
mod tree;

use std::fmt;

pub use exceptions::Exception;
pub use tree::{Source, Tree};

use rust::RustFile;

/// A rule that tidy holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// `token`, `audit` and `core` name no runtime, HTTP or database crate.
    Pure,
    /// The crates depend on each other in one direction; `audit` on none of them.
    OneWay,
    /// Only `store` contains SQL.
    Sql,
    /// Only `store/src/sql/` names a database driver.
    Driver,
    /// The clock is read in one file of the server and one of the verifier.
    Clock,
    /// Randomness is drawn in one file.
    Randomness,
    /// Endpoints never call endpoints.
    Endpoint,
    /// Templates hold no logic beyond `if`, `for` and `match`.
    Template,
    /// At most 60 lines of code in a function.
    FnLines,
    /// At most five parameters.
    Parameters,
    /// At most three levels of `if`, `match`, `for`, `while` and `loop`.
    Nesting,
    /// At most 100 columns.
    Columns,
    /// At most 500 lines in a file before its tests.
    FileLines,
    /// Names that say nothing.
    Names,
    /// Verbs that say nothing.
    Verbs,
    /// Each file opens by saying what it is.
    DocHead,
    /// Nothing panics on purpose outside tests.
    Panic,
    /// No path of the machine on which it was written.
    Workplace,
    /// No trailing white space, no tabs in Rust, one newline at the end.
    Whitespace,
    /// A lock file names versions and digests, not the host they came from.
    Lockfile,
    /// An exception names a rule, gives a reason, and is needed.
    Exception,
    /// A file that cannot be parsed cannot be held to anything.
    Syntax,
}

impl Rule {
    /// Every rule, in the order of the report.
    pub const ALL: [Self; 22] = [
        Self::Pure,
        Self::OneWay,
        Self::Sql,
        Self::Driver,
        Self::Clock,
        Self::Randomness,
        Self::Endpoint,
        Self::Template,
        Self::FnLines,
        Self::Parameters,
        Self::Nesting,
        Self::Columns,
        Self::FileLines,
        Self::Names,
        Self::Verbs,
        Self::DocHead,
        Self::Panic,
        Self::Workplace,
        Self::Whitespace,
        Self::Lockfile,
        Self::Exception,
        Self::Syntax,
    ];

    /// The name that a `// tidy:` comment uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::OneWay => "one-way",
            Self::Sql => "sql",
            Self::Driver => "driver",
            Self::Clock => "clock",
            Self::Randomness => "randomness",
            Self::Endpoint => "endpoint",
            Self::Template => "template",
            Self::FnLines => "fn-lines",
            Self::Parameters => "parameters",
            Self::Nesting => "nesting",
            Self::Columns => "columns",
            Self::FileLines => "file-lines",
            Self::Names => "names",
            Self::Verbs => "verbs",
            Self::DocHead => "doc-head",
            Self::Panic => "panic",
            Self::Workplace => "workplace",
            Self::Whitespace => "whitespace",
            Self::Lockfile => "lockfile",
            Self::Exception => "exception",
            Self::Syntax => "syntax",
        }
    }

    /// The rule of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// One violation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// Where: a path from the top of the repository.
    pub path: String,
    /// Where: a line, from 1.
    pub line: usize,
    /// Which rule.
    pub rule: Rule,
    /// What is wrong and what to do, for a person.
    pub what: String,
    /// Where else an exception may stand.
    pub(crate) head: Head,
}

/// Where else an exception to a finding may stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Head {
    /// Only at the line itself.
    Line,
    /// Between these two lines: a function's attributes and its signature.
    Function(usize, usize),
    /// Anywhere in the file.
    File,
}

impl Finding {
    fn at(rule: Rule, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into(), head: Head::Line }
    }

    fn of_file(rule: Rule, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { head: Head::File, ..Self::at(rule, path, line, what) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule.as_str(), self.what)
    }
}

/// What tidy found.
#[derive(Debug, Default)]
pub struct Report {
    /// Violations, in the order of files and lines. Empty is tidy.
    pub findings: Vec<Finding>,
    /// Exceptions that were granted, each with its reason.
    pub exceptions: Vec<Exception>,
    /// Writes that leave no audit event (`Audit::Routine`): path and line.
    pub routine_writes: Vec<(String, usize)>,
    /// How many files were read.
    pub files: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for exception in &self.exceptions {
            writeln!(f, "exception: {exception}")?;
        }
        let (found, granted) = (self.findings.len(), self.exceptions.len());
        let routine = self.routine_writes.len();
        write!(
            f,
            "tidy: {} files, {found} violations, {granted} exceptions, {routine} × Audit::Routine",
            self.files
        )
    }
}

/// Holds every rule over the tree.
pub fn check(tree: &Tree) -> Report {
    let mut report = Report { files: tree.sources.len(), ..Report::default() };
    let mut parsed = Vec::new();
    for source in &tree.sources {
        text::check(source, &mut report.findings);
        names::check_path(source, &mut report.findings);
        if source.is_rust() {
            match RustFile::parse(source) {
                Ok(file) => parsed.push(file),
                Err(finding) => report.findings.push(finding),
            }
        }
        if source.path.ends_with("Cargo.toml") {
            manifests::check(source, &mut report.findings);
        }
        if source.path.contains("/templates/") {
            templates::check(source, &mut report.findings);
        }
    }

    rust::mark_test_files(&mut parsed);
    let endpoints = layers::Endpoints::among(tree);
    for file in &parsed {
        layers::check(file, &endpoints, &mut report);
        shape::check(file, &mut report);
        names::check_items(file, &mut report.findings);
    }

    let comments = exceptions::read(tree, &parsed, &mut report.findings);
    exceptions::apply(comments, &mut report);
    report.findings.sort();
    report
}
