//! Permissions: names for things that may be done, such as `users:write`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// One permission: `*` (everything), or 1 to 64 of `a-z 0-9 : _ - .`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Permission(String);

/// A text that cannot be a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a permission is `*`, or 1 to 64 of a-z, 0-9, `:`, `_`, `-` and `.`")]
pub struct PermissionError;

impl Permission {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let allowed =
            |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b':' | b'_' | b'-' | b'.');
        let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
        if text == "*" || fits { Ok(Self(text.to_owned())) } else { Err(PermissionError) }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A set of permissions, of which `*` holds every other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Whether `name` is among them, by itself or through `*`.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|permission| permission.as_str() == "*" || permission.as_str() == name)
    }

    /// Whether they hold everything that `others` hold.
    pub fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|permission| self.has(permission.as_str()))
    }

    /// Adds those of another set.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Permissions {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn the_star_holds_everything_and_only_itself_holds_the_star() {
        assert!(set(&["*"]).cover(&set(&["users:write", "*"])));
        assert!(!set(&["users:write", "users:read"]).cover(&set(&["*"])));
        assert!(!set(&[]).has("users:write"));
    }

    #[test]
    fn wildcards_inside_a_name_are_no_permission() {
        for bad in ["", "users:*", "Users", "a b", "**"] {
            assert!(bad.parse::<Permission>().is_err(), "{bad:?}");
        }
    }
}
