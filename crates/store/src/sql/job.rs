//! A closure with the place where its answer goes. The executor runs it, perhaps several times, and
//! answers once, after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::StoreError;
use super::faults::Faults;
use super::tx::{Audit, Committed, ReadTx, Session, Tx};

/// How often a transaction is run before its caller is told that it lost.
pub(super) const MAX_RUNS: u32 = 20;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// What is to become of the transaction after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Commit it.
    Keep { changed: bool },
    /// Undo it; the answer stands.
    Undo,
    /// Undo it and run the closure again.
    Again,
}

/// A closure whose types are forgotten. Two implementations: reading and writing.
pub(super) trait Job: Send {
    fn access(&self) -> Access;

    /// The closure's name, for the log.
    fn name(&self) -> &'static str;

    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// Runs the closure once and keeps what it said.
    fn run(&mut self, session: &mut dyn Session) -> Verdict;

    /// Says what was kept.
    fn answer(self: Box<Self>);

    /// Says that it failed, whatever was kept.
    fn fail(self: Box<Self>, error: StoreError);
}

pub(super) struct Write<F, T, E> {
    closure: F,
    kept: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    faults: Faults,
}

pub(super) struct Read<F, T, E> {
    closure: F,
    kept: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
    faults: Faults,
}

impl<F, T, E> Write<F, T, E> {
    pub(super) const fn new(
        closure: F,
        reply: oneshot::Sender<Result<T, E>>,
        faults: Faults,
    ) -> Self {
        Self { closure, kept: None, reply, faults }
    }
}

impl<F, T, E> Read<F, T, E> {
    pub(super) const fn new(
        closure: F,
        reply: oneshot::Sender<Result<T, E>>,
        faults: Faults,
    ) -> Self {
        Self { closure, kept: None, reply, faults }
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: Fn(&mut Tx<'_>) -> Result<Committed<T>, E> + Send,
    T: Send,
    E: From<StoreError> + Send + 'static,
{
    fn access(&self) -> Access {
        Access::Write
    }

    fn name(&self) -> &'static str {
        std::any::type_name::<F>()
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, session: &mut dyn Session) -> Verdict {
        let mut tx = Tx::new(session, &self.faults);
        // The transaction of a closure that panicked is undone, so no broken state is seen later.
        let said = catch_unwind(AssertUnwindSafe(|| {
            let done = (self.closure)(&mut tx)?;
            let outcome = settle(&mut tx, done)?;
            self.faults.strike()?;
            Ok(outcome)
        }))
        .unwrap_or_else(|_| Err(panicked(std::any::type_name::<F>()).into()));

        let conflict = matches!(tx.failure(), Some(StoreError::Conflict));
        let verdict = match &said {
            _ if conflict => Verdict::Again,
            Err(error) if tx.lost() || is_conflict(error) => Verdict::Again,
            Err(_) => Verdict::Undo,
            Ok(_) if tx.failure().is_some() => Verdict::Undo,
            Ok(_) => Verdict::Keep { changed: tx.changed() > 0 },
        };
        // A conflict that the closure took for something else must not be reported as that.
        self.kept = Some(match said {
            Ok(_) if conflict => Err(StoreError::Conflict.into()),
            said => said,
        });
        verdict
    }

    fn answer(self: Box<Self>) {
        let Self { kept, reply, .. } = *self;
        // A caller who has gone away needs no answer.
        drop(reply.send(kept.unwrap_or_else(|| Err(never_ran().into()))));
    }

    fn fail(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error.into())));
    }
}

impl<F, T, E> Job for Read<F, T, E>
where
    F: Fn(&mut ReadTx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send + 'static,
{
    fn access(&self) -> Access {
        Access::Read
    }

    fn name(&self) -> &'static str {
        std::any::type_name::<F>()
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, session: &mut dyn Session) -> Verdict {
        let (said, conflict) = run_read(&self.closure, session, &self.faults);
        self.kept = Some(said);
        match &self.kept {
            _ if conflict => Verdict::Again,
            Some(Ok(_)) => Verdict::Keep { changed: false },
            _ => Verdict::Undo,
        }
    }

    fn answer(self: Box<Self>) {
        let Self { kept, reply, .. } = *self;
        // A caller who has gone away needs no answer.
        drop(reply.send(kept.unwrap_or_else(|| Err(never_ran().into()))));
    }

    fn fail(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error.into())));
    }
}

/// Runs a reading closure once; says also whether the database asks for another run.
pub(super) fn run_read<F, T, E>(
    closure: &F,
    session: &mut dyn Session,
    faults: &Faults,
) -> (Result<T, E>, bool)
where
    F: Fn(&mut ReadTx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let mut tx = ReadTx::new(session, faults);
    let said = catch_unwind(AssertUnwindSafe(|| closure(&mut tx)))
        .unwrap_or_else(|_| Err(panicked(std::any::type_name::<F>()).into()));
    match tx.failure() {
        Some(StoreError::Conflict) => (Err(StoreError::Conflict.into()), true),
        _ => (said, false),
    }
}

/// Writes what the audit trail has to know, or refuses the change.
fn settle<T>(tx: &mut Tx<'_>, done: Committed<T>) -> Result<T, StoreError> {
    if tx.failure().is_some() {
        // What the failed statement was part of is undone: "nothing" is true, and the rest is not.
        return match done.audit {
            None => Ok(done.outcome),
            Some(_) => Err(StoreError::Internal(
                "a closure went on after a statement of it had failed".to_owned(),
            )),
        };
    }
    match done.audit {
        None if tx.changed() > 0 => return Err(StoreError::Unaudited),
        None | Some(Audit::Routine(_)) => {}
        Some(Audit::Record(event)) => {
            munjigi_core::planted!("event_dropped", return Ok(done.outcome));
            crate::audit::insert(tx, &event)?;
        }
        Some(Audit::Records(events)) => {
            for event in &events {
                crate::audit::insert(tx, event)?;
            }
        }
    }
    Ok(done.outcome)
}

/// An error of another type than the store's hides what it was made from; `exec_one` marks it.
fn is_conflict<E: 'static>(error: &E) -> bool {
    let error: &dyn std::any::Any = error;
    matches!(error.downcast_ref(), Some(StoreError::Conflict))
}

fn panicked(closure: &'static str) -> StoreError {
    tracing::error!(closure, "a closure panicked; its transaction was undone");
    StoreError::Internal("a closure panicked".to_owned())
}

fn never_ran() -> StoreError {
    StoreError::Internal("a closure was answered before it ran".to_owned())
}

/// How long to wait before run number `run` + 1: up to 250 µs, doubling to 16 ms, at random, so
/// that those who met do not meet again. `salt` differs between callers.
pub(super) fn pause(run: u32, salt: u64) -> Duration {
    // SplitMix64 (Steele, Lea, Flood 2014): a hash, not a source of secrets.
    let mut hash = salt.wrapping_add(u64::from(run)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let longest = 250_u64 << run.min(6);
    Duration::from_micros((hash ^ (hash >> 31)) % longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_stay_below_sixteen_milliseconds() {
        let pauses: Vec<_> = (0..64).map(|salt| pause(9, salt)).collect();
        assert!(pauses.iter().all(|pause| *pause < Duration::from_millis(16)));
        assert!(pauses.iter().collect::<std::collections::HashSet<_>>().len() > 60);
    }
}
