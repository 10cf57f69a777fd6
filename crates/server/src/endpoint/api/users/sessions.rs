//! `/api/v1/users/me/sessions`: where one is signed in, and a way to end each.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::user::Session;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::SessionId;
use munjigi_store::{Audit, Committed, StoreError, sessions};
use serde_json::{Value, json};

use crate::accounts::show_session;
use crate::app::App;
use crate::extract::caller::{SignedIn, load, over};
use crate::extract::path::Path;
use crate::reply::problem::Problem;
use crate::reply::{self, nothing};

/// How many sessions are shown at most.
const MOST: u32 = 200;

/// A session as its owner sees it.
fn show(session: &Session, current: &SessionId) -> Value {
    let besides = json!({ "id": session.id.to_string(), "current": session.id == *current });
    show_session(session, besides)
}

/// `GET /me/sessions`: those that live, newest first.
pub async fn list(State(app): State<App>, who: SignedIn) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let current = bearer.session_id;

    let found = app.store.read(move |tx| {
        if load(tx, &bearer, context.now)?.is_none() {
            return Ok::<_, StoreError>(None);
        }
        sessions::list_live(tx, &bearer.user_id, context.now, MOST).map(Some)
    });
    let found = found.await?.ok_or_else(over)?;

    let items: Vec<_> = found.iter().map(|it| show(it, &current)).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

/// `DELETE /me/sessions/{id}`.
pub async fn end(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let id: SessionId = id.parse().map_err(|_| Problem::not_found("session"))?;
    let ending = app.ending();
    let event = context.event(Kind::SessionEnded, Actor::User(bearer.user_id))?;
    let event = event.subject(bearer.user_id).with("sid", id);

    let written = app.store.write(move |tx| {
        if load(tx, &bearer, context.now)?.is_none() {
            return Ok::<_, StoreError>(Committed::nothing(None));
        }
        // Named by its owner: nobody else's session is found here.
        Ok(match ending.session(tx, &bearer.user_id, &id)? {
            None => Committed::nothing(Some(None)),
            Some(revocation) => {
                let audit = Audit::Record(Box::new(event.clone()));
                Committed::new(Some(Some(revocation)), audit)
            }
        })
    });
    let ended = written.await?.ok_or_else(over)?;

    let revocation = ended.ok_or_else(|| Problem::not_found("session"))?;
    app.take_over(&revocation);
    Ok(nothing())
}
