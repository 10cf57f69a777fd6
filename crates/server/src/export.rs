//! A copy of what is stored about a person, for themselves. It names every member by itself, so
//! that no hash and no secret gets into it because a row got another column.

use munjigi_core::account::ProfileClaim;
use munjigi_core::account::user::{Session, User};
use munjigi_core::oauth::consent::Consent;
use munjigi_core::oauth::grant::Grant;
use munjigi_core::time::Timestamp;
use munjigi_store::audit::{self, AuditFilter, StoredEvent};
use munjigi_store::page::{MAX_LIMIT, Page};
use munjigi_store::{ReadTx, StoreError, consents, grants, sessions};
use serde_json::{Map, Value, json};

use crate::accounts::{rfc3339, show_session};

/// How many events are copied at most; the newest.
const MAX_EVENTS: usize = 10_000;

/// Profile, roles, live sessions, consents, live grants, and the events that concern the person.
pub fn everything(tx: &mut ReadTx<'_>, user: User, now: Timestamp) -> Result<Value, StoreError> {
    let sessions = sessions::list_live(tx, &user.id, now, sessions::MAX_LISTED)?;
    let grants = grants::list_live(tx, &user.id, now, grants::MAX_LISTED)?;
    let consents = consents::list(tx, &user.id)?;
    let events = events(tx, &user)?;
    Ok(json!({
        "exported_at": rfc3339(now),
        "profile": profile(&user),
        "roles": user.roles,
        "sessions": sessions.iter().map(session).collect::<Vec<_>>(),
        "consents": consents.iter().map(consent).collect::<Vec<_>>(),
        "grants": grants.iter().map(grant).collect::<Vec<_>>(),
        "events": events.iter().map(event).collect::<Vec<_>>(),
    }))
}

fn events(tx: &mut ReadTx<'_>, user: &User) -> Result<Vec<StoredEvent>, StoreError> {
    let filter = AuditFilter { subject: Some(user.id), ..AuditFilter::default() };
    let mut found = Vec::new();
    let mut page = Page::first(MAX_LIMIT);
    while found.len() < MAX_EVENTS {
        let listed = audit::list(tx, &page, &filter)?;
        found.extend(listed.items);
        let Some(next) = listed.next else { break };
        page.after = Some(next);
    }
    Ok(found)
}

fn profile(user: &User) -> Value {
    let time = |at: Option<Timestamp>| at.map(rfc3339);
    let said = ProfileClaim::ALL.iter().filter_map(|claim| {
        let text = user.profile.text(*claim)?;
        Some((claim.as_str().to_owned(), Value::from(text)))
    });
    json!({
        "id": user.id.to_string(),
        "email": user.email,
        "email_verified_at": time(user.email_verified_at),
        "username": user.username,
        "name": user.name,
        "locale": user.locale,
        "further": said.collect::<Map<_, _>>(),
        "created_at": rfc3339(user.created_at),
        "updated_at": rfc3339(user.updated_at),
        "password_changed_at": time(user.password_changed_at),
        "deletion_due_at": time(user.deletion_due_at),
    })
}

fn session(session: &Session) -> Value {
    let besides = json!({
        "id": session.id.to_string(),
        "authenticated_at": rfc3339(session.authenticated_at),
        "amr": session.amr,
    });
    show_session(session, besides)
}

fn consent(consent: &Consent) -> Value {
    json!({
        "client_id": consent.client_id.to_string(),
        "scope": consent.scope.to_string(),
        "audiences": texts(&consent.audiences),
        "granted_at": rfc3339(consent.granted_at),
    })
}

fn grant(grant: &Grant) -> Value {
    json!({
        "id": grant.id.to_string(),
        "client_id": grant.client_id.to_string(),
        "session_id": grant.session_id.to_string(),
        "scope": grant.scope.to_string(),
        "audiences": texts(&grant.audiences),
        "created_at": rfc3339(grant.created_at),
        "used_at": grant.rotated_at.map(rfc3339),
        "expires_at": rfc3339(grant.expires_at),
    })
}

fn event(event: &StoredEvent) -> Value {
    json!({
        "at": rfc3339(event.at),
        "kind": event.kind,
        "outcome": event.outcome.as_str(),
        "client_id": event.client_id.as_ref().map(ToString::to_string),
        "address": event.address.map(|address| address.to_string()),
        "detail": event.detail,
    })
}

fn texts(all: &[impl ToString]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}
