//! Names that say nothing: of files, folders, modules and types, and the verbs of functions.
//! It must not judge a name that a foreign trait gave.

use proc_macro2::Ident;
use syn::visit::{self, Visit};

use super::rust::{RustFile, is_test_attribute};
use super::{Finding, Rule, Source};

const EMPTY_WORDS: [&str; 14] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "service",
    "services", "base", "bases", "impl", "impls",
];

/// Documents and data are named in the words of people.
const CODE: [&str; 9] = [".rs", ".sql", ".html", ".css", ".js", ".mjs", ".ts", ".py", ".java"];

const EMPTY_VERBS: [&str; 5] = ["get_", "do_", "handle_", "process_", "validate_"];

/// Holds the rule over a file's own name and the folders that it lies in.
pub(super) fn check_path(source: &Source, findings: &mut Vec<Finding>) {
    let is_code = CODE.iter().any(|ending| source.path.ends_with(ending));
    if !is_code {
        return;
    }
    let parts = source.path.split('/').map(|part| part.split_once('.').map_or(part, |(a, _)| a));
    for part in parts {
        let word = part.split(['_', '-']).find(|word| EMPTY_WORDS.contains(word));
        if let Some(word) = word {
            let what = format!("`{word}` says nothing; name what is inside");
            findings.push(Finding::of_file(Rule::Names, &source.path, 1, what));
        }
    }
}

/// Holds the rules over the items of a file.
pub(super) fn check_items(file: &RustFile<'_>, findings: &mut Vec<Finding>) {
    let mut walk = Walk { file, findings, is_trait_impl: false };
    walk.visit_file(&file.syntax);
}

struct Walk<'f, 't> {
    file: &'f RustFile<'t>,
    findings: &'f mut Vec<Finding>,
    is_trait_impl: bool,
}

impl Walk<'_, '_> {
    fn name(&mut self, name: &Ident) {
        let words = words(&name.to_string());
        if let Some(word) = words.iter().find(|word| EMPTY_WORDS.contains(&word.as_str())) {
            let what = format!("`{name}`: `{word}` says nothing; name what it does or holds");
            let line = name.span().start().line;
            self.findings.push(Finding::at(Rule::Names, self.file.path(), line, what));
        }
    }

    /// Tests are sentences and may begin with any word.
    fn verb(&mut self, name: &Ident, attributes: &[syn::Attribute]) {
        let text = name.to_string();
        let verb = EMPTY_VERBS.iter().find(|verb| text.starts_with(*verb));
        let Some(verb) = verb.filter(|_| !attributes.iter().any(is_test_attribute)) else { return };
        let what =
            format!("`{text}`: `{verb}` says nothing; find, list, spend, parse, check, issue …");
        let line = name.span().start().line;
        self.findings.push(Finding::at(Rule::Verbs, self.file.path(), line, what));
    }
}

/// `HTTPService` is http, service; `Base64` is one word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    let mut letters = name.chars().peekable();
    while let Some(c) = letters.next() {
        let begins = before_is_lower || letters.peek().is_some_and(|next| next.is_lowercase());
        if c == '_' || (c.is_uppercase() && begins) {
            words.push(String::new());
        }
        before_is_lower = !c.is_uppercase();
        if let Some(last) = words.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
    }
    words
}

impl<'a> Visit<'a> for Walk<'_, '_> {
    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.name(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.name(&item.ident);
    }

    fn visit_item_union(&mut self, item: &'a syn::ItemUnion) {
        self.name(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        self.name(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.name(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        self.name(&item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let outside = self.is_trait_impl;
        self.is_trait_impl = item.trait_.is_some();
        visit::visit_item_impl(self, item);
        self.is_trait_impl = outside;
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.verb(&item.sig.ident, &item.attrs);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if !self.is_trait_impl {
            self.verb(&item.sig.ident, &item.attrs);
        }
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        self.verb(&item.sig.ident, &item.attrs);
        visit::visit_trait_item_fn(self, item);
    }
}
