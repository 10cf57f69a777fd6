//! `/account/sessions`: where one is signed in, and a button to end each.

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::user::Session;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::SessionId;
use munjigi_core::oauth::grant::Grant;
use munjigi_store::{Audit, Committed, StoreError, grants, sessions};

use crate::app::App;
use crate::endpoint::page::account::{Ended, Here, Told, done, name_of, owner, to_login};
use crate::failure::Failure;
use crate::page::account::{AccountSessions, Notice, SessionSeen};
use crate::page::cookies::Cookie;
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};

/// `GET /account/sessions`.
pub async fn show(State(app): State<App>, here: Here, frame: Frame, Told(notice): Told) -> Page {
    let (user_id, now) = (here.user_id(), here.context.now);
    let found = app.store.read(move |tx| {
        let live = sessions::list_live(tx, &user_id, now, sessions::MAX_LISTED)?;
        Ok::<_, StoreError>((live, grants::list_live(tx, &user_id, now, grants::MAX_LISTED)?))
    });
    let (live, grants) = match found.await {
        Ok(found) => found,
        Err(error) => return frame.broken(error),
    };

    let addresses: Vec<_> = live.iter().map(|it| it.address.map(|it| it.to_string())).collect();
    let seen = live.iter().zip(&addresses).map(|(session, address)| SessionSeen {
        id: session.id.to_string(),
        user_agent: session.user_agent.as_deref(),
        address: address.as_deref(),
        opened_at: frame.moment(session.created_at),
        used_at: frame.moment(session.used_at),
        is_current: session.id == here.visitor.session.id,
        applications: applications(&app, session, &grants),
    });
    let shown = owner(&here.visitor.user);
    AccountSessions::new(frame.clone(), shown, seen.collect(), notice).reply(StatusCode::OK)
}

/// The names of the applications that a session signed in to, each once.
fn applications(app: &App, session: &Session, grants: &[Grant]) -> Vec<String> {
    let of_session = grants.iter().filter(|grant| grant.session_id == session.id);
    let mut ids: Vec<_> = of_session.map(|grant| &grant.client_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| name_of(app, id)).collect()
}

/// `POST /account/sessions`: `action` is `end` (with `session`) or `end-others`.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let frame = form.frame;
    let id = form.fields.find("session").and_then(|id| id.parse().ok());
    let (ended, notice) = match (form.fields.find("action"), id) {
        (Some("end"), Some(id)) => (end(&app, &here, id).await, Notice::SessionEnded),
        (Some("end"), None) => return frame.refuse(Reason::NotFound),
        (Some("end-others"), _) => (end_others(&app, &here).await, Notice::OthersEnded),
        _ => return frame.refuse(Reason::Unreadable),
    };
    match ended {
        Ok(Ended::Done(revocations)) => {
            for revocation in &revocations {
                app.take_over(revocation);
            }
            let is_own = notice == Notice::SessionEnded && id == Some(here.visitor.session.id);
            match is_own {
                true => to_login(&frame).clear(Cookie::Session),
                false => done(&frame, "/account/sessions", notice),
            }
        }
        Ok(Ended::Nothing) => frame.refuse(Reason::NotFound),
        Ok(Ended::Over) => to_login(&frame),
        Err(failure) => frame.broken(failure),
    }
}

async fn end(app: &App, here: &Here, id: SessionId) -> Result<Ended, Failure> {
    let (user_id, visitor) = (here.user_id(), here.visitor.clone());
    let event = here.context.event(Kind::SessionEnded, Actor::User(user_id))?;
    let event = event.subject(user_id).with("sid", id);
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        if visitor.load(tx, ending.now())?.is_none() {
            return Ok(Committed::nothing(Ended::Over));
        }
        // Named by its owner: nobody else's session is found here.
        let Some(revocation) = ending.session(tx, &user_id, &id)? else {
            return Ok(Committed::nothing(Ended::Nothing));
        };
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Ended::Done(vec![revocation]), audit))
    });
    Ok(written.await?)
}

async fn end_others(app: &App, here: &Here) -> Result<Ended, Failure> {
    let (user_id, visitor) = (here.user_id(), here.visitor.clone());
    let event = here.context.event(Kind::SessionEnded, Actor::User(user_id))?;
    let event = event.subject(user_id).with("kept", visitor.session.id);
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        if visitor.load(tx, ending.now())?.is_none() {
            return Ok(Committed::nothing(Ended::Over));
        }
        let revocations = ending.other_sessions(tx, &user_id, &visitor.session.id)?;
        if revocations.is_empty() {
            return Ok(Committed::nothing(Ended::Done(revocations)));
        }
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Ended::Done(revocations), audit))
    });
    Ok(written.await?)
}
