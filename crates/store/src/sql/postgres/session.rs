//! One closure's view of PostgreSQL: a serializable transaction that begins with its first
//! statement. What nobody reads waits and travels with the next statement or the commit, so that an
//! ordinary change costs two round trips. A read that is known to be one statement costs one.

use std::time::Duration;

use super::connection::{Answer, Connection, Request, rows};
use super::explain::Failure;
use super::value::fit;
use crate::sql::error::{Result, StoreError};
use crate::sql::job::Access;
use crate::sql::tx::Session;
use crate::sql::value::{Row, Value};

pub(super) struct PostgresSession<'connection> {
    connection: &'connection mut Connection,
    access: Access,
    begun: bool,
    pushed: Vec<Request>,
    lost: Option<String>,
    /// Whether the first statement is taken for the last one, so that the commit goes with it.
    expects_one: bool,
    statements: u32,
}

/// What a run tells about the next one of the same closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One statement was all.
    One,
    /// There were several, or none.
    Other,
    /// One was expected and there were several: nothing of this run counts.
    Mistaken,
}

/// How a commit went wrong.
pub(super) enum CommitError {
    /// Nothing was written.
    Undone(StoreError),
    /// The connection broke after the commit was sent: nobody knows.
    Unknown(String),
}

impl<'connection> PostgresSession<'connection> {
    pub(super) const fn new(connection: &'connection mut Connection, access: Access) -> Self {
        Self {
            connection,
            access,
            begun: false,
            pushed: Vec::new(),
            lost: None,
            expects_one: false,
            statements: 0,
        }
    }

    /// Expects a read of one statement: its commit travels with it.
    pub(super) const fn expect_one(mut self, expects_one: bool) -> Self {
        self.expects_one = expects_one;
        self
    }

    pub(super) const fn shape(&self) -> Shape {
        match self.statements {
            1 => Shape::One,
            _ if self.expects_one && self.statements > 1 => Shape::Mistaken,
            _ => Shape::Other,
        }
    }

    /// Whether the connection is of no more use, and why.
    pub(super) fn take_lost(&mut self) -> Option<String> {
        self.lost.take()
    }

    /// How long the closure waited for the server so far.
    pub(super) const fn waited(&self) -> Duration {
        self.connection.waited
    }

    /// Sends what was pushed and commits. Also after reading: only then is it certain that what was
    /// read is what a serial order would have shown.
    pub(super) fn commit(&mut self) -> Result<(), CommitError> {
        if !self.begun && self.pushed.is_empty() {
            return Ok(());
        }
        let mut requests = self.take_waiting();
        requests.push(Request::Control("COMMIT"));
        // A statement that fails in front of it turns the commit into a rollback.
        match self.connection.round_trip(&requests) {
            Ok(_) => Ok(()),
            Err(Failure::Lost(reason)) => {
                self.lost = Some(reason.clone());
                Err(CommitError::Unknown(reason))
            }
            // A timeout or a full disk at the commit itself: told apart by nobody, so not claimed.
            Err(Failure::Statement(StoreError::Unavailable(reason))) => {
                self.lost = Some(reason.clone());
                Err(CommitError::Unknown(reason))
            }
            Err(Failure::Statement(error)) => Err(CommitError::Undone(error)),
        }
    }

    /// Undoes what was done, if anything was.
    pub(super) fn rollback(&mut self) {
        self.pushed.clear();
        if self.begun
            && self.lost.is_none()
            && let Err(failure) = self.connection.round_trip(&[Request::Control("ROLLBACK")])
        {
            self.lost = Some(match failure {
                Failure::Lost(reason) => reason,
                Failure::Statement(error) => error.to_string(),
            });
        }
    }

    fn ask(&mut self, request: Request) -> Result<Answer> {
        self.statements = self.statements.saturating_add(1);
        if self.expects_one && self.statements > 1 {
            // The transaction is over already. The closure runs again, in one that is not.
            return Err(StoreError::Conflict);
        }
        let mut requests = self.take_waiting();
        requests.push(request);
        if self.expects_one {
            requests.push(Request::Control("COMMIT"));
            self.begun = false;
        }
        let answer = self.connection.round_trip(&requests);
        answer.map_err(|failure| self.note(failure))
    }

    /// What goes ahead of the next request.
    fn take_waiting(&mut self) -> Vec<Request> {
        let mut requests = Vec::with_capacity(self.pushed.len().saturating_add(2));
        if !std::mem::replace(&mut self.begun, true) {
            requests.push(Request::Control(match self.access {
                Access::Read => "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
                Access::Write => munjigi_core::planted!("postgres_read_committed" =>
                    "BEGIN ISOLATION LEVEL READ COMMITTED",
                    "BEGIN ISOLATION LEVEL SERIALIZABLE"),
            }));
        }
        requests.append(&mut self.pushed);
        requests
    }

    fn note(&mut self, failure: Failure) -> StoreError {
        match failure {
            Failure::Statement(error) => error,
            Failure::Lost(reason) => {
                self.lost = Some(reason.clone());
                StoreError::Unavailable(reason)
            }
        }
    }
}

impl Session for PostgresSession<'_> {
    fn rows(&mut self, sql: &'static str, params: Vec<Value>) -> Result<Vec<Row>> {
        let statement = self.connection.compile(sql).map_err(|failure| self.note(failure))?;
        fit(&statement, &params)?;
        rows(&self.ask(Request::Rows(statement, params))?)
    }

    fn exec(&mut self, sql: &'static str, params: Vec<Value>) -> Result<u64> {
        let statement = self.connection.compile(sql).map_err(|failure| self.note(failure))?;
        fit(&statement, &params)?;
        Ok(self.ask(Request::Count(statement, params))?.changed)
    }

    fn push(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        let statement = self.connection.compile(sql).map_err(|failure| self.note(failure))?;
        fit(&statement, &params)?;
        self.pushed.push(Request::Count(statement, params));
        Ok(())
    }

    fn push_one(&mut self, sql: &'static str, params: Vec<Value>) -> Result<()> {
        let compiled = self.connection.compile_guarded(sql);
        let statement = compiled.map_err(|failure| self.note(failure))?;
        fit(&statement, &params)?;
        self.pushed.push(Request::Count(statement, params));
        Ok(())
    }

    #[cfg(feature = "testing")]
    fn check(&mut self, sql: &str) -> Result<()> {
        let compiled = self.connection.compile_once(sql);
        compiled.map(drop).map_err(|failure| self.note(failure))
    }
}
