//! Ends things: grants, sessions, everything of a person or a client. Each ending revokes in the
//! database and is announced in the same transaction; the node that did it obeys it at once.
//!
//! Whichever way a session ends, the clients that it let in are told: their logout tokens are
//! queued here, in that transaction (OpenID Connect Back-Channel Logout §2.5), so that no way of
//! ending one can forget them.

use munjigi_core::access::RoleName;
use munjigi_core::id::{ClientId, GrantId, SessionId, UserId};
use munjigi_core::oauth::revocation::{Kind, Revocation};
use munjigi_core::oidc::logout::Ended;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::grants::RelyingParty;
use munjigi_store::keys::Purpose;
use munjigi_store::{
    StoreError, Tx, api_secrets, clients, codes, devices, grants, keys, outbox, revocations, roles,
    sessions,
};

use crate::clock::Clock;
use crate::outbox::Logout;

/// For how many people at most the end of their tokens is announced one by one.
const MOST_HOLDERS: u32 = 10_000;
/// How many announcements are written at a time.
const BATCH: usize = 500;

/// What tells when something ends, and how long that has to be remembered.
///
/// The time is read where it is written down, in the transaction, not when the request arrived: a
/// token that was issued in between has to be older than the ending.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Tells when.
    pub clock: Clock,
    /// The longest life of any access token.
    pub longest_ttl: Span,
}

impl Ending {
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn announce(
        &self,
        tx: &mut Tx<'_>,
        kind: Kind,
        key: impl ToString,
    ) -> Result<Revocation, StoreError> {
        let revocation = Revocation::now(kind, key, self.now(), self.longest_ttl);
        let previous = match kind {
            Kind::User | Kind::Client => revocations::not_before(tx, kind, &revocation.key)?,
            // What never comes back needs no order.
            Kind::Grant | Kind::Session | Kind::Key => None,
        };
        let revocation = revocation.after(previous);
        munjigi_core::planted!("revocation_unannounced", return Ok(revocation));
        let seq = revocations::announce(tx, &revocation)?;
        Ok(Revocation { seq, ..revocation })
    }

    /// Ends every token that was issued until now: of every signing key and of every client, so
    /// that those are meant, too, whose client or key nobody here knows any more. The keys go on.
    pub fn all_tokens(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (now, ttl) = (self.now(), self.longest_ttl);
        let of = |kind, key| Revocation { kind, ..Revocation::now(Kind::Client, key, now, ttl) };
        let signing = keys::all(tx)?.into_iter().filter(|key| key.destroyed_at.is_none());
        let signing = signing.filter(|key| key.purpose == Purpose::Sign);
        // An API's secret is a key like another one to whoever follows the feed.
        let shared = api_secrets::all(tx)?.into_iter().map(|secret| secret.kid);
        let kids = signing.map(|key| key.kid).chain(shared);
        let ended = kids.map(|kid| of(Kind::Key, kid)).collect();
        revocations::announce_all(tx, Kind::Key, ended)?;
        let ids: Vec<ClientId> = clients::all(tx)?.into_iter().map(|it| it.id).collect();
        self.announce_all(tx, Kind::Client, &ids).map(drop)
    }

    /// Ends a grant. `None` when it had ended already.
    pub fn grant(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        grant_id: &GrantId,
    ) -> Result<Option<Revocation>, StoreError> {
        if !grants::revoke(tx, user_id, grant_id, self.now())? {
            return Ok(None);
        }
        self.announce(tx, Kind::Grant, grant_id).map(Some)
    }

    /// Ends everything that a person gave to a client, codes and devices that wait among it.
    /// `None` when it held nothing.
    pub fn grants_to_client(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<Vec<Revocation>>, StoreError> {
        let forgotten = codes::forget_unspent(tx, user_id, client_id)?
            .saturating_add(devices::forget_unspent(tx, user_id, client_id)?);
        let ended = grants::revoke_client(tx, user_id, client_id, self.now())?;
        if forgotten == 0 && ended.is_empty() {
            return Ok(None);
        }
        self.announce_all(tx, Kind::Grant, &ended).map(Some)
    }

    /// Ends the tokens of a grant that has no row: a client's own.
    pub fn rowless_grant(
        &self,
        tx: &mut Tx<'_>,
        grant_id: &GrantId,
    ) -> Result<Revocation, StoreError> {
        self.announce(tx, Kind::Grant, grant_id)
    }

    /// Ends a session and its grants. `None` when it had ended already, or there is none.
    pub fn session(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        session_id: &SessionId,
    ) -> Result<Option<Revocation>, StoreError> {
        let parties = grants::relying_parties_of_session(tx, user_id, session_id)?;
        if !sessions::end(tx, user_id, session_id, self.now())? {
            return Ok(None);
        }
        self.tell(tx, user_id, parties)?;
        grants::revoke_session(tx, user_id, session_id, self.now())?;
        self.announce(tx, Kind::Session, session_id).map(Some)
    }

    /// Ends every session and grant of a person, with one announcement.
    pub fn user(&self, tx: &mut Tx<'_>, user_id: &UserId) -> Result<Revocation, StoreError> {
        let parties = grants::relying_parties_of_user(tx, user_id, None)?;
        self.tell(tx, user_id, parties)?;
        sessions::end_all(tx, user_id, None, self.now())?;
        grants::revoke_all(tx, user_id, None, self.now())?;
        self.announce(tx, Kind::User, user_id)
    }

    /// Queues a logout token for every client that wants one.
    fn tell(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        parties: Vec<RelyingParty>,
    ) -> Result<(), StoreError> {
        let wants = |party: &RelyingParty| party.metadata.backchannel_logout_uri.is_some();
        for RelyingParty { session_id, client_id, .. } in parties.into_iter().filter(wants) {
            let ended = Ended { user_id: *user_id, session_id };
            outbox::insert(tx, &Logout { client_id, ended }.parcel(self.now()))?;
        }
        Ok(())
    }

    /// Ends the access tokens of a person; sessions and grants live on, and the next refresh brings
    /// a token of what they may do now.
    pub fn tokens_of(&self, tx: &mut Tx<'_>, user_id: &UserId) -> Result<Revocation, StoreError> {
        self.announce(tx, Kind::User, user_id)
    }

    /// Ends every session and grant of a person but one.
    pub fn other_sessions(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        kept: &SessionId,
    ) -> Result<Vec<Revocation>, StoreError> {
        let parties = grants::relying_parties_of_user(tx, user_id, Some(kept))?;
        self.tell(tx, user_id, parties)?;
        let ended = sessions::end_all(tx, user_id, Some(kept), self.now())?;
        grants::revoke_all(tx, user_id, Some(kept), self.now())?;
        ended.iter().map(|session| self.announce(tx, Kind::Session, session)).collect()
    }

    /// Ends the access tokens of everybody who has a role, before it is disabled, deleted or
    /// narrowed: what they carry is true no longer. Sessions and grants live on.
    ///
    /// Where very many have it, all tokens of every client end instead: there are few clients, and
    /// most of the tokens would have ended anyway.
    pub fn tokens_with(
        &self,
        tx: &mut Tx<'_>,
        role: &RoleName,
    ) -> Result<Vec<Revocation>, StoreError> {
        let (now, one_more) = (self.now(), MOST_HOLDERS.saturating_add(1));
        let since = now.minus(self.longest_ttl);
        let holders = roles::signed_in_holders(tx, role, since, one_more)?;
        if u32::try_from(holders.len()).is_ok_and(|many| many <= MOST_HOLDERS) {
            return self.announce_all(tx, Kind::User, &holders);
        }
        let ids: Vec<ClientId> = clients::all(tx)?.into_iter().map(|it| it.id).collect();
        self.announce_all(tx, Kind::Client, &ids)
    }

    fn announce_all(
        &self,
        tx: &mut Tx<'_>,
        kind: Kind,
        keys: &[impl ToString],
    ) -> Result<Vec<Revocation>, StoreError> {
        let (now, ttl) = (self.now(), self.longest_ttl);
        let mut announced = Vec::with_capacity(keys.len());
        // A batch at a time, so that no transport has to hold all of them.
        for batch in keys.chunks(BATCH) {
            let batch = batch.iter().map(|key| Revocation::now(kind, key.to_string(), now, ttl));
            announced.extend(revocations::announce_all(tx, kind, batch.collect())?);
        }
        Ok(announced)
    }

    /// Ends everything that a key signed. What people hold besides lives on: the next refresh
    /// brings a token of another key.
    pub fn key(&self, tx: &mut Tx<'_>, kid: &str) -> Result<Revocation, StoreError> {
        let revocation = Revocation::of_withdrawn_key(kid, self.now(), self.longest_ttl);
        let seq = revocations::announce(tx, &revocation)?;
        Ok(Revocation { seq, ..revocation })
    }

    /// Ends the tokens of a client. Its grants stay: a disabled client cannot use them.
    pub fn client(&self, tx: &mut Tx<'_>, client_id: &ClientId) -> Result<Revocation, StoreError> {
        self.announce(tx, Kind::Client, client_id)
    }
}
