//! `/device` (RFC 8628 §3.3): a person types the code that a device shows, sees who asks for what
//! and from where, and says yes or no with a button. An address that brings the code along fills it
//! in and does nothing else (§5.4): whoever was sent it by a stranger has to see whom they let in.
//!
//! A code that nobody was given, one that is over and one that somebody else opened get the same
//! answer, and cost the same of a budget (§5.1).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use http::StatusCode;
use munjigi_core::account::Attempt;
use munjigi_core::account::budget::neighbourhood;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::UserId;
use munjigi_core::oauth::client::{Client, GrantType, Origin};
use munjigi_core::oauth::device::{
    Answer, DeviceAuthorization, GUESSES_FROM_AN_ADDRESS, GUESSES_OF_A_PERSON, StoredUserCode,
    UserCode,
};
use munjigi_core::time::Timestamp;
use munjigi_store::{Audit, Committed, StoreError, Tx, devices, sessions};
use url::form_urlencoded;

use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::{Draw, wait_for};
use crate::browser::{Browser, MARK_TTL, Visitor};
use crate::context::Context;
use crate::documents;
use crate::failure::Failure;
use crate::flow::{DEVICE, Flow};
use crate::issue;
use crate::page::cookies::Cookie;
use crate::page::device::{DeviceAsked, DeviceCode, DeviceConfirm, Requester};
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::{Frame, UI_LOCALES};
use crate::page::locale::Locale;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::snapshot::{SELF_AUDIENCE, Snapshot};

/// The longest text that is shown again to whoever typed it, in bytes.
const MOST_SHOWN_AGAIN: usize = 64;

/// The parameter that carries the code.
const USER_CODE: &str = "user_code";

/// `GET /device`: asks for the code. Who is not signed in signs in first, and comes back.
pub async fn form(
    State(app): State<App>,
    context: Context,
    browser: Browser,
    frame: Frame,
    RawQuery(query): RawQuery,
) -> Page {
    let query = query.unwrap_or_default();
    let find = |name| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    };
    let typed = find(USER_CODE).and_then(|typed| UserCode::parse(&typed));
    if browser.visitor.is_none() {
        let kept = typed.map(|typed| (USER_CODE.to_owned(), typed.to_string()));
        let language = find(UI_LOCALES).and_then(|tags| Locale::first_of(&tags));
        let language = language.map(|it| (UI_LOCALES.to_owned(), it.tag().to_owned()));
        let kept = kept.into_iter().chain(language).collect();
        return sign_in_first(&app, &context, &browser, (frame, kept));
    }
    let typed = typed.map(|typed| typed.to_string()).unwrap_or_default();
    DeviceCode::new(frame, &typed, vec![]).reply(StatusCode::OK)
}

/// What somebody wants to do with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Press {
    /// See who asks.
    Look,
    Allow,
    Deny,
}

/// `POST /device`: `user_code`, and `action`: `continue`, `allow` or `deny`.
pub async fn send(
    State(app): State<App>,
    context: Context,
    browser: Browser,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    let typed = fields.find(USER_CODE);
    let user_code = typed.and_then(UserCode::parse);
    let press = match fields.find("action") {
        None | Some("continue") => Press::Look,
        Some("allow") => Press::Allow,
        Some("deny") => Press::Deny,
        Some(_) => return frame.refuse(Reason::Unreadable),
    };
    let Some(visitor) = browser.visitor.clone() else {
        let kept = user_code.map(|code| (USER_CODE.to_owned(), code.to_string()));
        return sign_in_first(&app, &context, &browser, (frame, kept.into_iter().collect()));
    };
    let complain = |complaint, status| {
        let typed = typed.filter(|typed| typed.len() <= MOST_SHOWN_AGAIN).unwrap_or_default();
        DeviceCode::new(frame.clone(), typed, vec![complaint]).reply(status)
    };
    let unknown = || {
        let unknown = Complaint::unknown_user_code(&frame);
        complain(unknown, StatusCode::UNPROCESSABLE_ENTITY)
    };
    let Some(user_code) = user_code else {
        return match typed {
            Some(_) => unknown(),
            None => complain(Complaint::missing(&frame, USER_CODE), StatusCode::BAD_REQUEST),
        };
    };

    if let Err(denied) = addresses::look(&app, &context, Limit::Token) {
        return frame.put_off(denied);
    }
    let answered = pressed(&app, &context, &visitor, (press, &user_code)).await;
    if matches!(answered, Ok(Outcome::Unknown | Outcome::Wait(_)))
        && let Err(denied) = addresses::count(&app, &context, Limit::Token).await
    {
        return frame.put_off(denied);
    }
    match answered {
        Ok(Outcome::Ask(device)) => ask(&app, frame, &visitor, (&device, &user_code)),
        Ok(Outcome::Allowed) => done(frame, Done::DeviceAllowed),
        Ok(Outcome::Denied) => done(frame, Done::DeviceDenied),
        Ok(Outcome::Unknown) => unknown(),
        Ok(Outcome::Wait(until)) => {
            let wait = wait_for("user-code", &GUESSES_OF_A_PERSON, until, context.now);
            let many = Complaint::too_many_attempts(&frame, wait);
            complain(many, StatusCode::TOO_MANY_REQUESTS).wait(wait)
        }
        Ok(Outcome::SignedOut) => Page::see_other(&frame.path(DEVICE)),
        Err(failure) => frame.broken(failure),
    }
}

fn done(frame: Frame, done: Done<'_>) -> Page {
    OutcomePage::new(frame, done, None).reply(StatusCode::OK)
}

/// The way through `/login` and back here, in this browser alone.
fn sign_in_first(
    app: &App,
    context: &Context,
    browser: &Browser,
    (frame, kept): (Frame, Vec<(String, String)>),
) -> Page {
    let (hash, mark) = match browser.mark_or_new() {
        Ok(marked) => marked,
        Err(error) => return frame.broken(error),
    };
    let sealed = Flow::to_device(kept, hash, context.now).seal(&app.snapshot_kept().keys);
    let page = match sealed {
        Ok(sealed) => Page::see_other(&frame.path_with("/login", "flow", Some(&sealed))),
        Err(failure) => return frame.broken(failure),
    };
    match mark {
        Some(mark) => page.store(Cookie::Browser, mark.reveal(), Some(MARK_TTL)),
        None => page,
    }
}

/// Who asks, for what and from where, with the two buttons (DV-01 of the attack kit).
fn ask(
    app: &App,
    frame: Frame,
    visitor: &Visitor,
    (device, user_code): (&DeviceAuthorization, &UserCode),
) -> Page {
    let snapshot = app.snapshot_kept();
    let Some(client) = snapshot.clients.get(&device.client_id) else {
        return frame.refuse(Reason::UnknownClient);
    };
    let scope = issue::granted_scope(&snapshot, &visitor.user, &device.scope);
    let scopes: Vec<&str> = scope.names().collect();
    let own = |name: &&String| name.as_str() != SELF_AUDIENCE && **name != app.config.issuer;
    let named = device.audiences.iter().filter(own).filter_map(|it| snapshot.apis.get(it));
    let apis: Vec<&str> = named.map(|api| api.name.as_str()).collect();
    let address = device.address.map(|address| address.to_string());
    let at = frame.moment(device.created_at);
    let publisher = documents::host_of(client);
    let asked = DeviceAsked {
        user_code: &user_code.to_string(),
        client: &client.name,
        publisher: publisher.as_deref(),
        is_unverified: client.origin != Origin::Made,
        scopes: &scopes,
        apis: &apis,
        requester: Requester {
            address: address.as_deref(),
            user_agent: device.user_agent.as_deref(),
            at: Some(&at),
        },
    };
    let account = visitor.user.name.as_deref().unwrap_or(&visitor.user.email);
    DeviceConfirm::new(frame, account, asked).reply(StatusCode::OK)
}

/// What became of it.
#[derive(Clone)]
enum Outcome {
    Ask(Box<DeviceAuthorization>),
    Allowed,
    Denied,
    /// Nobody was given this code, or it is not theirs to answer (any more).
    Unknown,
    /// Too many codes were typed that nobody was given.
    Wait(Timestamp),
    /// The session is over.
    SignedOut,
}

/// What the transaction needs besides the rows.
struct Pressed {
    press: Press,
    user_code: StoredUserCode,
    visitor: Visitor,
    snapshot: Arc<Snapshot>,
    draw: Draw,
    /// Answering a device is using one's session.
    idle_expires_at: Timestamp,
    events: Events,
    now: Timestamp,
}

/// The event of each way that it can end.
struct Events {
    allowed: Event,
    denied: Event,
    refused: Event,
}

async fn pressed(
    app: &App,
    context: &Context,
    visitor: &Visitor,
    (press, user_code): (Press, &UserCode),
) -> Result<Outcome, Failure> {
    let user_id = visitor.user.id;
    let event = |kind| {
        let event = context.event(kind, Actor::User(user_id))?.subject(user_id);
        Ok::<_, Failure>(event.with("sid", visitor.session.id))
    };
    let snapshot = app.snapshot_kept();
    let idle_expires_at = context.now.plus(snapshot.settings.session_idle_ttl);
    let pressed = Pressed {
        press,
        user_code: user_code.stored(&snapshot.keys.user_codes),
        visitor: visitor.clone(),
        idle_expires_at: idle_expires_at.min(visitor.session.expires_at),
        snapshot,
        draw: draw(app, &user_id, context.address),
        events: Events {
            allowed: event(Kind::DeviceAllowed)?,
            denied: event(Kind::DeviceDenied)?,
            refused: event(Kind::UserCodeRefused)?,
        },
        now: context.now,
    };
    Ok(app.store.write(move |tx| answer(tx, &pressed)).await?)
}

/// What wrong codes are counted on: whoever types them, and where. Not the ledger of the account's
/// password, which its owner can clear by signing in.
fn draw(app: &App, user_id: &UserId, address: Option<IpAddr>) -> Draw {
    let whose = [&b"user code by"[..], user_id.as_bytes()];
    let draw = Draw::default().on(app, GUESSES_OF_A_PERSON, &whose);
    match address.map(neighbourhood) {
        Some(address) => {
            let whose = address.to_string();
            draw.on(app, GUESSES_FROM_AN_ADDRESS, &[b"user code from", whose.as_bytes()])
        }
        None => draw,
    }
}

/// One code and one button, in one transaction: a guess is counted in the same breath in which it
/// turns out to be one.
fn answer(tx: &mut Tx<'_>, pressed: &Pressed) -> Result<Committed<Outcome>, StoreError> {
    let Pressed { visitor, events, now, .. } = pressed;
    let Some(user) = visitor.load(tx, *now)? else {
        return Ok(Committed::nothing(Outcome::SignedOut));
    };
    let refused = |outcome, reason| {
        let event = events.refused.clone().refused(reason);
        Ok(Committed::new(outcome, Audit::Record(Box::new(event))))
    };
    if let Attempt::Wait { until } = pressed.draw.look(tx, *now)? {
        return refused(Outcome::Wait(until), "too many attempts");
    }
    let (user_id, session_id) = (user.id, visitor.session.id);
    let found = devices::find_by_user_code(tx, &pressed.user_code)?;
    let found = found.filter(|device| pressed.is_usable(device));
    let meaning = found.as_ref().map(|device| match pressed.press {
        Press::Look => device.open(&user_id, *now),
        Press::Allow | Press::Deny => device.answer(&user_id, &session_id, *now),
    });
    let device = match (found, meaning) {
        (Some(device), Some(Answer::Take)) => device,
        (_, meaning) => {
            pressed.draw.count(tx, *now)?;
            return refused(Outcome::Unknown, reason(meaning));
        }
    };
    pressed.write(tx, device)
}

/// For the trail alone.
const fn reason(meaning: Option<Answer>) -> &'static str {
    match meaning {
        None | Some(Answer::Take) => "no device shows this code",
        Some(Answer::Expired) => "the code has expired",
        Some(Answer::Answered) => "the device was answered already",
        Some(Answer::NotTheirs) => "the device is not theirs to answer",
    }
}

impl Pressed {
    /// Whether the client behind it may still have tokens.
    fn is_usable(&self, device: &DeviceAuthorization) -> bool {
        let client = self.snapshot.clients.get(&device.client_id);
        let may = |client: &Arc<Client>| client.may_use(GrantType::DeviceCode).is_ok();
        client.is_some_and(|client| !client.is_disabled() && may(client))
    }

    /// What was decided; a guard that finds otherwise has the decision made again.
    fn write(
        &self,
        tx: &mut Tx<'_>,
        device: DeviceAuthorization,
    ) -> Result<Committed<Outcome>, StoreError> {
        let (user_id, session_id) = (&self.visitor.user.id, &self.visitor.session.id);
        let (whose, now) = ((user_id, session_id), self.now);
        let (is_written, kind) = match self.press {
            Press::Look => (devices::open(tx, &device.hash, whose)?, None),
            Press::Allow => {
                (devices::approve(tx, &device.hash, whose, now)?, Some(&self.events.allowed))
            }
            Press::Deny => {
                (devices::deny(tx, &device.hash, whose, now)?, Some(&self.events.denied))
            }
        };
        if !is_written {
            return Err(StoreError::Conflict);
        }
        sessions::touch_held(tx, whose, self.idle_expires_at, now)?;
        let Some(event) = kind else {
            let routine = Audit::Routine("a person opens the page of a device");
            return Ok(Committed::new(Outcome::Ask(Box::new(device)), routine));
        };
        let event = event.clone().client(device.client_id).with("scope", &device.scope);
        let outcome = match self.press {
            Press::Allow => Outcome::Allowed,
            _ => Outcome::Denied,
        };
        Ok(Committed::new(outcome, Audit::Record(Box::new(event))))
    }
}
