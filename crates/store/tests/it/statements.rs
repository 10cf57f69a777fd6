//! Every statement of the crate is understood by both databases, and uses nothing that only one of
//! their relatives has. Those of the version that landed last are understood with the tables of
//! this one: while nodes are replaced one after another, both work on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use munjigi_store::each_backend;
use munjigi_store::testing::prepare_all;

/// What would close the way to other databases, or decide something outside our clock.
const NOT_PORTABLE: &[&str] = &[
    "FOR UPDATE",
    "FOR SHARE",
    "SKIP LOCKED",
    "NOTIFY",
    "NOW()",
    "CURRENT_TIMESTAMP",
    "PG_ADVISORY",
    "NEXTVAL",
    "->>",
    "ARRAY[",
    "AS BYTEA",
    "AS BLOB",
    "INSERT OR ",
];

/// The last commit of the version that landed last, whose tables are those before `0004_proof`.
const LANDED: &str = "4178d5bc94c9ed54490a1b5593458b5dbe0eda08";

/// Its statements; made by `the_statements_of_the_version_that_landed_last_are_written_down`.
const LANDED_STATEMENTS: &str = include_str!("../landed.txt");

/// Between two of them.
const END: &str = "\n;\n";

/// Texts that statements have in common, by the name of their macro: lists of columns.
type Parts = BTreeMap<String, String>;

/// Every text in this crate that begins like a statement.
fn statements() -> Vec<String> {
    statements_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn statements_in(directory: &Path) -> Vec<String> {
    let sources = sources(directory);
    let parts: Parts = sources.iter().flat_map(|source| parts(source)).collect();
    let mut found: Vec<_> = sources.iter().flat_map(|source| texts(source, &parts)).collect();
    found.retain(|text| is_statement(text));
    found.sort();
    found.dedup();
    found
}

/// A crate's files without their unit tests: what only those say needs no database.
fn sources(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "testing") {
                // What only tests ask is put together from names, or is one database's own.
            } else if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                found.push(source.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }
    found
}

/// The macros of a source that stand for one text: `macro_rules! a { () => { "…" }; }`.
fn parts(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for macro_source in source.split("macro_rules! ").skip(1) {
        let (name, body) = macro_source.split_once(" {").unwrap();
        if let Some(rest) = body.trim_start().strip_prefix("() => {")
            && let Some(rest) = rest.trim_start().strip_prefix('"')
        {
            found.push((name.to_owned(), text(rest).0));
        }
    }
    found
}

fn is_statement(text: &str) -> bool {
    let words = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
    words.iter().any(|word| text.trim_start().starts_with(word))
        && !text.contains("pg_is_in_recovery")
}

/// The string literals of a Rust source, as the program sees them: those of a `concat!` are one.
fn texts(source: &str, parts: &Parts) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest = &rest[rest[1..].find('\'').unwrap() + 2..];
        } else if rest.starts_with("r#\"") {
            let (text, after) = rest[3..].split_once("\"#").expect("a raw text ends");
            out.push(text.to_owned());
            rest = after;
        } else if let Some((text, after)) = joined(rest, parts) {
            out.push(text);
            rest = after;
        } else if first == '"' {
            let (text, after) = text(&rest[1..]);
            out.push(text);
            rest = after;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// What a `concat!` that begins here makes of its literals and parts, and what comes after it.
/// One with something else in it is read as single literals, of which a test would complain.
fn joined<'s>(source: &'s str, parts: &Parts) -> Option<(String, &'s str)> {
    let mut rest = source.strip_prefix("concat!(")?;
    let mut out = String::new();
    loop {
        rest = rest.trim_start_matches(|between: char| between == ',' || between.is_whitespace());
        if let Some(after) = rest.strip_prefix(')') {
            return Some((out, after));
        } else if let Some(literal) = rest.strip_prefix('"') {
            let (text, after) = text(literal);
            out.push_str(&text);
            rest = after;
        } else {
            let (name, after) = rest.split_once("!()")?;
            out.push_str(parts.get(name)?);
            rest = after;
        }
    }
}

/// The text up to its closing quote, and what comes after it.
fn text(source: &str) -> (String, &str) {
    let mut out = String::new();
    let mut rest = source;
    loop {
        let next = rest.chars().next().expect("a text ends");
        rest = &rest[next.len_utf8()..];
        match next {
            '"' => return (out, rest),
            '\\' if rest.starts_with('\n') => rest = rest.trim_start(),
            '\\' => {
                let escaped = rest.chars().next().unwrap();
                out.push(if escaped == 'n' { '\n' } else { escaped });
                rest = &rest[escaped.len_utf8()..];
            }
            other => out.push(other),
        }
    }
}

#[test]
fn texts_are_found_as_the_program_sees_them() {
    let source = "// \"no\"\nlet a = \"SELECT \\\n   1\"; let q = '\"'; let b = r#\"say \"x\"\"#;";
    assert_eq!(texts(source, &Parts::new()), ["SELECT 1", "say \"x\""]);
    let source = "macro_rules! both {\n () => {\n \"a, \\\n b\"\n };\n}\n\
                  concat!(\n\"SELECT \", both!(), \" FROM t\"\n);";
    let parts: Parts = parts(source).into_iter().collect();
    assert!(texts(source, &parts).contains(&"SELECT a, b FROM t".to_owned()));
}

#[test]
fn no_statement_uses_what_only_one_database_has() {
    for statement in statements() {
        let upper = statement.to_uppercase();
        for word in NOT_PORTABLE {
            assert!(!upper.contains(word), "`{word}` in: {statement}");
        }
    }
}

fn landed() -> Vec<String> {
    LANDED_STATEMENTS.split_terminator(END).map(str::to_owned).collect()
}

/// Writes `tests/landed.txt`. After a landing: name its commit above, and
/// `cargo test -p munjigi-store --test it written_down -- --ignored`
#[test]
#[ignore = "once after each landing; it asks git for the sources"]
fn the_statements_of_the_version_that_landed_last_are_written_down() {
    let (crate_, place) = (Path::new(env!("CARGO_MANIFEST_DIR")), tempfile::tempdir().unwrap());
    let archive = place.path().join("landed.tar");
    let mut git = Command::new("git");
    git.args(["archive", "--output"]).arg(&archive).args([LANDED, "src"]).current_dir(crate_);
    assert!(git.status().unwrap().success(), "{LANDED} is not here");
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(&archive).current_dir(place.path());
    assert!(tar.status().unwrap().success(), "not unpacked");
    let found = statements_in(&place.path().join("src"));
    let text: String = found.iter().map(|statement| format!("{statement}{END}")).collect();
    std::fs::write(crate_.join("tests/landed.txt"), text).unwrap();
}

each_backend! {
    async fn every_statement_is_understood(database) {
        let statements = statements();
        assert!(statements.len() > 90, "the sources were not found");
        let store = database.store().await;
        let refused = prepare_all(&store, statements).await.unwrap();
        assert!(refused.is_empty(), "{refused:#?}");
    }

    async fn statements_of_the_version_that_landed_last_are_understood_with_these_tables(database) {
        assert!(landed().len() > 90, "they are not there");
        let store = database.store().await;
        let refused = prepare_all(&store, landed()).await.unwrap();
        assert!(refused.is_empty(), "{refused:#?}");
    }

    /// Planted: a step of the schema that takes away what the version before asks for.
    async fn a_step_that_the_version_before_cannot_go_on_with_is_noticed(database) {
        let store = database.store_with("ALTER TABLE client DROP COLUMN pkce").await;
        let refused = prepare_all(&store, landed()).await.unwrap();
        assert!(!refused.is_empty());
        assert!(refused.iter().all(|(sql, _)| sql.contains("client")), "{refused:#?}");
    }
}
