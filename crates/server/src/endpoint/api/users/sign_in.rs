//! `POST /api/v1/users/signin`: a person signs in with JSON, through the default first-party
//! client.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::Password;

use crate::app::App;
use crate::context::{Context, UserAgent};
use crate::extract::json::{FromMembers, Json, Members};
use crate::reply::json;
use crate::reply::problem::Problem;
use crate::sign_in::{Login, SignInError, SignInRequest, sign_in};

/// The body of a sign-in.
pub struct SignIn {
    login: Login,
    password: Option<Password>,
    scope: Option<String>,
}

impl FromMembers for SignIn {
    fn read(members: &mut Members) -> Option<Self> {
        let login = |text: &str| Ok::<_, String>(Login::parse(text));
        let email = members.optional("email", login);
        let username = members.optional("username", login);
        // What cannot be a password is nobody's: refused like a wrong one, after the same work.
        let presented = |text: &str| Ok::<_, String>(Password::presented(text.to_owned()).ok());
        let password = members.required("password", presented);
        let scope = members.optional("scope", |text| Ok::<_, String>(text.to_owned()));
        let login = match (email?, username?) {
            (Some(login), None) | (None, Some(login)) => Some(login),
            (None, None) => {
                members.note("email", "missing", "is missing; `username` does as well");
                None
            }
            (Some(_), Some(_)) => {
                members.note("username", "ambiguous", "stands beside `email`; one is enough");
                None
            }
        };
        Some(Self { login: login?, password: password?, scope: scope? })
    }
}

/// Signs a person in.
pub async fn sign_in_with_json(
    State(app): State<App>,
    context: Context,
    user_agent: UserAgent,
    Json(body): Json<SignIn>,
) -> Result<Response, Problem> {
    let client = app.snapshot().default_client().ok_or_else(|| {
        let detail = "signing in here needs a default first-party client, which is not set";
        Problem::new(StatusCode::FORBIDDEN, "sign_in_closed", detail)
    })?;
    let SignIn { login, password, scope } = body;
    let (resources, user_agent) = (Vec::new(), user_agent.0);
    let jkt = None;
    let request = SignInRequest { login, password, client, scope, resources, user_agent, jkt };

    let tokens = sign_in(&app, &context, request).await.map_err(Problem::from)?;
    app.metrics.issued("password");

    Ok(json(StatusCode::OK, &tokens))
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            // One sentence for all causes: which of them it was is nobody's business.
            SignInError::Refused => Self {
                challenge: Some("Bearer"),
                ..Self::new(
                    StatusCode::UNAUTHORIZED,
                    "wrong_credentials",
                    "that account and password do not match",
                )
            },
            SignInError::Throttled(wait) => Self::too_many_attempts(wait),
            SignInError::Client(refusal) => {
                Self::new(StatusCode::BAD_REQUEST, refusal.code.as_str(), refusal.description)
            }
            SignInError::Failure(failure) => failure.into(),
        }
    }
}
