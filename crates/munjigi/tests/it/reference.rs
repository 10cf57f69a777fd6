//! The pages in `docs/reference` and the program say the same: what can be made from the program is
//! made, and the rest is looked for in the page. A page that is behind fails here.

mod attacks;
mod claims;
mod commands;
mod conformance;
mod interface;
mod specifications;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use munjigi_core::oauth::error::ErrorCode;
use munjigi_server::config::KEYS;
use munjigi_server::settings::{SETTINGS, Settings};
use munjigi_server::{Mode, page_routes, routes};
use serde_json::Value;

use self::commands::Verb;
use crate::sandbox::Sandbox;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs/reference").join(name)).unwrap()
}

/// Compares what stands in a page between its two marks with what it has to be. Where nothing
/// stands between them, it is written anew, and the test fails once so that somebody looks at it.
fn holds_what_is_made(name: &str, made: &str) {
    let (begin, end) = ("<!-- made by a test: begin -->\n", "<!-- made by a test: end -->\n");
    let text = page(name);
    let (before, rest) = text.split_once(begin).unwrap();
    let (written, after) = rest.split_once(end).unwrap();
    if written == made {
        return;
    }
    if written.trim().is_empty() {
        let whole = format!("{before}{begin}{made}{end}{after}");
        std::fs::write(root().join("docs/reference").join(name), whole).unwrap();
        panic!("docs/reference/{name} was written anew; look at it, and run this again");
    }
    let pairs = written.lines().zip(made.lines());
    let first = pairs.into_iter().find(|(written, made)| written != made);
    panic!(
        "docs/reference/{name} is behind the program: {first:?}; delete what stands between its \
         marks and run this test twice"
    );
}

/// The page's line that begins like this.
#[track_caller]
fn line<'p>(page: &'p str, beginning: &str) -> &'p str {
    let found = page.lines().find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no line of the page begins with {beginning:?}"))
}

/// What stands below a heading, down to the next one as high.
#[track_caller]
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap();
    let level = heading.split(' ').next().unwrap();
    rest.split(&format!("\n{level} ")).next().unwrap()
}

/// The words that stand in backquotes in a text.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_page_of_the_command_line_has_every_verb_and_option_as_the_program_tells_them() {
    let sandbox = Sandbox::new();
    holds_what_is_made("cli.md", &commands::page(&Verb::tree(&sandbox)));
}

#[test]
fn every_verb_says_on_the_page_what_it_answers() {
    let sandbox = Sandbox::new();
    let page = page("cli.md");
    for verb in Verb::tree(&sandbox).iter().filter(|verb| verb.is_leaf()) {
        line(&page, &format!("| `{}` |", verb.name()));
    }
}

/// The members of the answers, as the page lists them and as the program gives them.
#[test]
fn the_answers_have_exactly_the_members_that_the_page_lists() {
    let sandbox = Sandbox::new();
    let page = page("cli.md");
    let made = ["--email", "a@example.kr", "--password-stdin"];
    let user =
        sandbox.verb_with("three words and a tree", &[&["users", "create"], &made[..]].concat());
    let user = user.json();
    let shown = sandbox.verb(&["users", "show", "a@example.kr"]).json();
    assert_eq!(shown["live_sessions"], 0);
    let web = ["--id", "web", "--name", "Web", "--grant-type", "client_credentials"];
    let client = sandbox.verb(&[&["clients", "create"], &web[..]].concat()).json();
    let secret = sandbox.verb(&["clients", "rotate-secret", "web"]).json();
    let registration_token = sandbox.verb(&["registration-tokens", "create"]).json();
    let role = sandbox.verb(&["roles", "create", "hr"]).json();
    let api = sandbox.verb(&["apis", "create", "https://api.example.kr"]).json();
    let setting = sandbox.verb(&["settings", "list"]).json()["items"][0].clone();
    let set = sandbox.verb(&["settings", "set", "registration", "open"]).json();
    sandbox.write("key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let key = sandbox.verb(&["keys", "rotate", "--encryption-key-file", "key"]).json();
    let event = sandbox.verb(&["audit", "tail"]).json()["items"][0].clone();
    let configured = sandbox.run(&["config", "show", "--output", "json"]).json();
    let configured = configured["items"][0].clone();
    for (what, value) in [
        ("a user", user),
        ("an event", event),
        ("a client", client),
        ("a secret", secret),
        ("a registration token", registration_token),
        ("a role", role),
        ("an API", api),
        ("a setting", setting),
        ("a change of a setting", set),
        ("a key", key),
        ("a key of the configuration", configured),
    ] {
        let listed = line(&page, &format!("| {what} |"));
        let listed = listed.split('|').nth(2).unwrap();
        // A user that is disabled says so by one member more.
        let listed: BTreeSet<_> = quoted(listed).into_iter().collect();
        let given: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(listed, given, "{what}");
    }
}

#[test]
fn every_key_of_the_configuration_is_on_the_page_with_its_variable_and_default() {
    let sandbox = Sandbox::new();
    let page = page("configuration.md");
    let shown = sandbox.run(&["config", "show", "--output", "json"]).json();
    for key in KEYS {
        let variable = format!("MUNJIGI_{}", key.replace('.', "_").to_uppercase());
        let row = line(&page, &format!("| `{key}` | `{variable}` |"));
        let items = shown["items"].as_array().unwrap();
        let default = &items.iter().find(|item| item["key"] == *key).unwrap()["value"];
        let expected = match default {
            Value::Null => "–".to_owned(),
            // As many as this machine has cores, less one.
            Value::Number(_) => "one less than there are cores".to_owned(),
            Value::Array(_) => "none".to_owned(),
            Value::String(text) if text.starts_with("the setting") => text.clone(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        assert_eq!(row.split(" | ").nth(2), Some(expected.as_str()), "{key}");
    }
}

#[test]
fn every_setting_is_on_the_page_with_its_default_and_what_it_may_be() {
    let page = page("configuration.md");
    let defaults = Settings::defaults(Mode::Serve);
    for (name, expected) in SETTINGS {
        let shown = defaults.show(name).unwrap();
        let default = if shown.is_empty() { "–".to_owned() } else { format!("`{shown}`") };
        line(&page, &format!("| `{name}` | {default} | {expected} |"));
    }
}

#[test]
fn every_permission_is_on_the_page() {
    let page = page("http.md");
    for permission in munjigi_server::builtin::PERMISSIONS {
        line(&page, &format!("| `{permission}` |"));
    }
}

#[test]
fn the_page_of_the_interface_is_what_the_open_api_document_says() {
    holds_what_is_made("http.md", &interface::page());
}

#[test]
fn every_route_that_is_served_is_on_the_page() {
    let page = page("http.md");
    for route in routes(Mode::Dev).into_iter().chain(page_routes(Mode::Dev)) {
        let name = format!("`{} {}`", route.method, route.path);
        // OpenAPI has no word for a parameter that is the rest of a path.
        let plain = name.replace("{*", "{");
        let is_there = page.contains(&name) || page.contains(&plain);
        assert!(is_there, "{name} is not in docs/reference/http.md");
    }
}

/// The server's codes stand where they are used. They are looked for in its text, so that a new
/// one cannot be forgotten, and one that is gone does not stay on the page.
#[test]
fn the_codes_of_problems_on_the_page_are_those_that_the_server_writes() {
    let page = page("errors.md");
    let page = section(&page, "## Problems");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    let written = codes_in_sources();
    assert!(written.len() > 30, "the search finds no more than {written:?}");
    let forgotten: Vec<_> = written.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&written).collect();
    assert!(
        forgotten.is_empty(),
        "codes that docs/reference/errors.md does not know: {forgotten:?}"
    );
    assert!(gone.is_empty(), "codes that the server does not write: {gone:?}");
}

#[test]
fn every_error_of_oauth_is_on_the_page() {
    let text = std::fs::read_to_string(root().join("crates/core/src/oauth/error.rs")).unwrap();
    let page = page("errors.md");
    let page = section(&page, "## Errors of OAuth");
    let codes: Vec<&str> = arms(&text).collect();
    assert!(codes.contains(&ErrorCode::InvalidGrant.as_str()), "{codes:?}");
    for code in codes {
        line(page, &format!("| `{code}` |"));
    }
}

#[test]
fn every_code_of_the_verifier_is_on_the_page_with_its_sentence() {
    let page = page("errors.md");
    let page = section(&page, "## Codes of the verifier");
    let text = std::fs::read_to_string(root().join("vectors/errors.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    for error in vectors.as_array().unwrap() {
        let (code, sentence) = (error["code"].as_str(), error["sentence"].as_str());
        line(page, &format!("| `{}` | {} |", code.unwrap(), sentence.unwrap()));
    }
    for file in ["crates/verify/src/refusal.rs", "crates/token/src/dpop.rs"] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let (_, code) = text.split_once("fn code(").unwrap();
        let (code, _) = code.split_once("\n    }\n").unwrap();
        let codes: Vec<&str> = arms(code).collect();
        assert!(codes.len() > 3, "the search finds no more than {codes:?} in {file}");
        for code in codes {
            line(page, &format!("| `{code}` |"));
        }
    }
}

/// What the arms of a `match` give: the words behind `=> `.
fn arms(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    words.filter(|word| is_code(word))
}

fn is_code(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The codes that the server's own files write, and those of the password policy.
fn codes_in_sources() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let pages = root().join("crates/server/src/page");
    // Pages have sentences, not codes.
    for file in rust_files(&root().join("crates/server/src")) {
        if file.starts_with(&pages) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for (call, position) in [
            ("Problem::new(", 1),
            ("Self::new(", 1),
            ("Problem::conflict(", 0),
            ("Self::conflict(", 0),
            ("Problem::member(", 1),
            ("Self::member(", 1),
            ("members.note(", 1),
            ("self.note(", 1),
        ] {
            let calls = text.split(call).skip(1);
            codes.extend(calls.filter_map(|rest| argument(rest, position)));
        }
    }
    let policy = root().join("crates/core/src/account/policy.rs");
    codes.extend(arms(&std::fs::read_to_string(policy).unwrap()).map(str::to_owned));
    codes
}

/// The code that is a call's argument at a position, if it is written there as such.
fn argument(rest: &str, position: usize) -> Option<String> {
    let argument = rest.splitn(position + 2, ',').nth(position)?.trim();
    let word = argument.strip_prefix('"')?.split('"').next()?;
    is_code(word).then(|| word.to_owned())
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}
