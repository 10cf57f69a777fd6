//! The pages for people: each does its one thing and sends the person back to where the way goes
//! on, which `/oauth2/authorize` alone decides.

pub mod account;
pub mod consent;
pub mod login;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;

use crate::app::App;
use crate::browser::Browser;
use crate::context::Context;
use crate::flow::{AUTHORIZE, Flow};
use crate::page::failed::Reason;
use crate::page::frame::Frame;
use crate::page::reply::Page;

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
        let keys = &app.snapshot_kept().keys;
        Ok(Some(Flow::open(keys, sealed, browser.mark, context.now)?))
    }

    /// As it came.
    pub(crate) fn sealed(&self) -> Option<&str> {
        self.flow.as_deref()
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
