//! `POST /api/v1/users/signout`: the grant behind the access token ends, and its session with it.

use axum::extract::State;
use axum::response::Response;
use munjigi_core::audit::{Actor, Kind};
use munjigi_store::{Audit, Committed, StoreError};

use crate::app::App;
use crate::extract::caller::{SignedIn, over};
use crate::reply::nothing;
use crate::reply::problem::Problem;

/// Signs a person out: the refresh token is dead, and so is every access token of the session.
pub async fn sign_out(State(app): State<App>, who: SignedIn) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let ending = app.ending();
    let event = context.event(Kind::SignedOut, Actor::User(bearer.user_id))?;
    let event = event.subject(bearer.user_id).with("sid", bearer.session_id);

    let ended = app.store.write(move |tx| {
        Ok::<_, StoreError>(match ending.session(tx, &bearer.user_id, &bearer.session_id)? {
            None => Committed::nothing(None),
            Some(revocation) => {
                Committed::new(Some(revocation), Audit::Record(Box::new(event.clone())))
            }
        })
    });
    let revocation = ended.await?.ok_or_else(over)?;

    app.take_over(&revocation);
    Ok(nothing())
}
