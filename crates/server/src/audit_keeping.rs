//! What is done with the audit trail now and then: events that have been kept long enough are
//! forgotten. Their leaves stay, and the tree holds.

use munjigi_core::id::EventId;
use munjigi_store::{Audit, Committed, StoreError, audit_log};

use crate::app::App;
use crate::failure::Failure;

/// How many events are forgotten at a time.
const AT_A_TIME: u32 = 500;
/// How often at most in one go.
const MOST_ROUNDS: u32 = 100;

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
