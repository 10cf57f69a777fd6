//! The hashing pool: passwords are hashed on threads of their own, so that a storm of sign-ins
//! cannot slow anything else down, and never on tokio's.
//!
//! The work holds its place, not the request: a request that was given up leaves nothing behind.
//! Each thread keeps one arena of memory and gives it back when it was idle for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use munjigi_core::account::{Argon2Params, Password, StoredHash};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{clock, random};

/// How many hashes may wait.
pub const QUEUE: usize = 32;
/// How long one may wait before it is given up.
pub const DEADLINE: Duration = Duration::from_secs(2);
/// After how much idleness a thread gives its arena back.
const IDLE: Duration = Duration::from_secs(5);
/// How much nicer hashing threads are than the others, so that signatures go first.
const NICENESS: i32 = 5;

/// Why a hash was not computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashingError {
    /// Too many are waiting: try again later.
    #[error("too many sign-ins are waiting")]
    Overloaded,
    /// The stored hash or the parameters cannot be computed.
    #[error("a password could not be hashed")]
    Failed,
}

enum Work {
    Hash { password: Password, params: Argon2Params, salt: [u8; 16] },
    Verify { password: Option<Password>, stored: StoredHash },
}

enum Done {
    Hashed(StoredHash),
    Verified(bool),
}

struct Job {
    work: Work,
    since: Instant,
    reply: oneshot::Sender<Result<Done, HashingError>>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool. Its threads end when it is dropped.
pub struct Hashing {
    shared: Arc<Shared>,
    params: Argon2Params,
    dummy: StoredHash,
}

impl Hashing {
    /// Starts `threads` threads (at least one) that hash with `params`.
    ///
    /// # Errors
    /// When the operating system gives no thread or no randomness.
    pub fn start(threads: usize, params: Argon2Params) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work(&shared))?;
        }
        let [salt, digest] = [random::bytes::<32>(), random::bytes::<32>()];
        let (Ok(salt), Ok(digest)) = (salt, digest) else {
            return Err(std::io::Error::other(random::NoRandomness));
        };
        // Nobody knows a password for it, and it costs exactly what a real one costs.
        let dummy = StoredHash::argon2id(params, salt.split_at(16).0, &digest);
        Ok(Self { shared, params, dummy })
    }

    /// The parameters of new hashes.
    pub fn params(&self) -> Argon2Params {
        self.params
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Password) -> Result<StoredHash, HashingError> {
        let salt = random::bytes().map_err(|_| HashingError::Failed)?;
        match self.run(Work::Hash { password, params: self.params, salt }).await? {
            Done::Hashed(hash) => Ok(hash),
            Done::Verified(_) => Err(HashingError::Failed),
        }
    }

    /// Whether `password` is the one behind `stored`. Without a password or a stored hash the same
    /// work is done and the answer is no: the time does not tell whether there is an account.
    pub async fn verify(
        &self,
        password: Option<Password>,
        stored: Option<StoredHash>,
    ) -> Result<bool, HashingError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        match self.run(Work::Verify { password, stored }).await? {
            Done::Verified(equal) => Ok(equal && known),
            Done::Hashed(_) => Err(HashingError::Failed),
        }
    }

    async fn run(&self, work: Work) -> Result<Done, HashingError> {
        let (reply, answer) = oneshot::channel();
        {
            let mut queue = self.shared.lock();
            // Those who gave up or waited too long make room for those who still wait.
            if queue.jobs.len() >= QUEUE {
                queue.jobs.retain(|job| !job.reply.is_closed());
            }
            if queue.jobs.len() >= QUEUE || queue.closed {
                return Err(HashingError::Overloaded);
            }
            queue.jobs.push_back(Job { work, since: clock::stopwatch(), reply });
        }
        self.shared.arrived.notify_one();

        answer.await.unwrap_or(Err(HashingError::Failed))
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

/// A hashing thread.
fn work(shared: &Shared) {
    // Linux counts niceness per thread. Being refused it costs isolation, never correctness.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashing threads run at the usual priority");
    }
    let mut arena: Vec<Block> = Vec::new();
    while let Some(job) = next(shared, &mut arena) {
        if job.reply.is_closed() {
            continue;
        }
        let result = if clock::stopwatch().duration_since(job.since) > DEADLINE {
            Err(HashingError::Overloaded)
        } else {
            compute(job.work, &mut arena)
        };
        // An error means that the request was given up meanwhile: nobody waits for the answer.
        drop(job.reply.send(result));
    }
}

/// Waits for the next job; `None` when the pool is closed. An idle thread frees its arena.
fn next(shared: &Shared, arena: &mut Vec<Block>) -> Option<Job> {
    let mut queue = shared.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            return Some(job);
        }
        if queue.closed {
            return None;
        }
        if arena.is_empty() {
            queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let waited = shared.arrived.wait_timeout(queue, IDLE);
        let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        queue = guard;
        if timeout.timed_out() && queue.jobs.is_empty() {
            *arena = Vec::new();
        }
    }
}

fn compute(work: Work, arena: &mut Vec<Block>) -> Result<Done, HashingError> {
    match work {
        Work::Hash { password, params, salt } => {
            let digest = argon2id(password.as_bytes(), params, &salt, (32, arena))?;
            Ok(Done::Hashed(StoredHash::argon2id(params, &salt, &digest)))
        }
        Work::Verify { password, stored: StoredHash::Argon2id(stored) } => {
            let (params, salt) = (stored.params(), stored.salt());
            let guess = password.as_ref().map_or(&b""[..], Password::as_bytes);
            let digest = argon2id(guess, params, salt, (stored.digest().len(), arena))?;
            Ok(Done::Verified(stored.admits(&digest) && password.is_some()))
        }
        Work::Verify { password: None, stored: StoredHash::Bcrypt(_) } => Ok(Done::Verified(false)),
        Work::Verify { password: Some(password), stored: StoredHash::Bcrypt(stored) } => {
            // `$2a$`, `$2b$` and `$2y$` read the first 72 bytes, and so must we; the hash is
            // replaced by one that reads all of them as soon as it was right.
            let equal = bcrypt::verify(password.as_bytes(), stored.as_str());
            equal.map(Done::Verified).map_err(|_| HashingError::Failed)
        }
    }
}

fn argon2id(
    password: &[u8],
    params: Argon2Params,
    salt: &[u8],
    (length, arena): (usize, &mut Vec<Block>),
) -> Result<Vec<u8>, HashingError> {
    let params = Params::new(params.m_kib, params.t, params.p, Some(length))
        .map_err(|_| HashingError::Failed)?;
    let blocks = params.block_count();
    if arena.len() < blocks {
        arena.resize(blocks, Block::default());
    }
    let memory = arena.get_mut(..blocks).ok_or(HashingError::Failed)?;
    let mut digest = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut digest, memory)
        .map_err(|_| HashingError::Failed)?;
    Ok(digest)
}
