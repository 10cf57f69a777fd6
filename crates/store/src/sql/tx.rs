//! What a closure sees of its transaction, and what it has to say when it is done.

use std::ops::{Deref, DerefMut};

use munjigi_core::audit::Event;

use super::error::{Result, StoreError};
use super::faults::Faults;
use super::value::{Row, Value};

/// One open transaction of one database. Two implementations: SQLite and PostgreSQL.
pub(super) trait Session {
    /// Runs a statement and collects its rows.
    fn rows(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>>;

    /// Runs a statement and counts the rows that it changed.
    fn exec(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64>;

    /// Runs a statement whose result nobody reads, at the latest with the commit.
    fn push(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()>;

    /// Runs a statement that has to change exactly one row, at the latest with the commit, which
    /// fails if it did not.
    fn push_one(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()>;

    /// Asks the database whether it understands a statement.
    #[cfg(feature = "testing")]
    fn check(&mut self, sql: &str) -> Result<()>;
}

/// A transaction that reads. What it sees is one state of the database.
///
/// Parameters are `$1`, `$2`, … by number. After a statement has failed, the transaction can only
/// end, on both databases alike.
pub struct ReadTx<'session> {
    session: &'session mut dyn Session,
    changed: u64,
    failed: Option<StoreError>,
    lost: bool,
    faults: &'session Faults,
}

/// A transaction that writes; everything that [`ReadTx`] can, too.
pub struct Tx<'session>(ReadTx<'session>);

impl<'session> ReadTx<'session> {
    pub(super) fn new(session: &'session mut dyn Session, faults: &'session Faults) -> Self {
        Self { session, changed: 0, failed: None, lost: false, faults }
    }

    /// The one row of a statement, or none. Several rows are a mistake of the caller
    /// ([`StoreError::Internal`]): name the key, or write `LIMIT 1`.
    pub fn find_row(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Option<Row>> {
        let mut rows = self.rows(sql, params)?.into_iter();
        let (first, second) = (rows.next(), rows.next());
        match second {
            None => Ok(first),
            Some(_) => self.note(Err(StoreError::Internal(
                "a statement for one row found several".to_owned(),
            ))),
        }
    }

    /// All rows of a statement. The caller bounds them with `LIMIT`.
    pub fn rows(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        self.still_good()?;
        let rows = self.session.rows(sql, params);
        let rows = self.note(rows)?;
        if is_write(sql) {
            self.changed = self.changed.saturating_add(count(rows.len()));
        }
        Ok(rows)
    }

    /// Asks the database whether it understands a statement. For tests only.
    #[cfg(feature = "testing")]
    pub fn check(&mut self, sql: &str) -> Result<()> {
        self.session.check(sql)
    }

    pub(super) const fn failure(&self) -> Option<&StoreError> {
        self.failed.as_ref()
    }

    fn still_good(&mut self) -> Result<()> {
        if self.failed.is_none() {
            let struck = self.faults.strike();
            self.note(struck)?;
        }
        match &self.failed {
            // 40001 in the middle must stay one, whatever the closure makes of it.
            Some(StoreError::Conflict) => Err(StoreError::Conflict),
            Some(_) => Err(StoreError::Internal(
                "a statement was run after another one of its transaction had failed".to_owned(),
            )),
            None => Ok(()),
        }
    }

    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }
}

impl<'session> Tx<'session> {
    pub(super) fn new(session: &'session mut dyn Session, faults: &'session Faults) -> Self {
        Self(ReadTx::new(session, faults))
    }

    /// Runs a statement; the number of rows that it changed, which decides who won.
    pub fn exec(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64> {
        self.0.still_good()?;
        let changed = self.0.session.exec(sql, params);
        let changed = self.0.note(changed)?;
        self.0.changed = self.0.changed.saturating_add(changed);
        Ok(changed)
    }

    /// Runs a guarded statement that has to change exactly one row, or else [`Conflict`]: the
    /// transaction is run again and sees the winner, whatever type of error its closure has.
    ///
    /// [`Conflict`]: StoreError::Conflict
    pub fn exec_one(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        if self.exec(sql, params)? == 1 {
            return Ok(());
        }
        self.0.lost = true;
        Err(StoreError::Conflict)
    }

    /// Runs a statement whose result nobody reads. On PostgreSQL it travels with the next statement
    /// or with the commit, and so does its failure: use `exec` to tell a violation apart.
    pub fn push(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        self.0.still_good()?;
        let pushed = self.0.session.push(sql, params);
        self.0.note(pushed)?;
        self.0.changed = self.0.changed.saturating_add(1);
        Ok(())
    }

    /// Like [`exec_one`](Self::exec_one) for the last statement of a closure: on PostgreSQL it
    /// travels with the commit, which it turns into a rollback if it lost. The closure is run again
    /// then, just the same.
    pub fn push_one(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        munjigi_core::planted!("row_count_ignored", return self.push(sql, params));
        self.0.still_good()?;
        let pushed = self.0.session.push_one(sql, params);
        self.0.note(pushed)?;
        self.0.changed = self.0.changed.saturating_add(1);
        Ok(())
    }

    pub(super) const fn changed(&self) -> u64 {
        self.0.changed
    }

    /// Whether a guarded statement lost, by [`exec_one`](Self::exec_one).
    pub(super) const fn lost(&self) -> bool {
        self.0.lost
    }
}

impl<'session> Deref for Tx<'session> {
    type Target = ReadTx<'session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The outcome of a closure that wrote, together with what the audit trail is told about it.
#[must_use = "a write ends with what it has to say to the audit trail"]
#[derive(Debug)]
pub struct Committed<T> {
    pub(super) outcome: T,
    pub(super) audit: Option<Audit>,
}

impl<T> Committed<T> {
    /// Something was changed; `audit` says what.
    pub fn new(outcome: T, audit: impl Into<Audit>) -> Self {
        Self { outcome, audit: Some(audit.into()) }
    }

    /// Nothing was changed. If that is not so, nothing is written and the caller gets
    /// [`StoreError::Unaudited`].
    pub const fn nothing(outcome: T) -> Self {
        Self { outcome, audit: None }
    }

    /// The same with another outcome.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { outcome: change(self.outcome), audit: self.audit }
    }
}

/// What the audit trail is told about a change.
#[derive(Debug)]
pub enum Audit {
    /// One event, written in the same transaction.
    Record(Box<Event>),
    /// Several events, written in the same transaction.
    Records(Vec<Event>),
    /// Nothing, for the reason given: the change is part of every-day traffic, or of keeping house.
    Routine(&'static str),
}

impl From<Event> for Audit {
    fn from(event: Event) -> Self {
        Self::Record(Box::new(event))
    }
}

impl From<Vec<Event>> for Audit {
    fn from(events: Vec<Event>) -> Self {
        Self::Records(events)
    }
}

/// Whether a statement changes something, by its first word.
pub(super) fn is_write(sql: &str) -> bool {
    let word = sql.split_ascii_whitespace().next().unwrap_or_default();
    !word.eq_ignore_ascii_case("SELECT") && !word.eq_ignore_ascii_case("WITH")
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
