//! `/verify`: the link of a mail, which asks whether an address is one's own. Looking at it changes
//! nothing, since mail scanners follow links; the button spends it.

use axum::extract::{Query, State};
use http::StatusCode;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::ticket::Ticket;
use munjigi_store::{Audit, Committed, StoreError, links, users};

use crate::app::App;
use crate::context::Context;
use crate::endpoint::page::{Ticketed, Visit};
use crate::failure::Failure;
use crate::mailed_link;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};

/// `GET /verify`: the question.
pub async fn ask(
    State(app): State<App>,
    Visit { context, way, .. }: Visit,
    Query(Ticketed { ticket: text }): Query<Ticketed>,
    frame: Frame,
) -> Page {
    let Some(ticket) = mailed_link::ticket(text.as_deref()) else {
        return frame.refuse(Reason::LinkSpent);
    };
    let now = context.now;
    let found = app.store.read(move |tx| mailed_link::find(tx, &ticket, Purpose::Verify, now));
    match found.await {
        Ok(Some(found)) => {
            let (ticket, email) = (text.as_deref().unwrap_or_default(), found.link.email.as_str());
            let question = Question::VerifyEmail { ticket, email, flow: way.sealed() };
            ConfirmPage::new(frame, question).reply(StatusCode::OK)
        }
        Ok(None) => frame.refuse(Reason::LinkSpent),
        Err(error) => frame.broken(error),
    }
}

/// `POST /verify`: the link is spent, and the address proved. Whoever signed up on the way to an
/// application goes on, if it is the browser that they began in (SS-03 of the attack kit).
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    let Some(ticket) = mailed_link::ticket(fields.find("ticket")) else {
        return frame.refuse(Reason::LinkSpent);
    };
    match verify(&app, &context, ticket).await {
        Ok(true) => {
            let done = match way.open(&app, &browser, &context) {
                Ok(_) => Done::EmailVerified,
                Err(_) => Done::EmailVerifiedElsewhere,
            };
            OutcomePage::new(frame, done, way.sealed()).reply(StatusCode::OK)
        }
        Ok(false) => frame.refuse(Reason::LinkSpent),
        Err(failure) => frame.broken(failure),
    }
}

/// False when the link is good no longer.
async fn verify(app: &App, context: &Context, ticket: Ticket) -> Result<bool, Failure> {
    let now = context.now;
    let user_id = ticket.user_id;
    let event = context.event(Kind::EmailVerified, Actor::User(user_id))?.subject(user_id);
    let written = app.store.write(move |tx| {
        let Some(found) = mailed_link::find(tx, &ticket, Purpose::Verify, now)? else {
            return Ok(Committed::nothing(false));
        };
        if !links::spend(tx, &user_id, &found.link.id, now)? {
            return Ok(Committed::nothing(false));
        }
        let mut user = found.user;
        user.email_verified_at = user.email_verified_at.or(Some(now));
        user.updated_at = now;
        users::update_profile(tx, &user)?;
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(true, audit))
    });
    Ok(written.await?)
}
