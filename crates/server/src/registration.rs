//! Clients that no operator made: what they may have, how they are shown, when they are forgotten.
//! Nobody here has looked at them, so that they are third parties without a say of their own:
//! whatever they get, a person has allowed. It must not serve HTTP.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use munjigi_core::account::budget::{Budget, neighbourhood};
use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::client::{AuthMethod, Client, GrantType, Origin, Party, Pkce};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::registration::{ApplicationType, Proposal, Refused};
use munjigi_core::oauth::scope::{IDENTITY_SCOPES, Scope};
use munjigi_core::secret::Secret;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::{Audit, Committed, StoreError, clients};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::attempts::Draw;
use crate::builtin::{ADMIN_SCOPE, PERMISSIONS};
use crate::context::Context;
use crate::failure::Failure;
use crate::fetch::Namer;
use crate::registry::{Registration, RegistrationError};
use crate::snapshot::Snapshot;

/// What a client may ask for that names no scope: who the person is, and what roles carry.
const PLAIN: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// How many unused clients are forgotten in one round of the job.
const AT_A_TIME: u32 = 100;
/// How often it is written down that a client was seen.
const SEEN_EVERY: Span = Span::from_hours(1);
/// Of how many clients a node remembers that it wrote it down.
const MOST_SEEN: usize = 10_000;

/// How many clients one address may register: so many at once, and then one in so long.
pub const OF_ONE_ADDRESS: Budget = Budget::new(20, Span::from_minutes(5));
/// How many everybody may register together: the rows are held in memory by every node.
const OF_EVERYBODY: Budget = Budget::new(200, Span::from_seconds(30));

/// What bounds the clients that strangers bring along: whose are counted together.
pub fn draw(app: &App, context: &Context) -> Draw {
    let draw = Draw::default().on(app, OF_EVERYBODY, &[b"registration", b"everybody"]);
    // Where the address is not known, as when the server is embedded, there is none to count for.
    let Some(address) = context.address else { return draw };
    let address = neighbourhood(address).to_string();
    draw.on(app, OF_ONE_ADDRESS, &[b"registration from", address.as_bytes()])
}

/// Everything that such a client may ask for: never what administers this server.
fn offered(snapshot: &Snapshot) -> Scope {
    let roles = snapshot.roles.values().filter(|role| role.disabled_at.is_none());
    let carried = roles.fold(Scope::empty(), |all, role| all.with(&role.scope));
    carried.only(|name| name != ADMIN_SCOPE && !PERMISSIONS.contains(&name))
}

/// What of a scope such a client gets (RFC 7591 §2: a server may replace what is asked for).
pub fn scope_of(snapshot: &Snapshot, asked: Option<&Scope>) -> Scope {
    let offered = offered(snapshot);
    match asked {
        Some(asked) => asked.only(|name| IDENTITY_SCOPES.contains(&name) || offered.has(name)),
        None => PLAIN.join(" ").parse::<Scope>().unwrap_or_default().with(&offered),
    }
}

/// Whether this server would go to the addresses that it would have to go to (AD-06 of the attack
/// kit: refused when they are stored, and again when they are used).
pub fn check_addresses(app: &App, metadata: &Metadata) -> Result<(), Refused> {
    let fetch = app.fetch.named_by(Namer::Stranger);
    for (name, uri) in [
        ("jwks_uri", &metadata.jwks_uri),
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
    ] {
        // Not why: a stranger must not learn what can be reached from here.
        if uri.as_ref().is_some_and(|uri| fetch.check(uri.as_str()).is_err()) {
            return Err(Refused::metadata(format!("{name} is no address that can be used here")));
        }
    }
    Ok(())
}

/// The row of a client that registers itself, and its secret in clear.
pub fn client(
    snapshot: &Snapshot,
    proposal: Proposal,
    now: Timestamp,
) -> Result<(Client, Option<Secret>), RegistrationError> {
    let registration = Registration {
        id: None,
        // RFC 7591 §2: "If unspecified or omitted, the default is client_secret_basic".
        auth_method: proposal.auth_method.unwrap_or(AuthMethod::ClientSecretBasic),
        scope: scope_of(snapshot, proposal.scope.as_ref()),
        name: proposal.name,
        grant_types: proposal.grant_types,
        redirect_uris: proposal.redirect_uris,
        audiences: Vec::new(),
        pkce: Pkce::Required,
        party: Party::Third,
        metadata: proposal.metadata,
    };
    let (client, secret) = registration.client(now)?;
    Ok((Client { origin: Origin::Registered, ..client }, secret))
}

/// A client as it is told about itself (RFC 7591 §3.2.1): what was registered, which may be less
/// than it asked for.
pub fn show(client: &Client) -> Map<String, Value> {
    let grants: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    let uses_codes = client.grant_types.contains(&GrantType::AuthorizationCode);
    let response_types = if uses_codes { vec!["code"] } else { vec![] };
    let further = serde_json::to_value(&client.metadata).unwrap_or_default();
    let mut members = further.as_object().cloned().unwrap_or_default();
    let said = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at.as_seconds(),
        "client_name": client.name,
        "token_endpoint_auth_method": client.auth_method.as_str(),
        "grant_types": grants,
        "response_types": response_types,
        "redirect_uris": client.redirect_uris,
        "application_type": ApplicationType::of(&client.redirect_uris).as_str(),
        "scope": client.scope,
    });
    members.extend(said.as_object().cloned().unwrap_or_default());
    members
}

/// When clients were last written down as seen, as far as this node did it.
#[derive(Default)]
pub struct Sightings(Mutex<HashMap<ClientId, Timestamp>>);

impl Sightings {
    /// Whether it is time to write it down again.
    fn is_due(&self, id: &ClientId, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(id).is_some_and(|last| now.since(*last) < SEEN_EVERY && *last <= now) {
            return false;
        }
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        seen.insert(id.clone(), now);
        true
    }
}

/// Writes down that a client was used, about once an hour, if it is one that is forgotten when it
/// is not.
pub async fn was_used(app: &App, client: &Client, now: Timestamp) -> Result<(), Failure> {
    if client.origin == Origin::Made || !app.sightings.is_due(&client.id, now) {
        return Ok(());
    }
    let id = client.id.clone();
    let written = app.store.write(move |tx| {
        clients::touch_used(tx, &id, now)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Routine("a client was seen")))
    });
    Ok(written.await?)
}

/// Forgets clients that were not used for so long as the settings say, with all that they hold.
pub async fn forget_unused(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let before = now.minus(app.snapshot().settings.clients.unused_ttl);
    let unused =
        app.store.read(move |tx| clients::list_unused_registered(tx, before, AT_A_TIME)).await?;
    if unused.is_empty() {
        return Ok(());
    }
    for id in unused {
        let event = app.system_event(Kind::ClientDeleted)?.client(id.clone());
        let (event, ending) = (event.with("reason", "it was not used"), app.ending());
        let forgotten = app.store.write(move |tx| {
            // It may have been used, or disabled, since we looked.
            let found = clients::find(tx, &id)?;
            let last = |client: &Client| client.used_at.unwrap_or(client.created_at);
            if found.is_none_or(|client| client.is_disabled() || last(&client) >= before) {
                return Ok::<_, StoreError>(Committed::nothing(None));
            }
            let revocation = ending.client(tx, &id)?;
            clients::delete(tx, &id)?;
            Ok(Committed::new(Some(revocation), Audit::Record(Box::new(event.clone()))))
        });
        if let Some(revocation) = forgotten.await? {
            app.take_over(&revocation);
        }
    }
    app.reload().await
}
