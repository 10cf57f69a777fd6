//! The end of a node in good order: `/readyz` refuses first, nothing new is begun, and what was
//! begun beside the requests is finished, so that it is not done twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use crate::app::App;
use crate::sequencer::{self, Looked};

/// How long what is on its way from the outbox has to get there: as long as one mail may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the last checkpoint may take. Without it nothing is lost: the next start signs it.
const LAST_CHECKPOINT: Duration = Duration::from_secs(10);

/// How far the end of this node is.
#[derive(Default)]
pub(crate) struct Leaving {
    is_leaving: AtomicBool,
    /// Held while something is on its way from the outbox.
    outbox: Mutex<()>,
}

impl Leaving {
    /// Whether nothing new is to be begun.
    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Held by whoever takes something from the outbox and sends it.
    pub async fn sending(&self) -> MutexGuard<'_, ()> {
        self.outbox.lock().await
    }
}

impl App {
    /// Has `/readyz` refuse from now on, and takes nothing more from the outbox: called when the
    /// server is told to stop, while it still answers.
    pub fn leave(&self) {
        self.leaving.is_leaving.store(true, Ordering::Release);
    }

    /// Finishes what was begun beside the requests, once the last of those is answered. Waits until
    /// nothing is on its way from the outbox: a mail that was sent and not written down would be
    /// sent again. Then a last checkpoint of the audit trail is signed: whoever keeps it holds
    /// everything that this node has acknowledged.
    pub async fn finish(&self) {
        if tokio::time::timeout(PATIENCE, self.leaving.sending()).await.is_err() {
            tracing::warn!("stopped with something on its way; it may be sent again");
        }
        match tokio::time::timeout(LAST_CHECKPOINT, sequencer::last(self)).await {
            Ok(Ok(Looked::Done { .. } | Looked::Elsewhere | Looked::Refused(_))) => {}
            Ok(Err(error)) => tracing::warn!(%error, "stopped without a last checkpoint"),
            Err(_) => tracing::warn!("stopped without a last checkpoint: it took too long"),
        }
    }
}
