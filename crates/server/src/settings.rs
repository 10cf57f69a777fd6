//! Settings: what administrators change while the server runs. They stand in the database, and
//! every change is audited.

mod audit;
mod clients;
mod keys;
pub(crate) mod requests;

use munjigi_core::access::RoleName;
use munjigi_core::account::hash::Argon2Params;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::grant::Lifetimes;
use munjigi_core::time::Span;
use serde_json::Value;
use thiserror::Error;

use crate::config::{Mode, parse_span};
pub use audit::AuditSettings;
pub use clients::{ClientRegistration, ClientSettings, OpenApis};
pub use keys::KeySettings;
pub use requests::RequestSettings;

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Only administrators make accounts.
    Closed,
    /// Anybody may sign up.
    Open,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long access tokens live, unless their API says otherwise.
    pub access_ttl: Span,
    /// How long a refresh token lives without being used.
    pub refresh_idle_ttl: Span,
    /// How long a grant lives in any case.
    pub refresh_ttl: Span,
    /// How long a public client may present the previous refresh token again.
    pub replay_window: Span,
    /// How long a browser's session lives without being used.
    pub session_idle_ttl: Span,
    /// How long a browser's session lives in any case.
    pub session_ttl: Span,
    /// How many sessions somebody may have at once.
    pub session_limit: u32,
    /// Who may make an account.
    pub registration: Registration,
    /// The roles of a new account.
    pub default_roles: Vec<RoleName>,
    /// The first-party client behind the account API's sign-in, and behind token requests that
    /// name no client.
    pub default_client: Option<ClientId>,
    /// What holds for clients that no operator made.
    pub clients: ClientSettings,
    /// What is asked of the requests of every client.
    pub requests: RequestSettings,
    /// What holds for the audit trail.
    pub audit: AuditSettings,
    /// What holds for signing keys.
    pub keys: KeySettings,
    /// What new password hashes cost.
    pub argon2: Argon2Params,
}

/// Every setting's name, with what its value is, for people.
pub const SETTINGS: &[(&str, &str)] = &[
    ("access_ttl", "a time from 1s to 1h, such as `10m`"),
    ("refresh_idle_ttl", "a time such as `30d`"),
    ("refresh_ttl", "a time such as `90d`"),
    ("replay_window", "a time from 0s to 60s, such as `30s`"),
    ("session_idle_ttl", "a time from 5m to 30d, such as `12h`"),
    ("session_ttl", "a time from 5m to 366d, such as `30d`"),
    ("session_limit", "a number from 1 to 10000"),
    ("registration", "`open` or `closed`"),
    ("default_roles", "a list of roles, separated by commas"),
    ("default_client", "the id of a first-party client, or nothing"),
    ("require_pushed_authorization_requests", "`on` or `off`"),
    ("dpop_nonce", "`required` or `optional`"),
    ("address_budget", "a number from 1 to 1000, or `off`"),
    ("client_registration", "`off`, `token` or `open`"),
    ("client_documents", "`on` or `off`"),
    ("client_unused_ttl", "a time from 1d to 366d, such as `90d`"),
    ("client_apis", "`all`, or a list of APIs, separated by commas"),
    ("signing_key_lifetime", "a time from 2d to 3660d, such as `90d`, or `off`"),
    ("audit_retention", "a time from 30d to 3660d, such as `730d`, or `forever`"),
    ("audit_anchor", "the URL that is sent signed checkpoints, or nothing"),
];

/// Under this name stands `dev` in the database of a `dev` server, so that the command line shows
/// the defaults that hold there. It is no setting: nobody sets it, and no server reads it.
pub const MODE: &str = "mode";

/// A value that a setting cannot have, or a name that no setting has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// No such setting.
    #[error("there is no setting `{0}`")]
    Unknown(String),
    /// The value does not fit.
    #[error("`{name}` is {expected}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What its value is.
        expected: &'static str,
    },
}

impl Settings {
    /// The defaults (`product.md`).
    pub fn defaults(mode: Mode) -> Self {
        Self {
            access_ttl: Span::from_minutes(10),
            refresh_idle_ttl: Span::from_days(30),
            refresh_ttl: Span::from_days(90),
            replay_window: Span::from_seconds(30),
            session_idle_ttl: Span::from_hours(12),
            session_ttl: Span::from_days(30),
            session_limit: 100,
            registration: match mode {
                Mode::Serve => Registration::Closed,
                Mode::Dev => Registration::Open,
            },
            default_roles: "user".parse().into_iter().collect(),
            default_client: None,
            requests: RequestSettings::defaults(),
            clients: ClientSettings::defaults(),
            audit: AuditSettings::defaults(),
            keys: KeySettings::defaults(),
            argon2: Argon2Params::default(),
        }
    }

    /// The lives of a grant.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes { idle_ttl: self.refresh_idle_ttl, replay_window: self.replay_window }
    }

    /// Takes one stored setting over.
    pub fn apply(&mut self, name: &str, value: &Value) -> Result<(), SettingError> {
        if name == MODE {
            return Ok(());
        }
        let (name, expected) = SETTINGS
            .iter()
            .find(|(known, _)| *known == name)
            .copied()
            .ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
        let text = value.as_str().unwrap_or_default();
        let wrong = SettingError::Value { name, expected };
        let span = |least: Span, most: Span| {
            parse_span(text).filter(|span| (least..=most).contains(span)).ok_or(wrong.clone())
        };
        let (second, hour, year) =
            (Span::from_seconds(1), Span::from_hours(1), Span::from_days(366));
        match name {
            "access_ttl" => self.access_ttl = span(second, hour)?,
            "refresh_idle_ttl" => self.refresh_idle_ttl = span(second, year)?,
            "refresh_ttl" => self.refresh_ttl = span(second, year)?,
            "replay_window" => {
                self.replay_window = span(Span::default(), Span::from_minutes(1))?;
            }
            "session_idle_ttl" => {
                self.session_idle_ttl = span(Span::from_minutes(5), Span::from_days(30))?;
            }
            "session_ttl" => self.session_ttl = span(Span::from_minutes(5), year)?,
            "session_limit" => {
                let limit = text.parse().ok().filter(|limit| (1..=10_000).contains(limit));
                self.session_limit = limit.ok_or(wrong)?;
            }
            "registration" => {
                self.registration = match text {
                    "open" => Registration::Open,
                    "closed" => Registration::Closed,
                    _ => return Err(wrong),
                };
            }
            "default_roles" => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                let roles: Result<_, _> = names.map(str::parse).collect();
                self.default_roles = roles.map_err(|_| wrong)?;
            }
            "default_client" if text.is_empty() => self.default_client = None,
            "default_client" => self.default_client = Some(text.parse().map_err(|_| wrong)?),
            _ if self.clients.apply(name, text).map_err(|()| wrong.clone())? => {}
            _ if self.requests.apply(name, text).map_err(|()| wrong.clone())? => {}
            _ if self.audit.apply(name, text).map_err(|()| wrong.clone())? => {}
            _ if self.keys.apply(name, text).map_err(|()| wrong)? => {}
            _ => return Err(SettingError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// The setting's value as people write it.
    pub fn show(&self, name: &str) -> Option<String> {
        let seconds = |span: Span| format!("{}s", span.as_seconds());
        match name {
            "access_ttl" => Some(seconds(self.access_ttl)),
            "refresh_idle_ttl" => Some(seconds(self.refresh_idle_ttl)),
            "refresh_ttl" => Some(seconds(self.refresh_ttl)),
            "replay_window" => Some(seconds(self.replay_window)),
            "session_idle_ttl" => Some(seconds(self.session_idle_ttl)),
            "session_ttl" => Some(seconds(self.session_ttl)),
            "session_limit" => Some(self.session_limit.to_string()),
            "registration" => Some(
                match self.registration {
                    Registration::Open => "open",
                    Registration::Closed => "closed",
                }
                .to_owned(),
            ),
            "default_roles" => {
                let names: Vec<_> = self.default_roles.iter().map(RoleName::as_str).collect();
                Some(names.join(","))
            }
            "default_client" => {
                Some(self.default_client.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            _ => {
                let further = self.clients.show(name).or_else(|| self.requests.show(name));
                further.or_else(|| self.audit.show(name)).or_else(|| self.keys.show(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_setting_is_read_back_as_it_is_shown() {
        let defaults = Settings::defaults(Mode::Serve);
        for (name, _) in SETTINGS {
            let shown = defaults.show(name).unwrap();
            let mut copy = defaults.clone();
            copy.apply(name, &json!(shown)).unwrap();
            assert_eq!(copy.show(name), Some(shown), "{name}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_changes_nothing() {
        let mut settings = Settings::defaults(Mode::Serve);
        for (name, value) in [
            ("access_ttl", json!("2h")),
            ("access_ttl", json!(600)),
            ("replay_window", json!("2m")),
            ("session_limit", json!("0")),
            ("session_limit", json!("-1")),
            ("session_limit", json!("10001")),
            ("registration", json!("maybe")),
            ("dpop_nonce", json!("")),
            ("address_budget", json!("0")),
            ("address_budget", json!("1001")),
            ("address_budget", json!("")),
            ("require_pushed_authorization_requests", json!("yes")),
            ("default_roles", json!("Admin")),
            ("default_client", json!("a b")),
            ("client_registration", json!("closed")),
            ("client_documents", json!("yes")),
            ("client_unused_ttl", json!("1h")),
            ("client_apis", json!("not a uri")),
            ("signing_key_lifetime", json!("1d")),
            ("signing_key_lifetime", json!("0")),
            ("signing_key_lifetime", json!("4000d")),
            ("audit_retention", json!("1d")),
            ("audit_anchor", json!("ftp://anchor.example")),
            ("nothing", json!("x")),
        ] {
            assert!(settings.apply(name, &value).is_err(), "{name} {value}");
        }
        assert_eq!(settings.access_ttl, Span::from_minutes(10));
    }
}
