//! `/login`: who, then the password. What is typed is checked by the one rule of `sign_in.rs`; who
//! is signed in is written here, with a new cookie at every change of privilege (SS-01).

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::Password;
use munjigi_core::account::user::Session;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::client::Client;
use munjigi_store::{Audit, Committed, StoreError, sessions};

use crate::app::App;
use crate::browser::{NewHold, Visitor, let_go};
use crate::context::{Context, UserAgent};
use crate::endpoint::page::{Here, Visit};
use crate::failure::Failure;
use crate::known_device::{Device, KnownDevice};
use crate::outbox;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::login::{LoginIdentifier, LoginPassword};
use crate::page::reply::{Page, View};
use crate::random;
use crate::session_limit::{Room, SessionLimit};
use crate::sign_in::{self, Login, PASSWORD, Presented, Proved, SignInError, Written};

/// `GET /login`: the first step.
pub async fn identifier(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    if here.flow.is_none() && browser.visitor.is_some() {
        return here.way.onward(&here.frame);
    }
    if here.flow.is_none() && browser.leaving.is_some() {
        return here.way.to_question(&here.frame);
    }
    let hint = here.flow.as_ref().and_then(|flow| flow.find("login_hint")).unwrap_or_default();
    let page = LoginIdentifier::new(here.frame.clone(), here.destination(&app), hint, vec![]);
    page.reply(StatusCode::OK)
}

/// `GET /login/again`: the password of who is signed in already.
pub async fn again(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    let Some(visitor) = &browser.visitor else {
        return Page::see_other(&here.frame.path_with("/login", "flow", here.way.sealed()));
    };
    let name = name_of(visitor);
    let page = LoginPassword::again(here.frame.clone(), here.destination(&app), name, vec![]);
    page.reply(StatusCode::OK)
}

/// `POST /login`: a name, or a name and a password.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    UserAgent(user_agent): UserAgent,
    Device(device): Device,
    form: PageForm,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (form.frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    let (frame, to) = (here.frame.clone(), here.destination(&app));
    let Some(username) = form.fields.find("username") else {
        let missing = vec![Complaint::missing(&frame, "username")];
        return LoginIdentifier::new(frame, to, "", missing).reply(StatusCode::BAD_REQUEST);
    };
    let Some(password) = form.fields.find("password") else {
        return LoginPassword::new(frame, to, username, vec![]).reply(StatusCode::OK);
    };

    let login = Login::parse(username);
    let presented = Presented {
        login: &login,
        password: Password::presented(password.to_owned()).ok(),
        client: here.client.as_deref(),
        device: device.as_ref(),
    };
    let refused = |complaint, status| {
        LoginPassword::new(frame.clone(), to, username, vec![complaint]).reply(status)
    };
    let proved = match sign_in::prove(&app, &context, presented).await {
        Ok(proved) => proved,
        Err(SignInError::Refused | SignInError::Client(_)) => {
            let wrong = Complaint::wrong_credentials(&frame);
            return refused(wrong, StatusCode::UNPROCESSABLE_ENTITY);
        }
        Err(SignInError::Throttled(wait)) => {
            let many = Complaint::too_many_attempts(&frame, wait);
            return refused(many, StatusCode::TOO_MANY_REQUESTS).wait(wait);
        }
        Err(SignInError::Failure(failure)) => return frame.broken(failure),
    };
    let is_leaving = proved.user.is_leaving();
    let visitor = browser.visitor.or(browser.leaving);
    let entering = Entering { proved, visitor, user_agent, device };
    match enter(&app, &context, here.client.as_deref(), entering).await {
        Ok(Some(entered)) => {
            let question = is_leaving.then(|| here.way.to_question(&frame));
            let next = question.unwrap_or_else(|| here.way.onward(&frame));
            entered.give(&app, next).unwrap_or_else(|failure| frame.broken(failure))
        }
        Ok(None) => {
            let wrong = Complaint::wrong_credentials(&frame);
            refused(wrong, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(failure) => frame.broken(failure),
    }
}

/// What a person signs in with.
fn name_of(visitor: &Visitor) -> &str {
    visitor.user.username.as_deref().unwrap_or(&visitor.user.email)
}

/// A person who has shown the right password, in a browser.
struct Entering {
    proved: Proved,
    /// Who was signed in there before.
    visitor: Option<Visitor>,
    user_agent: Option<String>,
    /// As what the browser was known before.
    device: Option<KnownDevice>,
}

/// What the browser gets once somebody has entered.
struct Entered {
    hold: NewHold,
    device: KnownDevice,
}

impl Entered {
    fn give(&self, app: &App, page: Page) -> Result<Page, Failure> {
        self.device.give(&app.snapshot_kept().keys, self.hold.give(page))
    }
}

/// Everything that is written when somebody enters.
#[derive(Clone)]
struct Entry {
    proved: Proved,
    /// The session that begins, or goes on.
    session: Session,
    /// Who was there before; the same person goes on with their session.
    before: Option<Visitor>,
    events: Vec<Event>,
    rehash_event: Option<Event>,
    limit: SessionLimit,
}

/// Writes that somebody has signed in; `None` when the account changed meanwhile.
async fn enter(
    app: &App,
    context: &Context,
    client: Option<&Client>,
    entering: Entering,
) -> Result<Option<Entered>, Failure> {
    let (entry, entered) = entry(app, context, client, entering)?;
    let now = context.now;
    let written = app.store.write(move |tx| {
        let Written::Done { rehashed } = entry.proved.write(tx, now)? else {
            return Ok(Committed::nothing(None));
        };
        let Session { user_id, id, browser, .. } = &entry.session;
        let room = match &entry.before {
            Some(before) if before.session.id == *id => {
                // Proved once more: the cookie before is dead, and so is a copy of it.
                let held = (user_id, id);
                if !sessions::hold(tx, held, &before.hold.hash, browser.as_ref())? {
                    return Ok(Committed::nothing(None));
                }
                sessions::reauthenticate(tx, user_id, id, now)?;
                sessions::keep(tx, user_id, id, now)?;
                Room::default()
            }
            before => {
                if let Some(before) = before {
                    let_go(tx, before)?;
                }
                sessions::insert(tx, &entry.session)?;
                entry.limit.make_room(tx, user_id, id)?
            }
        };
        let rehash = entry.rehash_event.clone().filter(|_| rehashed);
        let events = entry.events.iter().cloned().chain(room.event).chain(rehash).collect();
        let done = Committed::new(Some(room.revocations), Audit::Records(events));
        Ok::<_, StoreError>(done)
    });
    let Some(revocations) = written.await? else { return Ok(None) };
    revocations.iter().for_each(|revocation| app.take_over(revocation));
    outbox::wake(app);
    Ok(Some(entered))
}

fn entry(
    app: &App,
    context: &Context,
    client: Option<&Client>,
    entering: Entering,
) -> Result<(Entry, Entered), Failure> {
    let Entering { proved, visitor, user_agent, device } = entering;
    let (now, settings) = (context.now, app.snapshot().settings.clone());
    let user_id = proved.user.id;
    let mut session = match &visitor {
        Some(visitor) if visitor.user.id == user_id => visitor.session.clone(),
        _ => Session {
            user_id,
            id: random::session_id(now)?,
            authenticated_at: now,
            created_at: now,
            used_at: now,
            expires_at: now.plus(settings.session_ttl),
            ended_at: None,
            address: context.address,
            user_agent,
            amr: PASSWORD.to_owned(),
            browser: None,
        },
    };
    let hold = NewHold::of(&session, &settings, now)?;
    session.browser = Some(hold.hold);

    let event = context.event(Kind::SignedIn, Actor::User(user_id))?.subject(user_id);
    let event = event.with("sid", session.id).with("method", "password");
    let event = match client {
        Some(client) => event.client(client.id.clone()),
        None => event,
    };
    let rehash_event = proved.rehash_event(context)?;
    let limit = SessionLimit::of(app, context)?;
    let (events, before) = (vec![event], visitor);
    let device = KnownDevice::signed_in(device, &proved.user, now)?;
    let entry = Entry { proved, session, before, events, rehash_event, limit };
    Ok((entry, Entered { hold, device }))
}
