//! `/oauth2/logout` (OpenID Connect RP-Initiated Logout 1.0): ends the browser's session, after
//! asking unless a valid hint shows that a client of its person wants it. Other clients are told
//! from behind (Back-Channel Logout 1.0, by `ending.rs`) and by frames of the page that is shown
//! then (Front-Channel Logout 1.0).

use std::sync::Arc;

use axum::extract::{FromRequest, RawQuery, Request, State};
use http::StatusCode;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::parameters::MAX_PARAMETERS_BYTES;
use munjigi_core::oidc::logout::{Hint, Onward, SignOut, SignedOut, front_channel_uri};
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::grants::RelyingParty;
use munjigi_store::{Audit, Committed, StoreError, grants};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use crate::app::App;
use crate::browser::{Browser, Visitor};
use crate::context::Context;
use crate::extract::form::Form;
use crate::failure::Failure;
use crate::id_token;
use crate::outbox;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::cookies::Cookie;
use crate::page::failed::Reason;
use crate::page::form::is_own;
use crate::page::frame::{Frame, UI_LOCALES};
use crate::page::reply::{Page, View};
use crate::page::sign_out::SignedOut as SignedOutPage;
use crate::reply::authorization::with_query;
use crate::sealed_text;

/// Where this stands, below the issuer.
const PATH: &str = "/oauth2/logout";
/// How long a person may look at the question before the way back to the client is forgotten.
const QUESTION_TTL: Span = Span::from_hours(1);
/// How many applications are told by frames at most.
const MAX_FRAMES: usize = 50;
/// The parameters that mean something here (RP-Initiated Logout §2). `logout_hint` does not: whom
/// it names is whoever is signed in, or nobody.
const PARAMETERS: [&str; 5] =
    ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", UI_LOCALES];

/// `GET`: what a client sends its person here with.
pub async fn get(
    State(app): State<App>,
    context: Context,
    browser: Browser,
    frame: Frame,
    RawQuery(query): RawQuery,
) -> Page {
    let query = query.unwrap_or_default();
    let asked = match Form::parse(query.as_bytes()) {
        Ok(asked) if query.len() <= MAX_PARAMETERS_BYTES => Asked::read(&app, &asked),
        _ => return frame.refuse(Reason::Request),
    };
    let frame = frame.preferring(asked.ui_locales.as_deref());
    let visitor = browser.holder();

    match asked.decide(visitor) {
        SignedOut::Confirm(onward) => ask(&app, &context, frame, asked.way(onward)),
        SignedOut::End(onward) => {
            let leaving = Leaving { visitor, client: asked.client.as_deref() };
            leave(&app, &context, frame, leaving, asked.way(onward)).await
        }
        SignedOut::Nobody(onward) => {
            let leaving = Leaving { visitor: None, client: None };
            leave(&app, &context, frame, leaving, asked.way(onward)).await
        }
    }
}

/// `POST`: the answer to our question, from our own page alone; or the same as by `GET`
/// (RP-Initiated Logout §2). A form of another site comes without our cookies, so that the browser
/// is sent on to say the same by `GET`, and what was typed there answers no question of ours.
pub async fn post(
    State(app): State<App>,
    context: Context,
    browser: Browser,
    frame: Frame,
    request: Request,
) -> Page {
    let is_own = is_own(request.headers(), &app.config.issuer);
    let Ok(form) = Form::from_request(request, &app).await else {
        return frame.refuse(Reason::Unreadable);
    };
    if !is_own || form.find("action") != Some("sign-out") {
        return by_get(&frame, &form);
    }
    let sealed = form.find("request");
    let way = sealed.and_then(|sealed| Way::open(&app, sealed, context.now));
    let client = way.as_ref().and_then(|way| find(&app, &way.client_id));

    let leaving = Leaving { visitor: browser.holder(), client: client.as_deref() };
    leave(&app, &context, frame, leaving, way).await
}

fn by_get(frame: &Frame, form: &Form) -> Page {
    let present = PARAMETERS.into_iter().filter_map(|name| Some((name, form.find(name)?)));
    let query = Serializer::new(String::new()).extend_pairs(present).finish();
    if query.len() > MAX_PARAMETERS_BYTES {
        return frame.refuse(Reason::Request);
    }
    let joint = if query.is_empty() { "" } else { "?" };
    Page::see_other(&format!("{}{joint}{query}", frame.path(PATH)))
}

/// What a request says.
struct Asked {
    hint: Hint,
    /// The client of the hint.
    client: Option<Arc<Client>>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    state: Option<String>,
    ui_locales: Option<String>,
}

impl Asked {
    fn read(app: &App, form: &Form) -> Self {
        let find = |name| form.find(name).map(str::to_owned);
        let hint = hint(app, form.find("id_token_hint"));
        let client = match &hint {
            Hint::Good { client_id, .. } => self::find(app, client_id),
            Hint::Absent | Hint::Bad => None,
        };
        Self {
            hint,
            client,
            client_id: find("client_id"),
            redirect_uri: find("post_logout_redirect_uri"),
            state: find("state"),
            ui_locales: find(UI_LOCALES),
        }
    }

    fn decide(&self, visitor: Option<&Visitor>) -> SignedOut<'_> {
        let metadata = self.client.as_ref().map(|client| &client.metadata);
        let request = SignOut {
            hint: &self.hint,
            client_id: self.client_id.as_deref(),
            redirect_uri: self.redirect_uri.as_deref(),
            registered: metadata.map_or(&[], |it| it.post_logout_redirect_uris.as_slice()),
            browser: visitor.map(|visitor| (visitor.user.id, visitor.session.id)),
        };
        request.decide()
    }

    fn way(&self, onward: Onward<'_>) -> Option<Way> {
        match (onward, &self.client) {
            (Onward::Client(uri), Some(client)) => Some(Way {
                client_id: client.id.clone(),
                redirect_uri: uri.to_owned(),
                state: self.state.clone(),
                created_at: 0,
            }),
            (Onward::Client(_) | Onward::Page, _) => None,
        }
    }
}

fn hint(app: &App, text: Option<&str>) -> Hint {
    let Some(text) = text else { return Hint::Absent };
    let hinted = id_token::hinted(app, text);
    match hinted.and_then(|it| Some((it.client_id?, it.user_id, it.session_id))) {
        Some((client_id, user_id, session_id)) => Hint::Good { client_id, user_id, session_id },
        None => Hint::Bad,
    }
}

/// A client that may still act.
fn find(app: &App, id: &ClientId) -> Option<Arc<Client>> {
    let client = app.snapshot().clients.get(id).cloned();
    client.filter(|client| client.disabled_at.is_none())
}

/// The way back to the client, which waits in the page while its person is asked.
#[derive(Serialize, Deserialize)]
struct Way {
    client_id: ClientId,
    redirect_uri: String,
    state: Option<String>,
    /// When the person was asked, in Unix milliseconds.
    created_at: i64,
}

impl Way {
    fn seal(&self, app: &App) -> Result<String, Failure> {
        sealed_text::seal(&app.snapshot_kept().keys, PLACE, self)
    }

    /// `None` for what was not sealed here, is over, or is registered no more: the person is signed
    /// out all the same.
    fn open(app: &App, sealed: &str, now: Timestamp) -> Option<Self> {
        let way: Self = sealed_text::open(&app.snapshot_kept().keys, PLACE, sealed)?;
        let is_fresh = now < Timestamp::from_millis(way.created_at).plus(QUESTION_TTL);
        let client = find(app, &way.client_id)?;
        let is_known = client.metadata.post_logout_redirect_uris.contains(&way.redirect_uri);
        (is_fresh && is_known).then_some(way)
    }

    /// RP-Initiated Logout §3: with `state`, if there was one.
    fn address(&self) -> String {
        match &self.state {
            Some(state) => with_query(&self.redirect_uri, &[("state", state)]),
            None => self.redirect_uri.clone(),
        }
    }
}

const PLACE: &str = "sign-out";

/// Asks the person.
fn ask(app: &App, context: &Context, frame: Frame, way: Option<Way>) -> Page {
    let way = way.map(|way| Way { created_at: context.now.as_millis(), ..way });
    let sealed = match way.as_ref().map(|way| way.seal(app)).transpose() {
        Ok(sealed) => sealed,
        Err(failure) => return frame.broken(failure),
    };
    let client = way.as_ref().and_then(|way| find(app, &way.client_id));
    let name = client.as_ref().map(|client| client.name.as_str());
    let question = Question::SignOut { client: name, request: sealed.as_deref() };
    let page = ConfirmPage::new(frame, question).reply(StatusCode::OK);
    match &way {
        // Chromium holds `form-action` against the redirects that follow a form.
        Some(way) => page.leading_to(&way.redirect_uri),
        None => page,
    }
}

/// Who leaves, and for which client.
struct Leaving<'l> {
    visitor: Option<&'l Visitor>,
    client: Option<&'l Client>,
}

/// Ends the session, and goes on: at once to the client, unless others are told by the page.
async fn leave(
    app: &App,
    context: &Context,
    frame: Frame,
    leaving: Leaving<'_>,
    way: Option<Way>,
) -> Page {
    let frames = match end(app, context, &leaving).await {
        Ok(frames) => frames,
        Err(failure) => return frame.broken(failure),
    };
    let address = way.as_ref().map(Way::address);
    let client = way.and_then(|way| find(app, &way.client_id));
    let back = client.as_ref().map(|client| client.name.as_str()).zip(address.as_deref());
    let page = match back {
        Some((_, address)) if frames.is_empty() => Page::see_other(address),
        back => SignedOutPage::new(frame, frames, back).answer(),
    };
    page.clear(Cookie::Session)
}

/// Ends the session of who is there; the addresses of the frames by which clients are told.
async fn end(app: &App, context: &Context, leaving: &Leaving<'_>) -> Result<Vec<String>, Failure> {
    let Some(visitor) = leaving.visitor else { return Ok(Vec::new()) };
    let (user_id, session_id) = (visitor.user.id, visitor.session.id);
    let ending = app.ending();
    let event = context.event(Kind::SignedOut, Actor::User(user_id))?;
    let event = event.subject(user_id).with("sid", session_id);
    let event = match leaving.client {
        Some(client) => event.client(client.id.clone()),
        None => event,
    };

    let written = app.store.write(move |tx| {
        let parties = grants::relying_parties_of_session(tx, &user_id, &session_id)?;
        Ok::<_, StoreError>(match ending.session(tx, &user_id, &session_id)? {
            None => Committed::nothing(None),
            Some(revocation) => {
                let audit = Audit::Record(Box::new(event.clone()));
                Committed::new(Some((revocation, parties)), audit)
            }
        })
    });
    let Some((revocation, parties)) = written.await? else { return Ok(Vec::new()) };

    app.take_over(&revocation);
    outbox::wake(app);
    Ok(frames(&app.config.issuer, &parties))
}

fn frames(issuer: &str, parties: &[RelyingParty]) -> Vec<String> {
    let uri = |party: &RelyingParty| {
        let registered = party.metadata.frontchannel_logout_uri.as_ref()?;
        front_channel_uri(registered.as_str(), issuer, &party.session_id)
    };
    parties.iter().filter_map(uri).take(MAX_FRAMES).collect()
}
