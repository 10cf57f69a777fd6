//! The `authorization_code` grant (RFC 6749 §4.1.3): a code is good once, for the client that it
//! was issued to. A second use ends what the first one issued.

use std::collections::BTreeSet;
use std::sync::Arc;

use munjigi_core::account::user::{Session, User};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::CodeId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::code::{Code, Redeemed, Redemption};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::oauth::ticket::{Ticket, TicketKind};
use munjigi_core::secret::Secret;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed, StoreError, Tx, codes, grants, sessions, users};

use crate::addresses::Trail;
use crate::app::App;
use crate::context::Context;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::id_token::{self, IdToken};
use crate::issue::{self, TokenResponse, UserToken};
use crate::random;
use crate::reply::oauth::OAuthError;
use crate::snapshot::Snapshot;

/// A code and what comes with it.
pub struct Presented {
    /// The code as it came.
    pub code: Secret,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `code_verifier`.
    pub verifier: Option<Secret>,
    /// The APIs that this token is for, of those that were granted (RFC 8707 §2.2).
    pub resources: Vec<String>,
}

/// What a redemption comes to.
#[derive(Clone)]
enum Outcome {
    With(Box<Granted>),
    /// A copy of the code exists: what it issued is over.
    Ended(Option<Revocation>, &'static str),
    Refuse(OAuthRefusal),
}

#[derive(Clone)]
struct Granted {
    code: Code,
    grant: Grant,
    user: User,
    session: Session,
}

/// What the transaction needs besides the rows.
struct Spending {
    ticket: Ticket,
    client: Arc<Client>,
    redirect_uri: Option<String>,
    verifier: Option<Secret>,
    resources: Vec<Audience>,
    jkt: Option<String>,
    nonce: [u8; 16],
    lives: Lives,
    ending: Ending,
    events: Events,
    now: Timestamp,
}

struct Lives {
    idle_ttl: Span,
    ttl: Span,
}

/// The event of each way that it can end.
struct Events {
    issued: Event,
    reused: Event,
    burnt: Event,
    /// Whether refusals are told that change nothing.
    trail: Trail,
}

/// Answers a redemption. The client has proved who it is, as far as it can.
pub async fn authorization_code(
    app: &App,
    context: &Context,
    client: Arc<Client>,
    (presented, jkt, trail): (Presented, Option<String>, Trail),
) -> Result<TokenResponse, OAuthError> {
    client.may_use(GrantType::AuthorizationCode)?;
    let (snapshot, now) = (app.snapshot_kept(), context.now);
    id_token::is_ready(&client, &snapshot, now)?;
    let ticket = Ticket::open(TicketKind::Code, presented.code.reveal());
    let ticket = ticket.ok_or(invalid_grant("the code is unknown"))?;
    let not_before = issue::floor_of(app, &ticket.user_id, &client);
    let resources = presented.resources.iter().map(|it| issue::audience(app, &snapshot, it));
    let resources: Vec<Audience> = resources.collect::<BTreeSet<_>>().into_iter().collect();
    let asked_for = resources.clone();
    let spending = Spending {
        events: events(context, &client, &ticket, trail)?,
        ticket,
        client: Arc::clone(&client),
        redirect_uri: presented.redirect_uri,
        verifier: presented.verifier,
        resources,
        jkt,
        nonce: random::bytes()?,
        lives: Lives {
            idle_ttl: snapshot.settings.refresh_idle_ttl,
            ttl: snapshot.settings.refresh_ttl,
        },
        ending: app.ending(),
        now,
    };
    let outcome = app.store.write(move |tx| spend(tx, &spending)).await?;

    let granted = match outcome {
        Outcome::With(granted) => *granted,
        Outcome::Ended(revocation, reason) => {
            if let Some(revocation) = revocation {
                app.take_over(&revocation);
            }
            return Err(invalid_grant(reason).into());
        }
        Outcome::Refuse(refusal) => return Err(refusal.into()),
    };
    let said = Said { snapshot: &snapshot, client: &client, not_before, now };
    said.of(app, &granted, &asked_for)
}

/// What an answer is made of besides the rows.
struct Said<'a> {
    snapshot: &'a Snapshot,
    client: &'a Client,
    not_before: i64,
    now: Timestamp,
}

impl Said<'_> {
    /// The tokens of a grant that begins, for the APIs that were asked for, or all of its own.
    fn of(
        &self,
        app: &App,
        granted: &Granted,
        asked_for: &[Audience],
    ) -> Result<TokenResponse, OAuthError> {
        let Self { snapshot, client, not_before, now } = *self;
        let Granted { code, grant, user, session } = granted;
        let scope = issue::granted_scope(snapshot, user, &grant.scope);
        let audiences = if asked_for.is_empty() { &grant.audiences } else { asked_for };
        let target = issue::target_of(snapshot, audiences, now)?;
        let jkt = grant.dpop_jkt.as_deref();
        let asked = UserToken { target: &target, scope: &scope, now, not_before, jkt };
        let response = issue::response(app, snapshot, user, grant, asked)?;
        let id_token = IdToken {
            client,
            user,
            session_id: grant.session_id,
            amr: &session.amr,
            authenticated_at: code.authenticated_at,
            nonce: code.nonce.as_deref(),
            scope: &scope,
            claims: code.claims.as_ref(),
            access_token: &response.access_token,
            now,
        };
        let id_token = id_token.due(app, snapshot)?;
        Ok(TokenResponse { id_token, ..response })
    }
}

const fn invalid_grant(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidGrant, why)
}

fn events(
    context: &Context,
    client: &Client,
    ticket: &Ticket,
    trail: Trail,
) -> Result<Events, Failure> {
    let event = |kind| {
        let event = context.event(kind, Actor::Client(client.id.clone()))?;
        Ok::<_, Failure>(event.subject(ticket.user_id).client(client.id.clone()))
    };
    Ok(Events {
        issued: event(Kind::TokensIssued)?,
        reused: event(Kind::CodeReused)?,
        burnt: event(Kind::CodeRefused)?,
        trail,
    })
}

/// One presentation of a code, in one transaction.
fn spend(tx: &mut Tx<'_>, spending: &Spending) -> Result<Committed<Outcome>, StoreError> {
    let Spending { ticket, client, events, now, .. } = spending;
    let refuse = |reason| Ok(Committed::nothing(Outcome::Refuse(invalid_grant(reason))));
    let id = CodeId::from_bytes(ticket.row_id);
    let found = codes::find(tx, &ticket.user_id, &id)?;
    let Some(code) = found.filter(|code| ticket.opens(&code.hash)) else {
        return refuse("the code is unknown");
    };
    let meaning = code.redeem(&Redemption {
        client_id: &client.id,
        redirect_uri: spending.redirect_uri.as_deref(),
        verifier: spending.verifier.as_ref().map(Secret::reveal),
        dpop_jkt: spending.jkt.as_deref(),
        now: *now,
    });

    match meaning {
        // RFC 8707 §2.2: among those that the code was issued for. Nothing is spent by it.
        Redeemed::Issue if spending.resources.iter().any(|it| !code.audiences.contains(it)) => {
            let why = "the resource is not among those that were granted";
            let refusal = OAuthRefusal::new(ErrorCode::InvalidTarget, why);
            Ok(Committed::nothing(Outcome::Refuse(refusal)))
        }
        Redeemed::Issue => grant(tx, spending, code),
        Redeemed::Used => {
            let ended = spending.ending.grant(tx, &code.user_id, &code.grant_id)?;
            let event = events.reused.clone().refused("the code was used before");
            // What ends something is told in any case.
            let trail = if ended.is_some() { Trail::Told } else { events.trail };
            let outcome = Outcome::Ended(ended, "the code was used before");
            let event = event.with("gid", code.grant_id);
            Ok(trail.refused(outcome, event))
        }
        Redeemed::Burn(reason) => {
            codes::spend(tx, &code.user_id, &code.id, *now)?;
            let event = events.burnt.clone().refused(reason);
            Ok(Trail::Told.refused(Outcome::Ended(None, reason), event))
        }
        Redeemed::Refuse(reason) => Ok(refuse_aloud(events, reason)),
    }
}

/// Somebody has the right code and gets nothing for it: the trail is told.
fn refuse_aloud(events: &Events, reason: &'static str) -> Committed<Outcome> {
    let event = events.burnt.clone().refused(reason);
    events.trail.refused(Outcome::Ended(None, reason), event)
}

/// The code is good: its grant begins.
fn grant(
    tx: &mut Tx<'_>,
    spending: &Spending,
    code: Code,
) -> Result<Committed<Outcome>, StoreError> {
    let Spending { now, lives, events, .. } = spending;
    let session = sessions::find(tx, &code.user_id, &code.session_id)?;
    let user = users::find(tx, &code.user_id)?;
    // The session may expire by itself: the code was issued while it lived.
    let Some(session) = session.filter(|session| session.ended_at.is_none()) else {
        return Ok(refuse_aloud(events, "the session has ended"));
    };
    let Some(user) = user.filter(|user| user.is_open()) else {
        return Ok(refuse_aloud(events, "the code was revoked"));
    };
    if !codes::spend(tx, &code.user_id, &code.id, *now)? {
        // Somebody else was first; the transaction is run again and sees it.
        return Err(StoreError::Conflict);
    }
    let expires_at = now.plus(lives.ttl);
    let grant = Grant {
        user_id: code.user_id,
        id: code.grant_id,
        client_id: code.client_id.clone(),
        session_id: code.session_id,
        scope: code.scope.clone(),
        audiences: code.audiences.clone(),
        generation: 1,
        nonce: spending.nonce,
        authenticated_at: code.authenticated_at,
        created_at: *now,
        rotated_at: None,
        idle_expires_at: now.plus(lives.idle_ttl).min(expires_at),
        expires_at,
        revoked_at: None,
        claims: code.claims.clone(),
        dpop_jkt: spending.jkt.clone(),
    };
    grants::insert(tx, &grant)?;
    let event = events.issued.clone();
    let event = event.with("sid", grant.session_id).with("gid", grant.id);
    let granted = Granted { code, grant, user, session };
    let outcome = Outcome::With(Box::new(granted));
    Ok(Committed::new(outcome, Audit::Record(Box::new(event))))
}
