//! `POST /oauth2/introspect` (RFC 7662): what a token stands for, told to the API it is for.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::oauth::refresh::{PREFIX, RefreshToken};
use munjigi_core::secret::{Secret, constant_time_eq};
use munjigi_core::time::Timestamp;
use munjigi_store::grants;
use munjigi_verify::Principal;
use serde::Serialize;

use crate::app::App;
use crate::extract::client_auth::{ClientAuth, FromForm};
use crate::extract::form::Form;
use crate::failure::Failure;
use crate::issue::{Confirmation, token_type};
use crate::reply::json;
use crate::reply::oauth::OAuthError;

/// An introspection request. `token_type_hint` is not needed: our tokens tell what they are.
pub struct Introspection {
    token: Secret,
}

impl FromForm for Introspection {
    const MUST_BE_CURRENT: bool = true;

    fn read(form: &mut Form) -> Result<Self, OAuthError> {
        Ok(Self { token: form.take("token", "token is missing")? })
    }
}

/// RFC 7662 §2.2.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    iss: &'a str,
    sub: &'a str,
    aud: &'a [String],
    client_id: &'a str,
    scope: &'a str,
    token_type: &'static str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [String],
    // RFC 9449 §6.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// RFC 7662 §2.2: nothing but this is said of a token that is not active, whatever the reason.
#[derive(Serialize)]
struct Inactive {
    active: bool,
}

/// Tells an API what a token stands for.
pub async fn introspect(
    State(app): State<App>,
    auth: ClientAuth<Introspection>,
) -> Result<Response, OAuthError> {
    let ClientAuth { client, request, context } = auth;
    if client.is_public() {
        // RFC 7662 §2.1: the endpoint has to know who asks.
        let why = "introspection is for clients that prove themselves";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, why));
    }

    let token = request.token.reveal();
    let answer = if token.starts_with(PREFIX) {
        refresh_token(&app, &client, token, context.now).await?
    } else {
        access_token(&app, &client, token)
    };
    Ok(answer.unwrap_or_else(|| json(StatusCode::OK, &Inactive { active: false })))
}

fn access_token(app: &App, client: &Client, token: &str) -> Option<Response> {
    let principal = app.told_by(token)?;
    if !is_for(app, client, &principal) {
        return None;
    }
    let claims = principal.claims();
    let scope = principal.scopes().collect::<Vec<_>>().join(" ");
    let active = Active {
        active: true,
        iss: &app.config.issuer,
        sub: principal.sub(),
        aud: &claims.aud,
        client_id: principal.client_id(),
        scope: &scope,
        token_type: token_type(principal.jkt()),
        exp: claims.exp.unwrap_or_default(),
        iat: claims.iat,
        jti: claims.jti.as_deref(),
        sid: principal.sid(),
        roles: &claims.roles,
        cnf: principal.jkt().map(|jkt| Confirmation { jkt }),
    };
    Some(json(StatusCode::OK, &active))
}

/// Whether the token is for an API that authenticates as this client (JW-12 of the attack kit,
/// CVE-2026-37979: others learn only that it is not active).
fn is_for(app: &App, client: &Client, principal: &Principal) -> bool {
    munjigi_core::planted!("introspection_for_everybody", return true);
    let snapshot = app.snapshot();
    principal.claims().aud.iter().any(|audience| {
        let api = snapshot.apis.get(audience);
        api.is_some_and(|api| {
            api.client_id.as_ref() == Some(&client.id) && api.disabled_at.is_none()
        })
    })
}

/// A refresh token is only its own client's to ask about.
async fn refresh_token(
    app: &App,
    client: &Client,
    token: &str,
    now: Timestamp,
) -> Result<Option<Response>, Failure> {
    let Ok(presented) = RefreshToken::open(&app.snapshot().keys.refresh, token) else {
        return Ok(None);
    };
    let (user_id, grant_id) = (presented.user_id, presented.grant_id);
    let found = app.store.read(move |tx| grants::find(tx, &user_id, &grant_id)).await?;
    let Some((grant, standing)) = found else { return Ok(None) };

    let current = grant.generation == presented.generation;
    let genuine = current && constant_time_eq(&grant.nonce, &presented.nonce);
    let dead = grant.revoked_at.is_some() || grant.dead(&standing, now).is_some();
    if !genuine || dead || grant.client_id != client.id {
        return Ok(None);
    }
    let (sub, sid) = (grant.user_id.to_string(), grant.session_id.to_string());
    let active = Active {
        active: true,
        iss: &app.config.issuer,
        sub: &sub,
        aud: &grant.audiences,
        client_id: grant.client_id.as_str(),
        scope: &grant.scope.to_string(),
        token_type: "refresh_token",
        exp: grant.idle_expires_at.as_seconds(),
        iat: Some(grant.rotated_at.unwrap_or(grant.created_at).as_seconds()),
        jti: None,
        sid: Some(&sid),
        roles: &[],
        cnf: grant.dpop_jkt.as_deref().map(|jkt| Confirmation { jkt }),
    };
    Ok(Some(json(StatusCode::OK, &active)))
}
