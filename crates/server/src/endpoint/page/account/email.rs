//! `/account/email`: another address, which both mailboxes have to agree to (RC-04 of the attack
//! kit); and the pages behind the links of their mails, which need no sign-in. Looking at one
//! spends nothing.

use axum::extract::{Query, State};
use http::StatusCode;
use munjigi_core::account::link::Purpose;
use munjigi_core::account::{Email, Password};

use crate::app::App;
use crate::browser::Browser;
use crate::context::Context;
use crate::email_change::{self, Agreed, BACK, EmailChange, PAIR, Refusal};
use crate::endpoint::page::account::{Here, owner, to_login};
use crate::endpoint::page::{Brought, Ticketed, Visit, no_link};
use crate::mailed_link::FollowedLink;
use crate::page::account::AccountForm;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::cookies::Cookie;
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::sign_in::SignInError;

const EMAIL: &str = "email";
const CURRENT: &str = "current_password";

/// `GET /account/email`.
pub async fn show(State(app): State<App>, here: Here, frame: Frame) -> Page {
    if !app.mail.is_on() {
        return frame.refuse(Reason::SwitchedOff);
    }
    AccountForm::email(frame, owner(&here.visitor.user), "", vec![]).reply(StatusCode::OK)
}

/// `POST /account/email`: `email` and `current_password`.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let PageForm { fields, frame } = form;
    if !app.mail.is_on() {
        return frame.refuse(Reason::SwitchedOff);
    }
    let typed = fields.find(EMAIL).unwrap_or_default();
    let refused = |complaints, status| {
        let owner = owner(&here.visitor.user);
        AccountForm::email(frame.clone(), owner, typed, complaints).reply(status)
    };
    let (Some(_), Some(current)) = (fields.find(EMAIL), fields.find(CURRENT)) else {
        let missing = [EMAIL, CURRENT].into_iter().filter(|it| fields.find(it).is_none());
        let missing = missing.map(|field| Complaint::missing(&frame, field)).collect();
        return refused(missing, StatusCode::BAD_REQUEST);
    };
    let email = match Email::parse(typed) {
        Ok(email) => email,
        Err(wrong) => {
            let about = Complaint::about(&frame, EMAIL, wrong, wrong.korean());
            return refused(vec![about], StatusCode::UNPROCESSABLE_ENTITY);
        }
    };

    let change = EmailChange {
        visitor: here.visitor.clone(),
        email,
        current: Password::presented(current.to_owned()).ok(),
        locale: frame.locale,
    };
    match change.ask(&app, &here.context).await {
        Ok(()) => mailed(&app, frame, Done::EmailChangeMailed { email: typed }),
        Err(refusal) => refuse(&frame, refusal, refused),
    }
}

/// What was done, with the way to the mailbox in `dev`.
fn mailed(app: &App, frame: Frame, done: Done<'_>) -> Page {
    let page = OutcomePage::new(frame, done, None);
    let page = if app.mail.mailbox().is_some() { page.with_mailbox() } else { page };
    page.reply(StatusCode::OK)
}

fn refuse(
    frame: &Frame,
    refusal: Refusal,
    refused: impl Fn(Vec<Complaint>, StatusCode) -> Page,
) -> Page {
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match refusal {
        Refusal::Same => refused(vec![Complaint::same_email(frame)], unprocessable),
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

/// Whether a link was followed at the new address by somebody who has not shown that the account is
/// theirs. Whoever reads the mails there may be its owner, or may be asked by a stranger to lend
/// them a proved address.
fn is_a_strangers(found: &FollowedLink, browser: &Browser) -> bool {
    let is_owner = browser.holder().is_some_and(|holder| holder.user.id == found.user.id);
    found.link.purpose == Purpose::ChangeNew && !is_owner
}

/// `GET /account/email/confirm`: the question behind either link of a pair.
pub async fn ask_to_change(
    State(app): State<App>,
    Visit { context, browser, .. }: Visit,
    Query(Ticketed { ticket }): Query<Ticketed>,
    frame: Frame,
) -> Page {
    match email_change::find(&app, &context, ticket.as_deref(), PAIR).await {
        Ok(Some(found)) if is_a_strangers(&found, &browser) => {
            OutcomePage::new(frame, Done::EmailChangeSignIn, None).reply(StatusCode::OK)
        }
        Ok(Some(found)) => {
            let (ticket, email) = (ticket.as_deref().unwrap_or_default(), &found.link.email);
            ConfirmPage::new(frame, Question::ChangeEmail { ticket, email }).reply(StatusCode::OK)
        }
        Ok(None) => no_link(&app, &context, Brought(ticket.as_deref(), PAIR), &frame).await,
        Err(failure) => frame.broken(failure),
    }
}

/// `POST /account/email/confirm`: `ticket`; this mailbox agrees.
pub async fn agree(
    State(app): State<App>,
    Visit { context, browser, .. }: Visit,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    let ticket = fields.find("ticket");
    match email_change::find(&app, &context, ticket, PAIR).await {
        Ok(Some(found)) if is_a_strangers(&found, &browser) => {
            let page = OutcomePage::new(frame, Done::EmailChangeSignIn, None);
            return page.reply(StatusCode::FORBIDDEN);
        }
        Ok(_) => {}
        Err(failure) => return frame.broken(failure),
    }
    match email_change::agree(&app, &context, ticket, frame.locale).await {
        Ok(Agreed::Half) => mailed(&app, frame, Done::EmailChangeHalf),
        Ok(Agreed::Changed(email)) => {
            OutcomePage::new(frame, Done::EmailChanged { email: &email }, None)
                .reply(StatusCode::OK)
        }
        Ok(Agreed::Gone) => no_link(&app, &context, Brought(ticket, PAIR), &frame).await,
        Err(failure) => frame.broken(failure),
    }
}

/// `GET /account/email/undo`: the question behind the link that the old address was told.
pub async fn ask_to_undo(
    State(app): State<App>,
    context: Context,
    Query(Ticketed { ticket }): Query<Ticketed>,
    frame: Frame,
) -> Page {
    match email_change::find(&app, &context, ticket.as_deref(), BACK).await {
        Ok(Some(found)) => {
            let (ticket, email) = (ticket.as_deref().unwrap_or_default(), &found.link.email);
            let question = Question::UndoEmailChange { ticket, email };
            ConfirmPage::new(frame, question).reply(StatusCode::OK)
        }
        Ok(None) => no_link(&app, &context, Brought(ticket.as_deref(), BACK), &frame).await,
        Err(failure) => frame.broken(failure),
    }
}

/// `POST /account/email/undo`: `ticket`; the address is as before, everybody is signed out, and
/// the password is gone.
pub async fn undo(State(app): State<App>, context: Context, form: PageForm) -> Page {
    let PageForm { fields, frame } = form;
    let ticket = fields.find("ticket");
    match email_change::undo(&app, &context, ticket, frame.locale).await {
        Ok(Some(email)) => {
            let done = Done::EmailChangeUndone { email: &email };
            mailed(&app, frame, done).clear(Cookie::Session)
        }
        Ok(None) => no_link(&app, &context, Brought(ticket, BACK), &frame).await,
        Err(failure) => frame.broken(failure),
    }
}
