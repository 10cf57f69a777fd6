//! Issues an authorization code (RFC 6749 §4.1.2) to a client that a person has let in.

use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::CodeId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::authorization::AuthorizationRequest;
use munjigi_core::oauth::code::{CODE_TTL, Code};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::ticket::{Ticket, TicketKind};
use munjigi_core::secret::Secret;
use munjigi_store::replays::{self, Kind as Seen};
use munjigi_store::{Audit, Committed, StoreError, codes, pushed_requests, sessions, users};

use crate::app::App;
use crate::asking::Asking;
use crate::browser::Visitor;
use crate::context::Context;
use crate::documents;
use crate::failure::Failure;
use crate::flow::FLOW_TTL;
use crate::issue;
use crate::page::frame::Frame;
use crate::page::reply::Page;
use crate::random;
use crate::reply::authorization as answer;

/// What a code is to be good for.
pub(super) struct Wanted<'w> {
    pub asking: &'w Asking,
    pub request: &'w AuthorizationRequest,
    pub audiences: Vec<Audience>,
    /// The hash of the reference that the request was pushed under.
    pub pushed: Option<[u8; 32]>,
}

/// What came of writing a code.
enum Written {
    Code(Secret),
    /// The session was ended while we looked.
    SessionOver,
    /// The pushed request had its code already.
    Spent,
}

/// Writes the code, and brings it to the client.
pub(super) async fn issue(
    app: &App,
    context: &Context,
    frame: &Frame,
    (visitor, wanted): (&Visitor, Wanted<'_>),
) -> Page {
    let (issuer, destination) = (&app.config.issuer, &wanted.asking.destination);
    if let Err(failure) = documents::keep(app, context, &wanted.asking.client, None).await {
        return frame.broken(failure);
    }
    match write(app, context, visitor, &wanted).await {
        Ok(Written::Code(code)) => answer::code(frame.clone(), issuer, destination, code.reveal()),
        Ok(Written::SessionOver) => {
            let refusal = OAuthRefusal::new(ErrorCode::AccessDenied, "the session has ended");
            answer::refusal(frame.clone(), issuer, destination, refusal)
        }
        Ok(Written::Spent) => {
            let why = "request_uri was used before";
            let refusal = OAuthRefusal::new(ErrorCode::InvalidRequestUri, why);
            answer::refusal(frame.clone(), issuer, destination, refusal)
        }
        Err(failure) => frame.broken(failure),
    }
}

/// The ticket of a new code, if nothing that it needs is gone meanwhile.
async fn write(
    app: &App,
    context: &Context,
    visitor: &Visitor,
    wanted: &Wanted<'_>,
) -> Result<Written, Failure> {
    let now = context.now;
    let (code, ticket) = code_of(app, context, visitor, wanted)?;
    let event = context.event(Kind::CodeIssued, Actor::User(code.user_id))?;
    let event = event.subject(code.user_id).client(code.client_id.clone());
    let event = event.with("sid", code.session_id).with("gid", code.grant_id);
    let event = event.with("scope", &code.scope);
    let (idle_ttl, pushed) = (app.snapshot().settings.session_idle_ttl, wanted.pushed);

    let written = app.store.write(move |tx| {
        let held = (&code.user_id, &code.session_id);
        let session = sessions::find(tx, held.0, held.1)?;
        let user = users::find(tx, held.0)?;
        let is_good = session.as_ref().is_some_and(|session| !session.is_over(now))
            && user.is_some_and(|user| user.is_open());
        let Some(session) = session.filter(|_| is_good) else {
            return Ok::<_, StoreError>(Committed::nothing(None));
        };
        // RFC 9126 §4, PK-05 of the attack kit: one code for one reference, whoever is first.
        if let Some(hash) = &pushed {
            if !replays::spend_once(tx, Seen::PushedRequest, hash, now.plus(FLOW_TTL))? {
                return Ok(Committed::nothing(Some(false)));
            }
            // Its row may be forgotten by now; while it is there, nobody begins with it any more.
            pushed_requests::spend(tx, hash, now)?;
        }
        sessions::touch_held(tx, held, now.plus(idle_ttl).min(session.expires_at), now)?;
        codes::insert(tx, &code)?;
        Ok(Committed::new(Some(true), Audit::Record(Box::new(event.clone()))))
    });
    Ok(match written.await? {
        Some(true) => Written::Code(ticket.seal()),
        Some(false) => Written::Spent,
        None => Written::SessionOver,
    })
}

fn code_of(
    app: &App,
    context: &Context,
    visitor: &Visitor,
    wanted: &Wanted<'_>,
) -> Result<(Code, Ticket), Failure> {
    let now = context.now;
    let Wanted { asking, request, audiences, .. } = wanted;
    let id = CodeId::from_bytes(*random::grant_id(now)?.as_bytes());
    let user_id = visitor.user.id;
    let ticket = Ticket::new(TicketKind::Code, user_id, *id.as_bytes(), random::bytes()?);
    let code = Code {
        user_id,
        id,
        hash: ticket.hash(),
        client_id: asking.client.id.clone(),
        session_id: visitor.session.id,
        grant_id: random::grant_id(now)?,
        redirect_uri: asking.destination.redirect_uri.clone(),
        redirect_uri_named: asking.destination.redirect_uri_named,
        challenge: request.challenge,
        nonce: request.nonce.clone(),
        scope: issue::granted_scope(&app.snapshot(), &visitor.user, &request.scope),
        audiences: audiences.clone(),
        claims: (!request.claims.is_empty()).then(|| request.claims.clone()),
        dpop_jkt: request.dpop_jkt.clone(),
        authenticated_at: visitor.session.authenticated_at,
        created_at: now,
        expires_at: now.plus(CODE_TTL),
        spent_at: None,
    };
    Ok((code, ticket))
}
