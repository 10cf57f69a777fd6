//! `POST /oauth2/token` (RFC 6749 §3.2): one file per grant.

mod authorization_code;
mod client_credentials;
mod device_code;
mod password;
mod refresh;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::password::Password;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::dpop::Possession;
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::secret::Secret;

use crate::addresses::{self, Limit, Trail};
use crate::app::App;
use crate::context::{Context, UserAgent};
use crate::extract::client_auth::{ClientAuth, FromForm};
use crate::extract::dpop::DpopProof;
use crate::extract::form::Form;
use crate::issue::TokenResponse;
use crate::registration;
use crate::reply::json;
use crate::reply::oauth::OAuthError;
use crate::sign_in::Login;

/// What all grants may ask for.
pub struct Asked {
    /// The scope, if it was named.
    pub scope: Option<String>,
    /// The APIs (RFC 8707 §2.2).
    pub resources: Vec<String>,
}

/// A token request, one variant per grant.
pub enum TokenRequest {
    /// RFC 6749 §4.3.
    Password {
        /// Who they say they are.
        login: Login,
        /// What they typed; `None` when it cannot be anybody's.
        password: Option<Password>,
        /// What is asked for.
        asked: Asked,
    },
    /// RFC 6749 §4.1.3.
    AuthorizationCode(authorization_code::Presented),
    /// RFC 6749 §6.
    Refresh {
        /// The token as it came.
        refresh_token: Secret,
        /// What is asked for.
        asked: Asked,
    },
    /// RFC 6749 §4.4.
    ClientCredentials(Asked),
    /// RFC 8628 §3.4: the device code as it came.
    DeviceCode(Secret),
}

impl TokenRequest {
    /// What it is called among the metrics.
    const fn grant(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::AuthorizationCode(_) => "authorization_code",
            Self::Refresh { .. } => "refresh_token",
            Self::ClientCredentials(_) => "client_credentials",
            Self::DeviceCode(_) => "device_code",
        }
    }
}

impl FromForm for TokenRequest {
    const MUST_BE_CURRENT: bool = true;

    fn read(form: &mut Form) -> Result<Self, OAuthError> {
        let asked = Asked {
            scope: form.find("scope").map(str::to_owned),
            resources: form.all("resource").map(str::to_owned).collect(),
        };
        match form.find("grant_type") {
            Some("password") => read_password(form, asked),
            // FastAPI's OAuth2PasswordRequestForm may leave it out; a user name and a password
            // say the same.
            None if form.find("username").is_some() => read_password(form, asked),
            Some("authorization_code") => {
                let verifier = form.take("code_verifier", "absent").ok();
                Ok(Self::AuthorizationCode(authorization_code::Presented {
                    redirect_uri: form.find("redirect_uri").map(str::to_owned),
                    verifier,
                    resources: asked.resources,
                    code: form.take("code", "code is missing")?,
                }))
            }
            Some("refresh_token") => {
                let refresh_token = form.take("refresh_token", "refresh_token is missing")?;
                Ok(Self::Refresh { refresh_token, asked })
            }
            Some("client_credentials") => Ok(Self::ClientCredentials(asked)),
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                Ok(Self::DeviceCode(form.take("device_code", "device_code is missing")?))
            }
            Some(_) => Err(OAuthError::new(
                ErrorCode::UnsupportedGrantType,
                "grant_type is not one that this server knows",
            )),
            None => Err(OAuthError::new(ErrorCode::InvalidRequest, "grant_type is missing")),
        }
    }
}

fn read_password(form: &Form, asked: Asked) -> Result<TokenRequest, OAuthError> {
    let username = form.required("username", "username is missing")?;
    let password = form.required("password", "password is missing")?;
    Ok(TokenRequest::Password {
        login: Login::parse(username),
        password: Password::presented(password.to_owned()).ok(),
        asked,
    })
}

/// Answers a token request.
pub async fn token(
    State(app): State<App>,
    user_agent: UserAgent,
    proof: DpopProof,
    auth: ClientAuth<TokenRequest>,
) -> Result<Response, OAuthError> {
    let ClientAuth { client, request, context } = auth;
    let (asking, grant) = (Arc::clone(&client), request.grant());
    let now = context.now;
    // RFC 9449 §5: of which key it has to be, a refresh says itself.
    Possession::of_client(&client).admits(proof.jkt())?;
    let is_password = matches!(request, TokenRequest::Password { .. });
    if client.is_public() && proof.jkt().is_some() {
        addresses::look(&app, &context, Limit::Write)?;
    }
    let jkt = proof.spend(&app, &context, &client.id).await?;
    let response = match tokens(&app, &context, client, (request, user_agent, jkt)).await {
        Ok(response) => response,
        Err(error) => {
            if asking.is_public() && proof.jkt().is_some() {
                addresses::count(&app, &context, Limit::Write).await?;
            }
            if asking.is_public() && error.code() == ErrorCode::InvalidGrant && !is_password {
                addresses::count(&app, &context, Limit::Token).await?;
            }
            return Err(error);
        }
    };
    app.metrics.issued(grant);
    if let Err(error) = registration::was_used(&app, &asking, context.now).await {
        // The tokens are made, and what they were made for is spent.
        tracing::warn!(%error, "that a client was used could not be written down");
    }
    // RFC 6749 §5.1: never stored by anybody on the way; `json` says so.
    Ok(proof.answered(&app, now, json(StatusCode::OK, &response)))
}

/// The tokens of a grant.
async fn tokens(
    app: &App,
    context: &Context,
    client: Arc<Client>,
    (request, user_agent, jkt): (TokenRequest, UserAgent, Option<String>),
) -> Result<TokenResponse, OAuthError> {
    let trail = Trail::of_tokens(app, context, &client);
    match request {
        TokenRequest::Password { login, password, asked } => {
            let presented = password::Presented { login, password, asked, user_agent, jkt };
            password::password(app, context, client, presented).await
        }
        TokenRequest::AuthorizationCode(presented) => {
            let presented = (presented, jkt, trail);
            authorization_code::authorization_code(app, context, client, presented).await
        }
        TokenRequest::Refresh { refresh_token, asked } => {
            refresh::refresh(app, context, &client, (&refresh_token, asked, jkt, trail)).await
        }
        TokenRequest::ClientCredentials(asked) => {
            client_credentials::client_credentials(app, context, &client, (&asked, jkt.as_deref()))
        }
        TokenRequest::DeviceCode(code) => {
            device_code::device_code(app, context, client, (&code, jkt, trail)).await
        }
    }
}
