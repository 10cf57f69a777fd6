//! The audit trail: rows are only ever added. Called by the executor for every write that names an
//! event, in the same transaction.

use munjigi_core::audit::Event;

use crate::{Result, Tx, params};

/// Adds an event.
pub fn insert(tx: &mut Tx<'_>, event: &Event) -> Result<()> {
    let detail = serde_json::Value::Object(event.detail.clone()).to_string();
    tx.push(
        "INSERT INTO audit (id, at, kind, outcome, actor_kind, actor_id, subject, client_id,
         address, request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            event.id,
            event.origin.at,
            event.kind.as_str(),
            event.outcome.as_str(),
            event.origin.actor.kind(),
            event.origin.actor.id(),
            event.subject.map(|subject| subject.to_string()),
            event.client_id,
            event.origin.address.map(|address| address.to_string()),
            event.origin.request_id.map(|request| request.to_string()),
            detail,
        ],
    )
}
