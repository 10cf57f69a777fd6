//! `/oauth2/userinfo` (OpenID Connect Core §5.3): claims about the person, by scope.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::user::User;
use munjigi_verify::Anyone;
use serde::Serialize;

use crate::app::App;
use crate::extract::caller::{bearer, load, over};
use crate::reply::json;
use crate::reply::problem::Problem;

#[derive(Serialize)]
struct UserInfo<'a> {
    sub: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    profile: Option<Profile<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    email: Option<EmailClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct Profile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    updated_at: i64,
}

#[derive(Serialize)]
struct EmailClaims<'a> {
    email: &'a str,
    email_verified: bool,
}

/// Tells what the token's scope allows about its owner. GET and POST (OpenID Connect Core §5.3.1).
pub async fn userinfo(
    State(app): State<App>,
    caller: munjigi_verify::Caller<Anyone>,
) -> Result<Response, Problem> {
    if !caller.has_scope("openid") {
        return Err(Problem::forbidden("the token lacks the scope `openid`"));
    }
    let bearer = bearer(&caller)?.ok_or_else(over)?;
    let now = app.clock.now();

    let user = app.store.read(move |tx| load(tx, &bearer, now)).await?.ok_or_else(over)?;

    let has = |name: &str| caller.has_scope(name);
    let snapshot = app.snapshot();
    let roles = || snapshot.enabled_roles(&user.roles).map(|role| role.name.as_str()).collect();
    let info = UserInfo {
        sub: user.id.to_string(),
        profile: has("profile").then(|| profile(&user)),
        email: has("email").then(|| EmailClaims {
            email: &user.email,
            email_verified: user.email_verified_at.is_some(),
        }),
        roles: has("roles").then(roles),
    };
    Ok(json(StatusCode::OK, &info))
}

fn profile(user: &User) -> Profile<'_> {
    Profile {
        name: user.name.as_deref(),
        preferred_username: user.username.as_deref(),
        locale: user.locale.as_deref(),
        updated_at: user.updated_at.as_seconds(),
    }
}
