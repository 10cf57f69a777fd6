//! A new password by a mailed link: of somebody who forgot theirs, or who proves an address with
//! which somebody else may have signed up. The link is spent once, and everything ends that the
//! password before may have opened.

use munjigi_core::account::link::Purpose;
use munjigi_core::account::{Email, Password};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::oauth::ticket::Ticket;
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::Parcel;
use munjigi_store::{
    Audit, Committed, StoreError, Tx, consents, links, outbox as sending, passwords, throttles,
    users,
};

use crate::accounts::check_password;
use crate::app::App;
use crate::attempts::Ledger;
use crate::context::Context;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::mail::{About, Device, Link};
use crate::mailed_link::{self, FollowedLink};
use crate::outbox;
use crate::page::field::Complaint;
use crate::page::frame::Frame;
use crate::page::locale::Locale;

/// The new password that was typed, or what is wrong with it.
pub fn chosen(
    frame: &Frame,
    typed: Option<&str>,
    found: &FollowedLink,
) -> Result<Password, Complaint> {
    let Some(typed) = typed else { return Err(Complaint::missing(frame, "password")) };
    let password = Password::parse(typed.to_owned());
    let password = password.map_err(|it| Complaint::about(frame, "password", it, it.korean()))?;
    let email = Email::parse(&found.user.email);
    let email = email.map_err(|it| Complaint::about(frame, "password", it, it.korean()))?;
    check_password(&password, &email, found.user.username.as_deref())
        .map_err(|it| Complaint::about(frame, "password", &it, it.korean()))?;
    Ok(password)
}

/// Everything that a recovery writes.
pub struct Recovery {
    ticket: Ticket,
    purpose: Purpose,
    hash: String,
    parcel: Option<Parcel>,
    ledger: Ledger,
    changed: Event,
    verified: Event,
    now: Timestamp,
}

impl Recovery {
    /// A recovery by the link that was found. The owner is told, in `locale` if they chose none,
    /// from which device it was.
    pub async fn new(
        app: &App,
        context: &Context,
        (ticket, password): (Ticket, Password),
        found: &FollowedLink,
        (device, locale): (Device, Locale),
    ) -> Result<Self, Failure> {
        let (user, now, purpose) = (&found.user, context.now, found.link.purpose);
        let about = About::PasswordChanged {
            at_millis: now.as_millis(),
            device,
            recover: Link::to(&app.config, "/recover", &[]),
        };
        let actor = Actor::User(user.id);
        let changed = context.event(Kind::PasswordChanged, actor.clone())?.subject(user.id);
        let method = if purpose == Purpose::Verify { "verification" } else { "recovery" };
        Ok(Self {
            hash: app.hashing.hash(password).await?.to_string(),
            parcel: mailed_link::letter(app, user, locale, about)?,
            ledger: Ledger::of_account(&app.snapshot_kept().keys, &user.id),
            changed: changed.with("method", method),
            verified: context.event(Kind::EmailVerified, actor)?.subject(user.id),
            ticket,
            purpose,
            now,
        })
    }

    /// False when the link is good no longer.
    pub async fn write(self, app: &App) -> Result<bool, Failure> {
        let ending = app.ending();
        let written = app.store.write(move |tx| self.write_in(tx, &ending));
        let Some(revocation) = written.await? else { return Ok(false) };
        app.take_over(&revocation);
        outbox::wake(app);
        Ok(true)
    }

    fn write_in(
        &self,
        tx: &mut Tx<'_>,
        ending: &Ending,
    ) -> Result<Committed<Option<Revocation>>, StoreError> {
        let found = mailed_link::find(tx, &self.ticket, self.purpose, self.now)?;
        let Some(FollowedLink { link, mut user }) = found else {
            return Ok(Committed::nothing(None));
        };
        if !links::spend(tx, &user.id, &link.id, self.now)? {
            return Ok(Committed::nothing(None));
        }
        // Whoever had the account before may have asked for these.
        mailed_link::revoke_open(tx, &user.id, self.now)?;
        // … and have let a client of their own in, which would be let in again unasked.
        consents::delete_all(tx, &user.id)?;
        let mut events = vec![self.changed.clone()];
        if user.email_verified_at.is_none() {
            // The link was sent to this address: who has it reads the mails there.
            user.email_verified_at = Some(self.now);
            users::update_profile(tx, &user)?;
            events.push(self.verified.clone());
        }
        passwords::put(tx, &user.id, &self.hash, self.now)?;
        users::set_password_changed(tx, &user.id, ending.now())?;
        throttles::clear(tx, self.ledger.hash())?;
        if let Some(parcel) = &self.parcel {
            sending::insert(tx, parcel)?;
        }
        // ASVS 7.4.3: whoever else is signed in may be the reason for the recovery.
        let revocation = ending.user(tx, &user.id)?;
        Ok(Committed::new(Some(revocation), Audit::Records(events)))
    }
}
