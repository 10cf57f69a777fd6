//! One's own password, changed with the present one, by the account API and the pages alike.
//! Everything else that is signed in ends.

use munjigi_core::account::user::{BrowserHold, User};
use munjigi_core::account::{Email, Password, Weakness};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::SessionId;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::Timestamp;
use munjigi_store::{
    Audit, Committed, ReadTx, StoreError, Tx, passwords, sessions, throttles, users,
};

use crate::accounts::check_password;
use crate::app::App;
use crate::attempts::{Ledger, give_back};
use crate::browser::Visitor;
use crate::context::Context;
use crate::ending::Ending;
use crate::extract::caller::{Bearer, load};
use crate::failure::Failure;
use crate::mailed_link;
use crate::proof::{Proof, prove};
use crate::sign_in::SignInError;

/// By what the owner of an account is signed in.
#[derive(Clone)]
pub enum SignedInBy {
    /// By an access token.
    Token(Bearer),
    /// By the cookie of a browser, which gets another one (SS-01 of the attack kit).
    Browser(Box<Visitor>, BrowserHold),
}

/// What is asked for.
pub struct PasswordChange {
    /// Whose password it is.
    pub user: User,
    /// By what they are signed in.
    pub by: SignedInBy,
    /// What they say is the present one; `None` when it can be nobody's.
    pub current: Option<Password>,
    /// The next one.
    pub new: Password,
}

/// Why a password is not changed.
#[derive(Debug)]
pub enum Refusal {
    /// The next one is not good enough.
    Weak(Weakness),
    /// The present one is another.
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

impl PasswordChange {
    /// Checks the present password and writes the next one.
    pub async fn make(self, app: &App, context: &Context) -> Result<(), Refusal> {
        let Self { user, by, current, new } = self;
        let email = Email::parse(&user.email).map_err(|_| Failure::Damaged("email"))?;
        check_password(&new, &email, user.username.as_deref()).map_err(Refusal::Weak)?;

        let why = "wrong password in a password change";
        let proved = prove(app, context, &user, current, why).await.map_err(Refusal::SignIn)?;
        let Some(Proof { hash, ledger }) = proved else { return Err(Refusal::WrongPassword) };
        let new_hash = match app.hashing.hash(new).await {
            Ok(hash) => hash,
            Err(error) => {
                give_back(app, ledger).await?;
                return Err(error.into());
            }
        };

        let event = context.event(Kind::PasswordChanged, Actor::User(user.id))?.subject(user.id);
        let change = Change { user, by, old: hash, new: new_hash.to_string(), event, ledger };
        change.write(app).await
    }
}

impl SignedInBy {
    fn load(&self, tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Option<User>, StoreError> {
        match self {
            Self::Token(bearer) => load(tx, bearer, now),
            Self::Browser(visitor, _) => visitor.load(tx, now),
        }
    }

    fn session_id(&self) -> SessionId {
        match self {
            Self::Token(bearer) => bearer.session_id,
            Self::Browser(visitor, _) => visitor.session.id,
        }
    }
}

/// Everything that the change writes.
#[derive(Clone)]
struct Change {
    user: User,
    by: SignedInBy,
    old: Option<String>,
    new: String,
    event: Event,
    ledger: Ledger,
}

impl Change {
    async fn write(self, app: &App) -> Result<(), Refusal> {
        let ending = app.ending();
        let written = app.store.write(move |tx| {
            let Some(revocations) = self.write_in(tx, &ending)? else {
                return Ok(Committed::nothing(None));
            };
            let audit = Audit::Record(Box::new(self.event.clone()));
            Ok::<_, StoreError>(Committed::new(Some(revocations), audit))
        });
        for revocation in written.await?.ok_or(Refusal::Over)? {
            app.take_over(&revocation);
        }
        Ok(())
    }

    /// `None` when the session or the password is another one by now.
    fn write_in(
        &self,
        tx: &mut Tx<'_>,
        ending: &Ending,
    ) -> Result<Option<Vec<Revocation>>, StoreError> {
        let Self { user, by, old, new, ledger, .. } = self;
        if by.load(tx, ending.now())?.is_none() {
            return Ok(None);
        }
        let Some(old) = old else { return Ok(None) };
        // Guarded by the old hash: of two changes at once, one is made on what it has seen.
        if !passwords::replace(tx, &user.id, old, new, ending.now())? {
            return Ok(None);
        }
        let session_id = by.session_id();
        if let SignedInBy::Browser(visitor, next) = by {
            // The cookie before is dead, and so is a copy of it. Loaded above, in this transaction.
            sessions::hold(tx, (&user.id, &session_id), &visitor.hold.hash, Some(next))?;
            sessions::reauthenticate(tx, &user.id, &session_id, ending.now())?;
        }
        users::set_password_changed(tx, &user.id, ending.now())?;
        // Whoever knew the password before may have asked for these (RC-02 of the attack kit).
        mailed_link::revoke_open(tx, &user.id, ending.now())?;
        throttles::clear(tx, ledger.hash())?;
        munjigi_core::planted!("password_change_keeps_sessions", return Ok(Some(Vec::new())));
        // ASVS 7.4.3: whoever else is signed in may be the reason for the change.
        let revocations = ending.other_sessions(tx, &user.id, &session_id)?;
        sessions::keep(tx, &user.id, &session_id, ending.now())?;
        Ok(Some(revocations))
    }
}
