//! `/oauth2/register`: clients register themselves (RFC 7591), and manage what they registered
//! (RFC 7592). Who may is a setting. It must not let a client be more than every stranger may be.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use munjigi_core::account::attempts::Attempt;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::client::{Client, check_registration};
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::oauth::registration::{MAX_CLIENTS, Proposal, Refused};
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_core::secret::{Secret, constant_time_eq};
use munjigi_core::time::Timestamp;
use munjigi_store::{Audit, Committed, StoreError, Tx, clients, registration_tokens};
use serde_json::{Map, Value, json};

use crate::addresses::{self, Denied, Limit};
use crate::app::App;
use crate::attempts::{Draw, record, wait_for};
use crate::context::Context;
use crate::extract::path::Path;
use crate::extract::read_body;
use crate::failure::Failure;
use crate::random::{self, NoRandomness};
use crate::registration;
use crate::registry::{RegistrationError, say_changes, show_client};
use crate::reply::oauth::OAuthError;
use crate::reply::{json as answer, nothing};
use crate::settings::ClientRegistration;

/// What only this server says of a registration (RFC 7592 §2.2).
const OURS: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// Why a registration is not done.
pub enum Undone {
    /// The token is missing, or no good.
    Token(&'static str),
    /// What is said cannot be registered.
    Refused(Refused),
    /// Everything else.
    OAuth(OAuthError),
}

impl From<Refused> for Undone {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<OAuthError> for Undone {
    fn from(error: OAuthError) -> Self {
        Self::OAuth(error)
    }
}

impl From<RegistrationError> for Undone {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Contradiction(why) => Self::Refused(Refused::metadata(why)),
            RegistrationError::Random(error) => error.into(),
        }
    }
}

macro_rules! through_oauth {
    ($($error:ty),*) => {$(
        impl From<$error> for Undone {
            fn from(error: $error) -> Self {
                Self::OAuth(error.into())
            }
        }
    )*};
}

through_oauth!(Denied, Failure, StoreError, NoRandomness);

impl IntoResponse for Undone {
    fn into_response(self) -> Response {
        let refused = |status: StatusCode, code: ErrorCode, why: &str| {
            let body = json!({ "error": code.as_str(), "error_description": why });
            let mut response = answer(status, &body);
            response.extensions_mut().insert(code);
            response
        };
        match self {
            Self::OAuth(error) => error.into_response(),
            Self::Refused(Refused { code, description }) => {
                refused(StatusCode::BAD_REQUEST, code, &description)
            }
            Self::Token(why) => {
                let mut response = refused(StatusCode::UNAUTHORIZED, ErrorCode::InvalidToken, why);
                let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                response
            }
        }
    }
}

/// What a registration needs beside the row.
struct Registering {
    client: Client,
    /// The token that is spent for it, where one is needed.
    token: Option<[u8; 32]>,
    draw: Draw,
    created: Event,
    refused: Event,
    now: Timestamp,
}

/// How a registration ends.
#[derive(Clone, Copy)]
enum Outcome {
    Registered,
    BadToken,
    TooMany(Timestamp),
    Full,
}

/// `POST /oauth2/register` (RFC 7591 §3).
pub async fn register(
    State(app): State<App>,
    context: Context,
    request: Request,
) -> Result<Response, Undone> {
    let (snapshot, now) = (app.snapshot_kept(), context.now);
    let (parts, body) = request.into_parts();
    addresses::look(&app, &context, Limit::Token)?;
    let token = match snapshot.settings.clients.registration {
        ClientRegistration::Off => return Err(closed().into()),
        ClientRegistration::Open => None,
        ClientRegistration::Token => {
            let token = reference(ReferenceKind::RegistrationToken, &parts.headers);
            Some(counted(&app, &context, token).await?.hash())
        }
    };
    let members = members(&parts.headers, body).await?;
    let proposal = Proposal::parse(&members)?;
    registration::check_addresses(&app, &proposal.metadata)?;
    let (mut client, secret) = registration::client(&snapshot, proposal, now)?;
    let management = Reference::new(ReferenceKind::ManagementToken, random::bytes()?);
    client.management_hash = Some(management.hash());
    let created = context.event(Kind::ClientCreated, Actor::Anonymous)?;
    let created = created.client(client.id.clone()).with("origin", client.origin.as_str());
    let refused = context.event(Kind::ClientRefused, Actor::Anonymous)?;
    let registering = Registering {
        client: client.clone(),
        token,
        draw: registration::draw(&app, &context),
        created,
        refused,
        now,
    };

    let outcome = app.store.write(move |tx| write(tx, &registering)).await?;

    match outcome {
        Outcome::Registered => {}
        Outcome::BadToken => {
            addresses::count(&app, &context, Limit::Token).await?;
            return Err(Undone::Token("the registration token is no good"));
        }
        Outcome::TooMany(until) => {
            addresses::count(&app, &context, Limit::Token).await?;
            let budget = &registration::OF_ONE_ADDRESS;
            let wait = wait_for("registration", budget, until, now);
            return Err(OAuthError::too_many_attempts(wait).into());
        }
        Outcome::Full => {
            let why = "no more clients can register themselves here";
            return Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, why).into());
        }
    }
    app.reload().await?;
    let token = management.seal();
    let told = information(&app, &client, secret.as_ref(), token.reveal());
    Ok(answer(StatusCode::CREATED, &told))
}

/// One registration, in one transaction.
fn write(tx: &mut Tx<'_>, registering: &Registering) -> Result<Committed<Outcome>, StoreError> {
    let Registering { client, token, draw, created, refused, now } = registering;
    let refuse = |outcome, why| {
        let event = refused.clone().refused(why);
        Ok(Committed::new(outcome, Audit::Record(Box::new(event))))
    };
    // Before anything is spent for it.
    if clients::count_registered(tx)? >= MAX_CLIENTS {
        return refuse(Outcome::Full, "too many clients registered themselves");
    }
    match token {
        Some(hash) if !registration_tokens::spend_one(tx, hash, *now)? => {
            return refuse(Outcome::BadToken, "the registration token is no good");
        }
        Some(_) => {}
        // Who has a token of the operator's has a number of registrations with it.
        None => match draw.look(tx, *now)? {
            Attempt::Wait { until } => {
                return refuse(Outcome::TooMany(until), "too many registrations");
            }
            Attempt::Allowed => draw.count(tx, *now)?,
        },
    }
    clients::insert(tx, client)?;
    Ok(Committed::new(Outcome::Registered, Audit::Record(Box::new(created.clone()))))
}

fn closed() -> OAuthError {
    let why = "clients cannot register themselves here";
    OAuthError::new(ErrorCode::AccessDenied, why).status(StatusCode::FORBIDDEN)
}

/// A token that may be none: then it is counted as a guess.
async fn counted(
    app: &App,
    context: &Context,
    token: Result<Reference, Undone>,
) -> Result<Reference, Undone> {
    if token.is_err() {
        addresses::count(app, context, Limit::Token).await?;
    }
    token
}

/// The token in the header (RFC 6750 §2.1), as one of a kind.
fn reference(kind: ReferenceKind, headers: &HeaderMap) -> Result<Reference, Undone> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err(Undone::Token("a token is needed in the Authorization header"));
    };
    let token = line.to_str().ok().and_then(|line| {
        let (scheme, token) = line.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
    });
    let found = token.and_then(|token| Reference::open(kind, token));
    found.ok_or(Undone::Token("the token is not one that was given for this"))
}

/// The members of the body.
async fn members(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Undone> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let is_json = content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        let why = "the body is to be sent as application/json";
        let error = OAuthError::new(ErrorCode::InvalidRequest, why);
        return Err(error.status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into());
    }
    let bytes = read_body(body).await.map_err(OAuthError::from)?;
    let unreadable = |_| Refused::metadata("the body is not a JSON object that can be read");
    Ok(munjigi_token::json::object(&bytes).map_err(unreadable)?)
}

/// What a client is told of its registration (RFC 7591 §3.2.1, RFC 7592 §3).
fn information(app: &App, client: &Client, secret: Option<&Secret>, token: &str) -> Value {
    let mut members = registration::show(client);
    if let Some(secret) = secret {
        members.insert("client_secret".to_owned(), secret.reveal().into());
        // RFC 7591 §3.2.1: "0 if it will not expire".
        members.insert("client_secret_expires_at".to_owned(), 0.into());
    }
    let uri = format!("{}/oauth2/register/{}", app.config.issuer, client.id);
    members.insert("registration_client_uri".to_owned(), uri.into());
    members.insert("registration_access_token".to_owned(), token.into());
    members.into()
}

/// A client that has proved that its registration is its own.
struct Managed {
    client: Client,
    token: Reference,
}

impl Managed {
    /// Finds the client. An unknown one and a wrong token are told alike (RFC 7592 §2.1).
    async fn find(
        app: &App,
        context: &Context,
        (id, headers): (&str, &HeaderMap),
    ) -> Result<Self, Undone> {
        let refused = "the registration access token is no good";
        let token = reference(ReferenceKind::ManagementToken, headers);
        let token = counted(app, context, token).await?;
        let Ok(id) = id.parse::<ClientId>() else { return Err(Undone::Token(refused)) };
        let wanted = id.clone();
        let found = app.store.read(move |tx| clients::find(tx, &wanted)).await?;
        let Some(client) = found.filter(|client| is_managed_by(client, &token)) else {
            addresses::count(app, context, Limit::Token).await?;
            let event = context.event(Kind::ClientRefused, Actor::Anonymous)?;
            record(app, event.refused(refused).client(id)).await?;
            return Err(Undone::Token(refused));
        };
        if client.is_disabled() {
            let why = "an operator has disabled this client";
            let error = OAuthError::new(ErrorCode::AccessDenied, why);
            return Err(error.status(StatusCode::FORBIDDEN).into());
        }
        Ok(Self { client, token })
    }
}

fn is_managed_by(client: &Client, token: &Reference) -> bool {
    client.management_hash.is_some_and(|hash| constant_time_eq(&hash, &token.hash()))
}

/// `GET /oauth2/register/{client_id}` (RFC 7592 §2.1). The secret is not told again.
pub async fn read(
    State(app): State<App>,
    context: Context,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Undone> {
    let Managed { client, token } = Managed::find(&app, &context, (&id, &headers)).await?;

    let token = token.seal();
    Ok(answer(StatusCode::OK, &information(&app, &client, None, token.reveal())))
}

/// What comes of a change.
#[derive(Clone)]
enum Changed {
    To(Box<Client>),
    Refused(&'static str),
    /// The token was replaced, or the client is gone, since we looked.
    Late,
}

/// `PUT /oauth2/register/{client_id}` (RFC 7592 §2.2): what is not said is as if it had never been
/// said. The token is replaced.
pub async fn replace(
    State(app): State<App>,
    context: Context,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Undone> {
    let (parts, body) = request.into_parts();
    let Managed { client, token } = Managed::find(&app, &context, (&id, &parts.headers)).await?;
    let members = members(&parts.headers, body).await?;
    check_repeated(&members, &client, context.now)?;
    let proposal = Proposal::parse(&members)?;
    registration::check_addresses(&app, &proposal.metadata)?;
    if proposal.auth_method.is_some_and(|method| method != client.auth_method) {
        let why = "token_endpoint_auth_method stays as it was registered";
        return Err(Refused::metadata(why).into());
    }
    let next = Reference::new(ReferenceKind::ManagementToken, random::bytes()?);
    let scope = registration::scope_of(&app.snapshot(), proposal.scope.as_ref());
    let event = context.event(Kind::ClientUpdated, Actor::Client(client.id.clone()))?;
    let event = event.client(client.id.clone());
    let (id, management_hash) = (client.id, Some(next.hash()));

    let changed = app.store.write(move |tx| {
        let found = clients::find(tx, &id)?;
        let Some(before) = found.filter(|it| is_managed_by(it, &token) && !it.is_disabled()) else {
            return Ok::<_, StoreError>(Committed::nothing(Changed::Late));
        };
        let after = Client {
            name: proposal.name.clone(),
            grant_types: proposal.grant_types.clone(),
            redirect_uris: proposal.redirect_uris.clone(),
            scope: scope.clone(),
            metadata: proposal.metadata.clone(),
            management_hash,
            ..before.clone()
        };
        if let Err(why) = check_registration(&after) {
            return Ok(Committed::nothing(Changed::Refused(why)));
        }
        clients::update(tx, &after)?;
        let event = say_changes(event.clone(), &show_client(&before), &show_client(&after));
        Ok(Committed::new(Changed::To(Box::new(after)), Audit::Record(Box::new(event))))
    });

    let client = match changed.await? {
        Changed::To(client) => client,
        Changed::Refused(why) => return Err(Refused::metadata(why).into()),
        Changed::Late => return Err(Undone::Token("the registration access token is no good")),
    };
    app.reload().await?;
    let token = next.seal();
    Ok(answer(StatusCode::OK, &information(&app, &client, None, token.reveal())))
}

/// RFC 7592 §2.2: the id is repeated, a secret may be, and nothing else of ours.
fn check_repeated(
    members: &Map<String, Value>,
    client: &Client,
    now: Timestamp,
) -> Result<(), Refused> {
    if members.get("client_id").and_then(Value::as_str) != Some(client.id.as_str()) {
        return Err(Refused::metadata("client_id has to be repeated as it is"));
    }
    if let Some(ours) = OURS.iter().find(|name| members.contains_key(**name)) {
        return Err(Refused::metadata(format!("{ours} is not for the client to say")));
    }
    let Some(secret) = members.get("client_secret") else { return Ok(()) };
    if !secret.as_str().is_some_and(|secret| client.admits(secret, now)) {
        return Err(Refused::metadata("client_secret is not this client's"));
    }
    Ok(())
}

/// `DELETE /oauth2/register/{client_id}` (RFC 7592 §2.3): its grants and tokens end with it.
pub async fn delete(
    State(app): State<App>,
    context: Context,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Undone> {
    let Managed { client, token } = Managed::find(&app, &context, (&id, &headers)).await?;
    let event = context.event(Kind::ClientDeleted, Actor::Client(client.id.clone()))?;
    let (event, ending, id) = (event.client(client.id.clone()), app.ending(), client.id);

    let deleted = app.store.write(move |tx| {
        let found = clients::find(tx, &id)?;
        if !found.is_some_and(|client| is_managed_by(&client, &token)) {
            return Ok::<_, StoreError>(Committed::nothing(None));
        }
        let revocation = ending.client(tx, &id)?;
        clients::delete(tx, &id)?;
        Ok(Committed::new(Some(revocation), Audit::Record(Box::new(event.clone()))))
    });

    let Some(revocation) = deleted.await? else {
        return Err(Undone::Token("the registration access token is no good"));
    };
    app.take_over(&revocation);
    app.reload().await?;
    Ok(nothing())
}
