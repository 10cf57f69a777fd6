//! One connection with the runtime that drives it and the statements that it has compiled.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::explain::{Failure, chain, explain};
use super::hosts::Hosts;
use super::target::{SILENCE, Target};
use super::value;
use crate::clock::Stopwatch;
use crate::sql::error::StoreError;
use crate::sql::value::{Row, Value};

/// How long one round trip may take; the server gives up earlier (`statement_timeout`).
const PATIENCE: Duration = Duration::from_secs(15);

/// A node that stops in the middle of a transaction must not hold its locks for ever.
const SETTINGS: &str = "SET statement_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '10s'; \
     SELECT current_setting('server_version_num'), current_setting('fsync', true), \
     current_setting('synchronous_commit', true), pg_is_in_recovery()";

/// The oldest server that the statements are tested with.
const OLDEST: u32 = 150_000;

pub(super) struct Connection {
    runtime: Runtime,
    client: Client,
    /// Of these hosts it is the one at this place, …
    host: (Arc<Hosts>, usize),
    /// … which had said nothing so often before.
    silences: u64,
    compiled: HashMap<&'static str, Statement>,
    /// The same for statements that fail when they do not change exactly one row.
    guarded: HashMap<&'static str, Statement>,
    /// Time spent waiting for the server, so that it is not held against a closure.
    pub(super) waited: Duration,
}

/// One thing to send. What follows in the same round trip does not wait for its answer.
pub(super) enum Request {
    /// Begins or ends a transaction.
    Control(&'static str),
    /// A statement whose rows are read.
    Rows(Statement, Vec<Value>),
    /// A statement whose row count is read.
    Count(Statement, Vec<Value>),
}

/// The answer to one request.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<tokio_postgres::Row>,
    pub(super) changed: u64,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer, tokio_postgres::Error>> + 'a>>;

impl Connection {
    /// Connects, and looks whether the server keeps what it has confirmed.
    pub(super) fn open(target: &Target) -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (place, client, answers) = runtime.block_on(connect(target))?;
        let settings = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        check_settings(settings)?;
        Ok(Self {
            runtime,
            client,
            host: (Arc::clone(&target.hosts), place),
            silences: target.hosts.silences(place),
            compiled: HashMap::new(),
            guarded: HashMap::new(),
            waited: Duration::ZERO,
        })
    }

    /// Whether it is of no more use, as far as is known: the server has hung up, or another
    /// connection asked it something since and got no answer.
    pub(super) fn is_over(&self) -> bool {
        let (hosts, place) = &self.host;
        self.client.is_closed() || hosts.silences(*place) != self.silences
    }

    /// The statement, compiled once for each connection.
    pub(super) fn compile(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        if let Some(statement) = self.compiled.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.compile_once(sql)?;
        self.compiled.insert(sql, statement.clone());
        Ok(statement)
    }

    /// The statement inside another one, which divides by zero ([`explain`]: a conflict) when not
    /// exactly one row was changed: nobody has to look before the commit.
    pub(super) fn compile_guarded(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        if let Some(statement) = self.guarded.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.compile_once(&format!(
            "/* one row */ WITH changed AS ({sql} RETURNING 1)
             SELECT 1 / CASE WHEN COUNT(*) = 1 THEN 1 ELSE 0 END FROM changed"
        ))?;
        self.guarded.insert(sql, statement.clone());
        Ok(statement)
    }

    pub(super) fn compile_once(&mut self, sql: &str) -> Result<Statement, Failure> {
        let watch = Stopwatch::start();
        let Self { runtime, client, .. } = self;
        let compiled =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, client.prepare(sql)).await });
        self.waited += watch.elapsed();
        match compiled {
            Ok(statement) => statement.map_err(|error| explain(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Sends all of it at once and reads all answers: one round trip. The answer to the last
    /// statement, or the first failure of all.
    pub(super) fn round_trip(&mut self, requests: &[Request]) -> Result<Answer, Failure> {
        let watch = Stopwatch::start();
        let Self { runtime, client, .. } = self;
        let client = &*client;
        let sending = requests.iter().map(|request| send(client, request)).collect();
        let answers =
            runtime.block_on(async { tokio::time::timeout(PATIENCE, in_order(sending)).await });
        self.waited += watch.elapsed();
        let answers = answers.map_err(|_| self.silent())?;
        let mut last = Answer::default();
        for (request, answer) in requests.iter().zip(answers) {
            let answer = answer.map_err(|error| explain(&error))?;
            if !matches!(request, Request::Control(_)) {
                last = answer;
            }
        }
        Ok(last)
    }

    /// Asks something of the executor's own, without parameters.
    pub(super) fn simple(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, StoreError> {
        let Self { runtime, client, .. } = self;
        let asked = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, client.simple_query(sql)).await });
        let answers = asked.map_err(|_| self.silent());
        let answers = answers.and_then(|it| it.map_err(|it| explain(&it)));
        answers.map_err(|failure| match failure {
            Failure::Statement(error) => error,
            Failure::Lost(reason) => StoreError::Unavailable(reason),
        })
    }

    /// It did not answer: the next connection is not to wait for it, too.
    fn silent(&self) -> Failure {
        let (hosts, place) = &self.host;
        hosts.silent(*place);
        Failure::Lost(format!("PostgreSQL did not answer within {} s", PATIENCE.as_secs()))
    }

    /// Runs statements as one text, for migrations.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        let Self { runtime, client, .. } = self;
        runtime.block_on(client.batch_execute(sql)).map_err(|error| explain(&error))
    }
}

/// Connects to the first host that lets us in, and makes its settings.
async fn connect(target: &Target) -> Result<(usize, Client, Vec<SimpleQueryMessage>), StoreError> {
    let mut why = String::new();
    for place in target.hosts.next() {
        let Some(config) = target.hosts.configs().get(place) else { continue };
        let watch = Stopwatch::start();
        // A server that hangs, or a listener that nobody serves any more, takes a connection and
        // says nothing.
        match tokio::time::timeout(SILENCE, enter(config, target.tls.as_ref())).await {
            Ok(Ok((client, answers))) => {
                target.hosts.let_in(place);
                return Ok((place, client, answers));
            }
            Ok(Err(error)) => why = chain(&error),
            Err(_) => why = "PostgreSQL takes connections and says nothing".to_owned(),
        }
        target.hosts.refused(place, watch.elapsed());
    }
    Err(StoreError::Unavailable(why))
}

async fn enter(
    config: &Config,
    tls: Option<&MakeRustlsConnect>,
) -> Result<(Client, Vec<SimpleQueryMessage>), tokio_postgres::Error> {
    // The connection's own task runs whenever this thread waits for an answer.
    let client = match tls {
        Some(tls) => {
            let (client, connection) = config.connect(tls.clone()).await?;
            tokio::spawn(watch(connection));
            client
        }
        None => {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(watch(connection));
            client
        }
    };
    let answers = client.simple_query(SETTINGS).await?;
    Ok((client, answers))
}

async fn watch(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::warn!(error = chain(&error), "a connection to PostgreSQL ended");
    }
}

fn check_settings(settings: Option<&SimpleQueryRow>) -> Result<(), StoreError> {
    let refused = |what: &str| Err(StoreError::Unavailable(format!("PostgreSQL {what}")));
    let setting = |index| settings.and_then(|row| row.try_get(index).ok().flatten());
    let version = setting(0).and_then(|version| version.parse::<u32>().ok()).unwrap_or(0);
    if version < OLDEST {
        return refused("is older than version 15");
    }
    if setting(1) == Some("off") {
        return refused("runs with fsync=off: a crash would lose what was confirmed");
    }
    let is_lax = setting(2) == Some("off");
    if munjigi_core::planted!("postgres_asynchronous_commit" => false, is_lax) {
        return refused("runs with synchronous_commit=off: a crash would undo what was confirmed");
    }
    if setting(3) == Some("t") {
        return refused("is a standby that cannot write");
    }
    Ok(())
}

fn send<'a>(client: &'a Client, request: &'a Request) -> Answering<'a> {
    Box::pin(async move {
        match request {
            Request::Control(sql) => {
                client.batch_execute(sql).await?;
                Ok(Answer::default())
            }
            Request::Rows(statement, params) => {
                let rows = client.query_raw(statement, params).await?.try_collect().await?;
                Ok(Answer { rows, changed: 0 })
            }
            Request::Count(statement, params) => {
                let changed = client.execute_raw(statement, params).await?;
                Ok(Answer { rows: Vec::new(), changed })
            }
        }
    })
}

/// Runs futures side by side. Each is polled first in the order of the list, which is the order in
/// which the driver sends: a commit must not overtake what it commits.
async fn in_order<T>(mut futures: Vec<Pin<Box<dyn Future<Output = T> + '_>>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// The rows of an answer in our values.
pub(super) fn rows(answer: &Answer) -> Result<Vec<Row>, StoreError> {
    answer.rows.iter().map(value::row).collect()
}
