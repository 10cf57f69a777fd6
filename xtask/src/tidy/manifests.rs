//! What each crate may depend on (ARCHITECTURE.md, "Dependencies point one way").
//! It must not read source: `layers.rs` holds the same rules over `use`.

use super::{Finding, Rule, Source};

/// Crates that the pure ones never name: runtimes, HTTP, databases.
pub(super) const IMPURE: [&str; 16] = [
    "tokio",
    "axum",
    "hyper",
    "hyper-util",
    "reqwest",
    "tower",
    "tower-http",
    "async-std",
    "smol",
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "postgres",
    "sqlx",
    "diesel",
    "sea-orm",
];

/// Crates that speak to a database.
pub(super) const DRIVERS: [&str; 9] = [
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "tokio-postgres-rustls",
    "postgres",
    "deadpool-postgres",
    "sqlx",
    "diesel",
    "sea-orm",
];

/// Who may depend on whom, inside the workspace. The binary and the chores may depend on anything.
const ONE_WAY: [(&str, &[&str]); 6] = [
    ("token", &[]),
    ("audit", &[]),
    ("core", &["munjigi-token"]),
    ("store", &["munjigi-core", "munjigi-token"]),
    ("verify", &["munjigi-token"]),
    (
        "server",
        &["munjigi-audit", "munjigi-core", "munjigi-store", "munjigi-token", "munjigi-verify"],
    ),
];

/// Holds the rules over one `Cargo.toml`.
pub(super) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let manifest = match source.text.parse::<toml::Table>() {
        Ok(manifest) => manifest,
        Err(error) => {
            let what = format!("not TOML: {}", error.message());
            findings.push(Finding::at(Rule::Syntax, &source.path, 1, what));
            return;
        }
    };
    let name = source.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
    for (section, dependency) in dependencies(&manifest) {
        let line = line_of(source, &dependency);
        let mut find = |rule, what: String| {
            findings.push(Finding::at(rule, &source.path, line, what));
        };
        let is_pure = matches!(name, Some("audit" | "token" | "core"));
        if is_pure && IMPURE.contains(&dependency.as_str()) {
            find(Rule::Pure, format!("a pure crate does not depend on {dependency}"));
        }
        let allowed = ONE_WAY.iter().find(|(member, _)| Some(*member) == name);
        if let Some((member, allowed)) = allowed
            && dependency.starts_with("munjigi")
            && dependency != format!("munjigi-{member}") // its own test features
            && !allowed.contains(&dependency.as_str())
        {
            find(Rule::OneWay, format!("{member} does not depend on {dependency}"));
        }
        let may_drive = name.is_none() || name == Some("store") || section == "dev-dependencies";
        if !may_drive && DRIVERS.contains(&dependency.as_str()) {
            find(Rule::Driver, format!("only store depends on {dependency}"));
        }
    }
}

/// Every dependency with the section that it stands in, also those of one target alone.
fn dependencies(manifest: &toml::Table) -> Vec<(String, String)> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let mut found = Vec::new();
    for table in tables {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let entries = table.get(section).and_then(toml::Value::as_table);
            for (key, value) in entries.into_iter().flatten() {
                let renamed = value.get("package").and_then(toml::Value::as_str);
                found.push((section.to_owned(), renamed.unwrap_or(key).to_owned()));
            }
        }
    }
    found
}

fn line_of(source: &Source, dependency: &str) -> usize {
    let names_it =
        |line: &str| line.starts_with(dependency) || line.contains(&format!("\"{dependency}\""));
    source.text.lines().position(names_it).map_or(1, |index| index + 1)
}
