//! `/api/v1/admin/apis/{audience}/secrets`: the secret that an API shares with this server, by
//! explicit choice. It is told once; how it comes and goes is `api_sharing.rs`'s.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::access::Object;
use munjigi_core::audit::Kind;
use munjigi_core::oauth::api::{Audience, parse_audience};
use munjigi_store::{ReadTx, Tx, api_secrets, apis};
use serde_json::json as value;

use crate::accounts::rfc3339;
use crate::api_sharing::{Sharing, show_secrets, tell_secret, unshare};
use crate::app::App;
use crate::builtin::{KEYS_READ, KEYS_WRITE};
use crate::endpoint::api::admin::{Done, take_over};
use crate::extract::caller::Admin;
use crate::extract::json::{FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::key_rotation::Rotation;
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json, nothing};

fn no_api() -> Problem {
    Problem::not_found("API")
}

/// The audience in a path. This server shares no secret with itself.
fn audience_of(app: &App, text: &str) -> Result<Audience, Problem> {
    let audience = parse_audience(text).map_err(|_| no_api())?;
    if audience == app.config.issuer { Err(no_api()) } else { Ok(audience) }
}

/// `GET /admin/apis/{audience}/secrets`: those that are taken, without what they are.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    query.finish()?;
    let (audience, now) = (audience_of(&app, &audience)?, admin.context.now);

    let look = move |tx: &mut ReadTx<'_>| {
        Ok((apis::find(tx, &audience)?, api_secrets::of_api(tx, &audience)?))
    };
    let (api, secrets) = admin.read(&app, KEYS_READ, look).await?;

    api.ok_or_else(no_api)?;
    Ok(json(StatusCode::OK, &value!({ "items": show_secrets(&secrets, now), "next": null })))
}

/// The body of a wish for a secret.
pub struct Share(Rotation);

impl FromMembers for Share {
    fn read(members: &mut Members) -> Option<Self> {
        Some(Self(match members.flag("at_once")? {
            Some(true) => Rotation::AtOnce,
            Some(false) | None => Rotation::Scheduled,
        }))
    }
}

/// `POST /admin/apis/{audience}/secrets`: the secret is in the answer, and never again.
pub async fn share(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
    Json(Share(rotation)): Json<Share>,
) -> Result<Response, Problem> {
    let audience = audience_of(&app, &audience)?;
    let (secret, new) = app.new_secret(&audience, rotation)?;
    let event = admin.event(Kind::ApiSecretCreated)?;
    let (app_in, admin_in, now) = (app.clone(), admin.clone(), admin.context.now);

    let written = app.store.write(move |tx| {
        admin_in.check(&app_in, tx, KEYS_WRITE, Object::Collection)?;
        Ok::<_, Undone>(new.share(tx, &event)?)
    });
    let sharing = match written.await.map_err(Problem::from) {
        Ok(sharing) => sharing,
        Err(problem) => return Err(admin.noted(&app, problem).await),
    };
    app.reload().await.map_err(Problem::from)?;

    match sharing {
        Sharing::NoApi => Err(no_api()),
        Sharing::UnderWay { until } => Err(under_way(until.map(rfc3339))),
        Sharing::Shared(stored) => {
            Ok(json(StatusCode::CREATED, &tell_secret(&secret, &stored, now)))
        }
    }
}

fn under_way(until: Option<String>) -> Problem {
    let until = until.map(|until| format!(", one of them until {until}")).unwrap_or_default();
    Problem::conflict("rotation_under_way", "", &format!("two secrets are taken already{until}"))
}

/// `DELETE /admin/apis/{audience}/secrets`: no token of theirs is taken from now on.
pub async fn delete(
    State(app): State<App>,
    admin: Admin,
    Path(audience): Path<String>,
) -> Result<Response, Problem> {
    let audience = audience_of(&app, &audience)?;
    let ending = admin.ending(&app);
    let event = admin.event(Kind::ApiSecretsDeleted)?.with("audience", &audience);

    let write = move |tx: &mut Tx<'_>| {
        apis::find(tx, &audience)?.ok_or_else(no_api)?;
        Ok(match unshare(tx, &ending, &audience)? {
            Some(revocations) => Done::Changed(revocations, event.clone()),
            None => Done::Same(Vec::new()),
        })
    };
    let revocations = admin.write_reference(&app, KEYS_WRITE, write).await?;

    take_over(&app, revocations);
    Ok(nothing())
}
