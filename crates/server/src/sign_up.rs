//! Signing up, by the page and by the account API alike. Where an address is proved by a mail,
//! whoever asks learns nothing about it: what is to be told is told in a mail to whoever reads that
//! address (LG-01 of the attack kit).

use munjigi_core::account::link::Purpose;
use munjigi_core::account::user::User;
use munjigi_core::account::{Email, Password};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_store::outbox::Parcel;
use munjigi_store::{Audit, Committed, StoreError, Tx, outbox as sending, passwords, users};

use crate::accounts::{AccountError, NewAccount, new_user};
use crate::app::App;
use crate::attempts::Ledger;
use crate::config::Mode;
use crate::context::Context;
use crate::failure::Failure;
use crate::mail::{About, Link};
use crate::mailed_link::{self, MailedLink, Wanted, may_mail};
use crate::outbox;
use crate::page::locale::Locale;
use crate::random;

/// How long a way to an application may be to travel in a mail, in bytes: what is longer, mail
/// programs break.
const MAX_CARRIED_BYTES: usize = 2_000;

/// Who is told that an address is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Whoever asks.
    Asker,
    /// Whoever reads that address, in a mail; the asker gets the answer of a free one.
    Reader,
}

impl Told {
    /// On a page.
    pub fn on_page(app: &App) -> Self {
        if app.mail.is_on() { Self::Reader } else { Self::Asker }
    }

    /// Over the account API: in `dev` programs are told, which are being written there.
    pub fn by_api(app: &App) -> Self {
        match app.config.mode {
            Mode::Dev => Self::Asker,
            Mode::Serve => Self::on_page(app),
        }
    }
}

/// Somebody who signs up.
pub struct SignUp<'s> {
    /// What their account is made of.
    pub account: NewAccount,
    /// The password.
    pub password: Password,
    /// The language of their mail, if they chose none.
    pub locale: Locale,
    /// The way to an application that they are on, sealed: it goes on after the address is proved.
    pub flow: Option<&'s str>,
    /// Who is told that the address is taken.
    pub told: Told,
}

impl SignUp<'_> {
    /// Makes the account; as it is, or as it would be if the address were free.
    pub async fn make(self, app: &App, context: &Context) -> Result<User, AccountError> {
        let Self { account, password, locale, flow, told } = self;
        let email = account.email.clone();
        // Hashed before anybody looks whether the address is free: both take as long.
        let hash = app.hashing.hash(password).await.map_err(Failure::from)?;
        let user_id = random::user_id().map_err(Failure::from)?;
        let user = new_user(user_id, account, context.now);
        let asked = Asked { user: user.clone(), hash: hash.to_string(), told };
        let arrival = Arrival::new(app, context, asked, (&email, locale, flow)).await?;
        arrival.write(app).await?;
        Ok(user)
    }
}

struct Asked {
    user: User,
    hash: String,
    told: Told,
}

/// Everything that a sign-up may write.
#[derive(Clone)]
struct Arrival {
    user: User,
    hash: String,
    told: Told,
    /// For a free address, where mail is sent.
    verify: Option<MailedLink>,
    /// For a taken one: what its owner is told.
    exists: Option<Parcel>,
    ledger: Ledger,
    created: Event,
    refused: Event,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrived {
    /// The asker is told that it went well.
    Well,
    EmailTaken,
    UsernameTaken,
}

impl Arrival {
    async fn new(
        app: &App,
        context: &Context,
        asked: Asked,
        (email, locale, flow): (&Email, Locale, Option<&str>),
    ) -> Result<Self, Failure> {
        let Asked { user, hash, told } = asked;
        let canonical = email.canonical().to_owned();
        let owner = app.store.read(move |tx| users::find_by_email(tx, &canonical)).await?;
        // Written for a free address too, should somebody take it in this very moment.
        let reader = owner.as_ref().unwrap_or(&user);
        let exists = mailed_link::letter(app, reader, locale, exists(app))?;
        let flow = flow.filter(|flow| flow.len() <= MAX_CARRIED_BYTES);
        let own = Wanted::own(Purpose::Verify, "/verify", &user);
        let wanted = Wanted { carried: flow.map(|flow| ("flow", flow)), ..own };
        let about = |link, valid_seconds| About::Verify { link, valid_seconds };
        let verify = MailedLink::new(app, &user, &wanted, locale, about)?;
        let created = context.event(Kind::UserCreated, Actor::User(user.id))?;
        Ok(Self {
            verify: app.mail.is_on().then_some(verify),
            exists,
            ledger: Ledger::of_mails(&app.snapshot_kept().keys, email),
            created: created.subject(user.id).with("roles", &user.roles),
            refused: context.event(Kind::SignUpRefused, Actor::Anonymous)?,
            user,
            hash,
            told,
        })
    }

    async fn write(self, app: &App) -> Result<(), AccountError> {
        let again = self.clone();
        let arrived = match self.write_once(app).await {
            // Somebody took a name in this very moment: the next look finds them.
            Err(AccountError::EmailTaken | AccountError::UsernameTaken) => {
                again.write_once(app).await
            }
            arrived => arrived,
        };
        match arrived? {
            Arrived::Well => {
                outbox::wake(app);
                Ok(())
            }
            Arrived::EmailTaken => Err(AccountError::EmailTaken),
            Arrived::UsernameTaken => Err(AccountError::UsernameTaken),
        }
    }

    async fn write_once(self, app: &App) -> Result<Arrived, AccountError> {
        Ok(app.store.write(move |tx| self.write_in(tx)).await?)
    }

    fn write_in(&self, tx: &mut Tx<'_>) -> Result<Committed<Arrived>, StoreError> {
        let user = &self.user;
        let refuse = |arrived, reason| {
            let audit = Audit::Record(Box::new(self.refused.clone().refused(reason)));
            Ok(Committed::new(arrived, audit))
        };
        let owner = users::find_by_email(tx, &user.email_canonical)?;
        if owner.is_some() && self.told == Told::Asker {
            return refuse(Arrived::EmailTaken, "the address is taken");
        }
        let username = user.username_canonical.as_deref();
        let namesake = username.map(|name| users::find_by_username(tx, name)).transpose()?;
        if namesake.flatten().is_some() {
            // Said whether the address is free or not.
            return refuse(Arrived::UsernameTaken, "the user name is taken");
        }
        let may = match &self.verify {
            Some(_) => may_mail(tx, &self.ledger, user.created_at)?,
            None => false,
        };
        if let Some(owner) = owner {
            if let Some(parcel) = self.exists.as_ref().filter(|_| may) {
                sending::insert(tx, parcel)?;
            }
            let event = self.refused.clone().refused("the address is taken").subject(owner.id);
            return Ok(Committed::new(Arrived::Well, Audit::Record(Box::new(event))));
        }
        users::insert(tx, user)?;
        passwords::put(tx, &user.id, &self.hash, user.created_at)?;
        if let Some(verify) = &self.verify {
            verify.write(tx)?;
        }
        let audit = Audit::Record(Box::new(self.created.clone()));
        Ok(Committed::new(Arrived::Well, audit))
    }
}

/// What the owner of an address is told that somebody wanted to have.
pub fn exists(app: &App) -> About {
    About::AccountExists {
        sign_in: Link::to(&app.config, "/login", &[]),
        recover: Link::to(&app.config, "/recover", &[]),
    }
}
