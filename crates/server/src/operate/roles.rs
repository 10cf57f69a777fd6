//! Roles, as an operator makes, shows and deletes them. Who has one is the users' affair.

use munjigi_core::access::{Permissions, Role, RoleName};
use munjigi_core::audit::Kind;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::Timestamp;
use munjigi_store::{StoreError, Tx, roles};

use super::{Done, OperateError, Operator, ending, not_found};
use crate::registry::{is_builtin, say_changes, say_role, show_role};

/// A new role.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// Its name.
    pub name: RoleName,
    /// What it is for, for people.
    pub description: String,
    /// What its holders may do at this server.
    pub permissions: Permissions,
    /// Which scopes its holders may have in their tokens.
    pub scope: Scope,
}

/// What is changed of a role; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// What it is for, for people.
    pub description: Option<String>,
    /// What its holders may do at this server.
    pub permissions: Option<Permissions>,
    /// Which scopes its holders may have in their tokens.
    pub scope: Option<Scope>,
}

impl Operator {
    /// Makes a role.
    pub async fn create_role(&self, new: NewRole) -> Result<Role, OperateError> {
        let NewRole { name, description, permissions, scope } = new;
        let (created_at, disabled_at) = (self.now(), None);
        let role = Role { name, description, permissions, scope, created_at, disabled_at };
        let event = say_role(self.event(Kind::RoleCreated)?, &role);
        let write = move |tx: &mut Tx<'_>| {
            roles::insert(tx, &role).map_err(|error| match error {
                StoreError::Unique(_) => {
                    OperateError::Conflict(format!("there is a role `{}` already", role.name))
                }
                other => other.into(),
            })?;
            Ok(Done::Changed(role.clone(), event.clone()))
        };
        self.write(write).await
    }

    /// Every role, by name.
    pub async fn list_roles(&self) -> Result<Vec<Role>, OperateError> {
        self.read(|tx| Ok(roles::all(tx)?)).await
    }

    /// The role of this name.
    pub async fn find_role(&self, name: RoleName) -> Result<Role, OperateError> {
        self.read(move |tx| roles::find(tx, &name)?.ok_or_else(|| not_found("role", &name))).await
    }

    /// Changes what a role carries. Tokens that would say too much then are dead.
    pub async fn update_role(
        &self,
        name: RoleName,
        change: RoleChange,
    ) -> Result<Role, OperateError> {
        let (event, now) = (self.event(Kind::RoleUpdated)?, self.now());
        let write = move |tx: &mut Tx<'_>| {
            let before = roles::find(tx, &name)?.ok_or_else(|| not_found("role", &name))?;
            let mut role = before.clone();
            role.description = change.description.clone().unwrap_or(role.description);
            role.permissions = change.permissions.clone().unwrap_or(role.permissions);
            role.scope = change.scope.clone().unwrap_or(role.scope);
            if role == before {
                return Ok(Done::Same(role));
            }
            if name.as_str() == "admin" {
                return Err(stays(&name));
            }
            end_tokens(tx, &before, &role, now)?;
            roles::update(tx, &role)?;
            let event = say_role(event.clone(), &role);
            let event = say_changes(event, &show_role(&before), &show_role(&role));
            Ok(Done::Changed(role, event))
        };
        self.write(write).await
    }

    /// Disables a role: it carries nothing from then on, and tokens that name it are dead.
    pub async fn disable_role(&self, name: RoleName) -> Result<Role, OperateError> {
        let (event, now) = (self.event(Kind::RoleDisabled)?, self.now());
        let write = move |tx: &mut Tx<'_>| {
            let role = roles::find(tx, &name)?.ok_or_else(|| not_found("role", &name))?;
            if is_builtin(&name) {
                return Err(stays(&name));
            }
            if !roles::set_disabled(tx, &name, Some(now))? {
                return Ok(Done::Same(role));
            }
            let event = say_role(event.clone(), &role);
            let disabled = Role { disabled_at: Some(now), ..role.clone() };
            end_tokens(tx, &role, &disabled, now)?;
            Ok(Done::Changed(disabled, event))
        };
        self.write(write).await
    }

    /// Enables a disabled role again.
    pub async fn enable_role(&self, name: RoleName) -> Result<Role, OperateError> {
        let event = self.event(Kind::RoleEnabled)?;
        let write = move |tx: &mut Tx<'_>| {
            let role = roles::find(tx, &name)?.ok_or_else(|| not_found("role", &name))?;
            if !roles::set_disabled(tx, &name, None)? {
                return Ok(Done::Same(role));
            }
            let event = say_role(event.clone(), &role);
            Ok(Done::Changed(Role { disabled_at: None, ..role }, event))
        };
        self.write(write).await
    }

    /// Deletes a role: whoever had it has it no longer. The built-in ones stay, because without
    /// `admin` nobody could undo it.
    pub async fn delete_role(&self, name: RoleName) -> Result<Role, OperateError> {
        let (event, now) = (self.event(Kind::RoleDeleted)?, self.now());
        let write = move |tx: &mut Tx<'_>| {
            let role = roles::find(tx, &name)?.ok_or_else(|| not_found("role", &name))?;
            if is_builtin(&name) {
                return Err(stays(&name));
            }
            end_tokens(tx, &role, &Role { disabled_at: Some(now), ..role.clone() }, now)?;
            roles::delete(tx, &name)?;
            let event = say_role(event.clone(), &role);
            Ok(Done::Changed(role, event))
        };
        self.write(write).await
    }
}

fn stays(name: &RoleName) -> OperateError {
    OperateError::Conflict(format!("`{name}` is built in, and stays"))
}

/// The end of the tokens that say more of a role than it carries from now on.
fn end_tokens(
    tx: &mut Tx<'_>,
    before: &Role,
    after: &Role,
    now: Timestamp,
) -> Result<(), OperateError> {
    if before.loses_in(after) {
        ending(tx, now)?.tokens_with(tx, &after.name)?;
    }
    Ok(())
}
