//! `// tidy: <rule> — <reason>`: the only way around a rule, and counted.
//! An exception without a reason, for no rule, or that is no longer needed is itself a violation.

use std::fmt;

use super::rust::RustFile;
use super::{Finding, Head, Report, Rule, Source, Tree};

/// A granted exception.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// From the top of the repository.
    pub path: String,
    /// Where it is written, from 1.
    pub line: usize,
    /// What it excepts from.
    pub rule: Rule,
    /// Why, as written.
    pub reason: String,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} — {}", self.path, self.line, self.rule.as_str(), self.reason)
    }
}

/// A comment that asks for an exception, and the line of code below it.
pub(super) struct Comment {
    exception: Exception,
    code_line: usize,
}

const OPENERS: [&str; 2] = ["// tidy:", "{# tidy:"];

/// Every comment that asks for an exception. Those that say it wrongly are findings.
pub(super) fn read(
    tree: &Tree,
    parsed: &[RustFile<'_>],
    findings: &mut Vec<Finding>,
) -> Vec<Comment> {
    let mut comments = Vec::new();
    for source in tree.sources.iter().filter(|one| one.is_rust() || one.path.ends_with(".html")) {
        let file = parsed.iter().find(|file| file.path() == source.path);
        for (index, text) in source.text.lines().enumerate() {
            let Some((column, length)) = opening(text) else { continue };
            if file.is_some_and(|file| file.is_string_at(index + 1, column)) {
                continue;
            }
            let words = text.get(column + length..).unwrap_or_default();
            let words = words.trim_end_matches("#}").trim();
            match understand(source, index + 1, words) {
                Ok(exception) => {
                    let code_line = line_of_code(source, index + 1);
                    comments.push(Comment { exception, code_line });
                }
                Err(finding) => findings.push(finding),
            }
        }
    }
    comments
}

/// Where an asking comment begins, and how long its opening is. Documentation may quote one.
fn opening(text: &str) -> Option<(usize, usize)> {
    let found = OPENERS.iter().find_map(|opener| Some((text.find(opener)?, opener.len())));
    let is_comment = text.trim_start().starts_with("//");
    found.filter(|(column, _)| !is_comment || text.trim_start().len() == text.len() - column)
}

fn understand(source: &Source, line: usize, words: &str) -> Result<Exception, Finding> {
    let wrong = |what: &str| Finding::at(Rule::Exception, &source.path, line, what);
    let Some((name, reason)) = words.split_once([' ', '—']) else {
        return Err(wrong("an exception reads `tidy: <rule> — <reason>`"));
    };
    let reason = reason.trim().trim_start_matches(['—', '-']).trim();
    let Some(rule) = Rule::parse(name.trim()) else {
        return Err(wrong("an exception names one of tidy's rules"));
    };
    if reason.is_empty() {
        return Err(wrong("an exception says why"));
    }
    Ok(Exception { path: source.path.clone(), line, rule, reason: reason.to_owned() })
}

/// The first line, from here on, that is neither a comment nor an attribute.
fn line_of_code(source: &Source, from: usize) -> usize {
    let is_code = |text: &str| {
        let text = text.trim_start();
        !(text.is_empty() || text.starts_with("//") || text.starts_with("#["))
    };
    let below = source.text.lines().skip(from.saturating_sub(1)).position(is_code);
    from + below.unwrap_or(0)
}

/// Takes out what is excepted, and reports what was excepted for nothing.
pub(super) fn apply(comments: Vec<Comment>, report: &mut Report) {
    for comment in comments {
        let before = report.findings.len();
        report.findings.retain(|finding| !covers(&comment, finding));
        if report.findings.len() == before {
            let Exception { path, line, rule, .. } = comment.exception;
            let what = format!("nothing here breaks `{}`; take the exception out", rule.as_str());
            report.findings.push(Finding::at(Rule::Exception, &path, line, what));
        } else {
            report.exceptions.push(comment.exception);
        }
    }
    report.exceptions.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
}

fn covers(comment: &Comment, finding: &Finding) -> bool {
    let Exception { path, line, rule, .. } = &comment.exception;
    let lines = *line..=comment.code_line;
    let is_near = match finding.head {
        Head::Line => lines.contains(&finding.line),
        Head::Function(start, signature) => {
            lines.contains(&finding.line) || (*line <= signature && comment.code_line >= start)
        }
        Head::File => true,
    };
    *path == finding.path && *rule == finding.rule && is_near
}
