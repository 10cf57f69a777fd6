//! Settings, as an operator sees and changes them.

use munjigi_core::audit::Kind;
use munjigi_store::{ReadTx, Tx, clients, roles, settings};
use serde_json::Value;

use super::{Done, OperateError, Operator, not_found};
use crate::config::Mode;
use crate::failure::Failure;
use crate::settings::{MODE, SETTINGS, SettingError, Settings};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingShown {
    /// Its name.
    pub name: &'static str,
    /// Its value as people write it.
    pub value: String,
    /// Whether somebody set it; the default of the mode in which the database is used otherwise.
    pub source: SettingSource,
    /// What its value is, for people.
    pub expected: &'static str,
}

/// Where a setting's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// Nobody has set it.
    Default,
    /// It stands in the database.
    Database,
}

impl From<SettingError> for OperateError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Unknown(name) => Self::NotFound { what: "setting", name },
            SettingError::Value { .. } => Self::Refused(error.to_string()),
        }
    }
}

impl Operator {
    /// Every setting there is.
    pub async fn list_settings(&self) -> Result<Vec<SettingShown>, OperateError> {
        let look = |tx: &mut ReadTx<'_>| Ok((in_force(tx)?, settings::all(tx)?));
        let (in_force, stored) = self.read(look).await?;
        let shown = SETTINGS.iter().map(|(name, expected)| SettingShown {
            name,
            value: in_force.show(name).unwrap_or_default(),
            source: if stored.iter().any(|(set, _)| set == name) {
                SettingSource::Database
            } else {
                SettingSource::Default
            },
            expected,
        });
        Ok(shown.collect())
    }

    /// Sets a setting to a value as people write it; what it was before.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<String, OperateError> {
        let (name, value, now) = (name.to_owned(), Value::from(value), self.now());
        let event = self.event(Kind::SettingChanged)?.with("setting", &name);
        let write = move |tx: &mut Tx<'_>| {
            let before = in_force(tx)?;
            let mut after = before.clone();
            known(&name)?;
            after.apply(&name, &value)?;
            check_names(tx, &name, &after)?;
            let (was, is) = (before.show(&name), after.show(&name));
            settings::put(tx, &name, &value.to_string(), now)?;
            let event = event.clone().with("from", &was).with("to", &is);
            Ok(Done::Changed(was.unwrap_or_default(), event))
        };
        self.write(write).await
    }

    /// Lets the default of a setting hold again; what it was before, and what it is now.
    pub async fn reset_setting(&self, name: &str) -> Result<(String, String), OperateError> {
        let name = name.to_owned();
        let event = self.event(Kind::SettingChanged)?.with("setting", &name);
        let write = move |tx: &mut Tx<'_>| {
            known(&name)?;
            let was = in_force(tx)?.show(&name).unwrap_or_default();
            if !settings::forget(tx, &name)? {
                return Ok(Done::Same((was.clone(), was)));
            }
            let is = in_force(tx)?.show(&name).unwrap_or_default();
            let event = event.clone().with("from", &was).with("to", &is);
            Ok(Done::Changed((was, is), event))
        };
        self.write(write).await
    }
}

/// Whether there is such a setting.
fn known(name: &str) -> Result<(), SettingError> {
    let is_known = SETTINGS.iter().any(|(known, _)| *known == name);
    if is_known { Ok(()) } else { Err(SettingError::Unknown(name.to_owned())) }
}

/// The settings of the database over the defaults of the mode in which it is used.
pub(super) fn in_force(tx: &mut ReadTx<'_>) -> Result<Settings, OperateError> {
    let stored = settings::all(tx)?;
    let is_dev = stored.iter().any(|(name, value)| name == MODE && value == "\"dev\"");
    let mut in_force = Settings::defaults(if is_dev { Mode::Dev } else { Mode::Serve });
    for (name, value) in stored {
        let value = serde_json::from_str(&value).map_err(|_| Failure::Damaged("setting"))?;
        if let Err(error) = in_force.apply(&name, &value) {
            // Written by a newer version: the default holds here, as it does in a server.
            tracing::warn!(setting = name, %error, "a stored setting is not taken");
        }
    }
    Ok(in_force)
}

/// Whether the setting that was changed names only what is there.
fn check_names(tx: &mut ReadTx<'_>, name: &str, settings: &Settings) -> Result<(), OperateError> {
    if name == "default_client"
        && let Some(id) = &settings.default_client
        && clients::find(tx, id)?.is_none()
    {
        return Err(not_found("client", id));
    }
    let given = settings.default_roles.iter().filter(|_| name == "default_roles");
    for role in given {
        if roles::find(tx, role)?.is_none() {
            return Err(not_found("role", role));
        }
    }
    Ok(())
}
