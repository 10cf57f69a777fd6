//! `/account/applications`: who has access, and a button to take it back.

use axum::extract::State;
use http::StatusCode;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::ClientId;
use munjigi_store::{Audit, Committed, StoreError, consents};

use crate::app::App;
use crate::connected::{self, Connected};
use crate::endpoint::page::account::{Ended, Here, Told, done, name_of, owner, to_login};
use crate::failure::Failure;
use crate::page::account::{AccountApplications, ApplicationSeen, Notice};
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};
use crate::snapshot::{SELF_AUDIENCE, Snapshot};

/// `GET /account/applications`.
pub async fn show(State(app): State<App>, here: Here, frame: Frame, Told(notice): Told) -> Page {
    let (user_id, now) = (here.user_id(), here.context.now);
    let found = match app.store.read(move |tx| connected::list(tx, &user_id, now)).await {
        Ok(found) => found,
        Err(error) => return frame.broken(error),
    };

    let snapshot = app.snapshot_kept();
    let seen = found.iter().map(|it| ApplicationSeen {
        client_id: it.client_id.to_string(),
        name: name_of(&app, &it.client_id),
        scopes: it.scope.names().collect(),
        apis: apis(&app, &snapshot, it),
        granted_at: frame.moment(it.granted_at),
        used_at: it.used_at.map(|at| frame.moment(at)),
    });
    let shown = owner(&here.visitor.user);
    AccountApplications::new(frame.clone(), shown, seen.collect(), notice).reply(StatusCode::OK)
}

/// The names of the APIs of others that it may call.
fn apis<'s>(app: &App, snapshot: &'s Snapshot, connected: &Connected) -> Vec<&'s str> {
    let own = |name: &str| name == SELF_AUDIENCE || name == app.config.issuer;
    let others = connected.audiences.iter().filter(|name| !own(name.as_str()));
    others.filter_map(|name| snapshot.apis.get(name)).map(|api| api.name.as_str()).collect()
}

/// `POST /account/applications`: `action` is `remove`, with `client_id`.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let frame = form.frame;
    if form.fields.find("action") != Some("remove") {
        return frame.refuse(Reason::Unreadable);
    }
    let client_id = form.fields.find("client_id").and_then(|id| id.parse().ok());
    let Some(client_id) = client_id else { return frame.refuse(Reason::NotFound) };
    match remove(&app, &here, client_id).await {
        Ok(Ended::Done(revocations)) => {
            for revocation in &revocations {
                app.take_over(revocation);
            }
            done(&frame, "/account/applications", Notice::ApplicationRemoved)
        }
        Ok(Ended::Nothing) => frame.refuse(Reason::NotFound),
        Ok(Ended::Over) => to_login(&frame),
        Err(failure) => frame.broken(failure),
    }
}

/// The consent is forgotten, and everything that came of it ends: grants, their tokens, and codes
/// that nobody has redeemed yet.
async fn remove(app: &App, here: &Here, client_id: ClientId) -> Result<Ended, Failure> {
    let (user_id, visitor) = (here.user_id(), here.visitor.clone());
    let event = here.context.event(Kind::GrantRevoked, Actor::User(user_id))?;
    let event = event.subject(user_id).client(client_id.clone()).with("consent", "taken back");
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        if visitor.load(tx, ending.now())?.is_none() {
            return Ok(Committed::nothing(Ended::Over));
        }
        let had_consent = consents::delete(tx, &user_id, &client_id)?;
        let revocations = ending.grants_to_client(tx, &user_id, &client_id)?;
        if revocations.is_none() && !had_consent {
            return Ok(Committed::nothing(Ended::Nothing));
        }
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Ended::Done(revocations.unwrap_or_default()), audit))
    });
    Ok(written.await?)
}
