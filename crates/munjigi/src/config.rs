//! `munjigi config`: is the configuration right, and what does it come to? It opens no database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use munjigi_server::config::{KEYS, Mistake};
use munjigi_server::tls::Tls;
use munjigi_server::{Clock, Config, ConfigFile, Mode};
use serde_json::{Value, json};
use toml::Table;

use crate::environment;
use crate::print::{self, Output};
use crate::stop::{Code, Stop};

/// The configuration where none is named.
pub const DEFAULT_FILE: &str = "munjigi.toml";

/// What a secret is shown as.
const HIDDEN: &str = "(hidden)";

/// `munjigi config …`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration [default: munjigi.toml, if there is one; the environment alone otherwise]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say everything that is wrong; exit code 6 when something is
    Check,
    /// Show every key, its value, and where that comes from; secrets stay hidden
    Show,
}

/// Does it.
pub fn run(args: ConfigArgs, output: Output) -> Result<(), Stop> {
    let text = read(args.config.as_deref())?.unwrap_or_default();
    let environment = environment::read();
    match args.verb {
        Verb::Check => check(&text, &environment, output),
        Verb::Show => show(&text, &environment, output),
    }
}

/// The text of a configuration. A file that was named has to be there; the default one need not.
pub fn read(path: Option<&Path>) -> Result<Option<String>, Stop> {
    let named = path.is_some();
    let path = path.unwrap_or_else(|| Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(Stop::usage(format!("cannot read {}: {error}", path.display()))),
    }
}

fn check(text: &str, environment: &BTreeMap<String, String>, output: Output) -> Result<(), Stop> {
    let parsed = ConfigFile::parse(text, environment);
    let (mistakes, remarks) = match parsed.and_then(|file| file.check(Mode::Serve)) {
        Ok(config) => (Vec::new(), remarks(config)),
        Err(mistakes) => (mistakes, Vec::new()),
    };
    if output == Output::Json {
        let shown: Vec<Value> = mistakes.iter().map(show_mistake).collect();
        let is_ok = mistakes.is_empty();
        print::json_line(&json!({ "ok": is_ok, "mistakes": shown, "remarks": remarks }))?;
        let told = Stop::told(Code::CheckFailed);
        return if is_ok { Ok(()) } else { Err(told) };
    }
    if mistakes.is_empty() {
        let remarks = remarks.iter().map(|remark| format!("But look: {remark}.\n"));
        let remarks: String = remarks.collect();
        return print::text(&format!("The configuration is right.\n{remarks}"));
    }
    Err(Stop::mistakes(Code::CheckFailed, &mistakes))
}

/// What is taken and yet to be looked at.
fn remarks(config: Config) -> Vec<String> {
    let tls = config.tls.and_then(|files| Tls::open(files).ok());
    tls.map(|tls| tls.remarks(&config.issuer, Clock::system().now())).unwrap_or_default()
}

fn show_mistake(mistake: &Mistake) -> Value {
    json!({ "key": mistake.key, "message": mistake.message })
}

fn show(text: &str, environment: &BTreeMap<String, String>, output: Output) -> Result<(), Stop> {
    // Refuses what no configuration can be; whether the values are right is `check`'s to say.
    let parsed = ConfigFile::parse(text, environment);
    parsed.map_err(|mistakes| Stop::mistakes(Code::CheckFailed, &mistakes))?;
    let not_toml = |error: toml::de::Error| Stop::new(Code::CheckFailed, error.to_string());
    let file: Table = text.parse().map_err(not_toml)?;

    let items = KEYS.iter().map(|key| {
        let (value, source) = effective(key, &file, environment);
        let masked = if source == "default" { value } else { mask(key, value) };
        json!({ "key": key, "value": masked, "source": source })
    });
    print::list(output, &["key", "value", "source"], items.collect(), None)
}

/// The value of a key, and where it comes from: the environment wins over the file.
fn effective(
    key: &str,
    file: &Table,
    environment: &BTreeMap<String, String>,
) -> (Value, &'static str) {
    let variable = format!("MUNJIGI_{}", key.replace('.', "_").to_uppercase());
    if let Some(value) = environment.get(&variable) {
        return (Value::from(value.as_str()), "environment");
    }
    let written = match key.split_once('.') {
        None => file.get(key),
        Some((section, name)) => {
            file.get(section).and_then(toml::Value::as_table).and_then(|table| table.get(name))
        }
    };
    match written {
        Some(value) => (serde_json::to_value(value).unwrap_or_default(), "file"),
        None => (default(key), "default"),
    }
}

/// What holds where nothing is written.
fn default(key: &str) -> Value {
    match key {
        "listen" => json!("127.0.0.1:8000"),
        "database" => json!("sqlite:munjigi.db"),
        "proxy.trusted" => json!([]),
        "token.access_ttl" => json!("the setting `access_ttl`"),
        "hashing.threads" => json!(hashing_threads()),
        "log.format" => json!("text"),
        "metrics.listen" => json!("127.0.0.1:9464"),
        "outbound.allow" => json!([]),
        "mcp.enabled" | "danger_plain_http" => json!(false),
        _ => Value::Null,
    }
}

/// One less than there are cores, so that something is left for everything else.
pub fn hashing_threads() -> usize {
    all_but_one(std::thread::available_parallelism().map_or(1, usize::from))
}

fn all_but_one(cores: usize) -> usize {
    cores.saturating_sub(1).max(1)
}

fn mask(key: &str, value: Value) -> Value {
    match (key, &value) {
        ("keys.encryption_key", _) => json!(HIDDEN),
        ("mail.smtp_url", Value::String(url)) if !url.contains("://") => json!(HIDDEN),
        ("database" | "mail.smtp_url", Value::String(url)) => json!(mask_url(url)),
        _ => value,
    }
}

/// A database without the name and password before its host. Where it is not plain which part is
/// the password, nothing is shown.
fn mask_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    if scheme == "sqlite" {
        return url.to_owned();
    }
    match (rest.matches('@').count(), rest.contains('?')) {
        (0, false) => url.to_owned(),
        (1, false) => {
            let host = rest.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{HIDDEN}@{host}")
        }
        _ => format!("{scheme}://{HIDDEN}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_is_left_for_everything_but_hashing() {
        for (cores, threads) in [(1, 1), (2, 1), (3, 2), (8, 7)] {
            assert_eq!(all_but_one(cores), threads, "{cores}");
        }
    }

    #[test]
    fn a_database_is_shown_without_its_password() {
        for (url, shown) in [
            ("sqlite:munjigi.db", "sqlite:munjigi.db"),
            ("postgres://db.example/munjigi", "postgres://db.example/munjigi"),
            ("postgres://m:hunter2@db.example/x", "postgres://(hidden)@db.example/x"),
            ("postgres://m:hun/ter2@db.example/x", "postgres://(hidden)@db.example/x"),
            ("postgres://m:hun@ter2@db.example/x", "postgres://(hidden)"),
            ("postgres://db.example/x?password=hunter2", "postgres://(hidden)"),
            ("smtps://m:hunter2@mail.example:465", "smtps://(hidden)@mail.example:465"),
        ] {
            assert_eq!(mask_url(url), shown);
        }
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let file: Table = "listen = \"127.0.0.1:1\"\nlog.format = \"json\"".parse().unwrap();
        let environment = BTreeMap::from([("MUNJIGI_LISTEN".to_owned(), "127.0.0.1:2".to_owned())]);
        let of = |key| effective(key, &file, &environment);
        assert_eq!(of("listen"), (json!("127.0.0.1:2"), "environment"));
        assert_eq!(of("log.format"), (json!("json"), "file"));
        assert_eq!(of("database"), (json!("sqlite:munjigi.db"), "default"));
    }
}
