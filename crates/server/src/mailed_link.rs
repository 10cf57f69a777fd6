//! Links that are mailed to people: made together with their mail, and found again when somebody
//! follows them. A link is built from the configured issuer alone (RC-01 of the attack kit), and is
//! spent by a form that is sent, never by being looked at (RC-02).

use munjigi_core::account::link::{Followed, Link, Purpose};
use munjigi_core::account::user::User;
use munjigi_core::account::{Attempts, Email, Taken};
use munjigi_core::id::{LinkId, UserId};
use munjigi_core::oauth::ticket::{Ticket, TicketKind};
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::Parcel;
use munjigi_store::{ReadTx, StoreError, Tx, links, outbox, throttles, users};

use crate::app::App;
use crate::attempts::Ledger;
use crate::failure::Failure;
use crate::mail::{self, About, Mail};
use crate::page::locale::Locale;
use crate::random;

/// A link with the mail that brings it; both are written in one transaction.
#[derive(Clone)]
pub struct MailedLink {
    /// What the database keeps.
    pub link: Link,
    /// `None` when no mail server is configured.
    parcel: Option<Parcel>,
}

/// What a link is to be.
pub struct Wanted<'w> {
    /// What for.
    pub purpose: Purpose,
    /// The page that it leads to.
    pub path: &'static str,
    /// What its address carries besides the ticket.
    pub carried: Option<(&'static str, &'w str)>,
    /// The address that it is about.
    pub email: &'w str,
    /// The address that it is mailed to.
    pub to: &'w str,
}

impl<'w> Wanted<'w> {
    /// A link about the address that somebody has now, mailed to it.
    pub fn own(purpose: Purpose, path: &'static str, user: &'w User) -> Self {
        Self { purpose, path, carried: None, email: &user.email, to: &user.email }
    }
}

impl MailedLink {
    /// A link. `about` is what its mail tells, given where the link leads and how many seconds it
    /// is good.
    pub fn new(
        app: &App,
        user: &User,
        wanted: &Wanted<'_>,
        locale: Locale,
        about: impl FnOnce(mail::Link, i64) -> About,
    ) -> Result<Self, Failure> {
        let (now, purpose) = (app.clock.now(), wanted.purpose);
        let (user_id, id) = (user.id, LinkId::from_parts(now, random::bytes()?));
        let ticket = Ticket::new(TicketKind::MailedLink, user_id, *id.as_bytes(), random::bytes()?);
        let sealed = ticket.seal();
        let parameters = [Some(("ticket", sealed.reveal())), wanted.carried];
        let parameters: Vec<_> = parameters.into_iter().flatten().collect();
        let link = mail::Link::to(&app.config, wanted.path, &parameters);
        let parcel =
            letter_to(app, user, wanted.to, locale, about(link, purpose.ttl().as_seconds()))?;
        let link = Link {
            user_id,
            id,
            purpose,
            hash: ticket.hash(),
            email: wanted.email.to_owned(),
            created_at: now,
            expires_at: now.plus(purpose.ttl()),
            spent_at: None,
        };
        Ok(Self { link, parcel })
    }

    /// The second link of a pair: it was made, and expires, in the same moment as the first.
    pub fn paired_with(mut self, first: &Self) -> Self {
        self.link.created_at = first.link.created_at;
        self.link.expires_at = first.link.expires_at;
        self
    }

    /// Writes both. Older links for the same die (RC-02 of the attack kit).
    pub fn write(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.write_unmailed(tx)?;
        self.parcel.iter().try_for_each(|parcel| outbox::insert(tx, parcel))
    }

    /// Writes the link in place of older ones, and no mail: nobody ever learns its ticket.
    pub fn write_unmailed(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let Link { user_id, purpose, created_at, .. } = &self.link;
        links::revoke_all(tx, user_id, *purpose, *created_at)?;
        links::insert(tx, &self.link)
    }

    /// Writes both beside older links for the same, which stay good.
    pub fn write_beside(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        links::insert(tx, &self.link)?;
        self.parcel.iter().try_for_each(|parcel| outbox::insert(tx, parcel))
    }
}

/// A mail to the address that somebody has, in their language; in `locale` when they chose none.
pub fn letter(
    app: &App,
    user: &User,
    locale: Locale,
    about: About,
) -> Result<Option<Parcel>, Failure> {
    letter_to(app, user, &user.email, locale, about)
}

/// The same to another address of theirs.
fn letter_to(
    app: &App,
    user: &User,
    to: &str,
    locale: Locale,
    about: About,
) -> Result<Option<Parcel>, Failure> {
    let to = Email::parse(to).map_err(|_| Failure::Damaged("email"))?;
    let locale = user.locale.as_deref().and_then(Locale::parse).unwrap_or(locale);
    crate::outbox::mail(app, &Mail::new(&to, Some(user.id), locale, about))
}

/// Takes back what somebody else may have asked for: links for a new password, and both of a pair
/// for another address. For whenever the password or the address is another one (RC-02 of the
/// attack kit).
pub fn revoke_open(tx: &mut Tx<'_>, user_id: &UserId, now: Timestamp) -> Result<(), StoreError> {
    for purpose in [Purpose::Recover, Purpose::ChangeNew, Purpose::ChangeOld] {
        links::revoke_all(tx, user_id, purpose, now)?;
    }
    Ok(())
}

/// The same, and what takes back a change of address. For whenever somebody else than the person
/// decides about the account: who gives it another address or password, or disables it, would
/// otherwise have it taken back by a mail of before. Not for what the person does: somebody else
/// may be doing it, and then this link is their way back.
pub fn revoke_for_good(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    now: Timestamp,
) -> Result<(), StoreError> {
    revoke_open(tx, user_id, now)?;
    links::revoke_all(tx, user_id, Purpose::Undo, now)?;
    Ok(())
}

/// A link that somebody follows, and whose it is.
#[derive(Clone)]
pub struct FollowedLink {
    /// The link, which is good.
    pub link: Link,
    /// Whose it is.
    pub user: User,
}

/// Finds a link that is good for a purpose, of an account that is not disabled. What proves or uses
/// the address that somebody has is good as long as they have it (RC-02 of the attack kit: not
/// after a change of it); what is about another one does not ask.
pub fn find(
    tx: &mut ReadTx<'_>,
    ticket: &Ticket,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<FollowedLink>, StoreError> {
    let id = LinkId::from_bytes(ticket.row_id);
    let found = links::find(tx, &ticket.user_id, &id)?.filter(|link| ticket.opens(&link.hash));
    let good = found.filter(|link| link.follow(purpose, now) == Followed::Good);
    let Some(link) = good else { return Ok(None) };
    let user = users::find(tx, &link.user_id)?;
    let is_about = |user: &User| match link.purpose {
        Purpose::Verify | Purpose::Recover => user.email == link.email,
        Purpose::ChangeNew | Purpose::ChangeOld | Purpose::Undo => true,
    };
    let user = user.filter(|user| user.disabled_at.is_none() && is_about(user));
    Ok(user.map(|user| FollowedLink { link, user }))
}

/// Whose link it is that a ticket opened once, what it was for, and why it opens nothing any more
/// where a link for one of these purposes is asked for. `None` of a link that is good, and of a
/// ticket that is nobody's.
pub fn refused(
    tx: &mut ReadTx<'_>,
    ticket: &Ticket,
    purposes: &[Purpose],
    now: Timestamp,
) -> Result<Option<(UserId, Purpose, &'static str)>, StoreError> {
    let id = LinkId::from_bytes(ticket.row_id);
    let found = links::find(tx, &ticket.user_id, &id)?.filter(|link| ticket.opens(&link.hash));
    let Some(link) = found else { return Ok(None) };
    let wanted = purposes.iter().copied().find(|it| *it == link.purpose);
    let why = match wanted.map_or(Followed::Other, |wanted| link.follow(wanted, now)) {
        Followed::Expired => "too late",
        Followed::Spent => "used or taken back",
        Followed::Other => "for something else",
        // What it was for stands no more, unless it is good after all.
        Followed::Good => match find(tx, ticket, link.purpose, now)? {
            Some(_) => return Ok(None),
            None => "the account is disabled or has another address",
        },
    };
    Ok(Some((link.user_id, link.purpose, why)))
}

/// What a form or an address says is the ticket of a mailed link.
pub fn ticket(text: Option<&str>) -> Option<Ticket> {
    text.and_then(|text| Ticket::open(TicketKind::MailedLink, text))
}

/// Whether one more mail may be sent that anybody may ask for: a stranger must not be able to fill
/// somebody's mailbox with ours. The answer on the page is the same.
pub fn may_mail(tx: &mut Tx<'_>, ledger: &Ledger, now: Timestamp) -> Result<bool, StoreError> {
    let counted = throttles::find(tx, ledger.hash())?.unwrap_or(Attempts::CLEAR);
    let Taken::Counted(counted) = counted.take(ledger.free(), now) else { return Ok(false) };
    throttles::put(tx, ledger.hash(), &counted, counted.expires_at())?;
    Ok(true)
}
