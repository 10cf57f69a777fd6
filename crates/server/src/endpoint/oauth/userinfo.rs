//! `/oauth2/userinfo` (OpenID Connect Core §5.3): claims about the person, by scope and by what was
//! asked for one by one.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::claims::of_userinfo;
use serde_json::{Map, Value};

use crate::app::App;
use crate::extract::caller::{Anybody, bearer, load_with_grant, over};
use crate::failure::Failure;
use crate::id_token::person;
use crate::reply::problem::Problem;
use crate::reply::{json, raw};
use crate::snapshot::Snapshot;

/// Tells what the token's scope allows about its owner. GET and POST (OpenID Connect Core §5.3.1).
pub async fn userinfo(
    State(app): State<App>,
    Anybody(caller): Anybody,
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
    let client = snapshot.clients.get(&grant.client_id).ok_or_else(over)?;
    reply(&app, &snapshot, client, told)
}

/// In plain JSON, or signed where the client registered that.
fn reply(
    app: &App,
    snapshot: &Snapshot,
    client: &Client,
    mut told: Map<String, Value>,
) -> Result<Response, Problem> {
    let Some(algorithm) = client.metadata.userinfo_signed_response_alg else {
        return Ok(json(StatusCode::OK, &told));
    };
    // OpenID Connect Core §5.3.2: a signed answer holds `iss`, and `aud`, which is the client.
    told.insert("iss".to_owned(), app.config.issuer.as_str().into());
    told.insert("aud".to_owned(), client.id.as_str().into());
    let key = snapshot.keys.signer(algorithm, app.clock.now());
    let key = key.ok_or(Failure::NoKey(algorithm.as_str()))?;
    // Without a `typ`, which ID tokens and access tokens of this server have: neither is taken for
    // it, nor it for either.
    let payload = serde_json::to_vec(&told).map_err(|_| Failure::Damaged("claims"))?;
    let token = key.sign_payload(None, &payload).map_err(Failure::from)?;
    Ok(raw(StatusCode::OK, "application/jwt", token.into()))
}
