//! The `client_credentials` grant (RFC 6749 §4.4). Nothing is written for it.

use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::scope::Scope;
use munjigi_verify::RevocationKind;

use crate::app::{App, floor};
use crate::context::Context;
use crate::endpoint::oauth::token::Asked;
use crate::issue::{self, TokenResponse, UserToken};
use crate::reply::oauth::OAuthError;

/// A token for a client on its own behalf.
pub fn client_credentials(
    app: &App,
    context: &Context,
    client: &Client,
    (asked, jkt): (&Asked, Option<&str>),
) -> Result<TokenResponse, OAuthError> {
    client.may_use(GrantType::ClientCredentials)?;
    // First, so that a token of a client that is disabled meanwhile stays on the dead side of it.
    let not_before = floor(app, &[(RevocationKind::Client, client.id.as_str())]);
    let (snapshot, now) = (app.snapshot_kept(), context.now);
    if snapshot.clients.get(&client.id).is_none_or(|client| client.is_disabled()) {
        return Err(OAuthError::invalid_client("client is unknown or did not prove itself", false));
    }

    let scope = Scope::asked(asked.scope.as_deref(), &client.scope)?;
    let resources = asked.resources.iter().map(String::as_str);
    let audiences = issue::audiences(app, &snapshot, client, resources)?;
    let target = issue::target_of(&snapshot, &audiences, now)?;

    let token = UserToken { target: &target, scope: &scope, now, not_before, jkt };
    Ok(TokenResponse {
        access_token: issue::for_client(app, &snapshot, client, token)?,
        token_type: issue::token_type(jkt),
        expires_in: target.access_ttl.as_seconds(),
        // RFC 6749 §4.4.3: "A refresh token SHOULD NOT be included."
        refresh_token: None,
        scope: scope.to_string(),
        id_token: None,
    })
}
