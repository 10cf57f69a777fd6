//! The one function that decides whether a caller may do something at this server.

use crate::access::permission::Permissions;
use crate::id::UserId;
use crate::oauth::scope::{IDENTITY_SCOPES, Scope};

/// Who asks, as the database knows them now: not as their token knew them when it was issued.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person; none when a client acts on its own behalf.
    pub user_id: Option<UserId>,
    /// What the roles of the person, or the scope of the client, allow today.
    pub permissions: Permissions,
    /// Which scopes those roles carry, or the client has.
    pub scope: Scope,
}

impl Caller {
    /// Whether the caller may do everything that this may, here and at other APIs.
    fn covers(&self, carried: &Carried) -> bool {
        // A scope that is named like a permission is covered by that permission.
        let has = |name: &str| IDENTITY_SCOPES.contains(&name) || self.permissions.has(name);
        let further = carried.scope.only(|name| !has(name));
        self.permissions.cover(&carried.permissions) && further.within(&self.scope)
    }
}

/// What a role, or a client that acts for itself, lets its holders do.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// At this server.
    pub permissions: Permissions,
    /// At the APIs that take our tokens.
    pub scope: Scope,
}

/// What it is done to.
#[derive(Clone, Copy, Debug)]
pub enum Object<'a> {
    /// Nothing in particular, or everything of a kind: a list, a new client.
    Collection,
    /// An account, together with what its owner may do.
    User {
        /// Whose account it is.
        id: UserId,
        /// What its owner's roles allow.
        permissions: &'a Permissions,
    },
    /// Something that lets its holders do things: a role that is given, changed or taken.
    Carrier(&'a Carried),
}

/// Whether it may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allow,
    /// The permission is missing; its name may be told.
    Missing(&'static str),
    /// It would reach further than the caller's own permissions do.
    Beyond,
}

impl Decision {
    /// Whether it may be done.
    pub fn is_allowed(self) -> bool {
        self == Self::Allow
    }
}

/// Decides whether `caller` may do what `permission` names to `object`.
///
/// Nobody may change somebody who may do more than they themselves, or give away what they do not
/// have: otherwise whoever may change accounts could take over an administrator's, and whoever may
/// give roles could give themselves every role.
pub fn authorize(caller: &Caller, permission: &'static str, object: Object<'_>) -> Decision {
    if !caller.permissions.has(permission) {
        return Decision::Missing(permission);
    }
    munjigi_token::planted!("reach_unchecked", return Decision::Allow);
    let reading = permission.ends_with(":read");
    match object {
        Object::Collection => Decision::Allow,
        Object::User { .. } if reading => Decision::Allow,
        Object::User { id, .. } if caller.user_id == Some(id) => Decision::Allow,
        Object::User { permissions, .. } if caller.permissions.cover(permissions) => {
            Decision::Allow
        }
        Object::Carrier(carried) if caller.covers(carried) => Decision::Allow,
        Object::User { .. } | Object::Carrier(_) => Decision::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(names: &[&str]) -> Caller {
        let permissions = names.iter().map(|name| name.parse().unwrap()).collect();
        let scope = "events:read".parse().unwrap();
        Caller { user_id: Some(UserId::from_random([1; 16])), permissions, scope }
    }

    #[test]
    fn hr_may_change_employees_but_not_administrators() {
        let hr = caller(&["users:read", "users:write"]);
        let (plain, admin) = (Permissions::default(), caller(&["*"]).permissions);
        let other = UserId::from_random([2; 16]);
        let write =
            |permissions| authorize(&hr, "users:write", Object::User { id: other, permissions });
        assert_eq!(write(&plain), Decision::Allow);
        assert_eq!(write(&admin), Decision::Beyond);
        let read = authorize(&hr, "users:read", Object::User { id: other, permissions: &admin });
        assert_eq!(read, Decision::Allow);
    }

    #[test]
    fn a_plain_user_may_change_nobody_here() {
        let nobody = Permissions::default();
        let other = Object::User { id: UserId::from_random([2; 16]), permissions: &nobody };
        let decision = authorize(&caller(&[]), "users:write", other);
        assert_eq!(decision, Decision::Missing("users:write"));
    }

    #[test]
    fn nobody_gives_away_what_they_do_not_have() {
        let clerk = caller(&["roles:write", "users:read"]);
        let reader = caller(&["users:read"]).permissions;
        let admin = caller(&["*"]).permissions;
        let give = |caller: &Caller, permissions: &Permissions, scope: &str| {
            let carried =
                Carried { permissions: permissions.clone(), scope: scope.parse().unwrap() };
            authorize(caller, "roles:write", Object::Carrier(&carried))
        };
        assert_eq!(give(&clerk, &reader, ""), Decision::Allow);
        assert_eq!(give(&clerk, &admin, ""), Decision::Beyond);

        // A scope is power at other APIs (AD-03 of the attack kit).
        assert_eq!(give(&clerk, &reader, "events:read openid"), Decision::Allow);
        assert_eq!(give(&clerk, &reader, "payments:approve"), Decision::Beyond);
        assert_eq!(give(&caller(&["*"]), &reader, "payments:approve"), Decision::Allow);
    }
}
