//! Searches: reads that look at many rows. A few at a time, on threads of their own, so that none
//! of them keeps a sign-in waiting; whoever would wait for long is told to come back. It must not
//! be used for what every request does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::failure::Failure;

/// How many run at once.
const AT_ONCE: usize = 2;
/// How many wait.
const WAITING: usize = 16;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// The places of this node.
#[derive(Clone, Debug)]
pub struct Searches {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Searches {
    fn default() -> Self {
        let places = |number| Arc::new(Semaphore::new(number));
        Self { running: places(AT_ONCE), waiting: places(WAITING) }
    }
}

impl Searches {
    /// Runs a search when it is its turn.
    ///
    /// # Errors
    /// [`Failure::Full`] when too many others wait, or its turn does not come in time.
    pub async fn run<T: Send + 'static>(
        &self,
        search: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        const FULL: Failure = Failure::Full("searches at once");
        let Ok(waiting) = self.waiting.try_acquire() else { return Err(FULL) };
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.running).acquire_owned());
        let Ok(Ok(place)) = turn.await else { return Err(FULL) };
        drop(waiting);
        let runtime = Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            // The place belongs to the work: a caller who goes away does not make room for more.
            let _place = place;
            runtime.block_on(search)
        });
        done.await.map_err(|_| Failure::Damaged("the thread of a search"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_many_searches_a_few_run_a_few_wait_and_the_rest_is_told_so() {
        let (searches, gate) = (Searches::default(), Arc::new(Semaphore::new(0)));
        let search = || {
            let (searches, gate) = (searches.clone(), Arc::clone(&gate));
            let inside = async move { gate.acquire().await.is_ok() };
            tokio::spawn(async move { searches.run(inside).await })
        };
        let running: Vec<_> = (0..AT_ONCE).map(|_| search()).collect();
        // Nobody opens the gate before their patience ends.
        let refused: Vec<_> = (0..WAITING + 3).map(|_| search()).collect();
        for one in refused {
            assert!(matches!(one.await, Ok(Err(Failure::Full(_)))));
        }
        gate.add_permits(1);
        for one in running {
            assert!(matches!(one.await, Ok(Ok(true))));
        }
        assert!(matches!(searches.run(async { 7 }).await, Ok(7)));
    }
}
