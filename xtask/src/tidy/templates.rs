//! Templates decide nothing: `if`, `for` and `match`, and the words that put pages together.
//! It must not judge the HTML.

use super::{Finding, Rule, Source};

const WORDS: [&str; 22] = [
    "if",
    "else",
    "elif",
    "endif",
    "for",
    "endfor",
    "match",
    "when",
    "endmatch",
    "endwhen",
    "extends",
    "block",
    "endblock",
    "include",
    "import",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "filter",
    "endfilter",
    "raw",
];

/// Holds the rule over one template.
pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if !source.path.ends_with(".html") && !source.path.ends_with(".txt") {
        return;
    }
    for (line, inside) in between(&source.text, "{%", "%}") {
        let word = inside.split_whitespace().next().unwrap_or_default();
        if !WORDS.contains(&word) {
            let what = format!("`{word}` in a template; decide it in the page's struct");
            findings.push(Finding::at(Rule::Template, &source.path, line, what));
        }
    }
    for (line, inside) in between(&source.text, "{{", "}}") {
        if computes(inside) {
            let what = format!("`{inside}` computes; put the result into the page's struct");
            findings.push(Finding::at(Rule::Template, &source.path, line, what));
        }
    }
}

/// What stands between two marks, with its line and without the signs that trim white space.
fn between<'t>(text: &'t str, open: &str, close: &str) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        line += before.matches('\n').count();
        let Some((inside, tail)) = after.split_once(close) else { break };
        found.push((line, inside.trim_matches(['-', '~', '+', ' ', '\n', '\t'])));
        line += inside.matches('\n').count();
        rest = tail;
    }
    found
}

/// Whether an expression does more than name a value, call it and filter it.
fn computes(expression: &str) -> bool {
    let outside_quotes: String = expression.split('"').step_by(2).collect();
    let signs = ["+", "*", "/", "%", "&&", "||", "==", "!=", "<", ">", " - "];
    signs.iter().any(|sign| outside_quotes.contains(sign))
}
