//! `/recover`: a forgotten password. Asking for a link gets the same answer for every address; with
//! the link a new password is chosen, once, and everything that was signed in ends.

use std::time::Duration;

use axum::extract::{Query, State};
use http::StatusCode;
use munjigi_core::account::Email;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::ticket::Ticket;
use munjigi_store::{Audit, Committed, StoreError, users};

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::Ledger;
use crate::clock;
use crate::context::{Context, UserAgent};
use crate::endpoint::page::Ticketed;
use crate::endpoint::page::{Brought, Here, Visit, no_link};
use crate::failure::Failure;
use crate::mail::{About, Device};
use crate::mailed_link::{self, FollowedLink, MailedLink, Wanted, may_mail};
use crate::outbox;
use crate::page::agent::describe;
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::locale::Locale;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::recover::{NewPassword, Recover};
use crate::page::reply::{Page, View};
use crate::recovery::{Recovery, chosen};

/// When the answer is given that is the same for every address: later than the link and its mail
/// are written, so that the time of it tells nobody whether they were (LG-02 of the attack kit).
const ANSWERED_AFTER: Duration = Duration::from_millis(100);

/// What the links are for by which a password is chosen.
const TAKEN: &[Purpose] = &[Purpose::Recover];

/// `GET /recover`.
pub async fn form(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    if !app.mail.is_on() {
        return here.frame.refuse(Reason::SwitchedOff);
    }
    let hint = here.flow.as_ref().and_then(|flow| flow.find("login_hint")).unwrap_or_default();
    Recover::new(here.frame.clone(), here.way.sealed(), hint, vec![]).reply(StatusCode::OK)
}

/// `POST /recover`: `email`.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (form.frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    let (frame, flow) = (here.frame.clone(), here.way.sealed());
    if !app.mail.is_on() {
        return frame.refuse(Reason::SwitchedOff);
    }
    let complain = |typed: &str, complaint| {
        Recover::new(frame.clone(), flow, typed, vec![complaint]).reply(StatusCode::BAD_REQUEST)
    };
    let Some(typed) = form.fields.find("email") else {
        return complain("", Complaint::missing(&frame, "email"));
    };
    let email = match Email::parse(typed) {
        Ok(email) => email,
        Err(error) => {
            let complaint = Complaint::about(&frame, "email", error, error.korean());
            return complain(typed, complaint);
        }
    };
    if let Err(denied) = addresses::count(&app, &context, Limit::Mail).await {
        return frame.put_off(denied);
    }
    let began = clock::stopwatch();
    let asked = request(&app, &context, frame.locale, &email).await;
    clock::even_out(began, ANSWERED_AFTER).await;
    if let Err(failure) = asked {
        return frame.broken(failure);
    }
    let page = OutcomePage::new(frame, Done::RecoveryMailed { email: typed }, flow);
    let page = if app.mail.mailbox().is_some() { page.with_mailbox() } else { page };
    page.reply(StatusCode::OK)
}

/// Writes the link and its mail, if somebody has this address.
async fn request(
    app: &App,
    context: &Context,
    locale: Locale,
    email: &Email,
) -> Result<(), Failure> {
    let canonical = email.canonical().to_owned();
    let found = app.store.read(move |tx| users::find_by_email(tx, &canonical)).await?;
    let found = found.filter(|user| user.disabled_at.is_none());
    let event = context.event(Kind::RecoveryRequested, Actor::Anonymous)?;
    let (event, mailed) = match &found {
        Some(user) => {
            let wanted = Wanted::own(Purpose::Recover, "/recover/password", user);
            let about = |link, valid_seconds| About::Recover { link, valid_seconds };
            let mailed = MailedLink::new(app, user, &wanted, locale, about)?;
            (event.subject(user.id), Some(mailed))
        }
        None => (event.refused("no account that may be used has this address"), None),
    };
    let (ledger, now) = (Ledger::of_mails(&app.snapshot_kept().keys, email), context.now);
    let written = app.store.write(move |tx| {
        if !may_mail(tx, &ledger, now)? {
            return Ok(Committed::nothing(()));
        }
        if let Some(mailed) = &mailed {
            let user = users::find(tx, &mailed.link.user_id)?;
            if user.is_some_and(|user| user.email == mailed.link.email) {
                mailed.write(tx)?;
            }
        }
        Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(event.clone()))))
    });
    written.await?;
    outbox::wake(app);
    Ok(())
}

/// `GET /recover/password`: the form behind the link. Looking at it spends nothing.
pub async fn password(
    State(app): State<App>,
    context: Context,
    Query(Ticketed { ticket: text }): Query<Ticketed>,
    frame: Frame,
) -> Page {
    let text = text.unwrap_or_default();
    let brought = Brought(Some(&text), TAKEN);
    match find(&app, &context, &text).await {
        Ok(Some((_, found))) => {
            NewPassword::new(frame, &text, &found.user.email, vec![]).reply(StatusCode::OK)
        }
        Ok(None) => no_link(&app, &context, brought, &frame).await,
        Err(failure) => frame.broken(failure),
    }
}

/// `POST /recover/password`: `ticket` and `password`.
pub async fn set_password(
    State(app): State<App>,
    context: Context,
    UserAgent(user_agent): UserAgent,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    let text = fields.find("ticket").unwrap_or_default();
    let brought = Brought(Some(text), TAKEN);
    // Before anything is hashed: a link that is over costs nothing.
    let (ticket, found) = match find(&app, &context, text).await {
        Ok(Some(found)) => found,
        Ok(None) => return no_link(&app, &context, brought, &frame).await,
        Err(failure) => return frame.broken(failure),
    };
    let password = match chosen(&frame, fields.find("password"), &found) {
        Ok(password) => password,
        Err(complaint) => {
            let page = NewPassword::new(frame, text, &found.user.email, vec![complaint]);
            return page.reply(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let device = Device {
        name: user_agent.as_deref().and_then(describe),
        address: context.address.map(|address| address.to_string()),
    };
    let told = (device, frame.locale);
    let recovery = Recovery::new(&app, &context, (ticket, password), &found, told).await;
    let set = match recovery {
        Ok(recovery) => recovery.write(&app).await,
        Err(failure) => Err(failure),
    };
    match set {
        Ok(true) => OutcomePage::new(frame, Done::PasswordSet, None).reply(StatusCode::OK),
        Ok(false) => no_link(&app, &context, brought, &frame).await,
        Err(failure) => frame.broken(failure),
    }
}

async fn find(
    app: &App,
    context: &Context,
    text: &str,
) -> Result<Option<(Ticket, FollowedLink)>, Failure> {
    let Some(ticket) = mailed_link::ticket(Some(text)) else { return Ok(None) };
    let now = context.now;
    let found = app.store.read(move |tx| mailed_link::find(tx, &ticket, Purpose::Recover, now));
    Ok(found.await?.zip(mailed_link::ticket(Some(text))).map(|(found, ticket)| (ticket, found)))
}
