//! May one more guess be made? The one ledger behind everything that can be guessed.
//!
//! A guess is counted before it is looked at, so that any number of parallel guesses share one
//! budget; a right one clears the ledger, and one that was never looked at is given back. Honest
//! requests that come at once wait a moment for each other instead of being refused.

use std::time::Duration;

use munjigi_core::account::attempts::{FREE_FAILURES, FREE_FAILURES_AT_HOME};
use munjigi_core::account::budget::Budget;
use munjigi_core::account::user::User;
use munjigi_core::account::{Attempt, Attempts, Email, Taken};
use munjigi_core::audit::Event;
use munjigi_core::id::UserId;
use munjigi_core::secret::keyed_hash;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::passwords::{self, SignIn};
use munjigi_store::{Audit, Committed, ReadTx, StoreError, Tx, throttles, users};

use crate::addresses::{self, Denied};
use crate::app::App;
use crate::clock;
use crate::context::Context;
use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::known_device::KnownDevice;
use crate::reply::wait::{Quota, Wait};
use crate::sign_in::Login;

/// How long a request waits for guesses that are under way before it is refused.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest block that is worth waiting for.
const LONGEST_WAIT: Span = Span::from_seconds(2);
/// How often it looks again meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(40);

/// A place in the ledger: a keyed hash, so that the table tells nobody who was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    hash: [u8; 32],
    free: u32,
}

impl Ledger {
    /// Where guesses at an account are counted, by whichever of its names (CVE-2025-24806).
    pub fn of_account(keys: &KeyRing, user_id: &UserId) -> Self {
        Self::new(keys, &[b"user", user_id.as_bytes()], FREE_FAILURES)
    }

    /// Where those from a device are that is known for its owner: nobody elsewhere can use up its
    /// budget (LG-07 of the attack kit).
    fn of_device(keys: &KeyRing, user_id: &UserId, device: &KnownDevice) -> Self {
        let whose = [&b"device"[..], user_id.as_bytes(), device.id()];
        Self::new(keys, &whose, FREE_FAILURES_AT_HOME)
    }

    /// Where guesses are counted at a name that nobody has.
    fn of_nobody(keys: &KeyRing, login: &Login) -> Self {
        Self::new(keys, &[b"nobody", login.canonical().as_bytes()], FREE_FAILURES)
    }

    /// Where mails to an address are counted that anybody may ask for.
    pub fn of_mails(keys: &KeyRing, email: &Email) -> Self {
        Self::new(keys, &[b"mail", email.canonical().as_bytes()], FREE_FAILURES)
    }

    fn new(keys: &KeyRing, whose: &[&[u8]], free: u32) -> Self {
        Self { hash: keyed_hash(&keys.attempts, whose), free }
    }

    /// The key of its row.
    pub const fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// How many attempts in a row are not delayed there.
    pub const fn free(&self) -> u32 {
        self.free
    }
}

/// Somebody's account, with the stored hash of their password if they have one.
#[derive(Clone)]
pub struct Account {
    /// Whose it is.
    pub user: User,
    /// The stored hash.
    pub hash: Option<String>,
}

/// What is known once a guess was counted.
#[derive(Clone)]
pub enum Counted {
    /// The budget is spent until then.
    Throttled {
        /// When the next guess may be made.
        until: Timestamp,
        /// Where guesses are counted.
        ledger: Ledger,
        /// Whose account it is, if there is one. For the audit trail alone.
        subject: Option<UserId>,
    },
    /// One guess may be made.
    Go {
        /// The account, if there is one.
        account: Option<Box<Account>>,
        /// Where the guess was counted.
        ledger: Ledger,
    },
}

/// Whose password is guessed.
#[derive(Clone)]
enum Guessed {
    /// Whoever has this name; from a device that is known for its owner, it may be.
    Login(Login, Option<KnownDevice>),
    /// Somebody who is known.
    User(UserId),
}

/// Counts one guess at whoever has this name. `refused` is what the audit trail is told when there
/// is no budget left.
pub async fn count(
    app: &App,
    context: &Context,
    (login, device): (&Login, Option<&KnownDevice>),
    refused: Event,
) -> Result<Counted, Denied> {
    let guessed = Guessed::Login(login.clone(), device.cloned());
    count_patiently(app, context, guessed, refused).await
}

/// Whether a device is known for whoever has this name: then nobody else at its address can keep
/// its owner out (LG-07 of the attack kit). Looks for the device's owner and never for the name, so
/// that the time that it takes does not tell whether somebody has it (LG-02).
pub async fn is_at_home(
    app: &App,
    login: &Login,
    device: Option<&KnownDevice>,
) -> Result<bool, Failure> {
    let Some(device) = device else { return Ok(false) };
    let owner = *device.owner();
    let owner = app.store.read(move |tx| users::find(tx, &owner)).await?;
    Ok(owner.is_some_and(|owner| device.belongs_to(&owner) && login.is_of(&owner)))
}

/// Counts one guess at the password of somebody who is known.
pub async fn count_account(
    app: &App,
    context: &Context,
    user: &User,
    refused: Event,
) -> Result<Counted, Denied> {
    count_patiently(app, context, Guessed::User(user.id), refused).await
}

async fn count_patiently(
    app: &App,
    context: &Context,
    guessed: Guessed,
    refused: Event,
) -> Result<Counted, Denied> {
    let started = clock::stopwatch();
    loop {
        let counted = count_once(app, guessed.clone()).await?;
        let Counted::Throttled { until, ledger, subject } = counted else { return Ok(counted) };
        let waited = match PATIENCE.checked_sub(started.elapsed()) {
            Some(left) if until.since(app.clock.now()) <= LONGEST_WAIT => {
                room_again(app, ledger, left).await?
            }
            _ => Waited::InVain,
        };
        if waited == Waited::InVain {
            let named = match subject {
                Some(subject) => refused.subject(subject),
                None => refused,
            };
            addresses::count_guess(app, context, &ledger).await?;
            record(app, named).await?;
            return Ok(Counted::Throttled { until, ledger, subject });
        }
    }
}

/// How waiting for the guesses that are under way ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waited {
    /// There is room for a guess again.
    Enough,
    /// There is not, or too many wait already.
    InVain,
}

/// Waits until there is room for a guess. Only looks: a crowd that waits must not keep the writer
/// from its work.
#[expect(clippy::disallowed_methods, reason = "the pause between two looks is the point")]
async fn room_again(app: &App, ledger: Ledger, patience: Duration) -> Result<Waited, Failure> {
    let Ok(_place) = app.waiting.try_acquire() else { return Ok(Waited::InVain) };
    let started = clock::stopwatch();
    while started.elapsed() < patience {
        tokio::time::sleep(LOOK_AGAIN).await;
        let attempts = app.store.read(move |tx| throttles::find(tx, ledger.hash())).await?;
        let now = app.clock.now();
        if attempts.unwrap_or(Attempts::CLEAR).may_attempt(now) == Attempt::Allowed {
            return Ok(Waited::Enough);
        }
    }
    Ok(Waited::InVain)
}

async fn count_once(app: &App, guessed: Guessed) -> Result<Counted, Failure> {
    let now = app.clock.now();
    let snapshot = app.snapshot_kept();
    let counted = app.store.write(move |tx| {
        let account = match &guessed {
            Guessed::Login(login, _) => find(tx, login)?,
            Guessed::User(user_id) => match users::find(tx, user_id)? {
                Some(user) => Some(Account { hash: passwords::find(tx, user_id)?, user }),
                None => None,
            },
        };
        let keys = &snapshot.keys;
        let ledger = match (&account, &guessed) {
            (Some(Account { user, .. }), Guessed::Login(_, Some(device)))
                if device.belongs_to(user) =>
            {
                Ledger::of_device(keys, &user.id, device)
            }
            (Some(account), _) => Ledger::of_account(keys, &account.user.id),
            (None, Guessed::User(id)) => Ledger::of_account(keys, id),
            (None, Guessed::Login(login, _)) => Ledger::of_nobody(keys, login),
        };
        let throttle = throttles::find(tx, ledger.hash())?.unwrap_or(Attempts::CLEAR);
        // Nobody has guessed at a password that is newer.
        let is_over = |it: &Account| it.user.password_changed_at > Some(throttle.last_failed_at);
        let is_over = account.as_ref().is_some_and(is_over);
        let throttle = if is_over { Attempts::CLEAR } else { throttle };

        match throttle.take_guess(ledger.free(), now) {
            Taken::Wait { until } => {
                let subject = account.map(|account| account.user.id);
                Ok(Committed::nothing(Counted::Throttled { until, ledger, subject }))
            }
            Taken::Counted(counted) => {
                let counted = munjigi_core::planted!("guess_not_counted" => throttle, counted);
                throttles::put(tx, ledger.hash(), &counted, counted.expires_at())?;
                let go = Counted::Go { account: account.map(Box::new), ledger };
                Ok::<_, StoreError>(Committed::new(go, Audit::Routine("a guess is counted")))
            }
        }
    });
    Ok(counted.await?)
}

fn find(tx: &mut ReadTx<'_>, login: &Login) -> Result<Option<Account>, StoreError> {
    let found = match login {
        Login::Email(email) => passwords::find_sign_in(tx, SignIn::Email(email.canonical())),
        Login::Username(name) => passwords::find_sign_in(tx, SignIn::Username(name.canonical())),
        Login::Nobody(_) => Ok(None),
    }?;
    Ok(found.map(|(user, hash)| Account { user, hash }))
}

/// Gives a guess back that was counted and never looked at.
pub async fn give_back(app: &App, ledger: Ledger) -> Result<(), Failure> {
    let given = app.store.write(move |tx| {
        let Some(throttle) = throttles::find(tx, ledger.hash())? else {
            return Ok::<_, StoreError>(Committed::nothing(()));
        };
        let throttle = throttle.given_back(ledger.free());
        if throttle == Attempts::CLEAR {
            throttles::clear(tx, ledger.hash())?;
        } else {
            throttles::put(tx, ledger.hash(), &throttle, throttle.expires_at())?;
        }
        Ok(Committed::new((), Audit::Routine("a guess is given back")))
    });
    Ok(given.await?)
}

/// Budgets that are drawn on together, in the transaction in which it shows whether there was
/// something to draw for.
#[derive(Clone, Default)]
pub struct Draw(Vec<([u8; 32], Budget)>);

impl Draw {
    /// With one budget more, of whatever `whose` names.
    #[must_use]
    pub fn on(mut self, app: &App, budget: Budget, whose: &[&[u8]]) -> Self {
        let key = app.snapshot().keys.attempts.clone();
        self.0.push((keyed_hash(&key, whose), budget));
        self
    }

    /// Whether one may be taken out of each.
    pub fn look(&self, tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Attempt, StoreError> {
        let mut answer = Attempt::Allowed;
        for (hash, budget) in &self.0 {
            let before = throttles::find(tx, hash)?.unwrap_or(Attempts::CLEAR);
            if let Taken::Wait { until } = budget.take(&before, now) {
                let so_far = match answer {
                    Attempt::Allowed => until,
                    Attempt::Wait { until } => until,
                };
                answer = Attempt::Wait { until: until.max(so_far) };
            }
        }
        Ok(answer)
    }

    /// Takes one out of each.
    pub fn count(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), StoreError> {
        for (hash, budget) in &self.0 {
            let before = throttles::find(tx, hash)?.unwrap_or(Attempts::CLEAR);
            if let Taken::Counted(counted) = budget.take(&before, now) {
                throttles::put(tx, hash, &counted, budget.expires_at(&counted))?;
            }
        }
        Ok(())
    }
}

/// The wait for a budget that somebody else's requests may have used up, too.
pub fn wait_for(name: &'static str, budget: &Budget, until: Timestamp, now: Timestamp) -> Wait {
    Wait::seconds(seconds_until(until, now)).used_up(Quota::of(name, budget))
}

/// The wait of an account whose guesses are used up, at this place in the ledger.
pub fn wait_of_account(app: &App, ledger: &Ledger, until: Timestamp) -> Wait {
    let wait = Wait::seconds(seconds_until(until, app.clock.now()));
    wait.used_up(Quota::new("account", ledger.free()))
}

/// How many seconds there are to wait.
pub fn seconds_until(until: Timestamp, now: Timestamp) -> i64 {
    until.since(now).as_seconds().saturating_add(1)
}

/// Writes one event that changes nothing else: a refusal.
pub async fn record(app: &App, event: Event) -> Result<(), Failure> {
    let written = app.store.write(move |_| {
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new((), audit))
    });
    Ok(written.await?)
}
