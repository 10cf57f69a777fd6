//! `/account/password`: changed with the present one. Every other session ends, and this browser
//! gets another cookie (SS-01 of the attack kit).

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::Password;

use crate::app::App;
use crate::browser::NewHold;
use crate::endpoint::page::account::{Here, Told, done, owner, to_login};
use crate::page::account::{AccountForm, Notice};
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};
use crate::password_change::{PasswordChange, Refusal, SignedInBy};
use crate::sign_in::SignInError;

const CURRENT: &str = "current_password";
const NEW: &str = "password";

/// `GET /account/password`.
pub async fn show(here: Here, frame: Frame, Told(notice): Told) -> Page {
    let shown = owner(&here.visitor.user);
    AccountForm::password(frame, shown, vec![], notice).reply(StatusCode::OK)
}

/// `POST /account/password`: `current_password` and `password`.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let frame = form.frame;
    let refused = |complaints, status| {
        AccountForm::password(frame.clone(), owner(&here.visitor.user), complaints, None)
            .reply(status)
    };
    let (Some(current), Some(new)) = (form.fields.find(CURRENT), form.fields.find(NEW)) else {
        let missing = [CURRENT, NEW].into_iter().filter(|it| form.fields.find(it).is_none());
        let missing = missing.map(|field| Complaint::missing(&frame, field)).collect();
        return refused(missing, StatusCode::BAD_REQUEST);
    };
    let new = match Password::parse(new.to_owned()) {
        Ok(new) => new,
        Err(wrong) => {
            let about = Complaint::about(&frame, NEW, wrong, wrong.korean());
            return refused(vec![about], StatusCode::UNPROCESSABLE_ENTITY);
        }
    };

    let session = &here.visitor.session;
    let settings = app.snapshot().settings.clone();
    let hold = match NewHold::of(session, &settings, here.context.now) {
        Ok(hold) => hold,
        Err(error) => return frame.broken(error),
    };
    let change = PasswordChange {
        user: here.visitor.user.clone(),
        by: SignedInBy::Browser(Box::new(here.visitor.clone()), hold.hold),
        current: Password::presented(current.to_owned()).ok(),
        new,
    };
    match change.make(&app, &here.context).await {
        Ok(()) => hold.give(done(&frame, "/account/password", Notice::PasswordChanged)),
        Err(refusal) => refuse(&frame, refusal, refused),
    }
}

fn refuse(
    frame: &Frame,
    refusal: Refusal,
    refused: impl Fn(Vec<Complaint>, StatusCode) -> Page,
) -> Page {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match refusal {
        Refusal::Weak(weakness) => {
            let about = Complaint::about(frame, NEW, &weakness, weakness.korean());
            refused(vec![about], unprocessable)
        }
        Refusal::WrongPassword | Refusal::SignIn(SignInError::Refused | SignInError::Client(_)) => {
            refused(vec![Complaint::wrong_password(frame, CURRENT)], unprocessable)
        }
        Refusal::Over => to_login(frame),
        Refusal::SignIn(SignInError::Throttled(wait)) => {
            let many = Complaint::too_many_attempts(frame, wait);
            refused(vec![many], StatusCode::TOO_MANY_REQUESTS).wait(wait)
        }
        Refusal::SignIn(SignInError::Failure(failure)) => frame.broken(failure),
    }
}
