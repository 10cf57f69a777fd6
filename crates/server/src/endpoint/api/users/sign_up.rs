//! `POST /api/v1/users/signup`: a person makes an account.

use axum::extract::State;
use axum::response::Response;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, StatusCode};
use munjigi_core::account::{DisplayName, Email, Locale, Password, Username};
use munjigi_core::audit::{Actor, Kind};

use crate::accounts::{AccountError, NewAccount, Profile, check_password};
use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::record;
use crate::context::Context;
use crate::extract::json::{FromMembers, Json, Members};
use crate::page::locale::Locale as Spoken;
use crate::reply::json;
use crate::reply::problem::Problem;
use crate::settings::Registration;
use crate::sign_up::{self, Told};

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

/// Makes an account. Where the address is proved by a mail, the answer is the same for a taken one:
/// what is shown is the account as it would be (LG-01 of the attack kit).
pub async fn sign_up(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
    Json(body): Json<SignUp>,
) -> Result<Response, Problem> {
    addresses::count(&app, &context, Limit::SignUp).await?;
    let settings = app.snapshot().settings.clone();
    if settings.registration == Registration::Closed {
        let refused = context.event(Kind::SignUpRefused, Actor::Anonymous)?;
        record(&app, refused.refused("registration is closed")).await?;
        let detail = "accounts are made by an administrator here";
        return Err(Problem::new(StatusCode::FORBIDDEN, "registration_closed", detail));
    }
    let SignUp { email, password, username, name, locale } = body;
    let roles = settings.default_roles;
    let account = NewAccount { email, username, name, locale, roles };
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
    let locale = Spoken::choose(None, None, accepted);

    let told = Told::by_api(&app);
    let asked = sign_up::SignUp { account, password, locale, flow: None, told };
    let user = asked.make(&app, &context).await?;

    Ok(json(StatusCode::CREATED, &Profile::from(user)))
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
