//! `/api/v1/admin/keys`: the signing keys, never a private half of one. Which comes when is
//! `key_rotation.rs`'s to decide.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::access::Object;
use munjigi_core::audit::{Event, Kind};
use munjigi_store::{ReadTx, keys};
use munjigi_token::Algorithm;
use serde_json::{Value, json as value};

use crate::app::App;
use crate::builtin::{KEYS_READ, KEYS_WRITE};
use crate::extract::caller::Admin;
use crate::extract::json::{FromMembers, Json, Members};
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::key_rotation::{Rotation, Successor, Withdrawn};
use crate::keys::{State as KeyState, show_key};
use crate::registry::signing_algorithm;
use crate::reply::json;
use crate::reply::problem::{Problem, Undone};

/// `GET /admin/keys`: all of them, the oldest first; they are few.
pub async fn list(State(app): State<App>, admin: Admin, query: Query) -> Result<Response, Problem> {
    query.finish()?;
    let now = admin.context.now;

    let stored = admin.read(&app, KEYS_READ, keys::all).await?;

    let shown = stored.iter().map(|key| show_key(key, KeyState::of(key, &stored, now)));
    let items: Vec<Value> = shown.collect();
    Ok(json(StatusCode::OK, &value!({ "items": items, "next": null })))
}

/// The body of a rotation.
pub struct Rotate {
    algorithm: Algorithm,
    rotation: Rotation,
}

impl FromMembers for Rotate {
    fn read(members: &mut Members) -> Option<Self> {
        let algorithm = members.optional("algorithm", signing_algorithm);
        let at_once = members.flag("at_once");
        let rotation = match at_once? {
            Some(true) => Rotation::AtOnce,
            Some(false) | None => Rotation::Scheduled,
        };
        Some(Self { algorithm: algorithm?.unwrap_or(Algorithm::Es256), rotation })
    }
}

/// `POST /admin/keys/rotate`: the next key, published at once, signing in a day, or now.
pub async fn rotate(
    State(app): State<App>,
    admin: Admin,
    Json(Rotate { algorithm, rotation }): Json<Rotate>,
) -> Result<Response, Problem> {
    let next = successor(&app, &admin, algorithm).await?;
    let (app_in, admin_in, now) = (app.clone(), admin.clone(), admin.context.now);

    let rotated = app.store.write(move |tx| {
        admin_in.check(&app_in, tx, KEYS_WRITE, Object::Collection)?;
        Ok::<_, Undone>(next.rotate(tx, rotation)?)
    });
    let key = match rotated.await.map_err(Problem::from) {
        Ok(key) => key,
        Err(problem) => return Err(admin.noted(&app, problem).await),
    };
    app.reload().await.map_err(Problem::from)?;

    let state = if key.activates_at > now { KeyState::Pending } else { KeyState::Active };
    Ok(json(StatusCode::OK, &show_key(&key, state)))
}

/// `POST /admin/keys/{kid}/withdraw`: nothing that the key signed is taken from now on.
pub async fn withdraw(
    State(app): State<App>,
    admin: Admin,
    Path(kid): Path<String>,
) -> Result<Response, Problem> {
    let not_found = || Problem::not_found("signing key");
    let kid = plain(kid).ok_or_else(not_found)?;
    let (event, wanted) = (admin.event(Kind::KeyWithdrawn)?, kid.clone());
    let look = move |tx: &mut ReadTx<'_>| keys::find(tx, &wanted);
    let found = admin.read(&app, KEYS_WRITE, look).await?;
    let algorithm = found.and_then(|key| signing_algorithm(&key.algorithm).ok());
    let next = successor(&app, &admin, algorithm.ok_or_else(not_found)?).await?;
    let (app_in, admin_in, ending) = (app.clone(), admin.clone(), admin.ending(&app));

    let written = app.store.write(move |tx| {
        admin_in.check(&app_in, tx, KEYS_WRITE, Object::Collection)?;
        Ok::<_, Undone>(next.withdraw(tx, &ending, (&kid, &event))?)
    });
    let withdrawn = match written.await.map_err(Problem::from) {
        Ok(withdrawn) => withdrawn,
        Err(problem) => return Err(admin.noted(&app, problem).await),
    };
    app.obey_withdrawal(&withdrawn).await.map_err(Problem::from)?;

    let successor = match withdrawn {
        Withdrawn::Unknown => return Err(not_found()),
        Withdrawn::Before => None,
        Withdrawn::Now { successor, .. } => successor.map(|key| key.kid),
    };
    Ok(json(StatusCode::OK, &value!({ "successor": successor })))
}

/// What can be the name of a key. Anything else is none, and never reaches the database:
/// PostgreSQL takes no text with a NUL.
fn plain(kid: String) -> Option<String> {
    let is_plain = !kid.is_empty() && kid.bytes().all(|byte| byte.is_ascii_graphic());
    (is_plain && kid.len() <= 200).then_some(kid)
}

/// A key for what comes next, made for somebody who may ask for it: an RSA key is a good part of a
/// second's work.
async fn successor(app: &App, admin: &Admin, algorithm: Algorithm) -> Result<Successor, Problem> {
    let event: Event = admin.event(Kind::KeyCreated)?;
    admin.read(app, KEYS_WRITE, |_| Ok(())).await?;
    Ok(app.successor(algorithm, event).await?)
}
