//! `POST /oauth2/revoke` (RFC 7009): a client gives a token back, and everything of its grant with
//! it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::{GrantId, UserId};
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::refresh::{PREFIX, RefreshToken};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::secret::{Secret, constant_time_eq};
use munjigi_store::{Audit, Committed, StoreError, Tx, grants};

use crate::app::App;
use crate::ending::Ending;
use crate::extract::client_auth::{ClientAuth, FromForm};
use crate::extract::form::Form;
use crate::reply::oauth::OAuthError;

/// A revocation request. `token_type_hint` is not needed: our tokens tell what they are.
pub struct RevocationRequest {
    token: Secret,
}

impl FromForm for RevocationRequest {
    const MUST_BE_CURRENT: bool = false;

    fn read(form: &mut Form) -> Result<Self, OAuthError> {
        Ok(Self { token: form.take("token", "token is missing")? })
    }
}

/// What is to end.
#[derive(Clone)]
enum Ends {
    /// A person's grant, by a refresh token of it.
    ByRefresh(RefreshToken),
    /// A person's grant, by an access token of it.
    ByAccess(UserId, GrantId),
    /// A client's own token.
    Rowless(GrantId),
}

/// Revokes a token of the client that presents it. An unknown token is answered like a known one
/// (RFC 7009 §2.2), a token of another client too: it is none of this one's business.
pub async fn revoke(
    State(app): State<App>,
    auth: ClientAuth<RevocationRequest>,
) -> Result<Response, OAuthError> {
    let ClientAuth { client, request, context } = auth;
    let Some(ends) = ends(&app, &client, request.token.reveal()) else {
        return Ok(done());
    };
    let event = context.event(Kind::GrantRevoked, Actor::Client(client.id.clone()))?;
    let event = event.client(client.id.clone());
    let ending = app.ending();

    let written = app.store.write(move |tx| end(tx, &ending, (&client, &ends), &event)).await?;

    if let Some(revocation) = written {
        app.take_over(&revocation);
    }
    Ok(done())
}

fn ends(app: &App, client: &Client, token: &str) -> Option<Ends> {
    if token.starts_with(PREFIX) {
        return RefreshToken::open(&app.snapshot().keys.refresh, token).ok().map(Ends::ByRefresh);
    }
    let principal = app.told_by(token)?;
    if principal.client_id() != client.id.as_str() {
        return None;
    }
    let grant_id = principal.gid()?.parse().ok()?;
    if principal.sub() == client.id.as_str() {
        return Some(Ends::Rowless(grant_id));
    }
    Some(Ends::ByAccess(principal.sub().parse().ok()?, grant_id))
}

fn end(
    tx: &mut Tx<'_>,
    ending: &Ending,
    (client, ends): (&Client, &Ends),
    event: &Event,
) -> Result<Committed<Option<Revocation>>, StoreError> {
    let (user_id, grant_id, nonce) = match ends {
        Ends::Rowless(grant_id) => {
            let revocation = ending.rowless_grant(tx, grant_id)?;
            let event = event.clone().with("gid", grant_id);
            return Ok(Committed::new(Some(revocation), Audit::Record(Box::new(event))));
        }
        Ends::ByRefresh(token) => (token.user_id, token.grant_id, Some(token.nonce)),
        Ends::ByAccess(user_id, grant_id) => (*user_id, *grant_id, None),
    };
    let Some((grant, _)) = grants::find(tx, &user_id, &grant_id)? else {
        return Ok(Committed::nothing(None));
    };
    let genuine = nonce.is_none_or(|nonce| constant_time_eq(&nonce, &grant.nonce));
    // RFC 7009 §2.1: the token has to have been issued to the client that makes the request.
    if !genuine || grant.client_id != client.id {
        return Ok(Committed::nothing(None));
    }
    match ending.grant(tx, &user_id, &grant_id)? {
        None => Ok(Committed::nothing(None)),
        Some(revocation) => {
            let event = event.clone().subject(user_id).with("gid", grant_id);
            Ok(Committed::new(Some(revocation), Audit::Record(Box::new(event))))
        }
    }
}

/// RFC 7009 §2.2: 200, and the body is of no interest.
fn done() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::OK;
    response
}
