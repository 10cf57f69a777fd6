//! Which PostgreSQL server, and how it is talked to: its URL, with `sslmode` in libpq's words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts::Hosts;
use super::tls;
use crate::sql::error::StoreError;

/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a host, which may have several addresses, may take to let us in, from the first packet
/// to the first answer; and how long what was sent may stay unacknowledged before the connection
/// counts as lost.
pub(super) const SILENCE: Duration = Duration::from_secs(15);

/// A server, ready to connect to.
pub(super) struct Target {
    /// Where it may be. The driver's own way through several hosts bounds how long each may take to
    /// accept a connection, and not how long it may then say nothing.
    pub(super) hosts: Arc<Hosts>,
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// What `sslmode` asks for. libpq's `verify-ca` is not there: a certificate of the right authority
/// for another host is the attack that it lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

impl Target {
    /// Reads a `postgres://` URL. Everything but `sslmode` and `sslrootcert` is the driver's.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (url, mode, roots) = take_ssl(url)?;
        // The driver's message may quote the URL, which holds the password.
        let config: Config = url.parse().map_err(|_| wrong("it is no URL of PostgreSQL"))?;
        // libpq: with an authority at hand, `require` verifies, too.
        let verifies = mode == Mode::VerifyFull || roots.is_some();
        if !verifies && !is_local(&config) {
            tracing::warn!("nobody verifies who the PostgreSQL server is; use sslmode=verify-full");
        }
        let tls = match (mode, roots) {
            (Mode::Disable, _) => None,
            (_, Some(path)) => Some(tls::verified(&path)?),
            (Mode::VerifyFull, None) => {
                return Err(wrong("sslmode=verify-full needs sslrootcert=FILE"));
            }
            (Mode::Prefer | Mode::Require, None) => Some(tls::danger_unverified()?),
        };
        let ssl_mode = match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        };
        let mut hosts = each_host(&url, &config).unwrap_or_else(|| vec![config.clone()]);
        for config in &mut hosts {
            config
                .application_name("munjigi")
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_user_timeout(SILENCE)
                .keepalives_idle(Duration::from_secs(30))
                .ssl_mode(ssl_mode);
        }
        Ok(Self { hosts: Arc::new(Hosts::new(hosts, &config)), tls })
    }
}

/// What the URL says, `whole` in the driver's words, of each of its hosts alone; `None` where they
/// do not stand before the path.
fn each_host(url: &str, whole: &Config) -> Option<Vec<Config>> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let credentials =
        authority.split_at(authority.find('@').map_or(0, |at| at.saturating_add(1))).0;
    let nowhere: Config = format!("{scheme}://{credentials}{path}").parse().ok()?;
    let is_split = nowhere.get_hosts().is_empty() && whole.get_hostaddrs().is_empty();
    if !is_split || whole.get_hosts().is_empty() {
        return None;
    }
    let ports = whole.get_ports();
    let alone = |(place, host): (usize, &Host)| {
        let mut config = nowhere.clone();
        match host {
            Host::Tcp(name) => config.host(name),
            #[cfg(unix)]
            Host::Unix(path) => config.host_path(path),
        };
        if let Some(port) = ports.get(place).or(ports.first()) {
            config.port(*port);
        }
        config
    };
    Some(whole.get_hosts().iter().enumerate().map(alone).collect())
}

/// Takes `sslmode` and `sslrootcert` out of a URL: the driver knows only some of their values.
fn take_ssl(url: &str) -> Result<(String, Mode, Option<PathBuf>), StoreError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut mode, mut roots) = (Mode::Prefer, None);
    let mut kept = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let pair = url::form_urlencoded::parse(part.as_bytes()).next();
        match pair.as_ref().map(|(name, value)| (&**name, &**value)) {
            Some(("sslmode", value)) => mode = parse_mode(value)?,
            Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value)),
            _ => kept.push(part),
        }
    }
    let joined = if kept.is_empty() { "" } else { "?" };
    Ok((format!("{base}{joined}{}", kept.join("&")), mode, roots))
}

fn parse_mode(text: &str) -> Result<Mode, StoreError> {
    match text {
        "disable" => Ok(Mode::Disable),
        "prefer" => Ok(Mode::Prefer),
        "require" => Ok(Mode::Require),
        "verify-full" => Ok(Mode::VerifyFull),
        _ => Err(wrong("sslmode is disable, prefer, require or verify-full")),
    }
}

fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn wrong(what: &str) -> StoreError {
    StoreError::Unavailable(format!("the database URL cannot be used: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_is_taken_out_and_the_rest_is_left() {
        let url = "postgres://u@h/d?sslmode=verify-full&application_name=a&sslrootcert=%2Fca.pem";
        let taken = take_ssl(url).expect("a URL");
        assert_eq!(taken.0, "postgres://u@h/d?application_name=a");
        assert_eq!((taken.1, taken.2), (Mode::VerifyFull, Some("/ca.pem".into())));
        assert_eq!(take_ssl("postgres://h/d").expect("a URL").1, Mode::Prefer);
    }

    #[test]
    fn a_mode_that_is_not_known_is_not_taken_for_a_weaker_one() {
        assert!(take_ssl("postgres://h/d?sslmode=verify-ca").is_err());
        assert!(Target::parse("postgres://h/d?sslmode=verify-full").is_err());
    }

    #[test]
    fn each_host_is_asked_alone_and_in_order() {
        let alone = |url: &str| {
            let config = |it: &Config| (it.get_hosts().to_vec(), it.get_ports().to_vec());
            let target = Target::parse(url).expect("a URL");
            assert!(target.hosts.configs().iter().all(|it| it.get_dbname() == Some("d")));
            target.hosts.configs().iter().map(config).collect::<Vec<_>>()
        };
        let tcp = |name: &str, port| (vec![Host::Tcp(name.to_owned())], vec![port]);
        assert_eq!(alone("postgres://h/d"), [tcp("h", 5432)]);
        assert_eq!(
            alone("postgres://u:p%40@h:1,i,[::1]:3/d?target_session_attrs=read-write").len(),
            3
        );
        assert_eq!(alone("postgres://u:p@h:1,i/d"), [tcp("h", 1), tcp("i", 5432)]);
        let target = Target::parse("postgres://u:p%40@h:1,i/d?target_session_attrs=read-write");
        for config in target.expect("a URL").hosts.configs() {
            assert_eq!((config.get_user(), config.get_password()), (Some("u"), Some(&b"p@"[..])));
            let wants = config.get_target_session_attrs();
            assert_eq!(wants, tokio_postgres::config::TargetSessionAttrs::ReadWrite);
        }
        assert_eq!(alone("postgres://h,i/d?load_balance_hosts=random").len(), 2);
        let socket = alone("postgres:///d?host=/run/postgresql");
        assert_eq!(socket.len(), 1);
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        let local = |url: &str| is_local(&url.parse().expect("a URL"));
        assert!(local("postgres://127.0.0.1/d") && local("postgres://localhost/d"));
        assert!(local("postgres:///d?host=/run/postgresql") && !local("postgres://db.example/d"));
    }
}
