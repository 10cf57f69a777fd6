//! `/account/data`: a copy of everything that is stored about oneself.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use munjigi_core::audit::{Actor, Kind};
use serde_json::Value;

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::record;
use crate::endpoint::page::account::{Here, owner, to_login};
use crate::export;
use crate::failure::Failure;
use crate::page::account::AccountData;
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};
use crate::reply;

/// `GET /account/data`.
pub async fn show(here: Here, frame: Frame) -> Page {
    AccountData::new(frame, owner(&here.visitor.user)).reply(StatusCode::OK)
}

/// `POST /account/data/export`: `action` is `export`; the copy, to be kept as a file.
pub async fn export(State(app): State<App>, here: Here, form: PageForm) -> Response {
    if form.fields.find("action") != Some("export") {
        return form.frame.refuse(Reason::Unreadable).into_response();
    }
    let owner = Actor::User(here.user_id());
    let counted = addresses::count_caller(&app, &here.context, (Limit::Export, &owner)).await;
    if let Err(denied) = counted {
        return form.frame.put_off(denied).into_response();
    }
    match copy(&app, &here).await {
        Ok(Some(copy)) => attachment(&copy),
        Ok(None) => to_login(&form.frame).into_response(),
        Err(failure) => form.frame.broken(failure).into_response(),
    }
}

/// `None` when this browser holds its session no longer.
async fn copy(app: &App, here: &Here) -> Result<Option<Value>, Failure> {
    let (visitor, now) = (here.visitor.clone(), here.context.now);
    let read = app.store.read(move |tx| match visitor.load(tx, now)? {
        Some(user) => export::everything(tx, user, now).map(Some),
        None => Ok(None),
    });
    let Some(copy) = read.await? else { return Ok(None) };

    let event = here.context.event(Kind::DataExported, Actor::User(here.user_id()))?;
    record(app, event.subject(here.user_id())).await?;
    Ok(Some(copy))
}

fn attachment(copy: &Value) -> Response {
    const FILE: HeaderValue =
        HeaderValue::from_static("attachment; filename=\"munjigi-data.json\"");
    let mut response = reply::json(StatusCode::OK, copy);
    response.headers_mut().insert(CONTENT_DISPOSITION, FILE);
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
