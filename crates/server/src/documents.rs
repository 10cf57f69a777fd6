//! Clients whose id is the address of a document that says what they are (Client ID Metadata
//! Document, draft-ietf-oauth-client-id-metadata-document). The document is read by the guarded
//! client, checked, and kept in memory as long as it says; a row is made only once a person is
//! there, so that strangers write nothing.
//!
//! All that is proved of such a client is that it can publish at that address. A document that is
//! gone, or that is no good any more, is the end of the client; one that cannot be reached for the
//! moment is used a day longer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use munjigi_core::account::attempts::Attempt;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::client::{AuthMethod, Client, Origin, Party, Pkce, check_registration};
use munjigi_core::oauth::registration::{MAX_CLIENTS, Proposal, Refused};
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed, StoreError, clients};
use thiserror::Error;
use url::Url;

use crate::app::App;
use crate::attempts::Draw;
use crate::context::Context;
use crate::failure::Failure;
use crate::fetch::{Document, FetchError, Namer};
use crate::hosts::{HostBudgets, Standing, Wish};
use crate::registration::{check_addresses, scope_of};
use crate::registry::{say_changes, show_client};

/// How many clients a node remembers; then the one that is stale soonest is forgotten.
const MAX_KNOWN: usize = 1_000;
/// How long a document may be, in bytes (§6.6 speaks of 5 KiB; ten RSA keys need more).
const MAX_BYTES: usize = 16 * 1024;
/// How long a document is kept, where the answer does not say.
const FRESH: Span = Span::from_hours(1);
/// The shortest: one sign-in asks once.
const SHORTEST_FRESH: Span = Span::from_minutes(1);
/// The longest: so long, at most, what a document said before is believed.
const LONGEST_FRESH: Span = Span::from_hours(24);
/// How much longer it is used while its address cannot be reached.
const STALE: Span = Span::from_hours(24);
/// The clients that a node remembers.
#[derive(Default)]
pub struct Documents {
    known: Mutex<HashMap<ClientId, Known>>,
    asked: HostBudgets,
}

struct Known {
    client: Arc<Client>,
    fresh_until: Timestamp,
}

/// Why a document is not used. For the log: who named the address must not learn what can be
/// reached from here.
#[derive(Debug, Error)]
enum Unusable {
    /// There is none, or it is no good.
    #[error("{0}")]
    Gone(String),
    /// It may be there in a moment.
    #[error("{0}")]
    Away(String),
}

impl From<FetchError> for Unusable {
    fn from(error: FetchError) -> Self {
        let text = error.to_string();
        match error {
            FetchError::Unreachable(_) | FetchError::TooSlow | FetchError::Tls(_) => {
                Self::Away(text)
            }
            FetchError::Status(status)
                if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS =>
            {
                Self::Away(text)
            }
            FetchError::Status(_)
            | FetchError::Refused(_)
            | FetchError::TooLarge
            | FetchError::Redirect
            | FetchError::NotJson => Self::Gone(text),
        }
    }
}

impl From<Refused> for Unusable {
    fn from(refused: Refused) -> Self {
        Self::Gone(refused.description)
    }
}

impl Documents {
    fn known(&self) -> MutexGuard<'_, HashMap<ClientId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client, if it was read before and nothing has to be asked.
    fn fresh(&self, id: &ClientId, now: Timestamp) -> Option<Arc<Client>> {
        let known = self.known();
        known.get(id).filter(|it| now < it.fresh_until).map(|it| Arc::clone(&it.client))
    }

    fn remember(&self, client: &Arc<Client>, fresh_until: Timestamp) {
        let mut known = self.known();
        if known.len() >= MAX_KNOWN && !known.contains_key(&client.id) {
            let soonest = known.iter().min_by_key(|(_, it)| it.fresh_until);
            let soonest = soonest.map(|(id, _)| id.clone());
            soonest.and_then(|id| known.remove(&id));
        }
        known.insert(client.id.clone(), Known { client: Arc::clone(client), fresh_until });
    }

    fn forget(&self, id: &ClientId) {
        self.known().remove(id);
    }
}

/// The client of an id, whichever way it came to be known. Everything that begins with a client's
/// word for who it is asks here. `asker` is from where it was named.
pub async fn find_client(
    app: &App,
    id: &ClientId,
    asker: Option<IpAddr>,
) -> Result<Option<Arc<Client>>, Failure> {
    if !id.is_address() {
        return stored(app, id).await;
    }
    if !app.snapshot().settings.clients.documents {
        return Ok(None);
    }
    let row = stored(app, id).await?;
    let found = current(app, id, (row.as_deref(), asker)).await;
    // What was done to it here holds whatever its document says.
    Ok(found.map(|client| match &row {
        Some(row) => Arc::new(Client {
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            used_at: row.used_at,
            ..(*client).clone()
        }),
        None => client,
    }))
}

/// The same for the pages on the way, which ask nobody again.
pub fn find_known(app: &App, id: &ClientId) -> Option<Arc<Client>> {
    let row = app.snapshot().clients.get(id).cloned();
    row.or_else(|| app.documents.known().get(id).map(|known| Arc::clone(&known.client)))
}

/// The host of a client's document, if there is one: all that is proved of such a client.
pub fn host_of(client: &Client) -> Option<String> {
    let url = Url::parse(client.id.as_str()).ok().filter(|_| client.origin == Origin::Document)?;
    url.host_str().map(str::to_owned)
}

async fn stored(app: &App, id: &ClientId) -> Result<Option<Arc<Client>>, Failure> {
    if let Some(client) = app.snapshot_kept().clients.get(id) {
        return Ok(Some(Arc::clone(client)));
    }
    // It may have been made a moment ago, by another node or at the command line.
    app.catch_up_for_a_stranger().await?;
    Ok(app.snapshot().clients.get(id).cloned())
}

/// What the document says, from memory as long as it is fresh.
async fn current(
    app: &App,
    id: &ClientId,
    (row, asker): (Option<&Client>, Option<IpAddr>),
) -> Option<Arc<Client>> {
    let now = app.clock.now();
    if let Some(client) = app.documents.fresh(id, now) {
        return Some(client);
    }
    let standing = if row.is_some() { Standing::Known } else { Standing::New };
    let unusable = match read(app, id, (asker, standing), now).await {
        Ok((client, fresh_until)) => {
            let client = Arc::new(client);
            app.documents.remember(&client, fresh_until);
            return Some(client);
        }
        Err(unusable) => unusable,
    };
    tracing::info!(client_id = %id, why = %unusable, "a client's document cannot be used");
    match unusable {
        Unusable::Gone(_) => {
            app.documents.forget(id);
            None
        }
        Unusable::Away(_) => {
            let known = app.documents.known().get(id).map(|known| Arc::clone(&known.client));
            let last = known.or_else(|| row.map(|row| Arc::new(row.clone())));
            let read_at = |client: &Client| client.refreshed_at.unwrap_or(client.created_at);
            let last = last.filter(|client| now.since(read_at(client)) < STALE)?;
            // Nobody waits for it again in this minute.
            app.documents.remember(&last, now.plus(SHORTEST_FRESH));
            Some(last)
        }
    }
}

/// Reads the document, and makes of it what it may be here.
async fn read(
    app: &App,
    id: &ClientId,
    (asker, standing): (Option<IpAddr>, Standing),
    now: Timestamp,
) -> Result<(Client, Timestamp), Unusable> {
    let fetch = app.fetch.named_by(Namer::Stranger);
    fetch.check(id.as_str()).map_err(|refused| Unusable::Gone(refused.to_string()))?;
    let url = Url::parse(id.as_str()).map_err(|error| Unusable::Gone(error.to_string()))?;
    let host = url.host_str().unwrap_or_default();
    if !app.documents.asked.may_ask(&Wish { host, asker, standing }, now) {
        return Err(Unusable::Away("its host was asked too often in this minute".to_owned()));
    }
    let document = fetch.json(id.as_str()).await?;
    if document.bytes.len() > MAX_BYTES {
        return Err(Unusable::Gone(format!("it is longer than {MAX_BYTES} bytes")));
    }
    let members = munjigi_token::json::object(&document.bytes);
    let members = members.map_err(|error| Unusable::Gone(error.to_string()))?;
    let proposal = Proposal::document(id, &members)?;
    check_addresses(app, &proposal.metadata)?;
    let client = client(app, id, proposal, now);
    check_registration(&client).map_err(|why| Unusable::Gone(why.to_owned()))?;
    Ok((client, now.plus(fresh_for(&document))))
}

fn client(app: &App, id: &ClientId, proposal: Proposal, now: Timestamp) -> Client {
    Client {
        id: id.clone(),
        auth_method: proposal.auth_method.unwrap_or(AuthMethod::None),
        secrets: Vec::new(),
        scope: scope_of(&app.snapshot(), proposal.scope.as_ref()),
        name: proposal.name,
        grant_types: proposal.grant_types,
        redirect_uris: proposal.redirect_uris,
        audiences: Vec::new(),
        pkce: Pkce::Required,
        party: Party::Third,
        created_at: now,
        disabled_at: None,
        metadata: proposal.metadata,
        origin: Origin::Document,
        used_at: None,
        refreshed_at: Some(now),
        management_hash: None,
    }
}

/// RFC 9111 §5.2.2, within our own bounds.
fn fresh_for(document: &Document) -> Span {
    let said = document
        .fresh_for
        .map(|it: Duration| Span::from_seconds(i64::try_from(it.as_secs()).unwrap_or(i64::MAX)));
    said.unwrap_or(FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH)
}

/// Whether a row says what the document says.
fn is_up_to_date(row: &Client, client: &Client) -> bool {
    let timeless = |client: &Client| Client {
        created_at: Timestamp::from_millis(0),
        disabled_at: None,
        used_at: None,
        refreshed_at: None,
        ..client.clone()
    };
    // The row is what is left when its address cannot be reached: it has to be of this day.
    let age = |client: &Client| client.refreshed_at.unwrap_or(client.created_at);
    timeless(row) == timeless(client) && age(client).since(age(row)) < FRESH
}

/// Makes or renews the row of such a client, on which everything that a person allows depends.
/// `draw` bounds who makes rows without a person. For every other client this does nothing.
///
/// # Errors
/// `Full` when there are too many already, or too many come at once.
pub async fn keep(
    app: &App,
    context: &Context,
    client: &Client,
    draw: Option<Draw>,
) -> Result<(), Failure> {
    if client.origin != Origin::Document {
        return Ok(());
    }
    let row = app.snapshot().clients.get(&client.id).cloned();
    if row.is_some_and(|row| is_up_to_date(&row, client)) {
        return Ok(());
    }
    let event = |kind| context.event(kind, Actor::Client(client.id.clone()));
    let (made, changed) = (event(Kind::ClientCreated)?, event(Kind::ClientUpdated)?);
    let made = made.client(client.id.clone()).with("origin", client.origin.as_str());
    let changed = changed.client(client.id.clone());
    let (client, now) = (client.clone(), context.now);
    let is_room = app.store.write(move |tx| {
        let Some(row) = clients::find(tx, &client.id)? else {
            let draw = draw.clone().unwrap_or_default();
            let may = draw.look(tx, now)? == Attempt::Allowed;
            if !may || clients::count_registered(tx)? >= MAX_CLIENTS {
                return Ok::<_, StoreError>(Committed::nothing(false));
            }
            draw.count(tx, now)?;
            clients::insert(tx, &client)?;
            return Ok(Committed::new(true, Audit::Record(Box::new(made.clone()))));
        };
        if is_up_to_date(&row, &client) {
            return Ok(Committed::nothing(true));
        }
        clients::update(tx, &client)?;
        let after =
            Client { created_at: row.created_at, disabled_at: row.disabled_at, ..client.clone() };
        let (before, after) = (show_client(&row), show_client(&after));
        let audit = match before == after {
            true => Audit::Routine("a document said the same again"),
            false => Audit::Record(Box::new(say_changes(changed.clone(), &before, &after))),
        };
        Ok(Committed::new(true, audit))
    });
    if !is_room.await? {
        return Err(Failure::Full("clients that no operator made"));
    }
    app.reload().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_kept_within_our_own_bounds() {
        let kept = |fresh_for: Option<u64>| {
            let fresh_for = fresh_for.map(Duration::from_secs);
            super::fresh_for(&Document { bytes: vec![], fresh_for }).as_seconds()
        };
        assert_eq!(kept(None), 3_600);
        assert_eq!(kept(Some(0)), 60);
        assert_eq!(kept(Some(7_200)), 7_200);
        assert_eq!(kept(Some(u64::MAX)), 86_400);
    }
}
