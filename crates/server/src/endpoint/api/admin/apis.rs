//! `/api/v1/admin/apis`. An audience is a URI: in the path it is percent-encoded.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Api, Audience, parse_audience};
use munjigi_core::time::Span;
use munjigi_store::{StoreError, Tx, apis};
use munjigi_token::Algorithm;

use crate::app::App;
use crate::builtin::{APIS_READ, APIS_WRITE};
use crate::endpoint::api::admin::{Done, page, shown};
use crate::extract::caller::Admin;
use crate::extract::json::{Change, FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::registry::{parse_name, say_changes, show_api, signing_algorithm};
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json, nothing};

/// The longest life that an API may give its tokens, in seconds.
const LONGEST_TTL: i64 = 3_600;

/// `GET /admin/apis?after=&limit=`.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    query.finish()?;

    let listed = admin.read(&app, APIS_READ, move |tx| apis::list(tx, &page));

    Ok(json(StatusCode::OK, &shown(listed.await?, |api| show_api(&api))))
}

/// The members of an API that may be said.
struct Said {
    name: Option<String>,
    access_ttl: Option<Span>,
    algorithm: Option<Algorithm>,
    client_id: Change<ClientId>,
}

impl Said {
    fn read(members: &mut Members) -> Option<Self> {
        let name = members.optional("name", parse_name);
        let ttl = members.number("access_ttl_seconds", 1, LONGEST_TTL);
        let algorithm = members.optional("algorithm", signing_algorithm);
        let client_id = members.change("client_id", str::parse::<ClientId>);
        Some(Self {
            name: name?,
            access_ttl: ttl?.map(Span::from_seconds),
            algorithm: algorithm?,
            client_id: client_id?,
        })
    }
}

/// The body of a registration.
pub struct NewApi {
    audience: Audience,
    said: Said,
}

impl FromMembers for NewApi {
    fn read(members: &mut Members) -> Option<Self> {
        let audience = members.required("audience", parse_audience);
        let said = Said::read(members);
        Some(Self { audience: audience?, said: said? })
    }
}

/// `POST /admin/apis`.
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Json(body): Json<NewApi>,
) -> Result<Response, Problem> {
    let NewApi { audience, said } = body;
    let taken = || Problem::conflict("audience_taken", "/audience", "this audience is taken");
    if audience == app.config.issuer {
        return Err(taken());
    }
    let api = Api {
        name: said.name.unwrap_or_else(|| audience.clone()),
        audience,
        access_ttl: said.access_ttl,
        algorithm: said.algorithm.unwrap_or(Algorithm::Es256),
        client_id: match said.client_id {
            Change::Set(id) => Some(id),
            Change::Keep | Change::Clear => None,
        },
        created_at: admin.context.now,
        disabled_at: None,
    };
    let event = admin.event(Kind::ApiCreated)?.with("audience", &api.audience);
    let row = api.clone();

    let write = move |tx: &mut Tx<'_>| {
        apis::insert(tx, &row).map_err(|error| match error {
            StoreError::Unique(_) => Undone::Refused(taken()),
            StoreError::ForeignKey => unknown_client(),
            other => Undone::Store(other),
        })?;
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, APIS_WRITE, write).await?;

    Ok(json(StatusCode::CREATED, &show_api(&api)))
}

fn unknown_client() -> Undone {
    Undone::Refused(Problem::member("/client_id", "unknown_client", "is no client"))
}

/// The audience in a path. What cannot be one is no API, and never reaches the database: PostgreSQL
/// takes no text with a NUL.
fn audience_of(text: &str) -> Result<Audience, Problem> {
    parse_audience(text).map_err(|_| Problem::not_found("API"))
}

fn found(api: Option<Api>) -> Result<Api, Problem> {
    api.ok_or_else(|| Problem::not_found("API"))
}

/// `GET /admin/apis/{audience}`.
pub async fn show(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
) -> Result<Response, Problem> {
    let audience = audience_of(&audience)?;

    let api = admin.read(&app, APIS_READ, move |tx| apis::find(tx, &audience));

    Ok(json(StatusCode::OK, &show_api(&found(api.await?)?)))
}

/// The body of a change.
pub struct ApiChange(Said);

impl FromMembers for ApiChange {
    fn read(members: &mut Members) -> Option<Self> {
        Said::read(members).map(Self)
    }
}

/// `PATCH /admin/apis/{audience}`.
pub async fn change(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
    Json(ApiChange(said)): Json<ApiChange>,
) -> Result<Response, Problem> {
    let audience = audience_of(&audience)?;
    let event = admin.event(Kind::ApiUpdated)?.with("audience", &audience);

    let write = move |tx: &mut Tx<'_>| {
        let mut api = found(apis::find(tx, &audience)?)?;
        let before = api.clone();
        api.name = said.name.clone().unwrap_or(api.name);
        api.access_ttl = said.access_ttl.or(api.access_ttl);
        api.algorithm = said.algorithm.unwrap_or(api.algorithm);
        match &said.client_id {
            Change::Keep => {}
            Change::Clear => api.client_id = None,
            Change::Set(id) => api.client_id = Some(id.clone()),
        }
        if api == before {
            return Ok(Done::Same(api));
        }
        apis::update(tx, &api).map_err(|error| match error {
            StoreError::ForeignKey => unknown_client(),
            other => Undone::Store(other),
        })?;
        let event = say_changes(event.clone(), &show_api(&before), &show_api(&api));
        Ok(Done::Changed(api, event))
    };
    let api = admin.write_reference(&app, APIS_WRITE, write).await?;

    Ok(json(StatusCode::OK, &show_api(&api)))
}

/// `POST /admin/apis/{audience}/disable`: no token is issued for it from then on.
pub async fn disable(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
) -> Result<Response, Problem> {
    let (audience, now) = (audience_of(&audience)?, admin.context.now);
    let event = admin.event(Kind::ApiDisabled)?.with("audience", &audience);

    let write = move |tx: &mut Tx<'_>| {
        found(apis::find(tx, &audience)?)?;
        if !apis::set_disabled(tx, &audience, Some(now))? {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, APIS_WRITE, write).await?;

    Ok(nothing())
}

/// `POST /admin/apis/{audience}/enable`.
pub async fn enable(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
) -> Result<Response, Problem> {
    let audience = audience_of(&audience)?;
    let event = admin.event(Kind::ApiEnabled)?.with("audience", &audience);

    let write = move |tx: &mut Tx<'_>| {
        found(apis::find(tx, &audience)?)?;
        if !apis::set_disabled(tx, &audience, None)? {
            return Ok(Done::Same(()));
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, APIS_WRITE, write).await?;

    Ok(nothing())
}

/// `DELETE /admin/apis/{audience}`.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
) -> Result<Response, Problem> {
    let audience = audience_of(&audience)?;
    let event = admin.event(Kind::ApiDeleted)?.with("audience", &audience);

    let write = move |tx: &mut Tx<'_>| {
        if !apis::delete(tx, &audience)? {
            return Err(Problem::not_found("API").into());
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write_reference(&app, APIS_WRITE, write).await?;

    Ok(nothing())
}
