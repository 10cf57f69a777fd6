//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.5): a client is told that a
//! session has ended. What waits is who, and from which session: no token, so that each attempt
//! carries one that is not over yet, and no secret, so that an operator without the key can queue
//! it.

use http::StatusCode;
use munjigi_core::id::{ClientId, OutboxId, SessionId, UserId};
use munjigi_core::oauth::client::Client;
use munjigi_core::oidc::logout::{Ended, LOGOUT_TOKEN_TYP, LogoutClaims};
use munjigi_core::secret::keyed_hash;
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::{Kind, Parcel};

use crate::app::App;
use crate::failure::Failure;
use crate::fetch::FetchError;
use crate::mail::{Again, Undelivered};
use crate::random;

/// A client that is to be told that somebody was signed out.
#[derive(Clone, Debug)]
pub struct Logout {
    /// The client.
    pub client_id: ClientId,
    /// Who was signed out, and where.
    pub ended: Ended,
}

impl Logout {
    /// As it waits to be sent. Its id is of the session and the client: a transaction that is run
    /// again writes the same row.
    pub fn parcel(&self, now: Timestamp) -> Parcel {
        const DOMAIN: &[u8; 32] = b"munjigi logout parcel, version 1";
        let Ended { user_id, session_id } = &self.ended;
        let client_id = self.client_id.as_str().as_bytes();
        let hash = keyed_hash(DOMAIN, &[session_id.as_bytes(), client_id]);
        let id = OutboxId::from_parts(now, *hash.first_chunk().unwrap_or(&[0; 10]));
        let payload = [user_id.as_bytes().as_slice(), session_id.as_bytes(), client_id].concat();
        Parcel { id, kind: Kind::Logout, payload, created_at: now }
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let (user_id, rest) = payload.split_first_chunk()?;
        let (session_id, client_id) = rest.split_first_chunk()?;
        let client_id = std::str::from_utf8(client_id).ok()?.parse().ok()?;
        let (user_id, session_id) =
            (UserId::from_bytes(*user_id), SessionId::from_bytes(*session_id));
        Some(Self { client_id, ended: Ended { user_id, session_id } })
    }

    /// The token that the client gets today.
    fn token(&self, app: &App, client: &Client) -> Result<String, Failure> {
        let (snapshot, now) = (app.snapshot_kept(), app.clock.now());
        // Back-Channel Logout §2.4: signed as the client's ID tokens are.
        let algorithm = client.metadata.id_token_algorithm();
        let key = snapshot.keys.signer(algorithm, now);
        let key = key.ok_or(Failure::NoKey(algorithm.as_str()))?;
        let (issuer, jti) = (&app.config.issuer, random::token_id(now)?);
        let claims = LogoutClaims::new(issuer, &client.id, self.ended, jti, now);
        Ok(key.sign(LOGOUT_TOKEN_TYP, &claims)?)
    }
}

/// Tells one client, at the address that it has registered by now.
pub(super) async fn deliver(app: &App, parcel: &Parcel) -> Result<(), Undelivered> {
    let because = |reason: &str, again| Undelivered { reason: reason.to_owned(), again };
    let damaged = || because("this version does not know it", Again::Later);
    let logout = Logout::read(&parcel.payload).ok_or_else(damaged)?;
    let client = app.snapshot().clients.get(&logout.client_id).cloned();
    let nobody = || because("the client is not told of logouts any more", Again::Never);
    let client = client.ok_or_else(nobody)?;
    let uri = client.metadata.backchannel_logout_uri.as_ref().ok_or_else(nobody)?;
    let token = logout.token(app, &client);
    let token = token.map_err(|failure| because(&failure.to_string(), Again::Later))?;
    let told =
        app.fetch.for_client(&client).post_form(uri.as_str(), &[("logout_token", &token)]).await;
    told.map(|_| ()).map_err(|error| untold(&error))
}

fn untold(error: &FetchError) -> Undelivered {
    let again = match error {
        // What may not be reached may not be reached later either, and nothing may try it five
        // times.
        FetchError::Refused(_) => Again::Never,
        // Back-Channel Logout §2.8: the client has read the token, and will not do it.
        FetchError::Status(StatusCode::BAD_REQUEST) => Again::Never,
        _ => Again::Later,
    };
    Undelivered { reason: error.to_string(), again }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_back_and_has_one_id_for_each_client_and_session() {
        let now = Timestamp::from_seconds(100);
        let of = |client: &str, number| {
            let session_id = SessionId::from_parts(now, [number; 10]);
            let ended = Ended { user_id: UserId::from_random([1; 16]), session_id };
            Logout { client_id: client.parse().unwrap(), ended }
        };
        let parcel = of("shop", 1).parcel(now);
        let read = Logout::read(&parcel.payload).unwrap();
        assert_eq!(read.client_id.as_str(), "shop");
        assert_eq!(read.ended.user_id, UserId::from_random([1; 16]));
        assert_eq!(read.ended.session_id, SessionId::from_parts(now, [1; 10]));
        assert_eq!(of("shop", 1).parcel(now).id, parcel.id);
        assert_ne!(of("other", 1).parcel(now).id, parcel.id);
        assert_ne!(of("shop", 2).parcel(now).id, parcel.id);
        assert!(Logout::read(&parcel.payload[..32]).is_none());
        assert!(Logout::read(&[]).is_none());
    }
}
