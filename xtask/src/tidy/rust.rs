//! One Rust file as tidy sees it: its tokens, its syntax, and which of its lines are tests.
//! It must not judge: rules live beside this file.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{Finding, Rule, Source};

/// A parsed file.
pub(super) struct RustFile<'t> {
    pub source: &'t Source,
    pub syntax: syn::File,
    pub tokens: Tokens,
    /// Lines of test code.
    tests: Vec<RangeInclusive<usize>>,
    /// `#[cfg(test)] mod name;`: the modules that are test files.
    test_modules: Vec<String>,
    whole_file_is_test: bool,
}

impl<'t> RustFile<'t> {
    pub fn parse(source: &'t Source) -> Result<Self, Finding> {
        let parsed = syn::parse_file(&source.text);
        let stream = source.text.trim_start_matches('\u{feff}').parse::<TokenStream>();
        let (Ok(syntax), Ok(stream)) = (parsed, stream) else {
            let what = "this is not Rust; a file that cannot be parsed cannot be held to the rules";
            return Err(Finding::at(Rule::Syntax, &source.path, 1, what));
        };
        let mut tokens = Tokens::default();
        tokens.walk(&stream.into_iter().collect::<Vec<_>>(), &[]);
        let mut finder = TestFinder::default();
        finder.visit_file(&syntax);
        let whole_file_is_test = syntax.attrs.iter().any(is_cfg_test)
            || ["/tests/", "/benches/", "/examples/"].iter().any(|part| source.path.contains(part))
            || source.stem() == "tests";
        let TestFinder { tests, test_modules } = finder;
        Ok(Self { source, syntax, tokens, tests, test_modules, whole_file_is_test })
    }

    pub fn path(&self) -> &str {
        &self.source.path
    }

    pub fn is_test_line(&self, line: usize) -> bool {
        self.whole_file_is_test || self.tests.iter().any(|range| range.contains(&line))
    }

    /// Whether the line lies inside a string literal that began on an earlier line.
    pub fn is_inside_literal(&self, line: usize) -> bool {
        self.tokens.strings.iter().any(|text| text.line < line && line <= text.end_line)
    }

    /// Whether this place (a line from 1, a byte column from 0) lies inside a string literal.
    pub fn is_string_at(&self, line: usize, column: usize) -> bool {
        self.tokens.strings.iter().any(|text| {
            let (start, end) = text.columns;
            let is_after = text.line < line || (text.line == line && start <= column);
            let is_before = line < text.end_line || (line == text.end_line && column < end);
            is_after && is_before
        })
    }

    /// How many lines stand before the tests.
    pub fn lines_before_tests(&self) -> usize {
        let all = self.source.text.lines().count();
        let first = self.syntax.items.iter().find_map(|item| match item {
            syn::Item::Mod(module) if module.attrs.iter().any(is_cfg_test) => {
                Some(module.span().start().line)
            }
            _ => None,
        });
        if self.whole_file_is_test { 0 } else { first.map_or(all, |line| line.saturating_sub(1)) }
    }
}

/// Files behind `#[cfg(test)] mod name;` are tests from their first line.
pub(super) fn mark_test_files(files: &mut [RustFile<'_>]) {
    let mut stems = BTreeSet::new();
    for file in files.iter() {
        let module = module_folder(file.path());
        stems.extend(file.test_modules.iter().map(|name| format!("{module}/{name}")));
    }
    for file in files.iter_mut() {
        let path = file.source.path.as_str();
        let is_below = |stem: &String| {
            path.strip_prefix(stem.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        file.whole_file_is_test |= stems.iter().any(is_below);
    }
}

/// The folder in which the modules of this file lie.
fn module_folder(path: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let root = ["/mod", "/lib", "/main"].into_iter().find_map(|end| stem.strip_suffix(end));
    root.unwrap_or(stem).to_owned()
}

/// `#[cfg(test)]` or `#[cfg(all(test, …))]`; not `any(test, …)`, which a user can switch on.
fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let words = list.tokens.to_string();
    let is_all = words.starts_with("all") && !words.contains("not") && !words.contains("any");
    let has_test = words.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "test");
    attribute.path().is_ident("cfg") && (words == "test" || (is_all && has_test))
}

/// `#[test]`, `#[tokio::test]`, and whatever else ends in `test`.
pub(super) fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}

#[derive(Default)]
struct TestFinder {
    tests: Vec<RangeInclusive<usize>>,
    test_modules: Vec<String>,
}

impl TestFinder {
    fn note(&mut self, attributes: &[syn::Attribute], whole: &impl Spanned) {
        if attributes.iter().any(|one| is_cfg_test(one) || is_test_attribute(one)) {
            let span = whole.span();
            let first = attributes.iter().map(|one| one.span().start().line).min();
            let start = first.unwrap_or(span.start().line).min(span.start().line);
            self.tests.push(start..=span.end().line);
        }
    }
}

impl<'a> Visit<'a> for TestFinder {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.note(&item.attrs, item);
        if item.content.is_none() && item.attrs.iter().any(is_cfg_test) {
            self.test_modules.push(item.ident.to_string());
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.note(&item.attrs, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.note(&item.attrs, item);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        self.note(&item.attrs, item);
        visit::visit_item_impl(self, item);
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.note(&item.attrs, item);
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.note(&item.attrs, item);
    }
}

/// What a walk over all tokens finds, inside macros as well, where syntax is opaque.
#[derive(Default)]
pub(super) struct Tokens {
    /// `a::b::c`, and one for each leaf of a use tree. Single words are here too.
    pub paths: Vec<NamedPath>,
    /// String literals, without documentation.
    pub strings: Vec<Text>,
    /// `.name(`.
    pub methods: Vec<(String, usize)>,
    /// `name!`.
    pub macros: Vec<(String, usize)>,
}

pub(super) struct NamedPath {
    pub segments: Vec<String>,
    pub line: usize,
}

impl NamedPath {
    /// Whether these segments follow one another somewhere in the path.
    pub fn has(&self, wanted: &[&str]) -> bool {
        self.segments.windows(wanted.len()).any(|found| found.iter().eq(wanted.iter()))
    }

    /// The crate that the path enters, if it enters any.
    pub fn first_of_many(&self) -> Option<&str> {
        self.segments.first().filter(|_| self.segments.len() > 1).map(String::as_str)
    }
}

pub(super) struct Text {
    pub value: String,
    pub line: usize,
    pub end_line: usize,
    pub columns: (usize, usize),
}

impl Tokens {
    /// `prefix` is not empty inside the braces of a use tree.
    fn walk(&mut self, trees: &[TokenTree], prefix: &[String]) {
        let mut rest = trees;
        while let Some((first, after)) = rest.split_first() {
            rest = match first {
                TokenTree::Ident(word) => self.path(word, after, prefix),
                TokenTree::Group(group) => {
                    self.group(group);
                    after
                }
                TokenTree::Literal(literal) => {
                    self.literal(literal);
                    after
                }
                TokenTree::Punct(punct) => {
                    self.method(punct.as_char(), after);
                    after
                }
            };
        }
    }

    /// Documentation is an attribute made of string literals: not code.
    fn group(&mut self, group: &Group) {
        let inner: Vec<_> = group.stream().into_iter().collect();
        let is_word = |at: usize, word: &str| inner.get(at).is_some_and(|t| t.to_string() == word);
        let is_doc = is_word(0, "doc") && is_word(1, "=");
        if !(group.delimiter() == Delimiter::Bracket && is_doc) {
            self.walk(&inner, &[]);
        }
    }

    fn literal(&mut self, literal: &proc_macro2::Literal) {
        if let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) {
            let (start, end) = (literal.span().start(), literal.span().end());
            self.strings.push(Text {
                value: text.value(),
                line: start.line,
                end_line: end.line,
                columns: (start.column, end.column),
            });
        }
    }

    fn method(&mut self, punct: char, after: &[TokenTree]) {
        if let ('.', [TokenTree::Ident(name), TokenTree::Group(arguments), ..]) = (punct, after)
            && arguments.delimiter() == Delimiter::Parenthesis
        {
            self.methods.push((name.to_string(), name.span().start().line));
        }
    }

    /// Reads a path from its first word and returns what follows it.
    fn path<'a>(
        &mut self,
        word: &Ident,
        after: &'a [TokenTree],
        prefix: &[String],
    ) -> &'a [TokenTree] {
        let in_use_tree = !prefix.is_empty();
        if in_use_tree && word == "as" {
            return after.get(1..).unwrap_or_default(); // a new name, not a new path
        }
        if let [TokenTree::Punct(bang), next, ..] = after
            && bang.as_char() == '!'
            && matches!(next, TokenTree::Group(_))
        {
            self.macros.push((word.to_string(), word.span().start().line));
        }

        let mut segments = prefix.to_vec();
        if !(in_use_tree && word == "self") {
            segments.push(word.to_string());
        }
        let mut rest = after;
        while let [TokenTree::Punct(a), TokenTree::Punct(b), next, tail @ ..] = rest {
            if a.as_char() != ':' || b.as_char() != ':' {
                break;
            }
            match next {
                TokenTree::Ident(segment) => segments.push(segment.to_string()),
                TokenTree::Group(tree) if tree.delimiter() == Delimiter::Brace => {
                    self.walk(&tree.stream().into_iter().collect::<Vec<_>>(), &segments);
                    return tail;
                }
                TokenTree::Punct(star) if star.as_char() == '*' => segments.push("*".to_owned()),
                TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => break,
            }
            rest = tail;
        }
        self.paths.push(NamedPath { segments, line: word.span().start().line });
        rest
    }
}
