//! The store as its callers see it: two verbs, `write` and `read`.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::error::StoreError;
use super::faults::Faults;
use super::job::{Job, Read, Write};
use super::options::{DatabaseUrl, StoreOptions};
use super::queue::{Queue, Refused};
use super::sqlite::{Beside, Readers};
use super::standing::Standing;
use super::statistics::{Counters, Statistics, add};
use super::tx::{Committed, ReadTx, Tx};
use super::{postgres, sqlite};
use crate::migrate::Migration;

/// The identity of a file that nothing stands beside.
const NO_FILE: &str = "file:";

/// The database, SQLite or PostgreSQL alike. A clone is the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// What a backend gives: where closures go, who takes them there, and where reads run at once.
pub(super) struct Opened {
    pub(super) queue: Arc<Queue<Box<dyn Job>>>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) readers: Option<Readers>,
    pub(super) backend: &'static str,
    pub(super) door: Door,
}

/// How what the rows stand in is asked, and rows are reached that nobody else may reach yet.
pub(super) enum Door {
    /// Gone with the process: there is nothing to ask.
    Memory,
    /// What stands beside the file tells.
    File(PathBuf),
    /// The server tells.
    Server(Arc<postgres::Unguarded>),
}

/// Where the answer to a closure comes; nothing comes once the store is closed.
type Answer<T, E> = oneshot::Receiver<Result<T, E>>;

struct Inner {
    queue: Arc<Queue<Box<dyn Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    readers: Option<Readers>,
    backend: &'static str,
    counters: Arc<Counters>,
    faults: Faults,
    door: Door,
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
        let Opened { queue, threads, readers, backend, door } = opening
            .await
            .map_err(|_| StoreError::Internal("opening the database was given up".to_owned()))??;
        let threads = Mutex::new(threads);
        let faults = Faults::none();
        let inner = Inner { queue, threads, readers, backend, counters, faults, door };
        Ok(Self(Arc::new(inner)))
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
        let (job, answer) = self.write_job(closure);
        self.submit(job)?;
        self.written(answer).await
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

    /// The same as [`write`](Self::write) for what settles the epoch of the rows: it reaches them
    /// before anything else may.
    pub async fn settle<T, E>(
        &self,
        closure: impl Fn(&mut Tx<'_>) -> Result<Committed<T>, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let Door::Server(unguarded) = &self.0.door else { return self.write(closure).await };
        let unguarded = Arc::clone(unguarded);
        let (job, answer) = self.write_job(closure);
        drop(tokio::task::spawn_blocking(move || unguarded.run(job)).await);
        self.written(answer).await
    }

    /// A closure that writes, and where its answer comes.
    fn write_job<T, E>(
        &self,
        closure: impl Fn(&mut Tx<'_>) -> Result<Committed<T>, E> + Send + 'static,
    ) -> (Box<dyn Job>, Answer<T, E>)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Box::new(Write::new(closure, reply, self.0.faults.clone())), answer)
    }

    /// Waits for the answer to a closure that writes.
    async fn written<T, E: From<StoreError>>(&self, answer: Answer<T, E>) -> Result<T, E> {
        let outcome = answer.await.unwrap_or_else(|_| Err(stopped().into()));
        if outcome.is_ok() {
            self.0.faults.strike()?;
        }
        add(&self.0.counters.writes);
        outcome
    }

    /// Whether the disk refused what was last to be written (it is full, or failing), and has taken
    /// nothing since. Only SQLite tells; a server of PostgreSQL that cannot write goes away.
    pub fn refuses_writes(&self) -> bool {
        self.0.counters.lost_to_disk.load(Ordering::Relaxed)
    }

    /// Which database this is; nothing where that cannot be told.
    pub async fn standing(&self) -> Result<Option<Standing>, StoreError> {
        match &self.0.door {
            Door::Memory => Ok(None),
            Door::File(path) => {
                let beside = sqlite::remembered(path);
                let identity = beside.map_or_else(|| NO_FILE.to_owned(), |it| it.identity);
                Ok(Some(Standing { identity, is_synchronous: false }))
            }
            Door::Server(unguarded) => {
                let unguarded = Arc::clone(unguarded);
                let asked = tokio::task::spawn_blocking(move || unguarded.standing()).await;
                asked.unwrap_or_else(|_| Err(stopped()))
            }
        }
    }

    /// What is known of the rows outside of the database; nothing where nothing is kept there.
    pub fn remembered(&self) -> Option<Beside> {
        match &self.0.door {
            Door::File(path) => sqlite::remembered(path),
            Door::Memory | Door::Server(_) => None,
        }
    }

    /// Keeps it, where there is a place for it. It must be in the rows already.
    pub async fn remember(&self, beside: Beside) -> Result<(), StoreError> {
        let Door::File(path) = &self.0.door else { return Ok(()) };
        let path = path.clone();
        let written = tokio::task::spawn_blocking(move || sqlite::remember(&path, &beside)).await;
        written.unwrap_or_else(|_| Err(stopped()))
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
        self.0.counters.read(self.0.queue.len())
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
