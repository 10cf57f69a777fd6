//! The `password` grant (RFC 6749 §4.3), for first-party clients that were given it by name.
//!
//! Deviates: RFC 9700 §2.4 says that it MUST NOT be used. It is here for applications that are
//! moving away from FastAPI's `OAuth2PasswordRequestForm`; see `docs/adr/`.

use std::sync::Arc;

use munjigi_core::account::password::Password;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::error::ErrorCode;

use crate::app::App;
use crate::context::{Context, UserAgent};
use crate::endpoint::oauth::token::Asked;
use crate::issue::TokenResponse;
use crate::reply::oauth::OAuthError;
use crate::sign_in::{Login, SignInError, SignInRequest, sign_in};

/// What was presented.
pub struct Presented {
    /// Who they say they are.
    pub login: Login,
    /// What they typed.
    pub password: Option<Password>,
    /// What is asked for.
    pub asked: Asked,
    /// With what they came.
    pub user_agent: UserAgent,
    /// The thumbprint of the key of the DPoP proof.
    pub jkt: Option<String>,
}

/// Signs a person in for a first-party client.
pub async fn password(
    app: &App,
    context: &Context,
    client: Arc<Client>,
    presented: Presented,
) -> Result<TokenResponse, OAuthError> {
    let Presented { login, password, asked, user_agent, jkt } = presented;
    let Asked { scope, resources } = asked;
    let user_agent = user_agent.0;
    let request = SignInRequest { login, password, client, scope, resources, user_agent, jkt };

    sign_in(app, context, request).await.map_err(|error| match error {
        // One sentence for all causes: which of them it was is nobody's business.
        SignInError::Refused => {
            OAuthError::new(ErrorCode::InvalidGrant, "user name or password is wrong")
        }
        SignInError::Throttled(wait) => OAuthError::too_many_attempts(wait),
        SignInError::Client(refusal) => refusal.into(),
        SignInError::Failure(failure) => failure.into(),
    })
}
