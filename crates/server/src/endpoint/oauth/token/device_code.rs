//! The `urn:ietf:params:oauth:grant-type:device_code` grant (RFC 8628 §3.4): a device asks whether
//! its person has answered. The tokens are issued once, to the client that asked, in the session in
//! which it was let in.

use std::sync::Arc;

use munjigi_core::account::user::{Session, User};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::{GrantId, SessionId, UserId};
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::device::{DeviceAuthorization, Poll, Polled};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_core::secret::Secret;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed, StoreError, Tx, devices, grants, sessions, users};

use crate::addresses::Trail;
use crate::app::App;
use crate::context::Context;
use crate::id_token::{self, IdToken};
use crate::issue::{self, TokenResponse, UserToken};
use crate::random;
use crate::reply::oauth::OAuthError;
use crate::snapshot::Snapshot;

/// What a poll comes to.
#[derive(Clone)]
enum Outcome {
    With(Box<Granted>),
    Refuse(OAuthRefusal),
}

#[derive(Clone)]
struct Granted {
    grant: Grant,
    user: User,
    session: Session,
}

/// What the transaction needs besides the rows.
struct Polling {
    hash: [u8; 32],
    /// The thumbprint of the key of the DPoP proof.
    jkt: Option<String>,
    client: Arc<Client>,
    snapshot: Arc<Snapshot>,
    /// Who had opened the page before the transaction began.
    owner: Option<UserId>,
    grant_id: GrantId,
    nonce: [u8; 16],
    issued: Event,
    refused: Event,
    trail: Trail,
    now: Timestamp,
}

/// Answers a poll. The client has proved who it is, as far as it can.
pub async fn device_code(
    app: &App,
    context: &Context,
    client: Arc<Client>,
    (device_code, jkt, trail): (&Secret, Option<String>, Trail),
) -> Result<TokenResponse, OAuthError> {
    client.may_use(GrantType::DeviceCode)?;
    let (snapshot, now) = (app.snapshot_kept(), context.now);
    id_token::is_ready(&client, &snapshot, now)?;
    let reference = Reference::open(ReferenceKind::DeviceCode, device_code.reveal());
    let hash = reference.ok_or(UNKNOWN)?.hash();
    // Whose tokens they would be, so that the floor of their `iat` is read before everything that
    // they are made of.
    let found = app.store.read(move |tx| devices::find(tx, &hash)).await?;
    let owner = found.ok_or(UNKNOWN)?.user_id;
    let not_before = owner.map_or(0, |owner| issue::floor_of(app, &owner, &client));
    let event = |kind| {
        let event = context.event(kind, Actor::Client(client.id.clone()))?;
        Ok::<_, OAuthError>(event.client(client.id.clone()))
    };
    let polling = Polling {
        hash,
        jkt,
        client: Arc::clone(&client),
        snapshot: Arc::clone(&snapshot),
        owner,
        grant_id: random::grant_id(now)?,
        nonce: random::bytes()?,
        issued: event(Kind::TokensIssued)?,
        refused: event(Kind::DeviceCodeRefused)?,
        trail,
        now,
    };
    let outcome = app.store.write(move |tx| poll(tx, &polling)).await?;

    let Granted { grant, user, session } = match outcome {
        Outcome::With(granted) => *granted,
        Outcome::Refuse(refusal) => return Err(refusal.into()),
    };
    let scope = issue::granted_scope(&snapshot, &user, &grant.scope);
    let target = issue::target_of(&snapshot, &grant.audiences, now)?;
    let asked = UserToken {
        target: &target,
        scope: &scope,
        now,
        not_before,
        jkt: grant.dpop_jkt.as_deref(),
    };
    let response = issue::response(app, &snapshot, &user, &grant, asked)?;
    let id_token = IdToken {
        client: &client,
        user: &user,
        session_id: grant.session_id,
        amr: &session.amr,
        authenticated_at: grant.authenticated_at,
        nonce: None,
        scope: &scope,
        claims: None,
        access_token: &response.access_token,
        now,
    };
    let id_token = id_token.due(app, &snapshot)?;
    Ok(TokenResponse { id_token, ..response })
}

const UNKNOWN: OAuthRefusal =
    OAuthRefusal::new(ErrorCode::InvalidGrant, "the device code is unknown");

const PENDING: OAuthRefusal =
    OAuthRefusal::new(ErrorCode::AuthorizationPending, "the person has not answered yet");

/// One poll, in one transaction.
fn poll(tx: &mut Tx<'_>, polling: &Polling) -> Result<Committed<Outcome>, StoreError> {
    let Polling { client, now, .. } = polling;
    let Some(device) = devices::find(tx, &polling.hash)? else { return refuse(UNKNOWN) };
    // RFC 8628 §3.5.
    match device.poll(&Poll { client_id: &client.id, dpop_jkt: polling.jkt.as_deref(), now: *now })
    {
        Polled::Pending => note(tx, &device, device.poll_interval, (*now, PENDING)),
        Polled::SlowDown(longer) => {
            let why = "the device polls too fast: wait five seconds longer from now on";
            let refusal = OAuthRefusal::new(ErrorCode::SlowDown, why);
            note(tx, &device, longer, (*now, refusal))
        }
        // They opened the page in this very moment: the next poll knows whose tokens they are.
        Polled::Approved { user_id, .. } if polling.owner != Some(user_id) => refuse(PENDING),
        Polled::Approved { user_id, session_id } => {
            grant(tx, polling, device, (user_id, session_id))
        }
        Polled::Denied => {
            let why = "the person did not allow it";
            refuse(OAuthRefusal::new(ErrorCode::AccessDenied, why))
        }
        Polled::Expired => {
            let why = "the device code has expired";
            refuse(OAuthRefusal::new(ErrorCode::ExpiredToken, why))
        }
        Polled::Spent => refuse_aloud(polling, &device, "the device code was used before"),
        Polled::Refuse(reason) => refuse_aloud(polling, &device, reason),
    }
}

fn refuse(refusal: OAuthRefusal) -> Result<Committed<Outcome>, StoreError> {
    Ok(Committed::nothing(Outcome::Refuse(refusal)))
}

/// Somebody has a code who should not, or should not any more: the trail is told.
fn refuse_aloud(
    polling: &Polling,
    device: &DeviceAuthorization,
    reason: &'static str,
) -> Result<Committed<Outcome>, StoreError> {
    let event = polling.refused.clone().refused(reason);
    let event = match device.user_id {
        Some(user_id) => event.subject(user_id),
        None => event,
    };
    let refusal = OAuthRefusal::new(ErrorCode::InvalidGrant, reason);
    Ok(polling.trail.refused(Outcome::Refuse(refusal), event))
}

/// Writes down when it polled, and how long it has to wait from now on.
fn note(
    tx: &mut Tx<'_>,
    device: &DeviceAuthorization,
    poll_interval: Span,
    (now, refusal): (Timestamp, OAuthRefusal),
) -> Result<Committed<Outcome>, StoreError> {
    if !devices::poll(tx, device, poll_interval, now)? {
        // Another poll was quicker; the transaction is run again and sees it.
        return Err(StoreError::Conflict);
    }
    Ok(Committed::new(Outcome::Refuse(refusal), Audit::Routine("a device polls")))
}

/// The person said yes: the grant begins.
fn grant(
    tx: &mut Tx<'_>,
    polling: &Polling,
    device: DeviceAuthorization,
    (user_id, session_id): (UserId, SessionId),
) -> Result<Committed<Outcome>, StoreError> {
    let Polling { now, snapshot, .. } = polling;
    let session = sessions::find(tx, &user_id, &session_id)?;
    let user = users::find(tx, &user_id)?;
    // The session may expire by itself: the device was let in while it lived.
    let Some(session) = session.filter(|session| session.ended_at.is_none()) else {
        return refuse_aloud(polling, &device, "the session has ended");
    };
    let Some(user) = user.filter(User::is_open) else {
        return refuse_aloud(polling, &device, "the device code was revoked");
    };
    if !devices::spend(tx, &device.hash, *now)? {
        // Another poll was quicker; the transaction is run again and sees it.
        return Err(StoreError::Conflict);
    }
    let settings = &snapshot.settings;
    let expires_at = now.plus(settings.refresh_ttl);
    let grant = Grant {
        user_id,
        id: polling.grant_id,
        client_id: device.client_id,
        session_id,
        scope: issue::granted_scope(snapshot, &user, &device.scope),
        audiences: device.audiences,
        generation: 1,
        nonce: polling.nonce,
        authenticated_at: session.authenticated_at,
        created_at: *now,
        rotated_at: None,
        idle_expires_at: now.plus(settings.refresh_idle_ttl).min(expires_at),
        expires_at,
        revoked_at: None,
        claims: None,
        dpop_jkt: polling.jkt.clone(),
    };
    grants::insert(tx, &grant)?;
    let event = polling.issued.clone().subject(user_id).with("method", "device");
    let event = event.with("sid", grant.session_id).with("gid", grant.id);
    let outcome = Outcome::With(Box::new(Granted { grant, user, session }));
    Ok(Committed::new(outcome, Audit::Record(Box::new(event))))
}
