//! What a route asks of a caller. Pure: a principal in, a refusal or nothing out.

use crate::principal::Principal;
use crate::refusal::Refusal;

/// What a caller has to bring: everything in it.
///
/// ```
/// use munjigi_verify::{any_role, role, scope};
///
/// let admin = role("admin");
/// let writer = scope("events:read events:write").and(any_role(["editor", "admin"]));
/// # let _ = (admin, writer);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    scopes: Vec<String>,
    /// Of each entry, one role.
    roles: Vec<Vec<String>>,
    permissions: Vec<String>,
}

/// Requires these scopes, with spaces between them, all of them.
pub fn scope(scopes: &str) -> Requirement {
    let scopes = scopes.split_ascii_whitespace().map(str::to_owned).collect();
    Requirement { scopes, ..Requirement::default() }
}

/// Requires this role.
pub fn role(role: &str) -> Requirement {
    any_role([role])
}

/// Requires one of these roles.
pub fn any_role<'a>(roles: impl IntoIterator<Item = &'a str>) -> Requirement {
    let roles = vec![roles.into_iter().map(str::to_owned).collect()];
    Requirement { roles, ..Requirement::default() }
}

/// Requires this permission.
pub fn permission(permission: &str) -> Requirement {
    Requirement { permissions: vec![permission.to_owned()], ..Requirement::default() }
}

impl Requirement {
    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.scopes.extend(other.scopes);
        self.roles.extend(other.roles);
        self.permissions.extend(other.permissions);
        self
    }

    /// Whether the caller brings all of it; else what is missing.
    pub fn check(&self, principal: &Principal) -> Result<(), Refusal> {
        if self.scopes.iter().any(|scope| !principal.has_scope(scope)) {
            return Err(Refusal::InsufficientScope(self.scopes.join(" ")));
        }
        let lacking = self.roles.iter().find(|any| !any.iter().any(|one| principal.has_role(one)));
        if let Some(any) = lacking {
            return Err(Refusal::MissingRole(any.join(" or ")));
        }
        match self.permissions.iter().find(|one| !principal.has_permission(one)) {
            Some(missing) => Err(Refusal::MissingPermission(missing.clone())),
            None => Ok(()),
        }
    }
}
