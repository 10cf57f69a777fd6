//! What somebody at the server's own command line does to the database: the same tables, rules and
//! audit trail as the admin API's, while a server runs on it or not. Servers follow within a
//! moment. It must not need the key-encryption key, and asks for nobody's permission: who can open
//! the database may do everything anyway.

pub mod apis;
pub mod audit;
pub mod clients;
pub mod epochs;
pub mod keys;
pub mod registration_tokens;
pub mod roles;
pub mod settings;
pub mod users;

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{
    Audit, Committed, DatabaseUrl, ReadTx, Store, StoreError, StoreOptions, Tx, revocations,
};
use thiserror::Error;

use crate::builtin;
use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::random::{self, NoRandomness};

/// How many connections to PostgreSQL one command needs.
const CONNECTIONS: usize = 2;

/// Somebody at the command line, with the database open.
pub struct Operator {
    store: Store,
    clock: Clock,
}

/// Why something was not done.
#[derive(Debug, Error)]
pub enum OperateError {
    /// It is not there.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// What it was called.
        name: String,
    },
    /// It is in the way of something that is there.
    #[error("{0}")]
    Conflict(String),
    /// A rule refuses it.
    #[error("{0}")]
    Refused(String),
    /// Something unforeseen.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for OperateError {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<NoRandomness> for OperateError {
    fn from(error: NoRandomness) -> Self {
        Self::Failure(error.into())
    }
}

fn not_found(what: &'static str, name: impl ToString) -> OperateError {
    OperateError::NotFound { what, name: name.to_string() }
}

/// An audit event that an operator causes.
pub fn operator_event(clock: &Clock, kind: Kind) -> Result<Event, NoRandomness> {
    let at = clock.now();
    let origin = Origin { at, actor: Actor::Operator, address: None, request_id: None };
    Ok(Event::new(random::event_id(at)?, kind, origin))
}

impl Operator {
    /// Opens the database, brings its tables up to date, and makes the built-in roles if there are
    /// none: the first administrator may be made before a server was ever started.
    pub async fn open(database: DatabaseUrl, clock: Clock) -> Result<Self, OperateError> {
        let mut options = StoreOptions::new(database, clock.now());
        options.pool_size = CONNECTIONS;
        let operator = Self { store: Store::open(options).await?, clock };
        operator.ensure_roles().await?;
        Ok(operator)
    }

    /// Lets go of the database.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The time of what is done now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The revocations that may still kill a token.
    pub async fn revocations(&self) -> Result<Vec<Revocation>, OperateError> {
        let now = self.now();
        self.read(move |tx| Ok(revocations::live(tx, now)?)).await
    }

    async fn ensure_roles(&self) -> Result<(), OperateError> {
        if !self.read(|tx| Ok(munjigi_store::roles::all(tx)?.is_empty())).await? {
            return Ok(());
        }
        let (now, event) = (self.now(), self.event(Kind::RoleCreated)?.with("builtin", true));
        let written = self.store.write(move |tx| {
            if !munjigi_store::roles::all(tx)?.is_empty() {
                return Ok::<_, StoreError>(Committed::nothing(()));
            }
            builtin::insert_roles(tx, now)?;
            Ok(Committed::new((), Audit::Record(Box::new(event.clone()))))
        });
        match written.await {
            // A server that started at the same moment was quicker.
            Err(error) if error.is_unique(munjigi_store::roles::NAME_TAKEN) => Ok(()),
            other => Ok(other?),
        }
    }

    fn event(&self, kind: Kind) -> Result<Event, OperateError> {
        Ok(operator_event(&self.clock, kind)?)
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&mut ReadTx<'_>) -> Result<T, OperateError> + Send + 'static,
    ) -> Result<T, OperateError> {
        self.store.read(look).await
    }

    async fn write<T: Send + 'static>(
        &self,
        change: impl Fn(&mut Tx<'_>) -> Result<Done<T>, OperateError> + Send + 'static,
    ) -> Result<T, OperateError> {
        self.store.write(move |tx| change(tx).map(Done::committed)).await
    }
}

/// What a change of something did: nothing when it was that already.
enum Done<T> {
    /// It was done; the event says what.
    Changed(T, Event),
    /// It was like this already.
    Same(T),
}

impl<T> Done<T> {
    fn committed(self) -> Committed<T> {
        match self {
            Self::Changed(value, event) => Committed::new(value, Audit::Record(Box::new(event))),
            Self::Same(value) => Committed::nothing(value),
        }
    }
}

/// How things end now. A server's configuration, which nobody here has read, may give tokens a
/// longer life than the settings do, but none longer than an hour; only an API may.
pub(crate) fn ending(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Ending, StoreError> {
    let apis = munjigi_store::apis::all(tx)?;
    let longest = apis.iter().filter_map(|api| api.access_ttl).max().unwrap_or_default();
    let clock = Clock::stopped_at(now.as_seconds());
    Ok(Ending { clock, longest_ttl: longest.max(Span::from_hours(1)) })
}
