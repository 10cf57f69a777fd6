//! The audit trail: rows are only ever added. [`insert`] is called by the executor for every write
//! that names an event, in the same transaction.

use std::net::IpAddr;

use munjigi_core::audit::{Event, Kind, Outcome};
use munjigi_core::id::{ClientId, EventId, RequestId, UserId};
use munjigi_core::time::Timestamp;
use serde_json::{Map, Value as Json};

use crate::page::{Cursor, Listed, Page};
use crate::{ReadTx, Result, Row, StoreError, Tx, params};

/// An event as stored. Words of the trail are texts here: a node may read what a newer one wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its id; later events have greater ones.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, as [`Kind::as_str`].
    pub kind: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What kind of actor did it, as [`Actor::kind`](munjigi_core::audit::Actor::kind).
    pub actor_kind: String,
    /// Who did it, where the actor has an id.
    pub actor_id: Option<String>,
    /// The person whom it concerns, who may be gone.
    pub subject: Option<UserId>,
    /// The client that it concerns, which may be gone.
    pub client_id: Option<ClientId>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The request that caused it.
    pub request_id: Option<RequestId>,
    /// Further facts, by name.
    pub detail: Map<String, Json>,
}

/// Which events are listed; nothing asked for means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The person whom they concern.
    pub subject: Option<UserId>,
    /// Who did it, as [`Actor::id`](munjigi_core::audit::Actor::id).
    pub actor_id: Option<String>,
    /// What happened.
    pub kind: Option<Kind>,
    /// The client that they concern.
    pub client_id: Option<ClientId>,
    /// How they ended.
    pub outcome: Option<Outcome>,
    /// Not before then.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
    /// Where the requests came from.
    pub address: Option<IpAddr>,
}

/// How many events a page looks at, for those that are asked for.
pub const LOOKED_AT: u32 = 10_000;

/// No id carries a later time (RFC 9562 §5.7: 48 bits).
const LAST_OF_IDS: Timestamp = Timestamp::from_millis((1 << 48) - 1);

impl AuditFilter {
    /// Whether there may be many events between two of those that are asked for.
    const fn is_sparse(&self) -> bool {
        self.actor_id.is_some()
            || self.kind.is_some()
            || self.client_id.is_some()
            || self.outcome.is_some()
            || self.address.is_some()
    }
}

/// The columns of `audit a` that [`from_row`] reads.
macro_rules! audit_columns {
    () => {
        "a.id, a.at, a.kind, a.outcome, a.actor_kind, a.actor_id, a.subject, a.client_id, \
         a.address, a.request_id, a.detail"
    };
}
pub(crate) use audit_columns;

/// What a filter asks for, but for the subject, and the place in the list.
macro_rules! audit_filter {
    () => {
        "a.id < $1 AND a.id >= $2
         AND (CAST($3 AS TEXT) IS NULL OR a.actor_id = $3)
         AND (CAST($4 AS TEXT) IS NULL OR a.kind = $4)
         AND (CAST($5 AS TEXT) IS NULL OR a.client_id = $5)
         AND (CAST($6 AS TEXT) IS NULL OR a.outcome = $6)
         AND (CAST($7 AS BIGINT) IS NULL OR a.at >= $7)
         AND (CAST($8 AS BIGINT) IS NULL OR a.at < $8)
         AND (CAST($9 AS TEXT) IS NULL OR a.address = $9)
         ORDER BY a.id DESC LIMIT $10"
    };
}

/// Adds an event.
pub fn insert(tx: &mut Tx<'_>, event: &Event) -> Result<()> {
    let detail = Json::Object(event.detail.clone()).to_string();
    tx.push(
        "INSERT INTO audit (id, at, kind, outcome, actor_kind, actor_id, subject, client_id,
         address, request_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            event.id,
            event.origin.at,
            event.kind.as_str(),
            event.outcome,
            event.origin.actor.kind(),
            event.origin.actor.id(),
            event.subject.map(|subject| subject.to_string()),
            event.client_id,
            event.origin.address,
            event.origin.request_id.map(|request| request.to_string()),
            detail,
        ],
    )
}

/// Events, the newest first. A page looks at no more than [`LOOKED_AT`] events, however few of them
/// are asked for: one that holds few, or none, and has a next one, is not the last.
pub fn list(
    tx: &mut ReadTx<'_>,
    page: &Page<EventId>,
    filter: &AuditFilter,
) -> Result<Listed<StoredEvent, EventId>> {
    let (above, lowest) = span(page, filter);
    let floor = match filter.is_sparse() {
        true => floor(tx, filter, (&above, &lowest))?,
        false => None,
    };
    let mut params = params![
        above,
        floor.unwrap_or(lowest),
        filter.actor_id,
        filter.kind.map(Kind::as_str),
        filter.client_id,
        filter.outcome,
        filter.since,
        filter.until,
        filter.address,
        page.rows(),
    ];
    // Two statements, so that one person's events are found by their index.
    let rows = match &filter.subject {
        Some(subject) => {
            params.extend(params![subject.to_string()]);
            tx.rows(
                concat!(
                    "SELECT ",
                    audit_columns!(),
                    " FROM audit a WHERE a.subject = $11 AND ",
                    audit_filter!()
                ),
                params,
            )
        }
        None => tx.rows(
            concat!("SELECT ", audit_columns!(), " FROM audit a WHERE ", audit_filter!()),
            params,
        ),
    }?;
    let events = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    let mut listed = page.cut(events, |event| event.id);
    listed.next = listed.next.or(floor.map(Cursor));
    Ok(listed)
}

/// Between which ids the wanted events are: below the first, not below the second. An event's id
/// begins with its time.
fn span(page: &Page<EventId>, filter: &AuditFilter) -> (EventId, EventId) {
    let of = |at: &Timestamp| EventId::from_parts((*at).min(LAST_OF_IDS), [0; 10]);
    let end = filter.until.as_ref().map_or(EventId::from_bytes([0xff; 16]), of);
    let above = page.key().map_or(end, |key| end.min(*key));
    (above, filter.since.as_ref().map_or(EventId::from_bytes([0; 16]), of))
}

/// Where a page stops looking, if that is before the end of what there is.
fn floor(
    tx: &mut ReadTx<'_>,
    filter: &AuditFilter,
    (above, lowest): (&EventId, &EventId),
) -> Result<Option<EventId>> {
    let mut params = params![above, lowest, LOOKED_AT.saturating_sub(1)];
    let row = match &filter.subject {
        Some(subject) => {
            params.extend(params![subject.to_string()]);
            tx.find_row(
                "SELECT a.id FROM audit a WHERE a.subject = $4 AND a.id < $1 AND a.id >= $2
                 ORDER BY a.id DESC LIMIT 1 OFFSET $3",
                params,
            )
        }
        None => tx.find_row(
            "SELECT a.id FROM audit a WHERE a.id < $1 AND a.id >= $2
             ORDER BY a.id DESC LIMIT 1 OFFSET $3",
            params,
        ),
    }?;
    row.map(|row| row.at(0)).transpose()
}

pub(crate) fn from_row(mut row: Row) -> Result<StoredEvent> {
    Ok(StoredEvent {
        id: row.take(0)?,
        at: row.take(1)?,
        kind: row.take(2)?,
        outcome: row.take(3)?,
        actor_kind: row.take(4)?,
        actor_id: row.take(5)?,
        // Ids of people and requests are texts in the trail: it is read by people and programs.
        subject: read_id(row.take(6)?)?,
        client_id: row.take(7)?,
        address: row.take(8)?,
        request_id: read_id(row.take(9)?)?,
        detail: row.take(10)?,
    })
}

fn read_id<T: std::str::FromStr>(text: Option<String>) -> Result<Option<T>> {
    let unreadable = |_| StoreError::Corrupt("an id in the audit trail is no id".to_owned());
    text.map(|text| text.parse().map_err(unreadable)).transpose()
}
