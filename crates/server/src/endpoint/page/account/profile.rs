//! `/account/profile`: the name and the user name.

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::{DisplayName, Username};
use munjigi_core::audit::{Actor, Kind};
use munjigi_store::{Committed, StoreError};

use crate::accounts::AccountError;
use crate::app::App;
use crate::endpoint::page::account::{Here, Told, done, owner, to_login};
use crate::extract::json::Change;
use crate::page::account::{AccountForm, Notice, ProfileTyped};
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};
use crate::profile_change::ProfileChange;

/// `GET /account/profile`.
pub async fn show(here: Here, frame: Frame, Told(notice): Told) -> Page {
    let user = &here.visitor.user;
    let stored = ProfileTyped {
        name: user.name.as_deref().unwrap_or_default(),
        username: user.username.as_deref().unwrap_or_default(),
    };
    AccountForm::profile(frame, owner(user), stored, vec![], notice).reply(StatusCode::OK)
}

/// `POST /account/profile`: `name` and `username`; what is empty is taken away.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let frame = form.frame;
    let typed = ProfileTyped {
        name: form.fields.find("name").unwrap_or_default(),
        username: form.fields.find("username").unwrap_or_default(),
    };
    let refused = |complaints, status| {
        let shown = owner(&here.visitor.user);
        AccountForm::profile(frame.clone(), shown, typed, complaints, None).reply(status)
    };
    let change = match read(&frame, typed) {
        Ok(change) => change,
        Err(complaints) => return refused(complaints, StatusCode::UNPROCESSABLE_ENTITY),
    };
    match write(&app, &here, change).await {
        Ok(Some(())) => done(&frame, "/account/profile", Notice::ProfileStored),
        Ok(None) => to_login(&frame),
        Err(AccountError::UsernameTaken) => {
            refused(vec![Complaint::username_taken(&frame)], StatusCode::CONFLICT)
        }
        Err(AccountError::Failure(failure)) => frame.broken(failure),
        Err(error @ (AccountError::EmailTaken | AccountError::UnknownRole)) => {
            tracing::error!(%error, "a profile has neither");
            frame.refuse(crate::page::failed::Reason::Internal)
        }
    }
}

fn read(frame: &Frame, typed: ProfileTyped<'_>) -> Result<ProfileChange, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let name = match typed.name {
        "" => Change::Clear,
        name => DisplayName::parse(name).map_or_else(
            |wrong| {
                complaints.push(Complaint::about(frame, "name", wrong, wrong.korean()));
                Change::Keep
            },
            Change::Set,
        ),
    };
    let username = match typed.username {
        "" => Change::Clear,
        username => Username::parse(username).map_or_else(
            |wrong| {
                complaints.push(Complaint::about(frame, "username", wrong, wrong.korean()));
                Change::Keep
            },
            Change::Set,
        ),
    };
    if !complaints.is_empty() {
        return Err(complaints);
    }
    Ok(ProfileChange { username, name, locale: Change::Keep })
}

/// `None` when this browser holds its session no longer.
async fn write(app: &App, here: &Here, change: ProfileChange) -> Result<Option<()>, AccountError> {
    let (visitor, now) = (here.visitor.clone(), here.context.now);
    let event = here.context.event(Kind::UserUpdated, Actor::User(here.user_id()));
    let event = event.map_err(crate::failure::Failure::from)?.subject(here.user_id());
    let written = app.store.write(move |tx| {
        let Some(user) = visitor.load(tx, now)? else { return Ok(Committed::nothing(None)) };
        Ok::<_, StoreError>(change.write(tx, user, &event, now)?.map(|_| Some(())))
    });
    Ok(written.await?)
}
