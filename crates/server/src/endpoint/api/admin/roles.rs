//! `/api/v1/admin/roles`. Nobody gives a role what they do not have themselves.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::access::{Carried, Object, Permission, Permissions, Role, RoleName};
use munjigi_core::audit::Kind;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::oauth::scope::Scope;
use munjigi_store::{StoreError, Tx, roles};

use crate::app::App;
use crate::builtin::{ROLES_READ, ROLES_WRITE};
use crate::ending::Ending;
use crate::endpoint::api::admin::{Done, page, shown, take_over};
use crate::extract::caller::Admin;
use crate::extract::json::{FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::registry::{is_builtin, say_changes, say_role, show_role};
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json, nothing};

/// The most permissions that a role carries.
const MOST_PERMISSIONS: usize = 64;

/// `GET /admin/roles?after=&limit=`.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    query.finish()?;

    let listed = admin.read(&app, ROLES_READ, move |tx| roles::list(tx, &page));

    Ok(json(StatusCode::OK, &shown(listed.await?, |role| show_role(&role))))
}

/// The members of a role that may be said.
struct Said {
    description: Option<String>,
    permissions: Option<Permissions>,
    scope: Option<Scope>,
}

impl Said {
    fn read(members: &mut Members) -> Option<Self> {
        let description = members.optional("description", parse_description);
        let permissions = members.list("permissions", MOST_PERMISSIONS, str::parse::<Permission>);
        let scope = members.optional("scope", str::parse::<Scope>);
        Some(Self {
            description: description?,
            permissions: permissions?.map(|list| list.into_iter().collect()),
            scope: scope?,
        })
    }
}

fn parse_description(text: &str) -> Result<String, &'static str> {
    if text.chars().count() > 500 || text.chars().any(char::is_control) {
        return Err("is at most 500 characters, without control characters");
    }
    Ok(text.to_owned())
}

/// The body of a new role.
pub struct NewRole {
    name: RoleName,
    said: Said,
}

impl FromMembers for NewRole {
    fn read(members: &mut Members) -> Option<Self> {
        let name = members.required("name", str::parse::<RoleName>);
        let said = Said::read(members);
        Some(Self { name: name?, said: said? })
    }
}

/// `POST /admin/roles`.
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Json(NewRole { name, said }): Json<NewRole>,
) -> Result<Response, Problem> {
    let role = Role {
        name,
        description: said.description.unwrap_or_default(),
        permissions: said.permissions.unwrap_or_default(),
        scope: said.scope.unwrap_or_default(),
        created_at: admin.context.now,
        disabled_at: None,
    };
    let event = say_role(admin.event(Kind::RoleCreated)?, &role);
    let (inner, caller, row) = (app.clone(), admin.clone(), role.clone());

    let write = move |tx: &mut Tx<'_>| {
        caller.check(&inner, tx, ROLES_WRITE, Object::Carrier(&carried_by(&row)))?;
        roles::insert(tx, &row).map_err(|error| match error {
            StoreError::Unique(_) => {
                Problem::conflict("role_taken", "/name", "there is such a role already").into()
            }
            other => Undone::Store(other),
        })?;
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, ROLES_WRITE, write).await?;

    Ok(json(StatusCode::CREATED, &show_role(&role)))
}

fn name_of(text: &str) -> Result<RoleName, Problem> {
    text.parse().map_err(|_| Problem::not_found("role"))
}

/// The role, if the caller may change it.
fn writable(app: &App, admin: &Admin, tx: &mut Tx<'_>, name: &RoleName) -> Result<Role, Undone> {
    let role = roles::find(tx, name)?.ok_or_else(|| Problem::not_found("role"))?;
    admin.check(app, tx, ROLES_WRITE, Object::Carrier(&carried_by(&role)))?;
    Ok(role)
}

/// `GET /admin/roles/{name}`.
pub async fn show(
    State(app): State<App>,
    admin: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = name_of(&name)?;

    let role = admin.read(&app, ROLES_READ, move |tx| roles::find(tx, &name));

    let role = role.await?.ok_or_else(|| Problem::not_found("role"))?;
    Ok(json(StatusCode::OK, &show_role(&role)))
}

/// The body of a change.
pub struct RoleChange(Said);

impl FromMembers for RoleChange {
    fn read(members: &mut Members) -> Option<Self> {
        Said::read(members).map(Self)
    }
}

/// `PATCH /admin/roles/{name}`.
pub async fn change(
    State(app): State<App>,
    admin: Admin,
    Path(name): Path<String>,
    Json(RoleChange(said)): Json<RoleChange>,
) -> Result<Response, Problem> {
    let (name, ending) = (name_of(&name)?, admin.ending(&app));
    let event = admin.event(Kind::RoleUpdated)?;
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let before = writable(&inner, &caller, tx, &name)?;
        let mut role = before.clone();
        role.description = said.description.clone().unwrap_or(role.description);
        role.permissions = said.permissions.clone().unwrap_or(role.permissions);
        role.scope = said.scope.clone().unwrap_or(role.scope);
        if role == before {
            return Ok(Done::Same((role, Vec::new())));
        }
        // Nobody could give back what administrators were deprived of.
        if role.name.as_str() == "admin" {
            refuse_builtin(&role.name)?;
        }
        caller.check(&inner, tx, ROLES_WRITE, Object::Carrier(&carried_by(&role)))?;
        let ended = end_tokens(tx, &ending, &before, &role)?;
        roles::update(tx, &role)?;
        let event = say_role(event.clone(), &role);
        let event = say_changes(event, &show_role(&before), &show_role(&role));
        Ok(Done::Changed((role, ended), event))
    };
    let (role, ended) = admin.write_reference(&app, ROLES_WRITE, write).await?;

    take_over(&app, ended);
    Ok(json(StatusCode::OK, &show_role(&role)))
}

/// `POST /admin/roles/{name}/disable`: it carries nothing from then on.
pub async fn disable(
    State(app): State<App>,
    admin: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let (name, ending) = (name_of(&name)?, admin.ending(&app));
    let event = admin.event(Kind::RoleDisabled)?;
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let role = writable(&inner, &caller, tx, &name)?;
        refuse_builtin(&name)?;
        if !roles::set_disabled(tx, &name, Some(ending.now()))? {
            return Ok(Done::Same(Vec::new()));
        }
        let ended = ending.tokens_with(tx, &name)?;
        Ok(Done::Changed(ended, say_role(event.clone(), &role)))
    };
    let ended = admin.write_reference(&app, ROLES_WRITE, write).await?;

    take_over(&app, ended);
    Ok(nothing())
}

/// The end of the tokens that say more of a role than it carries from now on.
fn end_tokens(
    tx: &mut Tx<'_>,
    ending: &Ending,
    before: &Role,
    after: &Role,
) -> Result<Vec<Revocation>, StoreError> {
    if before.loses_in(after) { ending.tokens_with(tx, &after.name) } else { Ok(Vec::new()) }
}

/// What the holders of a role may do, enabled or not.
fn carried_by(role: &Role) -> Carried {
    Carried { permissions: role.permissions.clone(), scope: role.scope.clone() }
}

/// The built-in roles stay: without `admin` nobody could undo it.
fn refuse_builtin(name: &RoleName) -> Result<(), Problem> {
    if is_builtin(name) {
        let why = "the built-in roles stay";
        return Err(Problem::new(StatusCode::CONFLICT, "builtin_role", why));
    }
    Ok(())
}

/// `POST /admin/roles/{name}/enable`.
pub async fn enable(
    State(app): State<App>,
    admin: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let name = name_of(&name)?;
    let event = admin.event(Kind::RoleEnabled)?;
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let role = writable(&inner, &caller, tx, &name)?;
        if !roles::set_disabled(tx, &name, None)? {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed((), say_role(event.clone(), &role)))
    };
    admin.write_reference(&app, ROLES_WRITE, write).await?;

    Ok(nothing())
}

/// `DELETE /admin/roles/{name}`: whoever had it has it no longer.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let (name, ending) = (name_of(&name)?, admin.ending(&app));
    let event = admin.event(Kind::RoleDeleted)?;
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let role = writable(&inner, &caller, tx, &name)?;
        refuse_builtin(&name)?;
        let gone = Role { disabled_at: Some(ending.now()), ..role.clone() };
        let ended = end_tokens(tx, &ending, &role, &gone)?;
        roles::delete(tx, &name)?;
        Ok(Done::Changed(ended, say_role(event.clone(), &role)))
    };
    let ended = admin.write_reference(&app, ROLES_WRITE, write).await?;

    take_over(&app, ended);
    Ok(nothing())
}
