//! The configuration file: keys that are not known are refused, what passes is within the bounds,
//! and no sentence about a mistake repeats a secret.

use std::collections::BTreeMap;

use munjigi_server::config::KEYS;
use munjigi_server::{ConfigFile, Mistake, Mode};
use toml::{Table, Value};

/// A word that stands where a secret would.
const CANARY: &str = "kanarienvogel";
const SECRETS: [&str; 3] = ["database", "keys.encryption_key", "mail.smtp_url"];

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let table = text.parse::<Table>().ok();
    let written = table.as_ref().map(keys_of).unwrap_or_default();
    // What the target reads is its bytes, never a file of the machine that it runs on.
    if written.iter().any(|(key, _)| key.ends_with("_file")) {
        return;
    }
    let secrets = written.iter().filter(|(key, _)| SECRETS.contains(&key.as_str()));
    let hidden: usize = secrets.map(|(_, value)| value.to_string().matches(CANARY).count()).sum();
    // In a text that cannot be read nobody knows where a secret stands; the text is not shown.
    let is_secret = table.is_none() || hidden == text.matches(CANARY).count();

    let mistakes = match ConfigFile::parse(text, &BTreeMap::new()) {
        Err(mistakes) => mistakes,
        Ok(file) => {
            let is_known = |(key, _): &(String, Value)| KEYS.contains(&key.as_str());
            assert!(written.iter().all(is_known), "a key that is not known was taken");
            match file.check(Mode::Serve) {
                Err(mistakes) => mistakes,
                Ok(config) => {
                    assert!(config.issuer.starts_with("http") && !config.issuer.ends_with('/'));
                    assert!(config.hashing_threads > 0, "nobody hashes");
                    return;
                }
            }
        }
    };
    assert!(!mistakes.is_empty(), "refused without a reason");
    let told = |mistake: &Mistake| mistake.to_string().contains(CANARY);
    assert!(!is_secret || !mistakes.iter().any(told), "a mistake repeats a secret: {mistakes:?}");
}

fn keys_of(table: &Table) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(section) => {
                keys.extend(section.iter().map(|(key, it)| (format!("{name}.{key}"), it.clone())));
            }
            value => keys.push((name.clone(), value.clone())),
        }
    }
    keys
}
