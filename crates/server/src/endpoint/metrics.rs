//! `/metrics`, on a listener of its own: what stands there is for whoever runs this server.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::context::names_this_machine;
use crate::metrics::{CONTENT_TYPE, scrape};
use crate::reply::raw;

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrapers {
    /// Programs of this machine, by one of its own names: a page of elsewhere whose name was made
    /// to resolve to this machine (DNS rebinding) is told nothing.
    ThisMachine,
    /// Whoever reaches the address.
    Anyone,
}

/// The routes of that listener. They are never part of [`crate::router`].
pub fn router(app: &App, scrapers: Scrapers) -> Router {
    let route = Router::new().route("/metrics", get(metrics));
    route.with_state((app.clone(), scrapers))
}

async fn metrics(State((app, scrapers)): State<(App, Scrapers)>, headers: HeaderMap) -> Response {
    if scrapers == Scrapers::ThisMachine && !names_this_machine(&headers) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    raw(StatusCode::OK, CONTENT_TYPE, scrape(&app).await.into())
}
