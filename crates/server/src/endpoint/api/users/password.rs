//! `POST /api/v1/users/me/password`: one's own password, changed with the present one. Everything
//! else that is signed in ends.

use axum::extract::State;
use axum::response::Response;
use munjigi_core::account::user::User;
use munjigi_core::account::{Email, Password};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::{Audit, Committed, StoreError, Tx, grants, passwords, throttles, users};

use crate::accounts::check_password;
use crate::app::App;
use crate::attempts::{Ledger, give_back};
use crate::ending::Ending;
use crate::endpoint::api::users::proof::{Proof, prove};
use crate::extract::caller::{Bearer, SignedIn, load, over};
use crate::extract::json::{FromMembers, Json, Members};
use crate::failure::Failure;
use crate::reply::nothing;
use crate::reply::problem::Problem;

/// The body of a password change.
pub struct PasswordChange {
    current: Option<Password>,
    new: Password,
}

impl FromMembers for PasswordChange {
    fn read(members: &mut Members) -> Option<Self> {
        let presented = |text: &str| Ok::<_, String>(Password::presented(text.to_owned()).ok());
        let current = members.required("current_password", presented);
        let new = members.required("new_password", |text| Password::parse(text.to_owned()));
        Some(Self { current: current?, new: new? })
    }
}

/// Changes one's own password.
pub async fn change(
    State(app): State<App>,
    who: SignedIn,
    Json(body): Json<PasswordChange>,
) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let now = context.now;
    let loaded = bearer.clone();
    let user = app.store.read(move |tx| load(tx, &loaded, now)).await?.ok_or_else(over)?;
    let email = Email::parse(&user.email).map_err(|_| Failure::Damaged("email"))?;
    check_password(&body.new, &email, user.username.as_deref()).map_err(|weakness| {
        Problem::member("/new_password", weakness.code(), weakness.to_string())
    })?;

    let why = "wrong password in a password change";
    let proved = prove(&app, &context, &user, body.current, why).await?;
    let Some(Proof { hash, ledger }) = proved else {
        let sentence = "is not the present password";
        return Err(Problem::member("/current_password", "wrong_password", sentence));
    };
    let new_hash = match app.hashing.hash(body.new).await {
        Ok(hash) => hash,
        Err(error) => {
            give_back(&app, ledger).await?;
            return Err(error.into());
        }
    };

    let event = context.event(Kind::PasswordChanged, Actor::User(user.id))?.subject(user.id);
    let change = Change { user, bearer, old: hash, new: new_hash.to_string(), event, ledger };
    write(&app, change).await?;
    Ok(nothing())
}

/// Everything that the change writes.
#[derive(Clone)]
struct Change {
    user: User,
    bearer: Bearer,
    old: Option<String>,
    new: String,
    event: Event,
    ledger: Ledger,
}

async fn write(app: &App, change: Change) -> Result<(), Problem> {
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        let Some(revocations) = write_change(tx, &ending, &change)? else {
            return Ok(Committed::nothing(None));
        };
        let audit = Audit::Record(Box::new(change.event.clone()));
        Ok::<_, StoreError>(Committed::new(Some(revocations), audit))
    });
    for revocation in written.await?.ok_or_else(over)? {
        app.take_over(&revocation);
    }
    Ok(())
}

/// `None` when the session or the password is another one by now.
fn write_change(
    tx: &mut Tx<'_>,
    ending: &Ending,
    change: &Change,
) -> Result<Option<Vec<Revocation>>, StoreError> {
    let Change { user, bearer, old, new, ledger, .. } = change;
    if load(tx, bearer, ending.now())?.is_none() {
        return Ok(None);
    }
    let Some(old) = old else { return Ok(None) };
    // Guarded by the old hash: of two changes at once, one is made on what it has seen.
    if !passwords::replace(tx, &user.id, old, new, ending.now())? {
        return Ok(None);
    }
    users::set_password_changed(tx, &user.id, ending.now())?;
    throttles::clear(tx, ledger)?;
    // ASVS 7.4.3: whoever else is signed in may be the reason for the change.
    let revocations = ending.other_sessions(tx, &user.id, &bearer.session_id)?;
    grants::reauthenticate(tx, &user.id, &bearer.session_id, ending.now())?;
    Ok(Some(revocations))
}
