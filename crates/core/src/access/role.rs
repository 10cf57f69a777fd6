//! Roles: a name that carries permissions (for this server) and scopes (for tokens).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::access::permission::Permissions;
use crate::oauth::scope::{IDENTITY_SCOPES, Scope};
use crate::time::Timestamp;

/// The name of a role: 1 to 64 of `a-z 0-9 _ -`, as it stands in tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RoleName(String);

/// A text that cannot name a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a role's name is 1 to 64 of a-z, 0-9, `_` and `-`")]
pub struct RoleNameError;

impl RoleName {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, RoleNameError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(allowed);
        if fits { Ok(Self(text.to_owned())) } else { Err(RoleNameError) }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, which tokens carry.
    pub name: RoleName,
    /// What it is for, for people.
    pub description: String,
    /// What its holders may do at this server.
    pub permissions: Permissions,
    /// Which scopes its holders may have in their tokens.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it carries nothing and stands in no token.
    pub disabled_at: Option<Timestamp>,
}

impl Role {
    /// Whether `after`, the same role after a change, carries less than this one does: then tokens
    /// are out that say too much.
    pub fn loses_in(&self, after: &Self) -> bool {
        // Switched off, it is in no token that is still alive.
        let kept = after.permissions.cover(&self.permissions) && self.scope.within(&after.scope);
        self.disabled_at.is_none() && (after.disabled_at.is_some() || !kept)
    }
}

/// What of `wanted` a person with these roles may have in a token: scopes that speak of their own
/// identity, and those that a role of theirs carries. Everything else is left out.
pub fn grantable<'r>(wanted: &Scope, roles: impl Iterator<Item = &'r Role>) -> Scope {
    let carried = roles.fold(Scope::empty(), |all, role| all.with(&role.scope));
    wanted.only(|name| IDENTITY_SCOPES.contains(&name) || carried.has(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_needs_a_role_that_carries_it() {
        let manager = Role {
            name: "manager".parse().unwrap(),
            description: String::new(),
            permissions: Permissions::default(),
            scope: "events:write".parse().unwrap(),
            created_at: Timestamp::from_millis(0),
            disabled_at: None,
        };
        let wanted: Scope = "openid events:write admin".parse().unwrap();
        let granted = grantable(&wanted, [&manager].into_iter());
        assert_eq!(granted.to_string(), "events:write openid");
        assert_eq!(grantable(&wanted, [].into_iter()).to_string(), "openid");
    }

    #[test]
    fn a_role_loses_what_a_token_may_still_say() {
        let role = |permissions: &[&str], scope: &str| Role {
            name: "manager".parse().unwrap(),
            description: String::new(),
            permissions: permissions.iter().map(|it| it.parse().unwrap()).collect(),
            scope: scope.parse().unwrap(),
            created_at: Timestamp::from_millis(0),
            disabled_at: None,
        };
        let before = role(&["users:read"], "admin");
        assert!(!before.loses_in(&role(&["users:read", "users:write"], "admin events:read")));
        assert!(!before.loses_in(&role(&["*"], "admin")));
        assert!(before.loses_in(&role(&["users:write"], "admin")));
        assert!(before.loses_in(&role(&["users:read"], "")));
        let off = Role { disabled_at: Some(Timestamp::from_millis(1)), ..before.clone() };
        assert!(before.loses_in(&off));
        assert!(!off.loses_in(&Role { scope: Scope::empty(), ..off.clone() }));
    }

    #[test]
    fn a_role_name_fits_into_a_token() {
        for bad in ["", "Admin", "a b", "관리자", "a,b"] {
            assert!(bad.parse::<RoleName>().is_err(), "{bad:?}");
        }
    }
}
