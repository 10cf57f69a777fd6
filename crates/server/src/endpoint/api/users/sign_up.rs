//! `POST /api/v1/users/signup`: a person makes an account.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::{DisplayName, Email, Locale, Password, Username};
use munjigi_core::audit::{Actor, Kind};

use crate::accounts::{AccountError, NewAccount, Profile, check_password, create, new_user};
use crate::app::App;
use crate::attempts::record;
use crate::context::Context;
use crate::extract::json::{FromMembers, Json, Members};
use crate::random;
use crate::reply::json;
use crate::reply::problem::Problem;
use crate::settings::Registration;

/// The body of a sign-up.
pub struct SignUp {
    email: Email,
    password: Password,
    username: Option<Username>,
    name: Option<DisplayName>,
    locale: Option<Locale>,
}

impl FromMembers for SignUp {
    fn read(members: &mut Members) -> Option<Self> {
        let email = members.required("email", Email::parse);
        let password = members.required("password", |text| Password::parse(text.to_owned()));
        let username = members.optional("username", Username::parse);
        let name = members.optional("name", DisplayName::parse);
        let locale = members.optional("locale", Locale::parse);
        if let (Some(email), Some(password), Some(username)) = (&email, &password, &username) {
            let username = username.as_ref().map(Username::as_str);
            if let Err(weakness) = check_password(password, email, username) {
                members.note("password", weakness.code(), &weakness.to_string());
            }
        }
        Some(Self {
            email: email?,
            password: password?,
            username: username?,
            name: name?,
            locale: locale?,
        })
    }
}

/// Makes an account.
pub async fn sign_up(
    State(app): State<App>,
    context: Context,
    Json(body): Json<SignUp>,
) -> Result<Response, Problem> {
    let settings = app.snapshot().settings.clone();
    let refused = context.event(Kind::SignUpRefused, Actor::Anonymous)?;
    if settings.registration == Registration::Closed {
        record(&app, refused.refused("registration is closed")).await?;
        let detail = "accounts are made by an administrator here";
        return Err(Problem::new(StatusCode::FORBIDDEN, "registration_closed", detail));
    }
    let SignUp { email, password, username, name, locale } = body;
    let hash = app.hashing.hash(password).await?;

    let roles = settings.default_roles;
    let account = NewAccount { email, username, name, locale, roles };
    let user = new_user(random::user_id()?, account, context.now);
    let event = context.event(Kind::UserCreated, Actor::User(user.id))?;
    let user = match create(&app, user, hash, event).await {
        Ok(user) => user,
        Err(error) => {
            if let Some(reason) = taken(&error) {
                record(&app, refused.refused(reason)).await?;
            }
            return Err(error.into());
        }
    };

    Ok(json(StatusCode::CREATED, &Profile::from(user)))
}

/// Which of the names somebody has already; what else can happen is no refusal.
fn taken(error: &AccountError) -> Option<&'static str> {
    match error {
        AccountError::EmailTaken => Some("the address is taken"),
        AccountError::UsernameTaken => Some("the user name is taken"),
        AccountError::UnknownRole | AccountError::Failure(_) => None,
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        let sentence = error.to_string();
        match error {
            AccountError::EmailTaken => Self::conflict("email_taken", "/email", &sentence),
            AccountError::UsernameTaken => Self::conflict("username_taken", "/username", &sentence),
            AccountError::UnknownRole => Self::member("/roles", "unknown_role", sentence),
            AccountError::Failure(failure) => failure.into(),
        }
    }
}
