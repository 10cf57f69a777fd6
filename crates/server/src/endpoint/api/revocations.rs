//! `GET /api/v1/revocations`: the revocation feed, by long poll or as server-sent events (HTML
//! Living Standard §9.2). It names sessions, grants, people, clients and keys by their ids and
//! tells nothing else about them.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use munjigi_core::access::{Object, authorize};
use munjigi_core::oauth::revocation::{Place, Revocation};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::builtin::REVOCATIONS_READ;
use crate::extract::caller::{Anybody, Rejected, bearer, client, decided, over};
use crate::extract::query::Query;
use crate::feed::{NoPage, Page};
use crate::reply;
use crate::reply::problem::Problem;
use crate::reply::wait::Wait;

/// How long a follower may ask to wait, in seconds.
const LONGEST_WAIT: u64 = 30;
/// How often a stream says that nothing is new.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// When somebody comes again for whom there was no place, in seconds.
const COME_AGAIN: i64 = 2;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: &str = "text/event-stream";

/// A client that may read the feed on its own behalf: an API's, usually.
pub struct Follower(munjigi_verify::Caller);

impl FromRequestParts<App> for Follower {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let Anybody(caller) = Anybody::from_request_parts(parts, app).await?;
        if bearer(&caller)?.is_some() {
            // What is over for everybody is nobody's own business.
            let detail = "the feed is for clients that act for themselves";
            return Err(Problem::forbidden(detail).into());
        }
        let (_, client) = client(app, &caller)?;
        decided(authorize(&client, REVOCATIONS_READ, Object::Collection))?;
        Ok(Self(caller))
    }
}

impl Follower {
    /// Whether what let them in still holds: they may have waited for long.
    fn is_over(&self, app: &App) -> bool {
        let principal = self.0.principal();
        app.clock.now().as_seconds() >= principal.exp()
            || app.verifier.revocations().killer_of(principal).is_some()
    }
}

/// What is asked for.
struct Asked {
    place: Place,
    wait: Duration,
    is_stream: bool,
}

impl Asked {
    fn read(mut query: Query, headers: &HeaderMap) -> Result<Self, Problem> {
        let place = query.parsed("cursor", str::parse::<Place>)?;
        let wait = query.parsed("wait", |text| {
            let seconds = text.parse().ok().filter(|seconds| *seconds <= LONGEST_WAIT);
            seconds.ok_or("is a number of seconds from 0 to 30")
        })?;
        query.finish()?;
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let is_stream = accepted.into_iter().any(|line| line.contains(EVENT_STREAM));
        // The header is of the stream that broke, the address of the first one.
        let last = headers.get(LAST_EVENT_ID).filter(|_| is_stream);
        let last = last.map(|id| id.to_str().ok().and_then(|id| id.parse().ok()).ok_or(()));
        let last = last.transpose().map_err(|()| {
            let detail = "the header `Last-Event-ID` is not a cursor of this feed";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail)
        })?;
        let place = last.or(place).unwrap_or(Place::BEGINNING);
        Ok(Self { place, wait: Duration::from_secs(wait.unwrap_or_default()), is_stream })
    }
}

/// A revocation as it is told. Times are in Unix seconds, as in tokens.
#[derive(Serialize)]
struct Entry<'r> {
    seq: i64,
    kind: &'static str,
    key: &'r str,
    not_before: i64,
    until: i64,
}

impl<'r> From<&'r Revocation> for Entry<'r> {
    fn from(revocation: &'r Revocation) -> Self {
        let Revocation { seq, kind, key, not_before, until } = revocation;
        // Rounded up: not forgotten before it is over.
        let until = until.as_millis().saturating_add(999).div_euclid(1_000);
        Self { seq: *seq, kind: kind.as_str(), key, not_before: *not_before, until }
    }
}

#[derive(Serialize)]
struct Told<'r> {
    entries: Vec<Entry<'r>>,
    cursor: String,
    more: bool,
}

/// Tells what was revoked behind a cursor, or everything that is in force without one.
pub async fn follow(
    State(app): State<App>,
    follower: Follower,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = Asked::read(query, &headers)?;

    let page = app.page_after(asked.place).await?;
    if asked.is_stream {
        let seat = app.feed.seat().ok_or_else(no_seat)?;
        return Ok(stream(Following { app, follower, page: Some(page), place: asked.place, seat }));
    }
    if !page.entries.is_empty() || page.has_more || asked.wait.is_zero() {
        return Ok(told(&page));
    }

    let seat = app.feed.seat().ok_or_else(no_seat)?;
    app.feed.wait(page.place, asked.wait).await;
    drop(seat);
    if follower.is_over(&app) {
        return Err(over());
    }
    let page = app.page_after(page.place).await?;

    Ok(told(&page))
}

fn told(page: &Page) -> Response {
    let entries = page.entries.iter().map(Entry::from).collect();
    let told = Told { entries, cursor: page.place.to_string(), more: page.has_more };
    reply::json(StatusCode::OK, &told)
}

fn no_seat() -> Problem {
    let detail = "there are too many followers at the moment; ask again without waiting";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, "too_many_followers", detail).wait(Wait::seconds(COME_AGAIN))
}

impl From<NoPage> for Problem {
    fn from(why: NoPage) -> Self {
        let status = StatusCode::GONE;
        match why {
            NoPage::Forgotten => {
                let detail = "the cursor is older than what is remembered; begin without a cursor";
                Self::new(status, "cursor_expired", detail)
            }
            NoPage::OtherHistory => {
                let detail = "the cursor is of a database that has been replaced since; begin \
                              without a cursor, and keep what you know";
                Self::new(status, "cursor_of_other_history", detail)
            }
            NoPage::Unknown(failure) => failure.into(),
        }
    }
}

/// A follower that is told by a stream.
struct Following {
    app: App,
    follower: Follower,
    /// What is told first; later it is waited for.
    page: Option<Page>,
    place: Place,
    /// Held as long as the stream lasts.
    seat: OwnedSemaphorePermit,
}

/// The stream. It is read as the other side takes it, so that a slow one costs no memory, and it
/// ends with the token that opened it: the follower comes back with another one.
fn stream(following: Following) -> Response {
    let parts = futures_util::stream::unfold(following, |mut following| async move {
        let part = following.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(part)), following))
    });
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep the events back until it has some kilobytes of them.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

impl Following {
    /// The next events. A page that is not the last one is followed by more; the last one by
    /// `current`: up to here nothing is missing. None ends the stream: the database cannot be
    /// asked, the token is over, or the server stops.
    async fn next(&mut self) -> Option<String> {
        let page = match self.page.take() {
            Some(page) => page,
            None => {
                self.app.feed.wait(self.place, HEARTBEAT).await;
                self.read().await?
            }
        };
        let mut text = String::new();
        for entry in &page.entries {
            let data = serde_json::to_string(&Entry::from(entry)).ok()?;
            let id = Place::after(entry);
            write!(text, "id: {id}\nevent: revocation\ndata: {data}\n\n").ok()?;
        }
        self.place = page.place;
        if page.has_more {
            self.page = Some(self.read().await?);
        } else {
            let place = self.place;
            write!(text, "id: {place}\nevent: current\ndata: {{}}\n\n").ok()?;
        }
        Some(text)
    }

    async fn read(&self) -> Option<Page> {
        let _held = &self.seat;
        if self.app.feed.is_released() || self.follower.is_over(&self.app) {
            return None;
        }
        self.app.page_after(self.place).await.ok()
    }
}
