//! What a new database holds: the roles that the product speaks of, and the permissions that this
//! server knows.

use munjigi_core::access::{Permissions, Role};
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::Timestamp;
use munjigi_store::{StoreError, Tx, roles};

/// See accounts and profiles.
pub const USERS_READ: &str = "users:read";
/// Change accounts and profiles, disable and delete them.
pub const USERS_WRITE: &str = "users:write";
/// See roles.
pub const ROLES_READ: &str = "roles:read";
/// Change roles, give and take them.
pub const ROLES_WRITE: &str = "roles:write";
/// See where people are signed in, with their addresses.
pub const SESSIONS_READ: &str = "sessions:read";
/// End sessions.
pub const SESSIONS_WRITE: &str = "sessions:write";
/// See clients.
pub const CLIENTS_READ: &str = "clients:read";
/// Change clients.
pub const CLIENTS_WRITE: &str = "clients:write";
/// See APIs.
pub const APIS_READ: &str = "apis:read";
/// Change APIs.
pub const APIS_WRITE: &str = "apis:write";
/// See signing keys, their states and times.
pub const KEYS_READ: &str = "keys:read";
/// Rotate and withdraw signing keys, and share secrets with APIs.
pub const KEYS_WRITE: &str = "keys:write";
/// Follow what is revoked: for APIs, whose clients have it as a scope.
pub const REVOCATIONS_READ: &str = "revocations:read";
/// See figures about the whole server.
pub const STATS_READ: &str = "stats:read";
/// See what happened: the audit trail, with everybody's addresses.
pub const AUDIT_READ: &str = "audit:read";

/// Everything that can be permitted at this server.
pub const PERMISSIONS: &[&str] = &[
    "*",
    USERS_READ,
    USERS_WRITE,
    ROLES_READ,
    ROLES_WRITE,
    SESSIONS_READ,
    SESSIONS_WRITE,
    CLIENTS_READ,
    CLIENTS_WRITE,
    APIS_READ,
    APIS_WRITE,
    KEYS_READ,
    KEYS_WRITE,
    REVOCATIONS_READ,
    STATS_READ,
    AUDIT_READ,
];

/// The scope that a token needs for the admin API: what a client may do there in somebody's name
/// is what that person may do, and nothing without it.
pub const ADMIN_SCOPE: &str = "admin";

/// Name, description, permissions, scope.
const ROLES: &[(&str, &str, &[&str], &str)] = &[
    ("user", "Everybody who has an account", &[], ""),
    ("manager", "Sees accounts", &[USERS_READ], ADMIN_SCOPE),
    ("admin", "May do everything", &["*"], ADMIN_SCOPE),
];

/// Writes the built-in roles into a new database.
pub fn insert_roles(tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
    for (name, description, permissions, scope) in ROLES {
        let damaged = || StoreError::Corrupt("built-in role".to_owned());
        let permissions: Result<Permissions, _> =
            permissions.iter().map(|text| text.parse()).collect();
        let scope: Scope = scope.parse().map_err(|_| damaged())?;
        let role = Role {
            name: name.parse().map_err(|_| damaged())?,
            description: (*description).to_owned(),
            permissions: permissions.map_err(|_| damaged())?,
            scope,
            created_at: now,
            disabled_at: None,
        };
        roles::insert(tx, &role)?;
    }
    Ok(())
}
