//! `POST /api/v1/users/me/password`: one's own password, changed with the present one. Everything
//! else that is signed in ends.

use axum::extract::State;
use axum::response::Response;
use munjigi_core::account::Password;

use crate::app::App;
use crate::extract::caller::{SignedIn, load, over};
use crate::extract::json::{FromMembers, Json, Members};
use crate::password_change::{PasswordChange, Refusal, SignedInBy};
use crate::reply::nothing;
use crate::reply::problem::Problem;

/// The body of a password change.
pub struct Passwords {
    current: Option<Password>,
    new: Password,
}

impl FromMembers for Passwords {
    fn read(members: &mut Members) -> Option<Self> {
        let presented = |text: &str| Ok::<_, String>(Password::presented(text.to_owned()).ok());
        let current = members.required("current_password", presented);
        let new = members.required("new_password", |text| Password::parse(text.to_owned()));
        Some(Self { current: current?, new: new? })
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Weak(weakness) => {
                Self::member("/new_password", weakness.code(), weakness.to_string())
            }
            Refusal::WrongPassword => {
                let sentence = "is not the present password";
                Self::member("/current_password", "wrong_password", sentence)
            }
            Refusal::Over => over(),
            Refusal::SignIn(error) => error.into(),
        }
    }
}

/// Changes one's own password.
pub async fn change(
    State(app): State<App>,
    who: SignedIn,
    Json(Passwords { current, new }): Json<Passwords>,
) -> Result<Response, Problem> {
    let SignedIn { bearer, context } = who;
    let (loaded, now) = (bearer.clone(), context.now);
    let user = app.store.read(move |tx| load(tx, &loaded, now)).await?.ok_or_else(over)?;

    let by = SignedInBy::Token(bearer);
    PasswordChange { user, by, current, new }.make(&app, &context).await?;
    Ok(nothing())
}
