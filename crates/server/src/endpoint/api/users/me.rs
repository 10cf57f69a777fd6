//! `/api/v1/users/me`: one's own account.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::audit::{Actor, Kind};
use munjigi_store::{Audit, Committed, StoreError, users};

use crate::accounts::{AccountError, Profile};
use crate::app::App;
use crate::extract::caller::{SignedIn, load, over};
use crate::extract::json::Json;
use crate::profile_change::ProfileChange;
use crate::reply::problem::Problem;
use crate::reply::{json, nothing};

/// `GET /me`.
pub async fn show(State(app): State<App>, who: SignedIn) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;

    let user = app.store.read(move |tx| load(tx, &bearer, context.now)).await?;

    Ok(json(StatusCode::OK, &Profile::from(user.ok_or_else(over)?)))
}

/// `PATCH /me`.
pub async fn change(
    State(app): State<App>,
    who: SignedIn,
    Json(body): Json<ProfileChange>,
) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let event = context.event(Kind::UserUpdated, Actor::User(bearer.user_id))?;
    let event = event.subject(bearer.user_id);

    let written = app.store.write(move |tx| {
        let Some(mut user) = load(tx, &bearer, context.now)? else {
            return Ok(Committed::nothing(None));
        };
        let changed = body.apply(&mut user, context.now);
        if changed.is_empty() {
            return Ok(Committed::nothing(Some(user)));
        }
        users::update_profile(tx, &user)?;
        let event = event.clone().with("changed", changed);
        Ok::<_, StoreError>(Committed::new(Some(user), Audit::Record(Box::new(event))))
    });
    let user = written.await.map_err(AccountError::from)?.ok_or_else(over)?;

    Ok(json(StatusCode::OK, &Profile::from(user)))
}

/// `DELETE /me`: the account is gone, and everything that it signed in to.
pub async fn delete(State(app): State<App>, who: SignedIn) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let ending = app.ending();
    let event = context.event(Kind::UserDeleted, Actor::User(bearer.user_id))?;
    let event = event.subject(bearer.user_id);

    let written = app.store.write(move |tx| {
        if load(tx, &bearer, context.now)?.is_none() {
            return Ok(Committed::nothing(None));
        }
        let revocation = ending.user(tx, &bearer.user_id)?;
        users::delete(tx, &bearer.user_id)?;
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Some(revocation), audit))
    });
    let revocation = written.await?.ok_or_else(over)?;

    app.take_over(&revocation);
    Ok(nothing())
}
