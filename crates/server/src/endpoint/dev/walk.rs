//! The first page of `munjigi dev`, and the steps of its walk: sign in, see the token, call a
//! protected API, revoke, see the token refused. In `serve` none of these routes exists.

use axum::extract::State;
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::demo;
use crate::dev_walk::{self, Walks};
use crate::extract::query::Query;
use crate::page::cookies::Cookie;
use crate::page::dev::{DemoPerson, DevHome, Walk};
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};

/// A walk that is under way in a browser.
struct UnderWay<'a> {
    walks: &'a Walks,
    mark: &'a str,
}

impl<'a> UnderWay<'a> {
    fn find(app: &'a App, headers: &'a HeaderMap) -> Option<Self> {
        Some(Self { walks: app.walks.as_ref()?, mark: Cookie::DevWalk.read(headers)? })
    }
}

/// `GET /`: how far the walk is.
pub async fn home(State(app): State<App>, frame: Frame, headers: HeaderMap) -> Page {
    let walk = UnderWay::find(&app, &headers).and_then(|it| it.walks.find(it.mark));
    let people = demo::USERS.iter().map(|demo| DemoPerson {
        username: demo.username.to_owned(),
        password: demo.password.to_owned(),
        roles: demo.roles.join(", "),
    });
    let walk = walk.unwrap_or_default();
    DevHome::new(frame, &app.config.issuer, people.collect(), walk).reply(StatusCode::OK)
}

/// `GET /dev/sign-in`: on to the authorization endpoint, with a fresh verifier and `state`.
pub async fn sign_in(State(app): State<App>, frame: Frame) -> Page {
    let Some(walks) = &app.walks else { return frame.refuse(Reason::NotFound) };
    match walks.begin(&app.config.issuer, frame.lang()) {
        Ok((mark, request)) => {
            Page::see_other(&request).store(Cookie::DevWalk, mark.reveal(), None)
        }
        Err(failure) => frame.broken(failure),
    }
}

/// `GET /dev/callback`: the authorization response (RFC 6749 §4.1.2).
pub async fn callback(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    query: Query,
) -> Page {
    let mut query = query;
    let (state, issuer) = (query.take("state"), query.take("iss"));
    let asked = UnderWay::find(&app, &headers)
        .filter(|_| issuer.as_deref() == Some(&app.config.issuer))
        .and_then(|it| Some((it.walks.take_asked(it.mark, &state?)?, it)));
    let Some((asked, under_way)) = asked else { return frame.refuse(Reason::OtherBrowser) };
    // No code: the person said no, and may begin again.
    let Some(code) = query.take("code") else { return Page::see_other(&frame.path("/")) };
    let Some(access_token) = dev_walk::redeem(&app, &asked, &code).await else {
        return frame.refuse(Reason::Request);
    };
    let walk = Walk { access_token: Some(access_token), ..Walk::default() };
    under_way.walks.put(under_way.mark, walk);
    Page::see_other(&frame.path("/"))
}

/// `POST /dev/walk`: the next step. One that is not due does nothing.
pub async fn step(State(app): State<App>, headers: HeaderMap, form: PageForm) -> Page {
    let home = Page::see_other(&form.frame.path("/"));
    let Some(UnderWay { walks, mark }) = UnderWay::find(&app, &headers) else { return home };
    let action = form.fields.find("action").unwrap_or_default();
    if action == "reset" {
        walks.forget(mark);
        return home.clear(Cookie::DevWalk);
    }
    let Some(walk) = walks.find(mark) else { return home };
    if let Some(walk) = taken(&app, walk, action).await {
        walks.put(mark, walk);
    }
    home
}

/// The walk after a step; `None` when it was not the turn of that one.
async fn taken(app: &App, walk: Walk, action: &str) -> Option<Walk> {
    let token = walk.access_token.clone()?;
    match action {
        "call" if walk.call.is_none() => {
            Some(Walk { call: dev_walk::call(app, &token).await, ..walk })
        }
        "revoke" if walk.call.is_some() => {
            Some(Walk { is_revoked: dev_walk::revoke(app, &token).await, ..walk })
        }
        "call-again" if walk.is_revoked => {
            Some(Walk { refused: dev_walk::call(app, &token).await, ..walk })
        }
        _ => None,
    }
}
