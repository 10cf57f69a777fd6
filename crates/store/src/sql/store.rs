//! The store as its callers see it: two verbs, `write` and `read`.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::error::StoreError;
use super::faults::Faults;
use super::job::{Job, Read, Write};
use super::options::{DatabaseUrl, StoreOptions};
use super::queue::{Queue, Refused};
use super::sqlite::Readers;
use super::statistics::{Counters, Statistics, add};
use super::tx::{Committed, ReadTx, Tx};
use super::{postgres, sqlite};
use crate::migrate::Migration;

/// The database, SQLite or PostgreSQL alike. A clone is the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// What a backend gives: where closures go, who takes them there, and where reads run at once.
pub(super) struct Opened {
    pub(super) queue: Arc<Queue<Box<dyn Job>>>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) readers: Option<Readers>,
    pub(super) backend: &'static str,
}

struct Inner {
    queue: Arc<Queue<Box<dyn Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    readers: Option<Readers>,
    backend: &'static str,
    counters: Arc<Counters>,
    faults: Faults,
}

impl Store {
    /// Opens the database, checks its settings and brings its tables up to date.
    ///
    /// # Errors
    /// `Unavailable` says what is wrong with the database or its settings, for the operator.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_with(options, crate::migrations::ALL.to_vec()).await
    }

    /// Opens the database with these migrations.
    pub(crate) async fn open_with(
        options: StoreOptions,
        migrations: Vec<Migration>,
    ) -> Result<Self, StoreError> {
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        // Opening waits for files and for the network, so it does not happen on the runtime.
        let opening = tokio::task::spawn_blocking(move || match options.database.clone() {
            DatabaseUrl::Postgres(url) => postgres::open(&url, &options, &migrations, &shared),
            DatabaseUrl::SqliteFile(path) => {
                sqlite::open_file(&path, &options, &migrations, &shared)
            }
            DatabaseUrl::SqliteMemory => sqlite::open_memory(&options, &migrations, &shared),
        });
        let Opened { queue, threads, readers, backend } = opening
            .await
            .map_err(|_| StoreError::Internal("opening the database was given up".to_owned()))??;
        let threads = Mutex::new(threads);
        let faults = Faults::default();
        Ok(Self(Arc::new(Inner { queue, threads, readers, backend, counters, faults })))
    }

    /// Runs a closure as one serializable transaction and commits what it changed.
    ///
    /// The closure may run several times: it does nothing but read, decide and write rows. Its
    /// error undoes what it did, and nothing else. The answer comes after the commit is durable.
    ///
    /// It runs again, a bounded number of times, when the database could not serialize it, when
    /// [`Tx::exec_one`] found that a guarded statement had lost, and, where `E` is [`StoreError`],
    /// when it ended in [`StoreError::Conflict`].
    pub async fn write<T, E>(
        &self,
        closure: impl Fn(&mut Tx<'_>) -> Result<Committed<T>, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Write::new(closure, reply, self.0.faults.clone())))?;
        let outcome = answer.await.unwrap_or_else(|_| Err(stopped().into()));
        if outcome.is_ok() {
            self.0.faults.strike()?;
        }
        add(&self.0.counters.writes);
        outcome
    }

    /// Runs a closure that only reads. What it sees is one state of the database.
    pub async fn read<T, E>(
        &self,
        closure: impl Fn(&mut ReadTx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let outcome = match &self.0.readers {
            Some(readers) => readers.read(closure, (&self.0.counters, &self.0.faults)).await,
            None => {
                let (reply, answer) = oneshot::channel();
                self.submit(Box::new(Read::new(closure, reply, self.0.faults.clone())))?;
                answer.await.unwrap_or_else(|_| Err(stopped().into()))
            }
        };
        add(&self.0.counters.reads);
        outcome
    }

    /// Takes no more closures, ends those that wait, and lets go of the database. Every clone of
    /// this store is closed with it.
    pub async fn close(self) {
        self.0.queue.close();
        if let Some(readers) = &self.0.readers {
            readers.close();
        }
        let threads = self.take_threads();
        let ended = tokio::task::spawn_blocking(move || {
            threads.into_iter().filter_map(|thread| thread.join().err()).count()
        });
        if !matches!(ended.await, Ok(0)) {
            tracing::error!("a thread of the store had panicked");
        }
    }

    /// What of it may be made to fail. For tests only.
    #[cfg(feature = "testing")]
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What was counted since the store was opened.
    pub fn statistics(&self) -> Statistics {
        self.0.counters.read()
    }

    /// `sqlite` or `postgres`, for logs and for people; no code may ask for it.
    pub fn backend(&self) -> &'static str {
        self.0.backend
    }

    fn take_threads(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.0.queue.push(job).map_err(|refused| match refused {
            Refused::Full => {
                add(&self.0.counters.rejected);
                StoreError::Overloaded
            }
            Refused::Closed => stopped(),
        })
    }
}

/// The threads end by themselves once nobody can send them anything.
impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}
