//! The browser behind a request to a page: who is signed in with it, and the mark that ties a flow
//! to it. A session that a browser holds is opened, proved again and let go of here alone.

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use munjigi_core::account::user::{BrowserHold, Session, User};
use munjigi_core::id::SessionId;
use munjigi_core::oauth::ticket::{Ticket, TicketKind};
use munjigi_core::secret::{Secret, keyed_hash};
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{ReadTx, Store, StoreError, Tx, sessions, users};

use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;
use crate::page::cookies::Cookie;
use crate::page::frame::Frame;
use crate::page::reply::Page;
use crate::random::{self, NoRandomness};
use crate::settings::Settings;

/// How long the mark of a browser is kept.
pub const MARK_TTL: Span = Span::from_days(1);

/// Who is signed in with a browser.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The person.
    pub user: User,
    /// Their session, which is alive.
    pub session: Session,
    /// How the browser holds it.
    pub hold: BrowserHold,
}

impl Visitor {
    /// The person as they are now, in the transaction in which they change something; `None` when
    /// the account is gone, disabled or given up, or this browser holds the session no longer.
    pub fn load(&self, tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Option<User>, StoreError> {
        Ok(self.find(tx, now)?.filter(User::is_open))
    }

    /// The same for a person who has given their account up.
    pub fn load_leaving(
        &self,
        tx: &mut ReadTx<'_>,
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        Ok(self.find(tx, now)?.filter(User::is_leaving))
    }

    fn find(&self, tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Option<User>, StoreError> {
        let Session { user_id, id, .. } = &self.session;
        let session = sessions::find(tx, user_id, id)?.filter(|it| !it.is_over(now));
        let hold = session.and_then(|session| session.browser);
        if hold.is_none_or(|hold| hold.hash != self.hold.hash) {
            return Ok(None);
        }
        users::find(tx, user_id)
    }
}

/// The browser behind a request.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The hash of the mark that it brings.
    pub mark: Option<[u8; 32]>,
    /// Who is signed in with it.
    pub visitor: Option<Visitor>,
    /// Who is signed in with it and has given their account up: they can take that back, and
    /// nothing else.
    pub leaving: Option<Visitor>,
}

impl FromRequestParts<App> for Browser {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Page> {
        let broken = |failure: Failure| Frame::of_request(parts, app).broken(failure);
        let now = parts.extensions.get::<Context>().map(|it| it.now);
        let now = now.unwrap_or_else(|| app.clock.now());
        Self::of(&parts.headers, &app.store, now).await.map_err(broken)
    }
}

impl Browser {
    /// Reads both cookies.
    pub async fn of(headers: &HeaderMap, store: &Store, now: Timestamp) -> Result<Self, Failure> {
        let mark = Cookie::Browser.read(headers).map(mark_of);
        let ticket = Cookie::Session.read(headers);
        let ticket = ticket.and_then(|text| Ticket::open(TicketKind::BrowserSession, text));
        let Some(ticket) = ticket else { return Ok(Self { mark, ..Self::default() }) };
        let (user_id, id) = (ticket.user_id, SessionId::from_bytes(ticket.row_id));
        let found = store.read(move |tx| {
            let session = sessions::find(tx, &user_id, &id)?;
            Ok::<_, StoreError>(session.zip(users::find(tx, &user_id)?))
        });
        let found = found.await?.and_then(|(session, user)| {
            let hold = session.browser.filter(|hold| ticket.opens(&hold.hash))?;
            (!session.is_over(now)).then_some(Visitor { user, session, hold })
        });
        let visitor = found.clone().filter(|it| it.user.is_open());
        Ok(Self { mark, visitor, leaving: found.filter(|it| it.user.is_leaving()) })
    }

    /// Whose session the browser holds, whatever they may do with it.
    pub fn holder(&self) -> Option<&Visitor> {
        self.visitor.as_ref().or(self.leaving.as_ref())
    }
}

impl Browser {
    /// The hash of the mark that it has; of one that it gets now if it has none.
    pub fn mark_or_new(&self) -> Result<([u8; 32], Option<Secret>), NoRandomness> {
        if let Some(hash) = self.mark {
            return Ok((hash, None));
        }
        let (mark, hash) = new_mark()?;
        Ok((hash, Some(mark)))
    }
}

/// The mark that a browser keeps, and its hash.
fn new_mark() -> Result<(Secret, [u8; 32]), NoRandomness> {
    let mark = random::secret("mj_bm_")?;
    let hash = mark_of(mark.reveal());
    Ok((mark, hash))
}

fn mark_of(text: &str) -> [u8; 32] {
    const DOMAIN: &[u8; 32] = b"munjigi browser mark, version 1 ";
    keyed_hash(DOMAIN, &[text.as_bytes()])
}

/// A hold on a session that no browser has yet, and the cookie that proves it.
pub struct NewHold {
    /// What the row keeps.
    pub hold: BrowserHold,
    cookie: Secret,
    ttl: Span,
}

impl NewHold {
    /// A hold on a session, from `now` on.
    pub fn of(
        session: &Session,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, NoRandomness> {
        let (kind, row) = (TicketKind::BrowserSession, *session.id.as_bytes());
        let ticket = Ticket::new(kind, session.user_id, row, random::bytes()?);
        let idle_expires_at = now.plus(settings.session_idle_ttl).min(session.expires_at);
        let hold = BrowserHold { hash: ticket.hash(), idle_expires_at };
        Ok(Self { hold, cookie: ticket.seal(), ttl: session.expires_at.since(now) })
    }

    /// The answer that brings the cookie to the browser.
    pub fn give(&self, page: Page) -> Page {
        page.store(Cookie::Session, self.cookie.reveal(), Some(self.ttl))
    }
}

/// Takes a session from the browser that holds it: somebody else signs in there. It is not ended;
/// its owner finds it in the list.
pub fn let_go(tx: &mut Tx<'_>, visitor: &Visitor) -> Result<bool, StoreError> {
    let Session { user_id, id, .. } = &visitor.session;
    sessions::hold(tx, (user_id, id), &visitor.hold.hash, None)
}
