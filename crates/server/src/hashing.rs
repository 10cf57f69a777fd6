//! The hashing pool: passwords are hashed on threads of their own, so that a storm of sign-ins
//! cannot slow anything else down, and never on tokio's.
//!
//! The work holds its place, not the request: a request that was given up leaves nothing behind.
//! Each thread keeps one arena of memory and gives it back when it was idle for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use munjigi_core::account::{Argon2Params, Password, StoredHash};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::metrics::series::{Counter, Distribution, Histogram};
use crate::{clock, random};

/// How many hashes may wait.
pub const QUEUE: usize = 32;
/// From how many that wait on the newest goes first. Who came lately is still there and is answered
/// soon; in order of arrival everybody would wait for as long as the queue is.
const CROWDED: usize = QUEUE / 2;
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

impl Queue {
    /// Gives up who has waited for too long; how many they were.
    fn put_off(&mut self, now: Instant) -> usize {
        let is_late = |job: &&Job| now.duration_since(job.since) > DEADLINE;
        let late = self.jobs.iter().take_while(is_late).count();
        for job in self.jobs.drain(..late) {
            // An error means that the request was given up meanwhile.
            drop(job.reply.send(Err(HashingError::Overloaded)));
        }
        late
    }

    /// Whose turn it is.
    fn take(&mut self) -> Option<Job> {
        if self.jobs.len() > CROWDED { self.jobs.pop_back() } else { self.jobs.pop_front() }
    }
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Held by the thread whose arena grows.
    growing: Mutex<()>,
    /// How long those waited that were taken.
    waits: Histogram,
    /// How many were refused, because too many waited or they had waited too long.
    shed: Counter,
}

/// How the pool is doing.
pub(crate) struct Numbers {
    /// How many wait.
    pub waiting: usize,
    /// How long those waited that were taken, in seconds.
    pub waits: Distribution,
    /// How many were refused.
    pub shed: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_off(&self, queue: &mut Queue) {
        for _ in 0..queue.put_off(clock::stopwatch()) {
            self.shed.add();
        }
    }
}

/// The pool. Its threads end when it is dropped.
pub struct Hashing {
    shared: Arc<Shared>,
    params: Argon2Params,
    dummy: OnceLock<StoredHash>,
}

impl Hashing {
    /// Starts `threads` threads (at least one) that hash with `params`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(threads: usize, params: Argon2Params) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work(&shared))?;
        }
        Ok(Self { shared, params, dummy: OnceLock::new() })
    }

    /// A hash that nobody knows a password for, and that costs exactly what a real one costs. Made
    /// when it is needed first, so that no start waits for randomness.
    fn dummy(&self) -> Result<StoredHash, HashingError> {
        if let Some(dummy) = self.dummy.get() {
            return Ok(dummy.clone());
        }
        let (Ok(salt), Ok(digest)) = (random::bytes::<16>(), random::bytes::<32>()) else {
            return Err(HashingError::Failed);
        };
        let made = StoredHash::argon2id(self.params, &salt, &digest);
        Ok(self.dummy.get_or_init(|| made).clone())
    }

    /// How the pool is doing.
    pub(crate) fn numbers(&self) -> Numbers {
        let Shared { waits, shed, .. } = &*self.shared;
        let waiting = self.shared.lock().jobs.len();
        Numbers { waiting, waits: waits.distribution(), shed: shed.value() }
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
        let stored = stored.map_or_else(|| self.dummy(), Ok)?;
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
                self.shared.put_off(&mut queue);
                queue.jobs.retain(|job| !job.reply.is_closed());
            }
            if queue.jobs.len() >= QUEUE || queue.closed {
                self.shared.shed.add();
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

/// The memory of a hashing thread.
struct Arena<'shared> {
    blocks: Vec<Block>,
    growing: &'shared Mutex<()>,
}

impl Arena<'_> {
    /// Room for so many blocks. A hash reads all over it, which is a good deal cheaper in huge
    /// pages. A program that refuses them elsewhere gets them here: the pages that are touched
    /// while they are allowed stay what they are.
    fn room(&mut self, blocks: usize) -> Option<&mut [Block]> {
        if self.blocks.len() < blocks {
            // The permission is the whole process's: one thread after another.
            let _turn = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
            let were_refused = refuse_huge_pages(false);
            self.blocks.resize(blocks, Block::default());
            refuse_huge_pages(were_refused);
        }
        self.blocks.get_mut(..blocks)
    }
}

/// Refuses huge pages to this process, or allows them; whether they were refused before.
#[cfg(target_os = "linux")]
fn refuse_huge_pages(refuse: bool) -> bool {
    use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

    let were_refused = transparent_huge_pages_are_disabled().unwrap_or(false);
    if were_refused != refuse
        && let Err(error) = disable_transparent_huge_pages(refuse)
    {
        tracing::debug!(%error, "an arena does without huge pages");
    }
    were_refused
}

#[cfg(not(target_os = "linux"))]
const fn refuse_huge_pages(_: bool) -> bool {
    false
}

/// A hashing thread.
fn work(shared: &Shared) {
    // Linux counts niceness per thread. Being refused it costs isolation, never correctness.
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "hashing threads run at the usual priority");
    }
    let mut arena = Arena { blocks: Vec::new(), growing: &shared.growing };
    while let Some(job) = next(shared, &mut arena) {
        if job.reply.is_closed() {
            continue;
        }
        shared.waits.observe(clock::stopwatch().duration_since(job.since));
        let result = compute(job.work, &mut arena);
        // An error means that the request was given up meanwhile: nobody waits for the answer.
        drop(job.reply.send(result));
    }
}

/// Waits for the next job; `None` when the pool is closed. An idle thread frees its arena.
fn next(shared: &Shared, arena: &mut Arena<'_>) -> Option<Job> {
    let mut queue = shared.lock();
    loop {
        shared.put_off(&mut queue);
        if let Some(job) = queue.take() {
            return Some(job);
        }
        if queue.closed {
            return None;
        }
        if arena.blocks.is_empty() {
            queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let waited = shared.arrived.wait_timeout(queue, IDLE);
        let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        queue = guard;
        if timeout.timed_out() && queue.jobs.is_empty() {
            arena.blocks = Vec::new();
        }
    }
}

fn compute(work: Work, arena: &mut Arena<'_>) -> Result<Done, HashingError> {
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
    (length, arena): (usize, &mut Arena<'_>),
) -> Result<Vec<u8>, HashingError> {
    let params = Params::new(params.m_kib, params.t, params.p, Some(length))
        .map_err(|_| HashingError::Failed)?;
    let memory = arena.room(params.block_count()).ok_or(HashingError::Failed)?;
    let mut digest = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut digest, memory)
        .map_err(|_| HashingError::Failed)?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(since: Instant) -> (Job, oneshot::Receiver<Result<Done, HashingError>>) {
        let params = Argon2Params::default();
        let password = Password::parse("several-unlike-words".to_owned()).unwrap();
        let (reply, answer) = oneshot::channel();
        (Job { work: Work::Hash { password, params, salt: [0; 16] }, since, reply }, answer)
    }

    #[test]
    fn the_newest_goes_first_while_many_wait_and_the_oldest_otherwise() {
        let start = clock::stopwatch();
        let mut queue = Queue::default();
        for number in 0..20 {
            queue.jobs.push_back(job(start + Duration::from_millis(number)).0);
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.take())
            .map(|job| job.since.duration_since(start).as_millis())
            .collect();
        let newest = 16..20;
        assert_eq!(taken, newest.rev().chain(0..16).collect::<Vec<_>>());
    }

    #[test]
    fn who_has_waited_for_too_long_is_put_off_and_nobody_else() {
        let start = clock::stopwatch();
        let mut queue = Queue::default();
        let mut answers = Vec::new();
        for seconds in [0, 0, 1, 2] {
            let (job, answer) = job(start + Duration::from_secs(seconds));
            queue.jobs.push_back(job);
            answers.push(answer);
        }
        assert_eq!(queue.put_off(start + DEADLINE), 0, "it is not over yet");
        assert_eq!(queue.put_off(start + DEADLINE + Duration::from_millis(1)), 2);
        let put_off = |answer: &mut oneshot::Receiver<_>| {
            matches!(answer.try_recv(), Ok(Err(HashingError::Overloaded)))
        };
        let put_off: Vec<bool> = answers.iter_mut().map(put_off).collect();
        assert_eq!(put_off, [true, true, false, false]);
        assert_eq!(queue.jobs.len(), 2);
    }
}
