//! `/account/delete`: an account is given up, with its password; and whoever signs in again in the
//! days of grace finds the way back here.

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::Password;
use munjigi_core::account::user::DELETION_GRACE;

use crate::account_deletion::{self, Refusal};
use crate::app::App;
use crate::browser::Visitor;
use crate::context::Context;
use crate::endpoint::page::account::{owner, to_login};
use crate::endpoint::page::{OnTheWay, Visit};
use crate::page::account::AccountDelete;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::cookies::Cookie;
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::sign_in::SignInError;

const CURRENT: &str = "current_password";
const GRACE_DAYS: i64 = DELETION_GRACE.as_seconds() / (24 * 60 * 60);

/// `GET /account/delete`: asks for the password; or whether the account shall stay after all.
pub async fn show(Visit { browser, way, .. }: Visit, frame: Frame) -> Page {
    match (&browser.visitor, &browser.leaving) {
        (Some(visitor), _) => AccountDelete::new(frame, owner(&visitor.user), GRACE_DAYS, vec![])
            .reply(StatusCode::OK),
        (None, Some(leaving)) => keep_page(frame, leaving, &way),
        (None, None) => to_login(&frame),
    }
}

fn keep_page(frame: Frame, leaving: &Visitor, way: &OnTheWay) -> Page {
    let Some(due_at) = leaving.user.deletion_due_at else { return frame.refuse(Reason::NotFound) };
    let due = frame.moment(due_at);
    let question = Question::KeepAccount { due: &due, flow: way.sealed() };
    ConfirmPage::new(frame, question).reply(StatusCode::OK)
}

/// `POST /account/delete`: `action` is `delete`, with `current_password`, or `keep`.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    match (fields.find("action"), &browser.visitor, &browser.leaving) {
        (Some("delete"), Some(visitor), _) => {
            give_up(&app, &context, visitor, (frame, fields.find(CURRENT))).await
        }
        (Some("keep"), _, Some(leaving)) => keep(&app, &context, leaving, (frame, way)).await,
        (Some("delete" | "keep"), _, _) => to_login(&frame),
        _ => frame.refuse(Reason::Unreadable),
    }
}

async fn give_up(
    app: &App,
    context: &Context,
    visitor: &Visitor,
    (frame, current): (Frame, Option<&str>),
) -> Page {
    let refused = |complaint, status| {
        let owner = owner(&visitor.user);
        AccountDelete::new(frame.clone(), owner, GRACE_DAYS, vec![complaint]).reply(status)
    };
    let Some(current) = current else {
        return refused(Complaint::missing(&frame, CURRENT), StatusCode::BAD_REQUEST);
    };
    let current = Password::presented(current.to_owned()).ok();
    match account_deletion::plan(app, context, visitor, current, frame.locale).await {
        Ok(due_at) => {
            let due = frame.moment(due_at);
            let page = OutcomePage::new(frame, Done::DeletionScheduled { due: &due }, None);
            page.reply(StatusCode::OK).clear(Cookie::Session)
        }
        Err(
            Refusal::WrongPassword | Refusal::SignIn(SignInError::Refused | SignInError::Client(_)),
        ) => {
            let wrong = Complaint::wrong_password(&frame, CURRENT);
            refused(wrong, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(Refusal::Over) => to_login(&frame),
        Err(Refusal::SignIn(SignInError::Throttled(wait))) => {
            let many = Complaint::too_many_attempts(&frame, wait);
            refused(many, StatusCode::TOO_MANY_REQUESTS).wait(wait)
        }
        Err(Refusal::SignIn(SignInError::Failure(failure))) => frame.broken(failure),
    }
}

async fn keep(
    app: &App,
    context: &Context,
    leaving: &Visitor,
    (frame, way): (Frame, OnTheWay),
) -> Page {
    match account_deletion::take_back(app, context, leaving).await {
        Ok(Some(hold)) if way.sealed().is_some() => hold.give(way.onward(&frame)),
        Ok(Some(hold)) => {
            let page = OutcomePage::new(frame, Done::AccountKept, None).reply(StatusCode::OK);
            hold.give(page)
        }
        Ok(None) => to_login(&frame),
        Err(failure) => frame.broken(failure),
    }
}
