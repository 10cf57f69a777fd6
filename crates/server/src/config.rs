//! The configuration file: as written, then checked as a whole. What changes while the server runs
//! stands in the database instead (`settings.rs`).

mod audit;
mod issuer;
mod keys;
mod metrics;
mod network;
mod outward;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use munjigi_core::time::Span;
use munjigi_store::DatabaseUrl;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::anchors::Anchorage;
use crate::mail::MailConfig;
use crate::seal::EncryptionKey;
use crate::tls::TlsFiles;
use audit::AuditSection;
use issuer::check_issuer;
use keys::KeysSection;
pub use metrics::MetricsListen;
use metrics::MetricsSection;
pub use network::Network;
use network::check_networks;
pub use outward::Outbound;
use outward::{MailSection, OutboundSection};
use tls::TlsSection;

/// Whether the server runs for production or on a laptop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `munjigi serve`.
    Serve,
    /// `munjigi dev`.
    Dev,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The file as written. Unknown keys are refused, so that a typo never silently means "default".
/// It may hold secrets, and so has no `Debug`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigFile {
    /// The `iss` of every token and the base of every public URL. https, unless on loopback.
    issuer: Option<String>,
    /// The address to listen on.
    listen: Option<String>,
    tls: TlsSection,
    /// `sqlite:munjigi.db` or `postgres://…`; `database_file` reads it from a file.
    database: Option<String>,
    database_file: Option<PathBuf>,
    keys: KeysSection,
    proxy: ProxySection,
    token: TokenSection,
    hashing: HashingSection,
    log: LogSection,
    metrics: MetricsSection,
    mail: MailSection,
    outbound: OutboundSection,
    audit: AuditSection,
    mcp: McpSection,
    /// Takes plain HTTP on an address that others can reach, without a proxy in front.
    danger_plain_http: Option<bool>,
    /// Variables of the environment that look like ours and are none: no key of the file.
    #[serde(skip)]
    strays: Vec<Mistake>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProxySection {
    trusted: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TokenSection {
    access_ttl: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct HashingSection {
    threads: Option<u8>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogSection {
    format: LogFormat,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct McpSection {
    enabled: Option<bool>,
}

/// Every key of the file, for messages, and for the environment: `MUNJIGI_<SECTION>_<KEY>`.
pub const KEYS: &[&str] = &[
    "issuer",
    "listen",
    "tls.certificate_file",
    "tls.key_file",
    "database",
    "database_file",
    "keys.encryption_key",
    "keys.encryption_key_file",
    "keys.previous_encryption_key_file",
    "proxy.trusted",
    "token.access_ttl",
    "hashing.threads",
    "log.format",
    "metrics.listen",
    "mail.smtp_url",
    "mail.smtp_url_file",
    "mail.from",
    "mail.reply_to",
    "outbound.ca_file",
    "outbound.allow",
    "audit.anchors",
    "mcp.enabled",
    "danger_plain_http",
];

/// Variables of ours that are no key of the file: the log's filter, what tells the verifier's test
/// issuer where it runs, and whom the planner of the examples is.
const OTHER_VARIABLES: [&str; 3] = ["MUNJIGI_LOG", "MUNJIGI_ENV", "MUNJIGI_AUDIENCE"];

/// What the server runs on.
#[derive(Clone, Debug)]
pub struct Config {
    /// For production or on a laptop.
    pub mode: Mode,
    /// The issuer, without a trailing slash.
    pub issuer: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate to listen with; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// Where the data is.
    pub database: DatabaseUrl,
    /// What seals the keys in the database.
    pub encryption_key: std::sync::Arc<EncryptionKey>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How long access tokens live, where the file says so; the setting otherwise.
    pub access_ttl: Option<Span>,
    /// How many threads hash passwords.
    pub hashing_threads: usize,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where the metrics are told.
    pub metrics_listen: MetricsListen,
    /// How mails are sent; without it `serve` sends none.
    pub mail: Option<MailConfig>,
    /// Where this server may go by itself.
    pub outbound: Outbound,
    /// Where the checkpoints of the audit trail are kept, besides where the setting says.
    pub anchors: Vec<Anchorage>,
    /// Whether clients that nobody here knows may make themselves known, as the authorization
    /// specification of MCP asks; what a setting says wins.
    pub mcp: bool,
}

/// One thing that is wrong in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, or empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.key, self.message)
    }
}

fn mistake(key: &str, message: impl Into<String>) -> Mistake {
    Mistake { key: key.to_owned(), message: message.into() }
}

impl ConfigFile {
    /// Reads the file's text, then lays the environment over it. `environment` holds the variables
    /// that begin with `MUNJIGI_`.
    pub fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, Vec<Mistake>> {
        let mut table: toml::Table =
            text.parse().map_err(|error| vec![unreadable(text, &error)])?;
        let (unknown, strays) = (unknown_keys(&table), unknown_variables(environment));
        if !unknown.is_empty() {
            return Err(unknown.into_iter().chain(strays).collect());
        }
        for key in KEYS {
            if let Some(value) = environment.get(&variable(key)) {
                overlay(&mut table, key, value);
            }
        }
        match table.try_into() {
            Ok(file) => Ok(Self { strays, ..file }),
            Err(error) => {
                let error: toml::de::Error = error;
                Err([mistake("", error.message())].into_iter().chain(strays).collect())
            }
        }
    }

    /// What the server runs on; or all mistakes at once, so that a person fixes them in one go.
    pub fn check(self, mode: Mode) -> Result<Config, Vec<Mistake>> {
        let mut mistakes = self.strays.clone();
        let mut note = |result: Result<(), Mistake>| {
            if let Err(found) = result {
                mistakes.push(found);
            }
        };
        let issuer = keep(&mut note, check_issuer(self.issuer.as_deref()));
        let listen = keep(&mut note, check_listen(self.listen.as_deref()));
        let tls = self.tls.check(self.issuer.as_deref());
        let tls = tls.unwrap_or_else(|wrong| {
            wrong.into_iter().for_each(|wrong| note(Err(wrong)));
            None
        });
        let metrics_listen = keep(&mut note, self.metrics.check(listen));
        let database = keep(&mut note, self.check_database());
        let encryption_key = keep(&mut note, self.keys.check(mode));
        let trusted = keep(&mut note, check_networks("proxy.trusted", &self.proxy.trusted));
        let mail = keep(&mut note, self.mail.check());
        let outbound = keep(&mut note, self.outbound.check());
        let anchors = keep(&mut note, self.audit.check());
        let access_ttl = keep(&mut note, check_access_ttl(self.token.access_ttl.as_deref()));
        if let (Some(listen), Some(trusted)) = (listen, &trusted) {
            // A mistake in what is said of TLS is told above, and not as plain HTTP.
            let is_meant = self.tls.is_said() || self.danger_plain_http == Some(true);
            note(check_exposure(listen, trusted, is_meant));
        }
        let threads = self.hashing.threads.map_or_else(default_threads, usize::from);
        note(check_threads(threads));

        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let parts = (issuer, listen, database, encryption_key, trusted, access_ttl);
        let (Some(issuer), Some(listen), Some(database), Some(key), Some(trusted), Some(ttl)) =
            parts
        else {
            return Err(vec![mistake("", "the configuration is not complete")]);
        };
        Ok(Config {
            mode,
            issuer,
            listen,
            tls,
            database,
            encryption_key: std::sync::Arc::new(key),
            trusted_proxies: trusted,
            access_ttl: ttl,
            hashing_threads: threads,
            log_format: self.log.format,
            metrics_listen: metrics_listen.unwrap_or_default(),
            mail: mail.flatten(),
            outbound: outbound.unwrap_or_default(),
            anchors: anchors.unwrap_or_default(),
            mcp: self.mcp.enabled == Some(true),
        })
    }

    /// The database alone: what the command line needs of the file for most of its verbs.
    pub fn check_database(&self) -> Result<DatabaseUrl, Mistake> {
        let text = match (&self.database, &self.database_file) {
            (Some(_), Some(_)) => {
                return Err(mistake("database", "say it once: `database` or `database_file`"));
            }
            (Some(text), None) => Zeroizing::new(text.clone()),
            (None, Some(path)) => read_secret("database_file", path)?,
            (None, None) => Zeroizing::new("sqlite:munjigi.db".to_owned()),
        };
        text.trim().parse().map_err(|_| {
            let forms = "`sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`";
            mistake("database", format!("a database is {forms}"))
        })
    }
}

/// What is wrong with the text, and where; without the text itself, which may hold a secret.
fn unreadable(text: &str, error: &toml::de::Error) -> Mistake {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    mistake("", format!("line {line}: {}", error.message()))
}

fn keep<T>(note: &mut impl FnMut(Result<(), Mistake>), result: Result<T, Mistake>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            note(Err(found));
            None
        }
    }
}

fn unknown_keys(table: &toml::Table) -> Vec<Mistake> {
    let mut written = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(section) => {
                written.extend(section.keys().map(|key| format!("{name}.{key}")));
            }
            _ => written.push(name.clone()),
        }
    }
    written.retain(|key| !KEYS.contains(&key.as_str()));
    written
        .into_iter()
        .map(|key| {
            let hint = nearest(&key, KEYS).map(|near| format!("; did you mean `{near}`?"));
            let message = format!("there is no such key{}", hint.unwrap_or_default());
            Mistake { key, message }
        })
        .collect()
}

/// The candidate nearest to what was written, if it is near at all.
pub fn nearest<'c>(written: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let scored = candidates.iter().map(|candidate| (edits(written, candidate), *candidate));
    scored.min().filter(|(edits, _)| *edits <= 3).map(|(_, candidate)| candidate)
}

/// The number of single-character edits between two texts (Levenshtein).
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, left) in left.chars().enumerate() {
        let mut diagonal = line;
        let mut previous = line.saturating_add(1);
        let mut next = vec![previous];
        for (above, right) in row.iter().skip(1).zip(&right) {
            let changed = diagonal.saturating_add(usize::from(left != *right));
            let best = changed.min(above.saturating_add(1)).min(previous.saturating_add(1));
            diagonal = *above;
            previous = best;
            next.push(best);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// Writes an environment variable over the file's value; numbers and booleans stay what they are.
fn overlay(table: &mut toml::Table, key: &str, value: &str) {
    let parsed = match key {
        "proxy.trusted" | "outbound.allow" | "audit.anchors" => {
            let items = value.split(',').map(|item| toml::Value::String(item.trim().to_owned()));
            toml::Value::Array(items.collect())
        }
        "hashing.threads" | "mcp.enabled" | "danger_plain_http" => {
            value.parse().unwrap_or_else(|_| toml::Value::String(value.to_owned()))
        }
        _ => toml::Value::String(value.to_owned()),
    };
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), parsed);
        }
        Some((section, name)) => {
            let section = table
                .entry(section.to_owned())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(section) = section {
                section.insert(name.to_owned(), parsed);
            }
        }
    }
}

/// The variable of the environment that stands for a key of the file.
fn variable(key: &str) -> String {
    format!("MUNJIGI_{}", key.replace('.', "_").to_uppercase())
}

/// A misspelt variable would silently mean the default, like a misspelt key.
fn unknown_variables(environment: &BTreeMap<String, String>) -> Vec<Mistake> {
    let known: Vec<String> = KEYS.iter().map(|key| variable(key)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).chain(OTHER_VARIABLES).collect();
    let strays = environment
        .keys()
        .filter(|name| name.starts_with("MUNJIGI_") && !known.contains(&name.as_str()));
    let strays = strays.map(|name| {
        let hint = nearest(name, &known).map(|near| format!("; did you mean `{near}`?"));
        mistake(name, format!("there is no such variable{}", hint.unwrap_or_default()))
    });
    strays.collect()
}

/// Whether others than its owner may read a file.
pub fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o077 != 0)
}

/// What to do about a file with a key that others can read.
pub fn exposed(path: &Path) -> String {
    let path = path.display();
    format!("others can read {path}, which opens every key; say `chmod 400 {path}`")
}

fn read_secret(key: &str, path: &Path) -> Result<Zeroizing<String>, Mistake> {
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    read.map_err(|error| mistake(key, format!("cannot read {}: {error}", path.display())))
}

fn check_listen(text: Option<&str>) -> Result<SocketAddr, Mistake> {
    let text = text.unwrap_or("127.0.0.1:8000");
    text.parse()
        .map_err(|_| mistake("listen", "is an address and a port, such as `127.0.0.1:8000`"))
}

fn check_access_ttl(text: Option<&str>) -> Result<Option<Span>, Mistake> {
    let Some(text) = text else { return Ok(None) };
    let key = "token.access_ttl";
    let span = parse_span(text).ok_or_else(|| mistake(key, "is a time such as `10m` or `1h`"))?;
    if span < Span::from_seconds(1) || span > Span::from_hours(1) {
        return Err(mistake(key, "is between `1s` and `1h`"));
    }
    Ok(Some(span))
}

/// A span as people write it: `30s`, `10m`, `12h`, `30d`.
pub fn parse_span(text: &str) -> Option<Span> {
    let unit_at = text.len().checked_sub(1)?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let number: i64 = number.parse().ok().filter(|number| (0..=1_000_000_000).contains(number))?;
    match unit {
        "s" => Some(Span::from_seconds(number)),
        "m" => Some(Span::from_minutes(number)),
        "h" => Some(Span::from_hours(number)),
        "d" => Some(Span::from_days(number)),
        _ => None,
    }
}

fn check_exposure(listen: SocketAddr, trusted: &[Network], is_meant: bool) -> Result<(), Mistake> {
    if listen.ip().is_loopback() || !trusted.is_empty() || is_meant {
        return Ok(());
    }
    Err(mistake(
        "listen",
        "this address can be reached by others, in plain HTTP; give it a certificate \
         (`tls.certificate_file`), or listen on 127.0.0.1, or name the proxy that brings TLS in \
         `proxy.trusted`, or set `danger_plain_http = true`",
    ))
}

fn check_threads(threads: usize) -> Result<(), Mistake> {
    if (1..=64).contains(&threads) {
        return Ok(());
    }
    Err(mistake("hashing.threads", "is between 1 and 64"))
}

/// One less than there are cores, so that something is left for everything else.
fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let environment = BTreeMap::new();
        match ConfigFile::parse(text, &environment).and_then(|file| file.check(Mode::Serve)) {
            Ok(_) => vec![],
            Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
        }
    }

    const GOOD: &str = r#"
        issuer = "https://auth.example"
        keys.encryption_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    "#;

    #[test]
    fn a_minimal_file_is_enough() {
        assert_eq!(mistakes(GOOD), Vec::<String>::new());
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let found = mistakes("issuer = \"http://auth.example\"\nlisten = \"x\"\ndatabase = \"y\"");
        let keys: Vec<_> = found.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(keys, ["issuer", "listen", "database", "keys.encryption_key_file"]);
    }

    #[test]
    fn a_typo_is_named_with_its_neighbour() {
        let found = mistakes(&format!("{GOOD}\nlog.fromat = \"json\""));
        assert_eq!(found, ["log.fromat: there is no such key; did you mean `log.format`?"]);
    }

    #[test]
    fn the_issuer_is_exact() {
        for bad in [
            "https://auth.example/",
            "https://auth.example?x",
            "https://a:b@auth.example",
            "http://auth.example",
            "auth.example",
            "https://auth.example/a//b",
            "https://auth.example/a/../b",
            "https://auth.example/{a}",
            "https://auth.example/a%20b",
            "https://auth.example/*",
            // Clients compare it as text: it has one.
            "Https://auth.example",
            "https://AUTH.example",
            "https:auth.example",
            "https://auth.example:443",
            "https://인증.example",
        ] {
            let text = GOOD.replace("https://auth.example", bad);
            assert!(mistakes(&text).iter().any(|line| line.starts_with("issuer:")), "{bad}");
        }
        for good in ["http://localhost:8000", "https://auth.example/a/b-c.d"] {
            assert!(mistakes(&GOOD.replace("https://auth.example", good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn plain_http_for_others_has_to_be_named_dangerous() {
        let open = format!("listen = \"0.0.0.0:80\"\n{GOOD}");
        assert!(mistakes(&open).first().is_some_and(|line| line.starts_with("listen:")));
        assert!(mistakes(&format!("danger_plain_http = true\n{open}")).is_empty());
        assert!(mistakes(&format!("proxy.trusted = [\"10.0.0.0/8\"]\n{open}")).is_empty());
    }

    #[test]
    fn mail_needs_a_server_and_a_sender_and_tells_no_password() {
        let with = |lines: &str| mistakes(&format!("{GOOD}\n{lines}"));
        let from = "mail.from = \"문지기 <no-reply@example.kr>\"";
        let full = format!("mail.smtp_url = \"smtps://u:p%40ss@mail.example\"\n{from}");
        assert!(with(&full).is_empty());
        assert!(with(&format!("{full}\nmail.reply_to = \"help@example.kr\"")).is_empty());
        assert!(
            with(&format!("mail.smtp_url = \"smtp://127.0.0.1:25?tls=none\"\n{from}")).is_empty()
        );
        for (lines, key) in [
            ("mail.smtp_url = \"smtp://mail.example\"", "mail.from"),
            ("mail.reply_to = \"a@b.kr\"", "mail.smtp_url"),
            ("mail.smtp_url = \"smtp://mail.example\"\nmail.from = \"nobody\"", "mail.from"),
            ("mail.smtp_url = \"smtp://a.kr\"\nmail.from = \"a@b.kr\\nBcc: c@d.kr\"", "mail.from"),
            (
                "mail.smtp_url = \"smtp://mail.example?tls=none\"\nmail.from = \"a@b.kr\"",
                "mail.smtp_url",
            ),
            (
                "mail.smtp_url = \"https://u:hunter2@mail.example\"\nmail.from = \"a@b.kr\"",
                "mail.smtp_url",
            ),
            (
                "mail.smtp_url = \"smtp://hunter2@mail.example\"\nmail.from = \"a@b.kr\"",
                "mail.smtp_url",
            ),
            ("mail.smtp_url = \"hunter2\"\nmail.from = \"a@b.kr\"", "mail.smtp_url"),
            ("mail.smtp_url = \"x\"\nmail.smtp_url_file = \"y\"", "mail.smtp_url"),
        ] {
            let found = with(lines);
            assert!(found.len() == 1 && found[0].starts_with(key), "{lines}: {found:?}");
            assert!(!found[0].contains("hunter2"), "{found:?}");
        }
    }

    #[test]
    fn outbound_ranges_and_authorities_are_checked() {
        let with = |lines: &str| mistakes(&format!("{GOOD}\n{lines}"));
        let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem");
        assert!(
            with(&format!("outbound.ca_file = \"{ca}\"\noutbound.allow = [\"10.0.0.0/8\"]"))
                .is_empty()
        );
        let no_ca = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for lines in [
            &format!("outbound.ca_file = \"{no_ca}\""),
            "outbound.ca_file = \"/nowhere/ca.pem\"",
            "outbound.allow = [\"10.0.0.0/33\"]",
        ] {
            let found = with(lines);
            assert!(found.len() == 1 && found[0].starts_with("outbound."), "{lines}: {found:?}");
        }
    }

    #[test]
    fn there_are_at_most_twenty_five_keys() {
        assert!(KEYS.len() <= 25, "{}", KEYS.len());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let environment = BTreeMap::from([
            ("MUNJIGI_ISSUER".to_owned(), "https://other.example".to_owned()),
            ("MUNJIGI_HASHING_THREADS".to_owned(), "3".to_owned()),
            ("MUNJIGI_PROXY_TRUSTED".to_owned(), "10.0.0.0/8, ::1".to_owned()),
        ]);
        let config = ConfigFile::parse(GOOD, &environment).unwrap().check(Mode::Serve).unwrap();
        assert_eq!(config.issuer, "https://other.example");
        assert_eq!(config.hashing_threads, 3);
        assert_eq!(config.trusted_proxies.len(), 2);
    }

    #[test]
    fn spans_are_written_with_a_unit() {
        assert_eq!(parse_span("10m"), Some(Span::from_minutes(10)));
        for bad in ["", "10", "m", "-1s", "1.5h", "10분", "99999999999d"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }
}
