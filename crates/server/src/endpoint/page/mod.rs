//! The pages for people: each does its one thing and sends the person back to where the way goes
//! on, which `/oauth2/authorize` alone decides.

pub mod account;
pub mod consent;
pub mod device;
pub mod login;
pub mod recover;
pub mod select;
pub mod sign_up;
pub mod verify;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::client::Client;

use crate::account_deletion;
use crate::addresses::{self, Limit};
use crate::app::App;
use crate::asking::client_of;
use crate::attempts::record;
use crate::browser::Browser;
use crate::context::Context;
use crate::failure::Failure;
use crate::flow::{AUTHORIZE, Flow};
use crate::mailed_link;
use crate::page::failed::Reason;
use crate::page::frame::Frame;
use crate::page::login::Destination;
use crate::page::reply::Page;
use crate::settings::Registration;

/// A ticket that was brought to a page, and for what that page takes one.
#[derive(Clone, Copy)]
pub(crate) struct Brought<'t>(pub Option<&'t str>, pub &'static [Purpose]);

/// The page for a mailed link that is none, or good no longer: a guess, or a scanner of mails. Of a
/// genuine one the audit trail is told, since whoever has it may not be the one whom it was mailed
/// to; nothing is told of a guess.
pub(crate) async fn no_link(
    app: &App,
    context: &Context,
    brought: Brought<'_>,
    frame: &Frame,
) -> Page {
    if let Err(denied) = addresses::count(app, context, Limit::Token).await {
        return frame.put_off(denied);
    }
    match tell_of(app, context, brought).await {
        Ok(()) => frame.refuse(Reason::LinkSpent),
        Err(failure) => frame.broken(failure),
    }
}

async fn tell_of(app: &App, context: &Context, brought: Brought<'_>) -> Result<(), Failure> {
    let Brought(text, purposes) = brought;
    let Some(ticket) = mailed_link::ticket(text) else { return Ok(()) };
    let now = context.now;
    let found = app.store.read(move |tx| mailed_link::refused(tx, &ticket, purposes, now));
    let Some((owner, purpose, why)) = found.await? else { return Ok(()) };
    let event = context.event(Kind::LinkRefused, Actor::Anonymous)?.subject(owner);
    record(app, event.with("purpose", purpose.as_str()).refused(why)).await
}

/// The parameter that carries the ticket.
#[derive(serde::Deserialize)]
pub struct Ticketed {
    /// The ticket of a mailed link.
    pub(crate) ticket: Option<String>,
}

/// The parameter that carries a sealed flow.
#[derive(serde::Deserialize)]
pub struct OnTheWay {
    /// The sealed flow; absent on the way to the own account pages.
    flow: Option<String>,
}

/// A request to a page: who makes it, with which browser, on which way.
pub struct Visit {
    /// The request around it.
    pub(crate) context: Context,
    /// The browser.
    pub(crate) browser: Browser,
    /// Where the way goes on.
    pub(crate) way: OnTheWay,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Page> {
        let refuse = |parts: &Parts, reason| Frame::of_request(parts, app).refuse(reason);
        let Ok(context) = Context::from_request_parts(parts, app).await else {
            return Err(refuse(parts, Reason::Internal));
        };
        let browser = Browser::from_request_parts(parts, app).await?;
        let Ok(Query(way)) = Query::<OnTheWay>::try_from_uri(&parts.uri) else {
            return Err(refuse(parts, Reason::Request));
        };
        Ok(Self { context, browser, way })
    }
}

impl OnTheWay {
    /// Opens the flow in this browser.
    pub(crate) fn open(
        &self,
        app: &App,
        browser: &Browser,
        context: &Context,
    ) -> Result<Option<Flow>, Reason> {
        let Some(sealed) = &self.flow else { return Ok(None) };
        let snapshot = app.snapshot_kept();
        let flow = Flow::open(&snapshot.keys, sealed, browser.mark, context.now)?;
        Ok(Some(flow.begun_after(snapshot.ended_before)?))
    }

    /// As it came.
    pub(crate) fn sealed(&self) -> Option<&str> {
        self.flow.as_deref()
    }

    /// To the question whether an account shall stay that was given up: before anything goes on.
    pub(crate) fn to_question(&self, frame: &Frame) -> Page {
        Page::see_other(&frame.path_with(account_deletion::PATH, "flow", self.sealed()))
    }

    /// Back to where the way goes on.
    pub(crate) fn onward(&self, frame: &Frame) -> Page {
        let to = match &self.flow {
            Some(flow) => frame.path_with(AUTHORIZE, "flow", Some(flow)),
            None => frame.path("/account"),
        };
        Page::see_other(&to)
    }
}

/// What every step on the way in knows: where the person is, and for which application.
pub(crate) struct Here {
    /// What stands around the page.
    pub(crate) frame: Frame,
    /// Where the way goes on.
    pub(crate) way: OnTheWay,
    /// The authorization request, if there is one.
    pub(crate) flow: Option<Flow>,
    /// The application that asks.
    pub(crate) client: Option<Arc<Client>>,
    client_name: Option<String>,
}

impl Here {
    /// Opens the flow, if there is one; the page that says why it does not open.
    pub(crate) fn find(
        app: &App,
        context: &Context,
        browser: &Browser,
        (frame, way): (Frame, OnTheWay),
    ) -> Result<Self, Box<Page>> {
        let flow = way.open(app, browser, context);
        let flow = flow.map_err(|reason| Box::new(frame.refuse(reason)))?;
        let frame = frame.preferring(flow.as_ref().and_then(|flow| flow.find("ui_locales")));
        let client = flow.as_ref().and_then(|flow| client_of(app, flow));
        let client_name = client.as_ref().map(|client| client.name.clone());
        Ok(Self { frame, way, flow, client, client_name })
    }

    /// Where the person is on the way to.
    pub(crate) fn destination(&self, app: &App) -> Destination<'_> {
        Destination {
            flow: self.way.sealed(),
            client: self.client_name.as_deref(),
            has_sign_up: app.snapshot().settings.registration == Registration::Open,
            has_recovery: app.mail.is_on(),
        }
    }
}
