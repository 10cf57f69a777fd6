//! The caps: lines, parameters and nesting of functions, lines before the tests of a file.
//! Lines and parameters are counted as clippy counts them, so that `#[expect]` serves both.

use std::collections::BTreeMap;

use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Meta, Token};

use super::exceptions::Exception;
use super::rust::RustFile;
use super::text::too_wide;
use super::{Finding, Head, Report, Rule};

const MAX_LINES: usize = 60;
const MAX_PARAMETERS: usize = 5;
const MAX_NESTING: usize = 3;
const MAX_FILE_LINES: usize = 500;

/// Holds the caps over one file.
pub(super) fn check(file: &RustFile<'_>, report: &mut Report) {
    let lines = file.lines_before_tests();
    if lines > MAX_FILE_LINES {
        let what =
            format!("{lines} lines before the tests, at most {MAX_FILE_LINES}; split by meaning");
        report.findings.push(Finding::of_file(Rule::FileLines, file.path(), 1, what));
    }
    columns(file, &mut report.findings);
    let mut walk = Walk { file, report, expected: Vec::new(), is_trait_impl: false };
    walk.within(&file.syntax.attrs, |walk| visit::visit_file(walk, &file.syntax));
}

/// A text of several lines in a test (a snapshot, a vector) is as wide as it is.
fn columns(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    for (index, text) in file.source.text.lines().enumerate() {
        let line = index + 1;
        let is_quoted = file.is_test_line(line) && file.is_inside_literal(line);
        if let Some(what) = too_wide(text).filter(|_| !is_quoted) {
            findings.push(Finding::at(Rule::Columns, file.path(), line, what));
        }
    }
}

/// Lints that `#[expect]` names on the way down, with the line and the reason.
type Expected = BTreeMap<&'static str, (usize, String)>;

struct Walk<'f, 't> {
    file: &'f RustFile<'t>,
    report: &'f mut Report,
    expected: Vec<Expected>,
    is_trait_impl: bool,
}

impl Walk<'_, '_> {
    fn within(&mut self, attributes: &[Attribute], inside: impl FnOnce(&mut Self)) {
        let expected =
            attributes.iter().filter_map(|one| self.expectation(one)).flatten().collect();
        self.expected.push(expected);
        inside(self);
        self.expected.pop();
    }

    /// The caps among the lints that `#[expect(…, reason = "…")]` names.
    fn expectation(&mut self, attribute: &Attribute) -> Option<Expected> {
        if !attribute.path().is_ident("expect") {
            return None;
        }
        let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
        let entries = attribute.parse_args_with(parse).ok()?;
        let line = attribute.span().start().line;
        let reason = entries.iter().find_map(reason_of).unwrap_or_default();
        let names = entries.iter().filter_map(|entry| {
            let last = entry.path().segments.last()?.ident.to_string();
            ["too_many_lines", "too_many_arguments"].into_iter().find(|name| *name == last)
        });
        let expected: Expected = names.map(|name| (name, (line, reason.clone()))).collect();
        if !expected.is_empty() && reason.trim().is_empty() {
            let what = "`#[expect]` of a cap says why: `reason = \"…\"`";
            self.report.findings.push(Finding::at(Rule::Exception, self.file.path(), line, what));
        }
        Some(expected)
    }

    fn function(&mut self, attributes: &[Attribute], signature: &syn::Signature, block: &Block) {
        let name = signature.ident.to_string();
        let line = signature.ident.span().start().line;
        let first = attributes.iter().map(|one| one.span().start().line).min().unwrap_or(line);
        let head = Head::Function(first, line);

        let lines = lines_of_code(&self.file.source.text, block);
        if lines > MAX_LINES && !self.is_expected("too_many_lines", Rule::FnLines) {
            let what = format!("`{name}` has {lines} lines, at most {MAX_LINES}");
            self.find(Rule::FnLines, line, head, what);
        }
        let parameters = signature.inputs.len();
        let too_many = parameters > MAX_PARAMETERS && !self.is_trait_impl;
        if too_many && !self.is_expected("too_many_arguments", Rule::Parameters) {
            let what = format!("`{name}` takes {parameters} parameters, at most {MAX_PARAMETERS}");
            self.find(Rule::Parameters, line, head, what);
        }
        let mut nesting = Nesting::default();
        nesting.visit_block(block);
        if let Some(deep) = nesting.too_deep {
            let what =
                format!("`{name}` nests deeper than {MAX_NESTING}; return early, or name a part");
            self.find(Rule::Nesting, deep, head, what);
        }
    }

    fn find(&mut self, rule: Rule, line: usize, head: Head, what: String) {
        let finding = Finding { head, ..Finding::at(rule, self.file.path(), line, what) };
        self.report.findings.push(finding);
    }

    fn is_expected(&mut self, lint: &str, rule: Rule) -> bool {
        let Some((line, reason)) = self.expected.iter().find_map(|map| map.get(lint)) else {
            return false;
        };
        let path = self.file.path().to_owned();
        let exception = Exception { path, line: *line, rule, reason: reason.clone() };
        if !self.report.exceptions.contains(&exception) {
            self.report.exceptions.push(exception);
        }
        true
    }
}

fn reason_of(entry: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = entry else { return None };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })
            if pair.path.is_ident("reason") =>
        {
            Some(text.value())
        }
        _ => None,
    }
}

/// Lines between the braces that are neither empty nor a comment, as clippy counts them.
fn lines_of_code(text: &str, block: &Block) -> usize {
    let first = block.brace_token.span.open().start().line;
    let last = block.brace_token.span.close().end().line;
    let between = last.saturating_sub(first + 1);
    let mut is_comment = false;
    let mut lines = 0;
    for line in text.lines().skip(first).take(between).map(str::trim) {
        let begins = line.starts_with("/*");
        let is_code = !(is_comment || begins || line.is_empty() || line.starts_with("//"));
        lines += usize::from(is_code);
        is_comment = (is_comment || begins) && !line.contains("*/");
    }
    lines
}

impl<'a> Visit<'a> for Walk<'_, '_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.within(&item.attrs, |walk| visit::visit_item_mod(walk, item));
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let outside = self.is_trait_impl;
        self.is_trait_impl = item.trait_.is_some();
        self.within(&item.attrs, |walk| visit::visit_item_impl(walk, item));
        self.is_trait_impl = outside;
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        let outside = std::mem::replace(&mut self.is_trait_impl, false);
        self.within(&item.attrs, |walk| {
            walk.function(&item.attrs, &item.sig, &item.block);
            visit::visit_item_fn(walk, item);
        });
        self.is_trait_impl = outside;
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.within(&item.attrs, |walk| {
            walk.function(&item.attrs, &item.sig, &item.block);
            visit::visit_impl_item_fn(walk, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        self.within(&item.attrs, |walk| {
            if let Some(block) = &item.default {
                walk.function(&item.attrs, &item.sig, block);
            }
            visit::visit_trait_item_fn(walk, item);
        });
    }
}

/// How deep control flow goes. An `else if` is a further case, not a level; nor is a closure one.
#[derive(Default)]
struct Nesting {
    depth: usize,
    too_deep: Option<usize>,
}

impl Nesting {
    fn level(&mut self, line: usize, inside: impl FnOnce(&mut Self)) {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            self.too_deep.get_or_insert(line);
        }
        inside(self);
        self.depth -= 1;
    }

    fn branches(&mut self, expr: &syn::ExprIf) {
        self.visit_expr(&expr.cond);
        self.visit_block(&expr.then_branch);
        match expr.else_branch.as_ref().map(|(_, other)| other.as_ref()) {
            Some(syn::Expr::If(next)) => self.branches(next),
            Some(other) => self.visit_expr(other),
            None => {}
        }
    }
}

impl<'a> Visit<'a> for Nesting {
    fn visit_expr_if(&mut self, expr: &'a syn::ExprIf) {
        self.level(expr.if_token.span.start().line, |nesting| nesting.branches(expr));
    }

    fn visit_expr_match(&mut self, expr: &'a syn::ExprMatch) {
        let line = expr.match_token.span.start().line;
        self.level(line, |nesting| visit::visit_expr_match(nesting, expr));
    }

    fn visit_expr_for_loop(&mut self, expr: &'a syn::ExprForLoop) {
        let line = expr.for_token.span.start().line;
        self.level(line, |nesting| visit::visit_expr_for_loop(nesting, expr));
    }

    fn visit_expr_while(&mut self, expr: &'a syn::ExprWhile) {
        let line = expr.while_token.span.start().line;
        self.level(line, |nesting| visit::visit_expr_while(nesting, expr));
    }

    fn visit_expr_loop(&mut self, expr: &'a syn::ExprLoop) {
        let line = expr.loop_token.span.start().line;
        self.level(line, |nesting| visit::visit_expr_loop(nesting, expr));
    }

    /// An item inside a function is counted by itself.
    fn visit_item(&mut self, _: &'a syn::Item) {}
}
