//! Whether what this node has in memory is what the database holds now. Whoever mints a token asks
//! first: what another node ended, and told its caller so, must not go on here for the moment until
//! the next poll; and a node that is cut off from the database must mint nothing at all.
//!
//! One look serves everybody who asked before it began, so that a crowd costs no more than one
//! caller after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use munjigi_store::{StoreError, counters};

use crate::app::App;
use crate::failure::Failure;

/// How long one look may take.
const BUDGET: Duration = Duration::from_secs(1);

/// The looks of one node.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// How many have begun.
    begun: AtomicU64,
    /// The last one that ended. Whoever holds it looks.
    last: tokio::sync::Mutex<Look>,
}

#[derive(Debug, Default)]
struct Look {
    number: u64,
    /// Whether the database answered.
    is_good: bool,
}

impl App {
    /// Makes sure that clients, roles, keys, settings and revocations in memory are at least as new
    /// as this call. Costs a read of the database, shared with whoever asks at the same time.
    ///
    /// # Errors
    /// When the database does not answer within a second: what is known may be over.
    pub(crate) async fn be_current(&self) -> Result<(), Failure> {
        // One that is under way already may have read before this call.
        let wanted = self.looks.begun.load(Ordering::Acquire).saturating_add(1);
        let mut last = self.looks.last.lock().await;
        if last.number >= wanted {
            return if last.is_good { Ok(()) } else { Err(unknown()) };
        }
        let number = self.looks.begun.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        let looked = tokio::time::timeout(BUDGET, self.compare()).await;
        *last = Look { number, is_good: matches!(looked, Ok(Ok(()))) };
        looked.unwrap_or_else(|_| Err(unknown()))
    }

    async fn compare(&self) -> Result<(), Failure> {
        let found = self.store.read(counters::versions).await?;
        if found.reference != self.snapshot().version {
            self.reload().await?;
        }
        if found.revocation != self.feed.last_seq() {
            self.load_revocations().await?;
        }
        Ok(())
    }
}

fn unknown() -> Failure {
    let why = "it did not say in time whether what is known here still holds";
    Failure::Store(StoreError::Unavailable(why.to_owned()))
}
