//! Clients, APIs and roles as they are registered and shown: what the admin API and the command
//! line share.

use std::collections::BTreeSet;

use munjigi_core::access::{Carried, Permission, Permissions, Role, RoleName};
use munjigi_core::audit::Event;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Api, Audience};
use munjigi_core::oauth::client::{
    AuthMethod, Client, GrantType, Origin, Party, Pkce, SecretHash, check_registration, hash_secret,
};
use munjigi_core::oauth::metadata::{ALGORITHMS, Metadata};
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::registration_token::{DEFAULT_TTL, RegistrationToken};
use munjigi_core::oauth::scope::{IDENTITY_SCOPES, Scope};
use munjigi_core::oauth::ticket::{Reference, ReferenceKind};
use munjigi_core::secret::Secret;
use munjigi_core::time::{Span, Timestamp};
use munjigi_token::Algorithm;
use serde_json::{Map, Value, json};

use crate::accounts::rfc3339;
use crate::builtin::PERMISSIONS;
use crate::random::{self, NoRandomness};

/// What every client secret made here begins with, so that secret scanners can find leaked ones.
pub const SECRET_PREFIX: &str = "mj_cs_";

/// What a client is registered with.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its id; a random one when absent.
    pub id: Option<ClientId>,
    /// What people see.
    pub name: String,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// What it may ask with.
    pub grant_types: BTreeSet<GrantType>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for.
    pub scope: Scope,
    /// The APIs its tokens are for.
    pub audiences: Vec<Audience>,
    /// Whether a code challenge is required.
    pub pkce: Pkce,
    /// Whose it is.
    pub party: Party,
    /// What else is known of it.
    pub metadata: Metadata,
}

/// Why a client cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The parts do not fit together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Registration {
    /// The client's row, and its secret in clear, which is shown once.
    pub fn client(self, now: Timestamp) -> Result<(Client, Option<Secret>), RegistrationError> {
        let id = match self.id {
            Some(id) => id,
            None => random_client_id()?,
        };
        let secret = match self.auth_method.uses_secret() {
            true => Some(random::secret(SECRET_PREFIX)?),
            false => None,
        };
        let hash = |secret: &Secret| SecretHash {
            hash: hash_secret(&id, secret.reveal()),
            expires_at: None,
        };
        let secrets = secret.iter().map(hash).collect();
        let client = Client {
            id,
            name: self.name,
            auth_method: self.auth_method,
            secrets,
            grant_types: self.grant_types,
            redirect_uris: self.redirect_uris,
            scope: self.scope,
            audiences: self.audiences,
            pkce: self.pkce,
            party: self.party,
            created_at: now,
            disabled_at: None,
            metadata: self.metadata,
            origin: Origin::Made,
            used_at: None,
            refreshed_at: None,
            management_hash: None,
        };
        check_registration(&client).map_err(RegistrationError::Contradiction)?;
        Ok((client, secret))
    }
}

fn random_client_id() -> Result<ClientId, NoRandomness> {
    let random = munjigi_token::base64url::encode(random::bytes::<12>()?);
    format!("c_{random}").parse().map_err(|_| NoRandomness)
}

/// A name for people: 1 to 200 characters, none of them a control character.
pub fn parse_name(text: &str) -> Result<String, &'static str> {
    let length = text.chars().count();
    if length == 0 || length > 200 || text.chars().any(char::is_control) {
        return Err("is 1 to 200 characters, without control characters");
    }
    Ok(text.to_owned())
}

/// What a client may do on its own behalf, if it may act for itself: the scopes that it has, at
/// this server those that name permissions.
pub fn carried_by(client: &Client) -> Carried {
    if client.may_use(GrantType::ClientCredentials).is_err() {
        return Carried::default();
    }
    let own = client.scope.only(|name| !IDENTITY_SCOPES.contains(&name));
    let here = own.names().filter(|name| PERMISSIONS.contains(name));
    let permissions = here.filter_map(|name| name.parse::<Permission>().ok()).collect();
    Carried { permissions, scope: own }
}

/// A client as it is shown. Secrets are never shown again.
pub fn show_client(client: &Client) -> Value {
    let grants: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    json!({
        "client_id": client.id,
        "name": client.name,
        "token_endpoint_auth_method": client.auth_method.as_str(),
        "grant_types": grants,
        "redirect_uris": client.redirect_uris,
        "scope": client.scope,
        "audiences": client.audiences,
        "pkce": client.pkce.as_str(),
        "first_party": client.party == Party::First,
        "metadata": client.metadata,
        "origin": client.origin.as_str(),
        "created_at": rfc3339(client.created_at),
        "disabled_at": client.disabled_at.map(rfc3339),
    })
}

/// What a token is made with by which clients may register themselves (RFC 7591 §3).
#[derive(Clone, Copy, Debug, Default)]
pub struct NewToken {
    /// How many registrations it is good for; one when absent.
    pub registrations: Option<u32>,
    /// How long it is good; a week when absent.
    pub ttl: Option<Span>,
}

impl NewToken {
    /// The token's row, and the token in clear, which is told once.
    pub fn token(self, now: Timestamp) -> Result<(RegistrationToken, Secret), NoRandomness> {
        let reference = Reference::new(ReferenceKind::RegistrationToken, random::bytes()?);
        let token = RegistrationToken {
            hash: reference.hash(),
            created_at: now,
            expires_at: now.plus(self.ttl.unwrap_or(DEFAULT_TTL)),
            remaining: self.registrations.unwrap_or(1),
        };
        Ok((token, reference.seal()))
    }
}

/// A token by which clients may register themselves as it is shown: by the hash that it is known
/// by, which is good for nothing.
pub fn show_token(token: &RegistrationToken) -> Value {
    json!({
        "id": token_id(&token.hash),
        "registrations_left": token.remaining,
        "created_at": rfc3339(token.created_at),
        "expires_at": rfc3339(token.expires_at),
    })
}

/// The id of a token: its hash in hexadecimal digits, which no shell takes for an option.
pub fn token_id(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash of a token by its [`token_id`].
pub fn parse_token_id(text: &str) -> Result<[u8; 32], &'static str> {
    let wrong = "is no id of a registration token";
    if text.len() != 64 || !text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(wrong);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (Some(high), Some(low)) =
            (pair.first().and_then(|it| digit(*it)), pair.last().and_then(|it| digit(*it)))
        else {
            return Err(wrong);
        };
        *byte = high << 4 | low;
    }
    Ok(hash)
}

/// An API as it is shown.
pub fn show_api(api: &Api) -> Value {
    json!({
        "audience": api.audience,
        "name": api.name,
        "access_ttl_seconds": api.access_ttl.map(|ttl| ttl.as_seconds()),
        "algorithm": api.algorithm.as_str(),
        "client_id": api.client_id,
        "created_at": rfc3339(api.created_at),
        "disabled_at": api.disabled_at.map(rfc3339),
    })
}

/// The algorithms that there are keys for, or that one is made for.
pub fn signing_algorithm(text: &str) -> Result<Algorithm, &'static str> {
    let known = text.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
    known.ok_or("is `ES256`, `RS256`, `PS256` or `EdDSA`")
}

/// A role as it is shown.
pub fn show_role(role: &Role) -> Value {
    json!({
        "name": role.name,
        "description": role.description,
        "permissions": role.permissions,
        "scope": role.scope,
        "created_at": rfc3339(role.created_at),
        "disabled_at": role.disabled_at.map(rfc3339),
    })
}

/// The event of a change, with the names of the members that changed and what they are now. Both
/// are as they are shown, so that no secret is among them.
pub fn say_changes(event: Event, before: &Value, after: &Value) -> Event {
    let members = after.as_object().into_iter().flatten();
    let changed = members.filter(|(name, value)| before.get(name.as_str()) != Some(value));
    let to: Map<_, _> = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let names: Vec<_> = to.keys().cloned().collect();
    event.with("changed", names).with("to", to)
}

/// The event of something that happened to a role, with what it carries.
pub fn say_role(event: Event, role: &Role) -> Event {
    let event = event.with("role", &role.name);
    event.with("permissions", &role.permissions).with("scope", &role.scope)
}

/// Reads a list of permissions separated by white space or commas.
pub fn parse_permissions(text: &str) -> Result<Permissions, String> {
    let names = text.split([' ', ',']).filter(|name| !name.is_empty());
    names
        .map(|name| name.parse::<Permission>().map_err(|error| format!("`{name}`: {error}")))
        .collect()
}

/// The roles that a new server has; they stay.
pub fn is_builtin(role: &RoleName) -> bool {
    matches!(role.as_str(), "user" | "manager" | "admin")
}
