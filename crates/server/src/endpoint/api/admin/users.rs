//! `/api/v1/admin/users`: other people's accounts, for those with `users:read` and `users:write`
//! (the tutorials' HR), and nobody who may do more than they themselves.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::access::{Object, RoleName};
use munjigi_core::account::link::Purpose;
use munjigi_core::account::user::User;
use munjigi_core::account::{DisplayName, Email, Locale, Password, Username};
use munjigi_core::audit::Kind;
use munjigi_core::id::UserId;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::users::{AccountState, UserFilter};
use munjigi_store::{StoreError, Tx, links, passwords, roles, users};

use crate::accounts::{AccountError, NewAccount, Profile, check_password, new_user};
use crate::app::App;
use crate::builtin::{ROLES_WRITE, USERS_READ, USERS_WRITE};
use crate::endpoint::api::admin::{Done, carried, damaged, page, shown, take_over, writable_user};
use crate::extract::caller::Admin;
use crate::extract::json::{Change, FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::mailed_link;
use crate::profile_change::ProfileChange;
use crate::random;
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json, nothing};

/// The most roles that one request may name.
const MOST_ROLES: usize = 32;

/// `GET /admin/users?after=&limit=&search=&role=&state=enabled|disabled`.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    let state = query.parsed("state", |text| match text {
        "enabled" => Ok(AccountState::Enabled),
        "disabled" => Ok(AccountState::Disabled),
        _ => Err("is `enabled` or `disabled`"),
    })?;
    let role = query.parsed("role", str::parse::<RoleName>)?;
    let text = query.parsed("search", |text| match text.contains(char::is_control) {
        // No name holds one, and PostgreSQL takes no text with a NUL.
        true => Err("has no control characters"),
        false => Ok(text.to_lowercase()),
    })?;
    query.finish()?;
    let filter = UserFilter { text, role, state };

    let listed = admin.read(&app, USERS_READ, move |tx| users::list(tx, &page, &filter));

    let body =
        shown(listed.await?, |user| serde_json::to_value(Profile::from(user)).unwrap_or_default());
    Ok(json(StatusCode::OK, &body))
}

/// The body of a new account.
pub struct NewUser {
    email: Email,
    password: Option<Password>,
    username: Option<Username>,
    name: Option<DisplayName>,
    locale: Option<Locale>,
    roles: Option<Vec<RoleName>>,
}

impl FromMembers for NewUser {
    fn read(members: &mut Members) -> Option<Self> {
        let email = members.required("email", Email::parse);
        let password = members.optional("password", |text| Password::parse(text.to_owned()));
        let username = members.optional("username", Username::parse);
        let name = members.optional("name", DisplayName::parse);
        let locale = members.optional("locale", Locale::parse);
        let roles = members.list("roles", MOST_ROLES, str::parse::<RoleName>);
        if let (Some(email), Some(Some(password)), Some(username)) = (&email, &password, &username)
        {
            let username = username.as_ref().map(Username::as_str);
            if let Err(weakness) = check_password(password, email, username) {
                members.note("password", weakness.code(), &weakness.to_string());
            }
        }
        Some(Self {
            email: email?,
            password: password?,
            username: username?,
            name: name?,
            locale: locale?,
            roles: roles?,
        })
    }
}

/// `POST /admin/users`. Without a password the account cannot be signed in to until it gets one.
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Json(body): Json<NewUser>,
) -> Result<Response, Problem> {
    let NewUser { email, password, username, name, locale, roles } = body;
    let hash = match password {
        Some(password) => Some(app.hashing.hash(password).await?.to_string()),
        None => None,
    };
    let given = roles.is_some();
    let roles = roles.unwrap_or_else(|| app.snapshot().settings.default_roles.clone());
    let account = NewAccount { email, username, name, locale, roles };
    let user = new_user(random::user_id()?, account, admin.context.now);
    let event = admin.event(Kind::UserCreated)?.subject(user.id).with("roles", &user.roles);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        if given {
            let carried = carried(tx, &user.roles)?;
            caller.check(&inner, tx, ROLES_WRITE, Object::Carrier(&carried))?;
        }
        users::insert(tx, &user).map_err(taken)?;
        if let Some(hash) = &hash {
            passwords::put(tx, &user.id, hash, user.created_at)?;
        }
        Ok(Done::Changed(user.clone(), event.clone()))
    };
    let user = admin.write(&app, USERS_WRITE, write).await?;

    Ok(json(StatusCode::CREATED, &Profile::from(user)))
}

/// A taken name as a refusal; everything else stays the store's.
fn taken(error: StoreError) -> Undone {
    match error {
        StoreError::Unique(_) | StoreError::ForeignKey => {
            Undone::Refused(AccountError::from(error).into())
        }
        other => Undone::Store(other),
    }
}

fn id_of(text: &str) -> Result<UserId, Problem> {
    text.parse().map_err(|_| Problem::not_found("user"))
}

/// The account, if the caller may change it.
fn writable(app: &App, admin: &Admin, tx: &mut Tx<'_>, id: &UserId) -> Result<User, Undone> {
    writable_user((app, admin), tx, USERS_WRITE, id)
}

/// `GET /admin/users/{id}`.
pub async fn show(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;

    let found = admin.read(&app, USERS_READ, move |tx| users::find(tx, &id));

    let user = found.await?.ok_or_else(|| Problem::not_found("user"))?;
    Ok(json(StatusCode::OK, &Profile::from(user)))
}

/// What an administrator may change of an account.
#[derive(Clone)]
pub struct AccountChange {
    profile: ProfileChange,
    email: Change<Email>,
}

impl FromMembers for AccountChange {
    fn read(members: &mut Members) -> Option<Self> {
        let profile = ProfileChange::read(members);
        let email = members.change("email", Email::parse);
        if email == Some(Change::Clear) {
            members.note("email", "missing", "cannot be taken away");
        }
        Some(Self { profile: profile?, email: email? })
    }
}

/// `PATCH /admin/users/{id}`. A new address counts as not verified.
pub async fn change(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
    Json(body): Json<AccountChange>,
) -> Result<Response, Problem> {
    let (id, now) = (id_of(&id)?, admin.context.now);
    let event = admin.event(Kind::UserUpdated)?.subject(id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let mut user = writable(&inner, &caller, tx, &id)?;
        let mut changed = body.profile.apply(&mut user, now);
        if let Change::Set(email) = &body.email
            && user.email != email.as_str()
        {
            user.email = email.as_str().to_owned();
            user.email_canonical = email.canonical().to_owned();
            (user.email_verified_at, user.updated_at) = (None, now);
            changed.push("email");
        }
        if changed.is_empty() {
            return Ok(Done::Same(user));
        }
        users::update_profile(tx, &user).map_err(taken)?;
        if changed.contains(&"email") {
            mailed_link::revoke_for_good(tx, &id, now)?;
            links::revoke_all(tx, &id, Purpose::Verify, now)?;
        }
        Ok(Done::Changed(user, event.clone().with("changed", changed)))
    };
    let user = admin.write(&app, USERS_WRITE, write).await?;

    Ok(json(StatusCode::OK, &Profile::from(user)))
}

/// `POST /admin/users/{id}/disable`: from then on the account can do nothing, at once.
pub async fn disable(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, ending) = (id_of(&id)?, admin.ending(&app));
    let event = admin.event(Kind::UserDisabled)?.subject(id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| -> Result<Done<Option<Revocation>>, Undone> {
        writable(&inner, &caller, tx, &id)?;
        if !users::set_disabled(tx, &id, Some(ending.now()), ending.now())? {
            return Ok(Done::Same(None));
        }
        mailed_link::revoke_for_good(tx, &id, ending.now())?;
        Ok(Done::Changed(Some(ending.user(tx, &id)?), event.clone()))
    };
    let revocation = admin.write(&app, USERS_WRITE, write).await?;

    take_over(&app, revocation);
    Ok(nothing())
}

/// `POST /admin/users/{id}/enable`.
pub async fn enable(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, now) = (id_of(&id)?, admin.context.now);
    let event = admin.event(Kind::UserEnabled)?.subject(id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        writable(&inner, &caller, tx, &id)?;
        if !users::set_disabled(tx, &id, None, now)? {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write(&app, USERS_WRITE, write).await?;

    Ok(nothing())
}

/// `DELETE /admin/users/{id}`.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, ending) = (id_of(&id)?, admin.ending(&app));
    let event = admin.event(Kind::UserDeleted)?.subject(id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        writable(&inner, &caller, tx, &id)?;
        let revocation = ending.user(tx, &id)?;
        users::delete(tx, &id)?;
        Ok(Done::Changed(Some(revocation), event.clone()))
    };
    let revocation = admin.write(&app, USERS_WRITE, write).await?;

    take_over(&app, revocation);
    Ok(nothing())
}

/// The body that names a user's roles.
pub struct Roles(Vec<RoleName>);

impl FromMembers for Roles {
    fn read(members: &mut Members) -> Option<Self> {
        let roles = members.list("roles", MOST_ROLES, str::parse::<RoleName>)?;
        if roles.is_none() {
            members.note("roles", "missing", "is missing");
        }
        roles.map(Self)
    }
}

/// `PUT /admin/users/{id}/roles`: exactly these. Tokens with roles that were taken die at once.
pub async fn set_roles(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
    Json(Roles(wanted)): Json<Roles>,
) -> Result<Response, Problem> {
    let (id, ending) = (id_of(&id)?, admin.ending(&app));
    let event = admin.event(Kind::UserRolesChanged)?.subject(id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let user = writable(&inner, &caller, tx, &id)?;
        let differs = |all: &[RoleName], one: &RoleName| !all.contains(one);
        let given = wanted.iter().filter(|role| differs(&user.roles, role));
        let taken_away = user.roles.iter().filter(|role| differs(&wanted, role));
        let touched: Vec<RoleName> = given.chain(taken_away).cloned().collect();
        if touched.is_empty() {
            return Ok(Done::Same((user, None)));
        }
        let carried = carried(tx, &touched)?;
        caller.check(&inner, tx, ROLES_WRITE, Object::Carrier(&carried))?;
        roles::replace_for(tx, &id, &wanted, ending.now()).map_err(taken)?;
        let lost = user.roles.iter().any(|role| !wanted.contains(role));
        let revocation = if lost { Some(ending.tokens_of(tx, &id)?) } else { None };
        let user = users::find(tx, &id)?.ok_or_else(|| damaged("user"))?;
        let event = event.clone().with("roles", &user.roles);
        Ok(Done::Changed((user, revocation), event))
    };
    let (user, revocation) = admin.write(&app, USERS_WRITE, write).await?;

    take_over(&app, revocation);
    Ok(json(StatusCode::OK, &Profile::from(user)))
}
