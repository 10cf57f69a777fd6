//! `/api/v1/users/me`: one's own account.

use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use http::StatusCode;
use http_body::Body as _;
use munjigi_core::account::Password;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::{Audit, Committed, StoreError, Tx, passwords, throttles, users};

use crate::accounts::{AccountError, Profile};
use crate::app::App;
use crate::ending::Ending;
use crate::extract::caller::{Bearer, SignedIn, load, over};
use crate::extract::json::{FromMembers, Json, Members};
use crate::profile_change::ProfileChange;
use crate::proof::{Proof, prove};
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
        let Some(user) = load(tx, &bearer, context.now)? else {
            return Ok(Committed::nothing(None));
        };
        Ok::<_, StoreError>(body.write(tx, user, &event, context.now)?.map(Some))
    });
    let user = written.await.map_err(AccountError::from)?.ok_or_else(over)?;

    Ok(json(StatusCode::OK, &Profile::from(user)))
}

/// The body of the end of an account.
#[derive(Default)]
pub struct Farewell {
    /// The outer option: whether a password was said; the inner one: whether it can be anybody's.
    password: Option<Option<Password>>,
}

impl FromMembers for Farewell {
    fn read(members: &mut Members) -> Option<Self> {
        let presented = |text: &str| Ok::<_, String>(Password::presented(text.to_owned()).ok());
        Some(Self { password: members.optional("password", presented)? })
    }
}

impl FromRequest<App> for Farewell {
    type Rejection = Problem;

    /// Whoever has no password need not send a body.
    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self::default());
        }
        Json::from_request(request, app).await.map(|Json(farewell)| farewell)
    }
}

/// `DELETE /me`: the account is gone, and everything that it signed in to. Its password is asked
/// for, so that a stolen access token cannot do it.
pub async fn delete(
    State(app): State<App>,
    who: SignedIn,
    farewell: Farewell,
) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let loaded = bearer.clone();
    let found = app.store.read(move |tx| {
        let Some(user) = load(tx, &loaded, context.now)? else { return Ok(None) };
        let hash = passwords::find(tx, &user.id)?;
        Ok::<_, StoreError>(Some((user, hash.is_some())))
    });
    let (user, has_password) = found.await?.ok_or_else(over)?;

    let proof = match (has_password, farewell.password) {
        (false, _) => None,
        (true, None) => return Err(Problem::member("/password", "missing", "is missing")),
        (true, Some(guess)) => {
            let why = "wrong password in a deletion";
            let wrong =
                || Problem::member("/password", "wrong_password", "is not the present password");
            Some(prove(&app, &context, &user, guess, why).await?.ok_or_else(wrong)?)
        }
    };

    let event = context.event(Kind::UserDeleted, Actor::User(bearer.user_id))?;
    let event = event.subject(bearer.user_id);
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        let Some(revocation) = end(tx, &ending, &bearer, proof.as_ref())? else {
            return Ok(Committed::nothing(None));
        };
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Some(revocation), audit))
    });
    let revocation = written.await?.ok_or_else(over)?;

    app.take_over(&revocation);
    Ok(nothing())
}

/// `None` when the session is over, or the password another one by now.
fn end(
    tx: &mut Tx<'_>,
    ending: &Ending,
    bearer: &Bearer,
    proof: Option<&Proof>,
) -> Result<Option<Revocation>, StoreError> {
    if load(tx, bearer, ending.now())?.is_none() {
        return Ok(None);
    }
    let hash = passwords::find(tx, &bearer.user_id)?;
    if hash.as_ref() != proof.and_then(|proof| proof.hash.as_ref()) {
        return Ok(None);
    }
    if let Some(proof) = proof {
        throttles::clear(tx, proof.ledger.hash())?;
    }
    let revocation = ending.user(tx, &bearer.user_id)?;
    users::delete(tx, &bearer.user_id)?;
    Ok(Some(revocation))
}
