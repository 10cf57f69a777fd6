//! `/oauth2/userinfo` (OpenID Connect Core §5.3): claims about the person, by scope and by what was
//! asked for one by one.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::claims::of_userinfo;
use munjigi_verify::Anyone;

use crate::app::App;
use crate::extract::caller::{bearer, load_with_grant, over};
use crate::id_token::person;
use crate::reply::json;
use crate::reply::problem::Problem;

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

    let found = app.store.read(move |tx| load_with_grant(tx, &bearer, now)).await?;
    let (grant, user) = found.ok_or_else(over)?;

    let snapshot = app.snapshot();
    let roles: Vec<&str> =
        snapshot.enabled_roles(&user.roles).map(|role| role.name.as_str()).collect();
    let further = user.profile.claims();
    // The token's own scope: a refresh may have asked for less than was granted.
    let scope: Scope = grant.scope.only(|name| caller.has_scope(name));
    let asked = grant.claims.map(|claims| claims.userinfo).unwrap_or_default();
    let mut told = of_userinfo(&person(&user, &further, &roles), &scope, &asked);
    told.insert("sub".to_owned(), user.id.to_string().into());
    Ok(json(StatusCode::OK, &told))
}
