//! An event of the audit trail as a leaf of its tree: what anybody may read in it, and what is
//! hidden behind a salt so that it can be erased.

use munjigi_audit::{Leaf, pii_digest, prefix_of};
use munjigi_store::audit::StoredEvent;
use serde_json::{Value, json};

/// What of an event tells about a person: the whole address, and the details.
pub fn personal(event: &StoredEvent) -> Value {
    let address = event.address.map(|address| address.to_string());
    json!({ "address": address, "detail": event.detail })
}

/// The leaf of an event.
pub fn leaf(event: &StoredEvent, salt: &[u8; 32]) -> Leaf {
    Leaf {
        id: event.id.to_string(),
        at: event.at.as_millis(),
        kind: event.kind.clone(),
        outcome: event.outcome.as_str().to_owned(),
        actor_kind: event.actor_kind.clone(),
        actor: event.actor_id.clone(),
        subject: event.subject.map(|subject| subject.to_string()),
        client: event.client_id.as_ref().map(ToString::to_string),
        prefix: event.address.map(prefix_of),
        request: event.request_id.map(|request| request.to_string()),
        pii: pii_digest(salt, &personal(event)),
    }
}

/// Whether a stored event is still what its leaf was made of. Without a salt, what tells about a
/// person was erased: nothing of it may be there, or anything could be, and the rest has to be as
/// it was.
pub fn is_as_it_was(event: &StoredEvent, salt: Option<&[u8; 32]>, entry: &str) -> bool {
    let Some(salt) = salt else {
        let Ok(signed) = Leaf::parse(entry.as_bytes()) else { return false };
        let is_erased = event.address.is_none() && event.detail.is_empty();
        let now = leaf(event, &[0; 32]);
        return is_erased
            && Leaf { prefix: signed.prefix.clone(), pii: signed.pii, ..now } == signed;
    };
    leaf(event, salt).to_entry() == entry
}
