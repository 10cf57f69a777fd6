//! `/api/v1/admin/registration-tokens`: the tokens by which clients may register themselves
//! (RFC 7591 §3). A token is told once; afterwards it is known by its hash.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::audit::Kind;
use munjigi_core::oauth::registration_token::{MAX_REGISTRATIONS, MAX_TTL};
use munjigi_core::time::Span;
use munjigi_store::{Tx, registration_tokens};
use serde_json::{Value, json};

use crate::app::App;
use crate::builtin::{CLIENTS_READ, CLIENTS_WRITE};
use crate::endpoint::api::admin::Done;
use crate::extract::caller::Admin;
use crate::extract::json::{FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::registry::{NewToken, parse_token_id, show_token};
use crate::reply::problem::Problem;
use crate::reply::{json as answer, nothing};

/// `GET /admin/registration-tokens`: those that are still good, at most 200.
pub async fn list(State(app): State<App>, admin: Admin, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    let now = admin.context.now;

    let tokens = admin.read(&app, CLIENTS_READ, move |tx| registration_tokens::list(tx, now));

    let items: Vec<Value> = tokens.await?.iter().map(show_token).collect();
    Ok(answer(StatusCode::OK, &json!({ "items": items })))
}

impl FromMembers for NewToken {
    fn read(members: &mut Members) -> Option<Self> {
        let registrations = members.number("registrations", 1, MAX_REGISTRATIONS.into());
        let ttl = members.number("ttl_seconds", 60, MAX_TTL.as_seconds());
        let registrations = registrations?.and_then(|it| u32::try_from(it).ok());
        Some(Self { registrations, ttl: ttl?.map(Span::from_seconds) })
    }
}

/// `POST /admin/registration-tokens`: the token is in the answer, and never again.
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    Json(new): Json<NewToken>,
) -> Result<Response, Problem> {
    let (token, secret) = new.token(admin.context.now)?;
    let event = admin.event(Kind::RegistrationTokenCreated)?;
    let event = event.with("registrations", token.remaining);
    let row = token.clone();

    let write = move |tx: &mut Tx<'_>| {
        registration_tokens::insert(tx, &row)?;
        Ok(Done::Changed((), event.clone()))
    };
    admin.write(&app, CLIENTS_WRITE, write).await?;

    let mut shown = show_token(&token);
    if let Some(members) = shown.as_object_mut() {
        members.insert("registration_token".to_owned(), secret.reveal().into());
    }
    Ok(answer(StatusCode::CREATED, &shown))
}

/// `DELETE /admin/registration-tokens/{id}`.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let not_found = || Problem::not_found("registration token");
    let hash = parse_token_id(&id).map_err(|_| not_found())?;
    let event = admin.event(Kind::RegistrationTokenDeleted)?.with("id", &id);

    let write = move |tx: &mut Tx<'_>| {
        if !registration_tokens::delete(tx, &hash)? {
            return Err(not_found().into());
        }
        Ok(Done::Changed((), event.clone()))
    };
    admin.write(&app, CLIENTS_WRITE, write).await?;

    Ok(nothing())
}
