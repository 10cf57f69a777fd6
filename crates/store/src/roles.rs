//! Roles, and who has them. Roles are reference data: every write to them moves the snapshot's
//! version on; giving one to a person does not.

use munjigi_core::access::{Role, RoleName};
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;

use crate::page::{Listed, Page};
use crate::{ReadTx, Result, Row, Tx, counters, params};

/// What [`StoreError::Unique`](crate::StoreError::Unique) names when there is such a role already.
pub const NAME_TAKEN: &str = "role.name";

/// Adds a role.
///
/// # Errors
/// `Unique` with [`NAME_TAKEN`].
pub fn insert(tx: &mut Tx<'_>, role: &Role) -> Result<()> {
    tx.exec(
        "INSERT INTO role (name, description, permissions, scope, created_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        params![
            role.name,
            role.description,
            role.permissions,
            role.scope,
            role.created_at,
            role.disabled_at,
        ],
    )?;
    counters::reference_changed(tx)
}

/// The role of this name.
pub fn find(tx: &mut ReadTx<'_>, name: &RoleName) -> Result<Option<Role>> {
    let row = tx.find_row(
        "SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role WHERE name = $1",
        params![name],
    )?;
    row.map(from_row).transpose()
}

/// Every role, by name. Roles are few.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<Role>> {
    let rows = tx.rows(
        "SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role ORDER BY name",
        params![],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// Roles, by name.
pub fn list(tx: &mut ReadTx<'_>, page: &Page<RoleName>) -> Result<Listed<Role, RoleName>> {
    let rows = tx.rows(
        "SELECT name, description, permissions, scope, created_at, disabled_at
         FROM role WHERE name > $1 ORDER BY name LIMIT $2",
        params![page.key().map_or("", RoleName::as_str), page.rows()],
    )?;
    let roles = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(roles, |role| role.name.clone()))
}

/// Writes description, permissions and scope; false when there is no such role.
pub fn update(tx: &mut Tx<'_>, role: &Role) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE role SET description = $2, permissions = $3, scope = $4 WHERE name = $1",
        params![role.name, role.description, role.permissions, role.scope],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Disables a role since `disabled_at`, or enables it again (`None`); false when it was that
/// already, or is not there.
pub fn set_disabled(
    tx: &mut Tx<'_>,
    name: &RoleName,
    disabled_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = match disabled_at {
        Some(since) => tx.exec(
            "UPDATE role SET disabled_at = $2 WHERE name = $1 AND disabled_at IS NULL",
            params![name, since],
        ),
        None => tx.exec(
            "UPDATE role SET disabled_at = NULL WHERE name = $1 AND disabled_at IS NOT NULL",
            params![name],
        ),
    }?;
    counters::reference_changed_if(tx, changed)
}

/// Deletes a role, also from everybody who has it; false when it is not there.
pub fn delete(tx: &mut Tx<'_>, name: &RoleName) -> Result<bool> {
    let changed = tx.exec("DELETE FROM role WHERE name = $1", params![name])?;
    counters::reference_changed_if(tx, changed)
}

/// Gives a role to a person; false when they have it already.
///
/// # Errors
/// `ForeignKey` when there is no such role or no such person.
pub fn assign(tx: &mut Tx<'_>, user_id: &UserId, role: &RoleName, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "INSERT INTO user_role (user_id, role, granted_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, role) DO NOTHING",
        params![user_id, role, now],
    )?;
    Ok(changed > 0)
}

/// Takes a role from a person; false when they do not have it.
pub fn withdraw(tx: &mut Tx<'_>, user_id: &UserId, role: &RoleName) -> Result<bool> {
    let changed =
        tx.exec("DELETE FROM user_role WHERE user_id = $1 AND role = $2", params![user_id, role])?;
    Ok(changed > 0)
}

/// Gives a person exactly these roles; those that they keep keep their date. False when these are
/// the roles that they have.
///
/// # Errors
/// `ForeignKey` when there is no such role or no such person.
pub fn replace_for(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    roles: &[RoleName],
    now: Timestamp,
) -> Result<bool> {
    let rows = tx.rows("SELECT role FROM user_role WHERE user_id = $1", params![user_id])?;
    let held = rows.into_iter().map(|mut row| row.take(0)).collect::<Result<Vec<RoleName>>>()?;
    let mut changed = false;
    for role in held.iter().filter(|role| !roles.contains(role)) {
        changed |= withdraw(tx, user_id, role)?;
    }
    for role in roles.iter().filter(|role| !held.contains(role)) {
        changed |= assign(tx, user_id, role, now)?;
    }
    Ok(changed)
}

/// Some of those who have a role: the first `limit` by id.
pub fn holders(tx: &mut ReadTx<'_>, role: &RoleName, limit: u32) -> Result<Vec<UserId>> {
    let rows = tx.rows(
        "SELECT user_id FROM user_role WHERE role = $1 ORDER BY user_id LIMIT $2",
        params![role, limit],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Those who have a role and a grant that could be used at `since` or later, so that tokens which
/// carry the role may be out: the first `limit` by id.
pub fn signed_in_holders(
    tx: &mut ReadTx<'_>,
    role: &RoleName,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<UserId>> {
    let rows = tx.rows(
        "SELECT r.user_id FROM user_role r WHERE r.role = $1 AND EXISTS (
             SELECT 1 FROM grant_ g WHERE g.user_id = r.user_id AND g.revoked_at IS NULL
             AND g.expires_at >= $2 AND g.idle_expires_at >= $2)
         ORDER BY r.user_id LIMIT $3",
        params![role, since, limit],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

fn from_row(mut row: Row) -> Result<Role> {
    Ok(Role {
        name: row.take(0)?,
        description: row.take(1)?,
        permissions: row.take(2)?,
        scope: row.take(3)?,
        created_at: row.take(4)?,
        disabled_at: row.take(5)?,
    })
}
