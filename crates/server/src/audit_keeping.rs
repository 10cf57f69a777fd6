//! What is done with the audit trail now and then: a checkpoint is sent to whoever anchors it, and
//! events that have been kept long enough are forgotten. Their leaves stay, and the tree holds.

use munjigi_core::id::EventId;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed, StoreError, audit_log};

use crate::app::App;
use crate::failure::Failure;

/// How often a checkpoint is sent.
const ANCHOR_EVERY: Span = Span::from_hours(1);
/// How long after one that did not arrive.
const ANCHOR_AGAIN: Span = Span::from_minutes(1);
/// How many events are forgotten at a time.
const AT_A_TIME: u32 = 500;
/// How often at most in one go.
const MOST_ROUNDS: u32 = 100;

/// When this node sends a checkpoint next, and which one it sent last.
#[derive(Debug, Default)]
pub struct Anchor {
    due_at: Option<Timestamp>,
    sent: i64,
}

impl Anchor {
    /// Sends the newest checkpoint, if it is time and there is a new one. True when it was sent.
    /// Only the node that writes the tree does it; a node that begins sends one at once.
    pub async fn run(&mut self, app: &App) -> Result<bool, Failure> {
        let now = app.clock.now();
        let Some(url) = app.snapshot().settings.audit.anchor.clone() else { return Ok(false) };
        if self.due_at.is_some_and(|due_at| now < due_at) {
            return Ok(false);
        }
        let newest = app.store.read(audit_log::last_checkpoint).await?;
        let Some(newest) = newest.filter(|newest| newest.size != self.sent) else {
            return Ok(false);
        };
        match app.fetch.post_form(url.as_str(), &[("checkpoint", &newest.note)]).await {
            Ok(_) => {
                self.sent = newest.size;
                self.due_at = Some(now.plus(ANCHOR_EVERY));
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(%error, "a checkpoint of the audit trail was not anchored");
                self.due_at = Some(now.plus(ANCHOR_AGAIN));
                Ok(false)
            }
        }
    }
}

/// Forgets events that are older than the setting `audit_retention` says: the rows with what they
/// tell, and the salts. How many there were.
pub async fn forget(app: &App) -> Result<u64, Failure> {
    let Some(retention) = app.snapshot().settings.audit.retention else { return Ok(0) };
    let before = EventId::from_parts(app.clock.now().minus(retention), [0; 10]);
    let mut total = 0_u64;
    for _ in 0..MOST_ROUNDS {
        let forgotten = app.store.write(move |tx| {
            let forgotten = audit_log::forget_events(tx, &before, AT_A_TIME)?;
            let audit = Audit::Routine("events that were kept long enough are forgotten");
            Ok::<_, StoreError>(match forgotten {
                0 => Committed::nothing(0),
                more => Committed::new(more, audit),
            })
        });
        let forgotten = forgotten.await?;
        total = total.saturating_add(forgotten);
        if forgotten < u64::from(AT_A_TIME) {
            break;
        }
    }
    Ok(total)
}
