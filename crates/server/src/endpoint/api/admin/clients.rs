//! `/api/v1/admin/clients`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::access::Object;
use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::client::{
    AuthMethod, Client, GrantType, Party, Pkce, SECRET_OVERLAP, SecretHash, check_registration,
    hash_secret,
};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::scope::Scope;
use munjigi_store::{StoreError, Tx, clients};

use crate::app::App;
use crate::builtin::{CLIENTS_READ, CLIENTS_WRITE};
use crate::endpoint::api::admin::{Done, page, shown, take_over};
use crate::extract::caller::Admin;
use crate::extract::json::{FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::random;
use crate::registry::{
    Registration, RegistrationError, SECRET_PREFIX, carried_by, parse_name, say_changes,
    show_client,
};
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json, nothing};

/// `GET /admin/clients?after=&limit=`.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    query.finish()?;

    let listed = admin.read(&app, CLIENTS_READ, move |tx| clients::list(tx, &page));

    Ok(json(StatusCode::OK, &shown(listed.await?, |client| show_client(&client))))
}

/// The members of a client that may be said, in a registration or a change.
pub struct Said {
    name: Option<String>,
    auth_method: Option<AuthMethod>,
    grant_types: Option<Vec<GrantType>>,
    redirect_uris: Option<Vec<RedirectUri>>,
    scope: Option<Scope>,
    audiences: Option<Vec<Audience>>,
    pkce: Option<Pkce>,
    party: Option<Party>,
    metadata: Option<Metadata>,
}

impl Said {
    fn read(members: &mut Members) -> Option<Self> {
        let known = "is not one that this server knows";
        let name = members.optional("name", parse_name);
        let auth_method = members
            .optional("token_endpoint_auth_method", |text| AuthMethod::parse(text).ok_or(known));
        let grant_types =
            members.list("grant_types", 8, |text| GrantType::parse(text).ok_or(known));
        let redirect_uris = members.list("redirect_uris", 32, RedirectUri::parse);
        let scope = members.optional("scope", str::parse::<Scope>);
        let audiences = members.list("audiences", 32, munjigi_core::oauth::api::parse_audience);
        let pkce = members.optional("pkce", |text| Pkce::parse(text).ok_or(known));
        let party = members.flag("first_party");
        let metadata = members.object("metadata", Metadata::parse);
        Some(Self {
            name: name?,
            auth_method: auth_method?,
            grant_types: grant_types?,
            redirect_uris: redirect_uris?,
            scope: scope?,
            audiences: audiences?,
            pkce: pkce?,
            party: party?.map(|first| if first { Party::First } else { Party::Third }),
            metadata: metadata?,
        })
    }
}

/// The body of a registration.
pub struct NewClient(Registration);

impl FromMembers for NewClient {
    fn read(members: &mut Members) -> Option<Self> {
        let id = members.optional("client_id", str::parse::<ClientId>);
        let said = Said::read(members)?;
        for (name, missing) in
            [("name", said.name.is_none()), ("grant_types", said.grant_types.is_none())]
        {
            if missing {
                members.note(name, "missing", "is missing");
            }
        }
        Some(Self(Registration {
            id: id?,
            name: said.name?,
            auth_method: said.auth_method.unwrap_or(AuthMethod::ClientSecretBasic),
            grant_types: said.grant_types?.into_iter().collect(),
            redirect_uris: said.redirect_uris.unwrap_or_default(),
            scope: said.scope.unwrap_or_default(),
            audiences: said.audiences.unwrap_or_default(),
            pkce: said.pkce.unwrap_or(Pkce::Required),
            party: said.party.unwrap_or(Party::Third),
            metadata: said.metadata.unwrap_or_default(),
        }))
    }
}

/// `POST /admin/clients`: the secret is in the answer, and never again.
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Json(NewClient(registration)): Json<NewClient>,
) -> Result<Response, Problem> {
    let (client, secret) = registration.client(admin.context.now)?;
    let event = admin.event(Kind::ClientCreated)?.client(client.id.clone());
    let (inner, caller, row) = (app.clone(), admin.clone(), client.clone());

    let write = move |tx: &mut Tx<'_>| {
        let carried = carried_by(&row);
        caller.check(&inner, tx, CLIENTS_WRITE, Object::Carrier(&carried))?;
        clients::insert(tx, &row).map_err(|error| match error {
            StoreError::Unique(_) => {
                Problem::conflict("client_id_taken", "/client_id", "this id is taken").into()
            }
            other => Undone::Store(other),
        })?;
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    let mut body = show_client(&client);
    if let Some(members) = body.as_object_mut() {
        let secret = secret.map(|secret| secret.reveal().to_owned());
        members.insert("client_secret".to_owned(), secret.into());
    }
    Ok(json(StatusCode::CREATED, &body))
}

impl From<RegistrationError> for Problem {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Contradiction(why) => Self::member("", "contradiction", why),
            RegistrationError::Random(error) => error.into(),
        }
    }
}

fn id_of(text: &str) -> Result<ClientId, Problem> {
    text.parse().map_err(|_| Problem::not_found("client"))
}

fn found(client: Option<Client>) -> Result<Client, Problem> {
    client.ok_or_else(|| Problem::not_found("client"))
}

/// The client, if the caller may change it.
fn writable(app: &App, admin: &Admin, tx: &mut Tx<'_>, id: &ClientId) -> Result<Client, Undone> {
    let client = found(clients::find(tx, id)?)?;
    admin.check(app, tx, CLIENTS_WRITE, Object::Carrier(&carried_by(&client)))?;
    Ok(client)
}

/// `GET /admin/clients/{id}`.
pub async fn show(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;

    let client = admin.read(&app, CLIENTS_READ, move |tx| clients::find(tx, &id));

    Ok(json(StatusCode::OK, &show_client(&found(client.await?)?)))
}

/// The body of a change.
pub struct ClientChange(Said);

impl FromMembers for ClientChange {
    fn read(members: &mut Members) -> Option<Self> {
        let said = Said::read(members)?;
        if said.auth_method.is_some() {
            let why = "stays as it was registered; register another client instead";
            members.note("token_endpoint_auth_method", "fixed", why);
        }
        Some(Self(said))
    }
}

impl ClientChange {
    fn apply(&self, client: &mut Client) {
        fn set<T: Clone>(field: &mut T, said: Option<&T>) {
            if let Some(value) = said {
                *field = value.clone();
            }
        }
        let Self(said) = self;
        set(&mut client.name, said.name.as_ref());
        set(&mut client.redirect_uris, said.redirect_uris.as_ref());
        set(&mut client.scope, said.scope.as_ref());
        set(&mut client.audiences, said.audiences.as_ref());
        set(&mut client.pkce, said.pkce.as_ref());
        set(&mut client.party, said.party.as_ref());
        set(&mut client.metadata, said.metadata.as_ref());
        if let Some(grants) = &said.grant_types {
            client.grant_types = grants.iter().copied().collect();
        }
    }
}

/// `PATCH /admin/clients/{id}`.
pub async fn change(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
    Json(body): Json<ClientChange>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let event = admin.event(Kind::ClientUpdated)?.client(id.clone());
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        let mut client = writable(&inner, &caller, tx, &id)?;
        let before = client.clone();
        body.apply(&mut client);
        if client == before {
            return Ok(Done::Same(client));
        }
        check_registration(&client)
            .map_err(RegistrationError::Contradiction)
            .map_err(Problem::from)?;
        caller.check(&inner, tx, CLIENTS_WRITE, Object::Carrier(&carried_by(&client)))?;
        clients::update(tx, &client)?;
        let event = say_changes(event.clone(), &show_client(&before), &show_client(&client));
        Ok(Done::Changed(client, event))
    };
    let client = admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    Ok(json(StatusCode::OK, &show_client(&client)))
}

/// `POST /admin/clients/{id}/disable`: it can do nothing from then on, and its tokens are dead.
pub async fn disable(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, ending) = (id_of(&id)?, admin.ending(&app));
    let event = admin.event(Kind::ClientDisabled)?.client(id.clone());
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        writable(&inner, &caller, tx, &id)?;
        if !clients::set_disabled(tx, &id, Some(ending.now()))? {
            return Ok(Done::Same(None));
        }
        Ok(Done::Changed(Some(ending.client(tx, &id)?), event.clone()))
    };
    let revocation = admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    take_over(&app, revocation);
    Ok(nothing())
}

/// `POST /admin/clients/{id}/enable`.
pub async fn enable(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id)?;
    let event = admin.event(Kind::ClientEnabled)?.client(id.clone());
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        writable(&inner, &caller, tx, &id)?;
        if !clients::set_disabled(tx, &id, None)? {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    Ok(nothing())
}

/// `DELETE /admin/clients/{id}`: its grants go with it.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, ending) = (id_of(&id)?, admin.ending(&app));
    let event = admin.event(Kind::ClientDeleted)?.client(id.clone());
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| {
        writable(&inner, &caller, tx, &id)?;
        let revocation = ending.client(tx, &id)?;
        clients::delete(tx, &id)?;
        Ok(Done::Changed(Some(revocation), event.clone()))
    };
    let revocation = admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    take_over(&app, revocation);
    Ok(nothing())
}

/// `POST /admin/clients/{id}/rotate-secret`: the old secret is taken for another day.
pub async fn rotate_secret(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, now) = (id_of(&id)?, admin.context.now);
    let secret = random::secret(SECRET_PREFIX)?;
    let hash = hash_secret(&id, secret.reveal());
    let event = admin.event(Kind::ClientSecretRotated)?.client(id.clone());
    let (inner, caller, client_id) = (app.clone(), admin.clone(), id.clone());

    let write = move |tx: &mut Tx<'_>| {
        let client = writable(&inner, &caller, tx, &id)?;
        if !client.auth_method.uses_secret() {
            let why = "a public client, or one that signs, has no secret";
            return Err(Problem::new(StatusCode::CONFLICT, "public_client", why).into());
        }
        clients::forget_expired_secrets(tx, now)?;
        clients::expire_secrets(tx, &id, now.plus(SECRET_OVERLAP))?;
        clients::add_secret(tx, &id, &SecretHash { hash, expires_at: None }, now)?;
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, CLIENTS_WRITE, write).await?;

    let body = serde_json::json!({ "client_id": client_id, "client_secret": secret.reveal() });
    Ok(json(StatusCode::OK, &body))
}
