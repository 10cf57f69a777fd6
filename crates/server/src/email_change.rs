//! Another address for an account: asked for with the password, agreed to from the present mailbox
//! and the new one, and taken back from the old one within some days (RC-04 of the attack kit).
//!
//! Both links of a pair are written and revoked together, and expire together. So, when one of them
//! is good and the other is not, the other one was followed.

use munjigi_core::account::link::{Link, Purpose};
use munjigi_core::account::user::User;
use munjigi_core::account::{Email, Password};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::oauth::ticket::Ticket;
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::Parcel;
use munjigi_store::{
    Audit, Committed, ReadTx, StoreError, Tx, consents, links, outbox as sending, passwords,
    throttles, users,
};

use crate::app::App;
use crate::attempts::Ledger;
use crate::browser::Visitor;
use crate::context::Context;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::mail::About;
use crate::mailed_link::{self, FollowedLink, MailedLink, Wanted, may_mail};
use crate::outbox;
use crate::page::locale::Locale;
use crate::proof::{Proof, prove};
use crate::sign_in::SignInError;
use crate::sign_up::exists;

/// Where both links of a pair lead.
const CONFIRM: &str = "/account/email/confirm";
/// Where the link leads that takes a change back.
const UNDO: &str = "/account/email/undo";
/// Where the link leads by which another password is chosen.
const RECOVER: &str = "/recover/password";

/// Why another address is not asked for.
#[derive(Debug)]
pub enum Refusal {
    /// It is the present one.
    Same,
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

/// A wish for another address.
pub struct EmailChange {
    /// Who wishes it.
    pub visitor: Visitor,
    /// The other address.
    pub email: Email,
    /// What they say is the present password; `None` when it can be nobody's.
    pub current: Option<Password>,
    /// The language of the mails, if they chose none.
    pub locale: Locale,
}

impl EmailChange {
    /// Checks the password, and mails a link to both addresses. If the new one is somebody else's,
    /// they are told so instead, and whoever asks cannot tell.
    pub async fn ask(self, app: &App, context: &Context) -> Result<(), Refusal> {
        let Self { visitor, email, current, locale } = self;
        if email.canonical() == visitor.user.email_canonical {
            return Err(Refusal::Same);
        }
        let why = "wrong password in a change of address";
        let proved = prove(app, context, &visitor.user, current, why).await;
        let Some(proof) = proved.map_err(Refusal::SignIn)? else {
            return Err(Refusal::WrongPassword);
        };
        let wish = Wish::new(app, context, (visitor, proof), &email, locale).await?;
        let now = app.clock.now();
        match app.store.write(move |tx| wish.write_in(tx, now)).await? {
            true => outbox::wake(app),
            false => return Err(Refusal::Over),
        }
        Ok(())
    }
}

/// Everything that asking writes.
#[derive(Clone)]
struct Wish {
    visitor: Visitor,
    proof: Proof,
    canonical: String,
    old: MailedLink,
    new: MailedLink,
    /// What the owner of a taken address is told.
    exists: Option<Parcel>,
    /// Where mails to both addresses are counted.
    ledgers: [Ledger; 2],
    event: Event,
}

impl Wish {
    async fn new(
        app: &App,
        context: &Context,
        (visitor, proof): (Visitor, Proof),
        email: &Email,
        locale: Locale,
    ) -> Result<Self, Failure> {
        let user = &visitor.user;
        let own = Email::parse(&user.email).map_err(|_| Failure::Damaged("email"))?;
        let canonical = email.canonical().to_owned();
        let find = canonical.clone();
        let owner = app.store.read(move |tx| users::find_by_email(tx, &find)).await?;
        // Written for a free address too, should somebody take it in this very moment.
        let reader = User { email: email.as_str().to_owned(), ..user.clone() };
        let reader = owner.unwrap_or(reader);

        let to_new = Wanted {
            purpose: Purpose::ChangeNew,
            path: CONFIRM,
            carried: None,
            email: email.as_str(),
            to: email.as_str(),
        };
        let about = |link, valid_seconds| About::ConfirmNewEmail { link, valid_seconds };
        let new = MailedLink::new(app, user, &to_new, locale, about)?;
        let to_old = Wanted { purpose: Purpose::ChangeOld, to: &user.email, ..to_new };
        let new_email = email.as_str().to_owned();
        let about = |link, valid_seconds| About::ConfirmOldEmail { new_email, link, valid_seconds };
        let old = MailedLink::new(app, user, &to_old, locale, about)?.paired_with(&new);
        let event = context.event(Kind::EmailChangeRequested, Actor::User(user.id))?;
        Ok(Self {
            old,
            new,
            exists: mailed_link::letter(app, &reader, locale, exists(app))?,
            ledgers: [&own, email].map(|email| Ledger::of_mails(&app.snapshot_kept().keys, email)),
            event: event.subject(user.id),
            canonical,
            visitor,
            proof,
        })
    }

    /// False when the session is over, or the password another one by now.
    fn write_in(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Committed<bool>, StoreError> {
        let Some(user) = self.visitor.load(tx, now)? else { return Ok(Committed::nothing(false)) };
        let is_same = user.email == self.visitor.user.email;
        if !is_same || passwords::find(tx, &user.id)? != self.proof.hash {
            return Ok(Committed::nothing(false));
        }
        throttles::clear(tx, self.proof.ledger.hash())?;
        let record = |event| Ok(Committed::new(true, Audit::Record(Box::new(event))));
        let mut may = true;
        for ledger in &self.ledgers {
            may &= may_mail(tx, ledger, now)?;
        }
        if !may {
            return record(self.event.clone().refused("too many mails"));
        }
        self.old.write(tx)?;
        if users::find_by_email(tx, &self.canonical)?.is_none() {
            self.new.write(tx)?;
            return record(self.event.clone());
        }
        // The pair is whole, so that the link to the old address alone changes nothing.
        self.new.write_unmailed(tx)?;
        if let Some(parcel) = &self.exists {
            sending::insert(tx, parcel)?;
        }
        record(self.event.clone().with("address", "taken"))
    }
}

/// What a link of a pair, or the one that takes a change back, is about.
pub async fn find(
    app: &App,
    context: &Context,
    text: Option<&str>,
    purposes: &'static [Purpose],
) -> Result<Option<FollowedLink>, Failure> {
    let Some(ticket) = mailed_link::ticket(text) else { return Ok(None) };
    let now = context.now;
    Ok(app.store.read(move |tx| find_in(tx, &ticket, purposes, now)).await?)
}

/// What the links of a pair are for.
pub const PAIR: &[Purpose] = &[Purpose::ChangeNew, Purpose::ChangeOld];
/// What the link is for that takes a change back.
pub const BACK: &[Purpose] = &[Purpose::Undo];

fn find_in(
    tx: &mut ReadTx<'_>,
    ticket: &Ticket,
    purposes: &[Purpose],
    now: Timestamp,
) -> Result<Option<FollowedLink>, StoreError> {
    for purpose in purposes {
        if let Some(found) = mailed_link::find(tx, ticket, *purpose, now)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What came of following a link of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// The other mailbox has not agreed yet.
    Half,
    /// The address is this one now.
    Changed(String),
    /// The link is good no longer; or the address is somebody else's by now, which is not said.
    Gone,
}

/// Follows a link of a pair.
pub async fn agree(
    app: &App,
    context: &Context,
    text: Option<&str>,
    locale: Locale,
) -> Result<Agreed, Failure> {
    let Some(found) = find(app, context, text, PAIR).await? else { return Ok(Agreed::Gone) };
    let Some(ticket) = mailed_link::ticket(text) else { return Ok(Agreed::Gone) };
    let agreement = Agreement::new(app, context, ticket, &found, locale)?;
    let agreed = app.store.write(move |tx| agreement.write_in(tx)).await?;
    outbox::wake(app);
    Ok(agreed)
}

/// Everything that agreeing may write.
struct Agreement {
    ticket: Ticket,
    /// Takes the change back; told to the old address.
    undo: MailedLink,
    confirmed: Event,
    changed: Event,
    now: Timestamp,
}

impl Agreement {
    fn new(
        app: &App,
        context: &Context,
        ticket: Ticket,
        found: &FollowedLink,
        locale: Locale,
    ) -> Result<Self, Failure> {
        let FollowedLink { link, user } = found;
        let new_email = link.email.clone();
        let about = |undo, valid_seconds| About::EmailChanged { new_email, undo, valid_seconds };
        let wanted = Wanted::own(Purpose::Undo, UNDO, user);
        let event = |kind| {
            let event = context.event(kind, Actor::User(user.id))?;
            Ok::<_, Failure>(event.subject(user.id).with("link", link.purpose.as_str()))
        };
        Ok(Self {
            ticket,
            undo: MailedLink::new(app, user, &wanted, locale, about)?,
            confirmed: event(Kind::EmailChangeConfirmed)?,
            changed: event(Kind::EmailChanged)?,
            now: context.now,
        })
    }

    fn write_in(&self, tx: &mut Tx<'_>) -> Result<Committed<Agreed>, StoreError> {
        let now = self.now;
        let Some(FollowedLink { link, user }) = find_in(tx, &self.ticket, PAIR, now)? else {
            return Ok(Committed::nothing(Agreed::Gone));
        };
        // An address that was changed in between took the pair back; looked at once more here.
        let Ok(email) = Email::parse(&link.email) else {
            return Ok(Committed::nothing(Agreed::Gone));
        };
        let is_taken = other_owner(tx, &user, &email)?.is_some();
        let is_new = link.purpose == Purpose::ChangeNew;
        let other = if is_new { Purpose::ChangeOld } else { Purpose::ChangeNew };
        let Some(twin) = links::find_twin(tx, &link, other)? else {
            return Ok(Committed::nothing(Agreed::Gone));
        };
        let agrees = twin.spent_at.is_some();
        if agrees && is_taken {
            // Not spent: a stranger who signs up with the address must not use up what was proved.
            let refused = self.changed.clone().refused("the address is taken");
            return Ok(Committed::new(Agreed::Gone, Audit::Record(Box::new(refused))));
        }
        if self.undo.link.email != user.email || !links::spend(tx, &user.id, &link.id, now)? {
            return Ok(Committed::nothing(Agreed::Gone));
        }
        if !agrees {
            let audit = Audit::Record(Box::new(self.confirmed.clone()));
            return Ok(Committed::new(Agreed::Half, audit));
        }
        give(tx, user, &email, now)?;
        // Beside an older one: whoever has the account in hand must not make it void by another
        // change.
        self.undo.write_beside(tx)?;
        let events = vec![self.confirmed.clone(), self.changed.clone()];
        Ok(Committed::new(Agreed::Changed(link.email), Audit::Records(events)))
    }
}

/// Who else has an address.
fn other_owner(
    tx: &mut ReadTx<'_>,
    user: &User,
    email: &Email,
) -> Result<Option<User>, StoreError> {
    let owner = users::find_by_email(tx, email.canonical())?;
    Ok(owner.filter(|owner| owner.id != user.id))
}

/// Gives an account an address that was proved just now, and that nobody else has; and takes back
/// every open link that was sent to the one before.
fn give(tx: &mut Tx<'_>, mut user: User, email: &Email, now: Timestamp) -> Result<(), StoreError> {
    user.email = email.as_str().to_owned();
    user.email_canonical = email.canonical().to_owned();
    (user.email_verified_at, user.updated_at) = (Some(now), now);
    users::update_profile(tx, &user)?;
    mailed_link::revoke_open(tx, &user.id, now)?;
    links::revoke_all(tx, &user.id, Purpose::Verify, now)?;
    Ok(())
}

/// Takes a change back by the link that the old address was told; the address, as before.
/// Whoever changed it knows the password: it is taken away, everything that is signed in ends, and
/// a link for another password is mailed to the old address. `None` when the link is good no
/// longer, or the address is somebody else's by now; in that case it stays good.
pub async fn undo(
    app: &App,
    context: &Context,
    text: Option<&str>,
    locale: Locale,
) -> Result<Option<String>, Failure> {
    let Some(found) = find(app, context, text, BACK).await? else { return Ok(None) };
    let Some(ticket) = mailed_link::ticket(text) else { return Ok(None) };
    let (user_id, actor) = (ticket.user_id, Actor::User(ticket.user_id));
    let owner = User { email: found.link.email, ..found.user };
    let wanted = Wanted::own(Purpose::Recover, RECOVER, &owner);
    let about = |link, valid_seconds| About::Recover { link, valid_seconds };
    let undoing = Undoing {
        undone: context.event(Kind::EmailChangeUndone, actor.clone())?.subject(user_id),
        disarmed: context.event(Kind::PasswordRemoved, actor.clone())?.subject(user_id),
        removed: context.event(Kind::UserDeleted, actor)?,
        recover: MailedLink::new(app, &owner, &wanted, locale, about)?,
        ending: app.ending(),
        ticket,
    };
    let written = app.store.write(move |tx| undoing.write_in(tx));
    let Some((email, revocations)) = written.await? else { return Ok(None) };
    for revocation in &revocations {
        app.take_over(revocation);
    }
    outbox::wake(app);
    Ok(Some(email))
}

/// Everything that taking a change back may write.
struct Undoing {
    ticket: Ticket,
    ending: Ending,
    undone: Event,
    /// Of the password.
    disarmed: Event,
    /// Of an account that stands in the way.
    removed: Event,
    /// The way to another password.
    recover: MailedLink,
}

/// The address that there is again, and whose tokens ended for it.
type TakenBack = (String, Vec<Revocation>);

impl Undoing {
    fn write_in(&self, tx: &mut Tx<'_>) -> Result<Committed<Option<TakenBack>>, StoreError> {
        let now = self.ending.now();
        let Some(FollowedLink { link, user }) = find_in(tx, &self.ticket, BACK, now)? else {
            return Ok(Committed::nothing(None));
        };
        let Ok(email) = Email::parse(&link.email) else { return Ok(Committed::nothing(None)) };
        let other = other_owner(tx, &user, &email)?;
        if other.as_ref().is_some_and(|other| !is_squatter(other, &link)) {
            // Not spent: the address may become free while the link is good.
            let refused = self.undone.clone().refused("the address is taken");
            return Ok(Committed::new(None, Audit::Record(Box::new(refused))));
        }
        if !links::spend(tx, &user.id, &link.id, now)? {
            return Ok(Committed::nothing(None));
        }
        let (mut events, mut revocations) = (vec![self.undone.clone()], vec![]);
        if let Some(other) = other {
            revocations.push(self.ending.user(tx, &other.id)?);
            users::delete(tx, &other.id)?;
            let removed = self.removed.clone().subject(other.id);
            events.push(removed.with("reason", "its address was another person's, and unproved"));
        }
        let user_id = user.id;
        give(tx, user, &email, now)?;
        // An older one stays good: whoever changed the address twice must not make void, by taking
        // back their own second change, what its owner was told of the first.
        links::revoke_newer(tx, (&user_id, &link.id), Purpose::Undo, now)?;
        if passwords::delete(tx, &user_id)? {
            events.push(self.disarmed.clone());
        }
        // Whoever signs in with it at this moment is too late, and a device is known no longer.
        users::set_password_changed(tx, &user_id, now)?;
        consents::delete_all(tx, &user_id)?;
        self.recover.write(tx)?;
        revocations.push(self.ending.user(tx, &user_id)?);
        Ok(Committed::new(Some((link.email, revocations)), Audit::Records(events)))
    }
}

/// Whether an account has the address of a link only because somebody typed it, after the link was
/// mailed there. Whoever follows the link reads the mails there, and so comes first.
fn is_squatter(other: &User, link: &Link) -> bool {
    other.email_verified_at.is_none() && other.created_at >= link.created_at
}
