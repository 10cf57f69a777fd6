//! The one function that decides whether a caller may do something at this server.

use crate::access::permission::Permissions;
use crate::id::UserId;

/// Who asks, as the database knows them now: not as their token knew them when it was issued.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The person; none when a client acts on its own behalf.
    pub user_id: Option<UserId>,
    /// What the roles of the person, or the scope of the client, allow today.
    pub permissions: Permissions,
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
    /// Something that carries permissions: a role that is given, changed or taken.
    Carrier(&'a Permissions),
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
    let reading = permission.ends_with(":read");
    match object {
        Object::Collection => Decision::Allow,
        Object::User { .. } if reading => Decision::Allow,
        Object::User { id, .. } if caller.user_id == Some(id) => Decision::Allow,
        Object::User { permissions, .. } | Object::Carrier(permissions) => {
            if caller.permissions.cover(permissions) { Decision::Allow } else { Decision::Beyond }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(names: &[&str]) -> Caller {
        let permissions = names.iter().map(|name| name.parse().unwrap()).collect();
        Caller { user_id: Some(UserId::from_random([1; 16])), permissions }
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
        let give = |carried| authorize(&clerk, "roles:write", Object::Carrier(carried));
        assert_eq!(give(&reader), Decision::Allow);
        assert_eq!(give(&admin), Decision::Beyond);
    }
}
