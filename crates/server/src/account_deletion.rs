//! Giving one's own account up: closed at once, deleted when the days of grace are over, and taken
//! back until then by whoever signs in again. Until then nothing else can be done with it: no page
//! and no token knows its owner ([`Browser`](crate::browser::Browser), `sign_in.rs`).

use munjigi_core::account::Password;
use munjigi_core::account::user::DELETION_GRACE;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::UserId;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::Parcel;
use munjigi_store::{
    Audit, Committed, StoreError, Tx, outbox as sending, passwords, sessions, throttles, users,
};

use crate::app::App;
use crate::browser::{NewHold, Visitor};
use crate::context::Context;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::mail::{About, Link};
use crate::mailed_link;
use crate::outbox;
use crate::page::locale::Locale;
use crate::proof::{Proof, prove};
use crate::sign_in::SignInError;

/// Where an account is given up, and where that is taken back.
pub const PATH: &str = "/account/delete";
/// How many accounts are deleted in one round at most.
const AT_A_TIME: u32 = 100;

/// Why an account is not given up.
#[derive(Debug)]
pub enum Refusal {
    /// The present password is another one.
    WrongPassword,
    /// The session is over, or the password another one by now.
    Over,
    /// Too many attempts, or something unforeseen.
    SignIn(SignInError),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::SignIn(error.into().into())
    }
}

/// Gives the account up that this browser is signed in to, with its present password; when it will
/// be deleted. Everything that it signed in to ends at once.
pub async fn plan(
    app: &App,
    context: &Context,
    visitor: &Visitor,
    current: Option<Password>,
    locale: Locale,
) -> Result<Timestamp, Refusal> {
    let user = &visitor.user;
    let why = "wrong password in a deletion";
    let proved = prove(app, context, user, current, why).await.map_err(Refusal::SignIn)?;
    let Some(proof) = proved else { return Err(Refusal::WrongPassword) };

    let due_at = context.now.plus(DELETION_GRACE);
    let about = About::DeletionPlanned {
        on_millis: due_at.as_millis(),
        account: Link::to(&app.config, PATH, &[]),
    };
    let event = context.event(Kind::DeletionPlanned, Actor::User(user.id))?.subject(user.id);
    let farewell = Farewell {
        parcel: mailed_link::letter(app, user, locale, about)?,
        event: event.with("due_at", due_at.as_millis()),
        visitor: visitor.clone(),
        proof,
        due_at,
    };
    let ending = app.ending();
    let revocation = app.store.write(move |tx| farewell.write_in(tx, &ending)).await?;
    app.take_over(&revocation.ok_or(Refusal::Over)?);
    outbox::wake(app);
    Ok(due_at)
}

/// Everything that giving up writes.
struct Farewell {
    visitor: Visitor,
    proof: Proof,
    due_at: Timestamp,
    parcel: Option<Parcel>,
    event: Event,
}

impl Farewell {
    /// Nothing when the session is over, or the password another one by now.
    fn write_in(
        &self,
        tx: &mut Tx<'_>,
        ending: &Ending,
    ) -> Result<Committed<Option<Revocation>>, StoreError> {
        let now = ending.now();
        let Some(user) = self.visitor.load(tx, now)? else { return Ok(Committed::nothing(None)) };
        if passwords::find(tx, &user.id)? != self.proof.hash
            || !users::set_deletion_due(tx, &user.id, Some(self.due_at), now)?
        {
            return Ok(Committed::nothing(None));
        }
        throttles::clear(tx, self.proof.ledger.hash())?;
        mailed_link::revoke_open(tx, &user.id, now)?;
        if let Some(parcel) = &self.parcel {
            sending::insert(tx, parcel)?;
        }
        let revocation = ending.user(tx, &user.id)?;
        Ok(Committed::new(Some(revocation), Audit::Record(Box::new(self.event.clone()))))
    }
}

/// Takes it back for whoever has signed in since; the browser gets another cookie, because its
/// session may do more from now on (SS-01 of the attack kit). `None` when there is nothing to take
/// back any more.
pub async fn take_back(
    app: &App,
    context: &Context,
    leaving: &Visitor,
) -> Result<Option<NewHold>, Failure> {
    let settings = app.snapshot().settings.clone();
    let hold = NewHold::of(&leaving.session, &settings, context.now)?;
    let (leaving, next, now) = (leaving.clone(), hold.hold, context.now);
    let user_id = leaving.user.id;
    let event = context.event(Kind::DeletionTakenBack, Actor::User(user_id))?.subject(user_id);
    let written = app.store.write(move |tx| {
        let held = (&user_id, &leaving.session.id);
        if leaving.load_leaving(tx, now)?.is_none()
            || !sessions::hold(tx, held, &leaving.hold.hash, Some(&next))?
            || !users::set_deletion_due(tx, &user_id, None, now)?
        {
            return Ok(Committed::nothing(false));
        }
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(true, audit))
    });
    Ok(written.await?.then_some(hold))
}

/// Deletes the accounts whose days of grace are over.
pub async fn finish(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let due = app.store.read(move |tx| users::list_deletion_due(tx, now, AT_A_TIME)).await?;
    for user_id in due {
        delete(app, user_id).await?;
    }
    Ok(())
}

async fn delete(app: &App, user_id: UserId) -> Result<(), Failure> {
    let event = app.system_event(Kind::UserDeleted)?.subject(user_id);
    let event = event.with("reason", "its owner gave it up");
    let ending = app.ending();
    let written = app.store.write(move |tx| {
        let due_at = users::find(tx, &user_id)?.and_then(|user| user.deletion_due_at);
        // Taken back a moment ago, or deleted by another node.
        if due_at.is_none_or(|due_at| due_at > ending.now()) {
            return Ok(Committed::nothing(None));
        }
        let revocation = ending.user(tx, &user_id)?;
        if !users::delete_if_due(tx, &user_id, ending.now())? {
            return Err(StoreError::Conflict);
        }
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Some(revocation), audit))
    });
    if let Some(revocation) = written.await? {
        app.take_over(&revocation);
        outbox::wake(app);
    }
    Ok(())
}
