//! `/api/v1/admin/sessions`: where people are signed in, for those with `sessions:read`; and a way
//! to end that, for those with `sessions:write`, of nobody who may do more than they themselves. A
//! session that ends takes its grants and tokens along, and is announced on the feed.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use munjigi_core::account::user::Session;
use munjigi_core::audit::Kind;
use munjigi_core::id::{SessionId, UserId};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::{Tx, sessions, users};
use serde_json::{Value, json};

use crate::accounts::{rfc3339, show_session};
use crate::app::App;
use crate::builtin::{SESSIONS_READ, SESSIONS_WRITE};
use crate::endpoint::api::admin::{Done, page, shown, take_over, writable_user};
use crate::extract::caller::Admin;
use crate::extract::path::Path;
use crate::extract::query::Query;
use crate::reply::problem::{Problem, Undone};
use crate::reply::{json as answer, nothing};

/// What names a session here: the person and the session, since sessions are kept with people.
struct Name(UserId, SessionId);

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let (user, session) = text.split_once('.')?;
        Some(Self(user.parse().ok()?, session.parse().ok()?))
    }
}

/// `GET /admin/sessions?user=&after=&limit=`: those that live.
pub async fn list(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let page = page(&mut query)?;
    let of = query.parsed("user", str::parse::<UserId>)?;
    query.finish()?;
    let now = admin.context.now;

    let listed = admin.read(&app, SESSIONS_READ, move |tx| {
        let is_there = of.map(|of| users::find(tx, &of)).transpose()?;
        if is_there.is_some_and(|user| user.is_none()) {
            return Ok(None);
        }
        sessions::list_all(tx, &page, of.as_ref(), now).map(Some)
    });

    let listed = listed.await?.ok_or_else(|| Problem::not_found("user"))?;
    Ok(answer(StatusCode::OK, &shown(listed, show)))
}

/// A session as administrators see it.
fn show(session: Session) -> Value {
    let besides = json!({
        "id": format!("{}.{}", session.user_id, session.id),
        "sid": session.id.to_string(),
        "user_id": session.user_id.to_string(),
        "kind": if session.browser.is_some() { "browser" } else { "api" },
        "authenticated_at": rfc3339(session.authenticated_at),
    });
    show_session(&session, besides)
}

/// `DELETE /admin/sessions/{id}`: this one.
pub async fn end(
    State(app): State<App>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let not_found = || Problem::not_found("session");
    let Name(user_id, session_id) = Name::parse(&id).ok_or_else(not_found)?;
    let ending = admin.ending(&app);
    let event = admin.event(Kind::SessionEnded)?.subject(user_id).with("sid", session_id);
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| -> Result<Done<Revocation>, Undone> {
        writable_user((&inner, &caller), tx, SESSIONS_WRITE, &user_id)?;
        let ended = ending.session(tx, &user_id, &session_id)?;
        Ok(Done::Changed(ended.ok_or_else(not_found)?, event.clone()))
    };
    let revocation = admin.write(&app, SESSIONS_WRITE, write).await?;

    take_over(&app, [revocation]);
    Ok(nothing())
}

/// `DELETE /admin/sessions?user=`: all of a person, with one announcement.
pub async fn end_all(
    State(app): State<App>,
    admin: Admin,
    mut query: Query,
) -> Result<Response, Problem> {
    let of = query.parsed("user", str::parse::<UserId>)?;
    query.finish()?;
    let Some(user_id) = of else {
        let detail = "whose sessions? say so by the parameter `user`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail));
    };
    let ending = admin.ending(&app);
    let event = admin.event(Kind::SessionEnded)?.subject(user_id).with("which", "all");
    let (inner, caller) = (app.clone(), admin.clone());

    let write = move |tx: &mut Tx<'_>| -> Result<Done<Revocation>, Undone> {
        writable_user((&inner, &caller), tx, SESSIONS_WRITE, &user_id)?;
        Ok(Done::Changed(ending.user(tx, &user_id)?, event.clone()))
    };
    let revocation = admin.write(&app, SESSIONS_WRITE, write).await?;

    take_over(&app, [revocation]);
    Ok(nothing())
}
