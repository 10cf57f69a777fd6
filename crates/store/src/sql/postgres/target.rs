//! Which PostgreSQL server, and how it is talked to: its URL, with `sslmode` in libpq's words.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::sql::error::StoreError;

/// How long a server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what was sent may stay unacknowledged before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(15);

/// A server, ready to connect to.
pub(super) struct Target {
    pub(super) config: Config,
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
        let mut config: Config = url.parse().map_err(|_| wrong("it is no URL of PostgreSQL"))?;
        config
            .application_name("munjigi")
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(Duration::from_secs(30));
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
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        Ok(Self { config, tls })
    }
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
    fn only_loopback_and_sockets_are_local() {
        let local = |url: &str| is_local(&url.parse().expect("a URL"));
        assert!(local("postgres://127.0.0.1/d") && local("postgres://localhost/d"));
        assert!(local("postgres:///d?host=/run/postgresql") && !local("postgres://db.example/d"));
    }
}
