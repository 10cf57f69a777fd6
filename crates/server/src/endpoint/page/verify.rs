//! `/verify`: the link of a mail, which asks whether an address is one's own. Looking at it changes
//! nothing, since mail scanners follow links; the button spends it.
//!
//! Whoever follows the link reads the mails there, and did not have to be the one who signed up: a
//! stranger may have, with a password of their own, and waits for the owner of the address to
//! confirm it (RC-05 of the attack kit). So the button alone is enough in the browser in which
//! somebody signed up, or is signed in; in any other one the password is asked for, or a new one,
//! which ends everything that there was before.

use axum::extract::{Query, State};
use http::StatusCode;
use munjigi_core::account::Password;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::ticket::Ticket;
use munjigi_store::{Audit, Committed, StoreError, links, passwords, throttles, users};

use crate::app::App;
use crate::browser::Browser;
use crate::context::{Context, UserAgent};
use crate::endpoint::page::{Brought, Ticketed, Visit, no_link};
use crate::failure::Failure;
use crate::mail::Device;
use crate::mailed_link::{self, FollowedLink};
use crate::page::agent::describe;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::cookies::Cookie;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::page::verify::VerifyElsewhere;
use crate::proof::{Proof, prove};
use crate::recovery::{Recovery, chosen};
use crate::reply::wait::Wait;
use crate::sign_in::SignInError;
use crate::signed_up::Asked;

/// What the links are for that this page takes.
const TAKEN: &[Purpose] = &[Purpose::Verify];

/// `GET /verify`: the question.
pub async fn ask(
    State(app): State<App>,
    Visit { context, way, browser }: Visit,
    Asked(asked): Asked,
    Query(Ticketed { ticket: text }): Query<Ticketed>,
    frame: Frame,
) -> Page {
    let ticket = text.as_deref().unwrap_or_default();
    let brought = Brought(Some(ticket), TAKEN);
    let followed = match find(&app, &context, ticket).await {
        Ok(Some(followed)) => followed,
        Ok(None) => return no_link(&app, &context, brought, &frame).await,
        Err(failure) => return frame.broken(failure),
    };
    let (email, flow) = (followed.found.link.email.as_str(), way.sealed());
    if followed.is_known_in(&browser, &Asked(asked)) {
        let question = Question::VerifyEmail { ticket, email, flow };
        return ConfirmPage::new(frame, question).reply(StatusCode::OK);
    }
    VerifyElsewhere::new(frame, (ticket, email, flow), vec![]).reply(StatusCode::OK)
}

/// `POST /verify`: the link is spent, and the address proved. Whoever signed up on the way to an
/// application goes on, if it is the browser that they began in (SS-03 of the attack kit). In a
/// browser that is not known, `action` is `confirm` with the `password` that was chosen, or
/// `replace` with another one.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    Asked(asked): Asked,
    UserAgent(user_agent): UserAgent,
    form: PageForm,
) -> Page {
    let PageForm { fields, frame } = form;
    let ticket = fields.find("ticket").unwrap_or_default();
    let brought = Brought(Some(ticket), TAKEN);
    let followed = match find(&app, &context, ticket).await {
        Ok(Some(followed)) => followed,
        Ok(None) => return no_link(&app, &context, brought, &frame).await,
        Err(failure) => return frame.broken(failure),
    };
    let is_known = followed.is_known_in(&browser, &Asked(asked));
    let device = Device {
        name: user_agent.as_deref().and_then(describe),
        address: context.address.map(|address| address.to_string()),
    };
    let typed = fields.find("password");
    let verified = match fields.find("action") {
        _ if is_known => followed.verify(&app, &context, None).await.map(Verified::of),
        Some("replace") => followed.replace(&app, &context, (&frame, typed), device).await,
        _ => followed.confirm(&app, &context, (&frame, typed)).await,
    };
    let complain = |complaint, status| {
        let shown = (ticket, followed.found.link.email.as_str(), way.sealed());
        VerifyElsewhere::new(frame.clone(), shown, vec![complaint]).reply(status)
    };
    match verified {
        Ok(Verified::Done) => {
            let done = match way.open(&app, &browser, &context) {
                Ok(_) => Done::EmailVerified,
                Err(_) => Done::EmailVerifiedElsewhere,
            };
            let page = OutcomePage::new(frame, done, way.sealed()).reply(StatusCode::OK);
            page.clear(Cookie::SignedUp)
        }
        Ok(Verified::Replaced) => {
            OutcomePage::new(frame, Done::PasswordSet, None).reply(StatusCode::OK)
        }
        Ok(Verified::Gone) => no_link(&app, &context, brought, &frame).await,
        Ok(Verified::Wrong(complaint)) => complain(complaint, StatusCode::UNPROCESSABLE_ENTITY),
        Ok(Verified::Throttled(wait)) => {
            let many = Complaint::too_many_attempts(&frame, wait);
            complain(many, StatusCode::TOO_MANY_REQUESTS).wait(wait)
        }
        Err(failure) => frame.broken(failure),
    }
}

/// What came of following the link.
enum Verified {
    /// The address is proved.
    Done,
    /// It is, and the password another one.
    Replaced,
    /// The link is good no longer.
    Gone,
    /// What was typed is not what was asked for.
    Wrong(Complaint),
    /// Too many guesses.
    Throttled(Wait),
}

impl Verified {
    fn of(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Gone }
    }
}

/// The link that somebody follows.
struct Followed {
    ticket: String,
    found: FollowedLink,
    /// Whether somebody could sign in to the account by now.
    has_password: bool,
}

async fn find(app: &App, context: &Context, text: &str) -> Result<Option<Followed>, Failure> {
    let Some(ticket) = mailed_link::ticket(Some(text)) else { return Ok(None) };
    let now = context.now;
    let found = app.store.read(move |tx| {
        let Some(found) = mailed_link::find(tx, &ticket, Purpose::Verify, now)? else {
            return Ok(None);
        };
        let has_password = passwords::find(tx, &found.user.id)?.is_some();
        Ok::<_, StoreError>(Some((found, has_password)))
    });
    let found = found.await?;
    Ok(found.map(|(found, has_password)| Followed { ticket: text.to_owned(), found, has_password }))
}

impl Followed {
    /// Whether this browser shows that whoever uses it chose the password, or knows it; or there is
    /// nothing that a stranger would gain.
    fn is_known_in(&self, browser: &Browser, Asked(asked): &Asked) -> bool {
        let user = &self.found.user;
        let is_signed_in = browser.holder().is_some_and(|holder| holder.user.id == user.id);
        let signed_up = asked.as_ref().is_some_and(|asked| asked.is_of(&user.id));
        is_signed_in || signed_up || !self.has_password || user.email_verified_at.is_some()
    }

    fn opened(&self) -> Result<Ticket, Failure> {
        mailed_link::ticket(Some(&self.ticket)).ok_or(Failure::Damaged("ticket"))
    }

    /// Spends the link; false when it is good no longer, or the password that was proved another
    /// one by now.
    async fn verify(
        &self,
        app: &App,
        context: &Context,
        proof: Option<Proof>,
    ) -> Result<bool, Failure> {
        let (ticket, now, user_id) = (self.opened()?, context.now, self.found.user.id);
        let event = context.event(Kind::EmailVerified, Actor::User(user_id))?.subject(user_id);
        let written = app.store.write(move |tx| {
            let Some(found) = mailed_link::find(tx, &ticket, Purpose::Verify, now)? else {
                return Ok(Committed::nothing(false));
            };
            if let Some(proof) = &proof {
                if passwords::find(tx, &user_id)? != proof.hash {
                    return Ok(Committed::nothing(false));
                }
                throttles::clear(tx, proof.ledger.hash())?;
            }
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

    /// With the password that was chosen. A guess like any other: it is counted.
    async fn confirm(
        &self,
        app: &App,
        context: &Context,
        (frame, typed): (&Frame, Option<&str>),
    ) -> Result<Verified, Failure> {
        let Some(typed) = typed else {
            return Ok(Verified::Wrong(Complaint::missing(frame, "password")));
        };
        let guess = Password::presented(typed.to_owned()).ok();
        let why = "wrong password when an address was to be proved";
        match prove(app, context, &self.found.user, guess, why).await {
            Ok(Some(proof)) => Ok(Verified::of(self.verify(app, context, Some(proof)).await?)),
            Err(SignInError::Throttled(wait)) => Ok(Verified::Throttled(wait)),
            Err(SignInError::Failure(failure)) => Err(failure),
            Ok(None) | Err(SignInError::Refused | SignInError::Client(_)) => {
                Ok(Verified::Wrong(Complaint::other_password(frame)))
            }
        }
    }

    /// With another password: whoever signed up is signed out, and everything they let in with
    /// them.
    async fn replace(
        &self,
        app: &App,
        context: &Context,
        (frame, typed): (&Frame, Option<&str>),
        device: Device,
    ) -> Result<Verified, Failure> {
        let password = match chosen(frame, typed, &self.found) {
            Ok(password) => password,
            Err(complaint) => return Ok(Verified::Wrong(complaint)),
        };
        let (with, told) = ((self.opened()?, password), (device, frame.locale));
        let recovery = Recovery::new(app, context, with, &self.found, told).await?;
        match recovery.write(app).await? {
            true => Ok(Verified::Replaced),
            false => Ok(Verified::Gone),
        }
    }
}
