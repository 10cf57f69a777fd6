//! `/account`: the pages of one's own account, for whoever is signed in with this browser. Each
//! change is a form of its own; what it does is the same as by the account API.

pub mod applications;
pub mod data;
pub mod delete;
pub mod email;
pub mod overview;
pub mod password;
pub mod profile;
pub mod sessions;
pub mod verification;

use axum::extract::FromRequestParts;
use http::request::Parts;
use munjigi_core::account::user::{Session, User};
use munjigi_core::id::{ClientId, UserId};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::Timestamp;
use munjigi_store::sessions::{USED_AT_GRAIN, touch_held};
use munjigi_store::{Audit, Committed, StoreError};

use crate::account_deletion::PATH;
use crate::app::App;
use crate::browser::{Browser, Visitor};
use crate::context::Context;
use crate::failure::Failure;
use crate::page::account::{Notice, Owner};
use crate::page::failed::Reason;
use crate::page::frame::Frame;
use crate::page::reply::Page;

/// The parameter that says what was just done.
const DONE: &str = "done";

/// Somebody who is signed in, on a page of their account. Everybody else is sent to sign in.
pub struct Here {
    /// The request around it.
    pub(crate) context: Context,
    /// Who.
    pub(crate) visitor: Visitor,
}

impl FromRequestParts<App> for Here {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Page> {
        let Ok(context) = Context::from_request_parts(parts, app).await else {
            return Err(Frame::of_request(parts, app).refuse(Reason::Internal));
        };
        let browser = Browser::from_request_parts(parts, app).await?;
        let frame = Frame::of_request(parts, app);
        let Some(visitor) = browser.visitor else {
            return Err(match browser.leaving {
                Some(_) => Page::see_other(&frame.path(PATH)),
                None => to_login(&frame),
            });
        };
        let touched = touch(app, &visitor.session, context.now).await;
        touched.map_err(|failure| frame.broken(failure))?;
        Ok(Self { context, visitor })
    }
}

/// Looking at one's account is using its session.
async fn touch(app: &App, session: &Session, now: Timestamp) -> Result<(), Failure> {
    if session.used_at > now.minus(USED_AT_GRAIN) {
        return Ok(());
    }
    let idle_ttl = app.snapshot().settings.session_idle_ttl;
    let (user_id, id) = (session.user_id, session.id);
    let idle_expires_at = now.plus(idle_ttl).min(session.expires_at);
    let written = app.store.write(move |tx| {
        touch_held(tx, (&user_id, &id), idle_expires_at, now)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a session is used")))
    });
    Ok(written.await?)
}

impl Here {
    fn user_id(&self) -> UserId {
        self.visitor.user.id
    }
}

/// What was just done, as the address says.
pub struct Told(Option<Notice>);

impl<S: Send + Sync> FromRequestParts<S> for Told {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let code = pairs.find(|(name, _)| name == DONE);
        Ok(Self(code.and_then(|(_, code)| Notice::parse(&code))))
    }
}

/// How an ending went.
#[derive(Clone)]
enum Ended {
    /// This browser holds its session no longer.
    Over,
    /// There is nothing of the kind that is theirs.
    Nothing,
    /// It is done, and every node has to know.
    Done(Vec<Revocation>),
}

fn owner(user: &User) -> Owner<'_> {
    let shown = user.name.as_deref().or(user.username.as_deref()).unwrap_or(&user.email);
    Owner { shown, email: Some(&user.email) }
}

fn to_login(frame: &Frame) -> Page {
    Page::see_other(&frame.path("/login"))
}

fn done(frame: &Frame, path: &str, notice: Notice) -> Page {
    Page::see_other(&frame.path_with(path, DONE, Some(notice.code())))
}

/// What an application calls itself; its id when it is gone.
fn name_of(app: &App, client_id: &ClientId) -> String {
    let snapshot = app.snapshot();
    let found = snapshot.clients.get(client_id);
    found.map_or_else(|| client_id.to_string(), |client| client.name.clone())
}
