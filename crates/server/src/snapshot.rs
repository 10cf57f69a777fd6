//! Reference data in memory: clients, APIs, roles, settings, keys, and the documents made of them.
//! Replaced as a whole when the database's version of it has moved on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use munjigi_core::access::{Caller, Permissions, Role, RoleName};
use munjigi_core::id::{ClientId, UserId};
use munjigi_core::oauth::api::{Api, Audience};
use munjigi_core::oauth::client::{Client, GrantType, Party};
use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::api_secrets::StoredSecret;
use munjigi_store::keys::{Purpose, StoredKey};
use munjigi_store::{
    ReadTx, StoreError, api_secrets, apis, clients, counters, epochs, keys, roles, settings,
};
use munjigi_token::Algorithm;

use crate::api_secret::{self, ApiSecrets};
use crate::clock::Clock;
use crate::config::Config;
use crate::endpoint::metadata;
use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::settings::Settings;

/// In a client's list of audiences: this server itself, whatever its issuer is called.
pub const SELF_AUDIENCE: &str = "urn:munjigi:self";

/// Everything that is read with every request and changed with hardly any.
pub struct Snapshot {
    /// The database's version of all this.
    pub version: i64,
    /// When something changes by itself.
    pub changes_at: Option<Timestamp>,
    /// Clients by id.
    pub clients: HashMap<ClientId, Arc<Client>>,
    /// APIs by audience, this server among them.
    pub apis: HashMap<Audience, Arc<Api>>,
    /// Roles by name.
    pub roles: HashMap<RoleName, Arc<Role>>,
    /// The settings in force.
    pub settings: Settings,
    /// The keys.
    pub keys: KeyRing,
    /// The secrets that APIs share.
    pub api_secrets: ApiSecrets,
    /// When everything was ended that had been given before, since the database was restored.
    pub ended_before: Option<Timestamp>,
    /// Whether there is an algorithm that somebody asks for, and no key could be made for it.
    pub lacks_keys: bool,
    /// `/.well-known/openid-configuration` and its sibling.
    pub discovery: Document,
    /// `/.well-known/jwks.json`.
    pub jwks: Document,
}

/// A prebuilt answer.
pub struct Document {
    /// The body.
    pub body: Bytes,
    /// Its entity tag, with quotes (RFC 9110 §8.8.3).
    pub etag: http::HeaderValue,
}

/// The rows that a snapshot is made of.
pub struct Rows {
    version: i64,
    clients: Vec<Client>,
    apis: Vec<Api>,
    roles: Vec<Role>,
    settings: Vec<(String, String)>,
    keys: Vec<StoredKey>,
    api_secrets: Vec<StoredSecret>,
    ended_before: Option<Timestamp>,
}

/// What was left out of the rows.
#[derive(Default)]
pub(crate) struct LeftOut {
    /// The names of signing keys.
    pub keys: Vec<String>,
    /// Secrets of APIs.
    pub secrets: Vec<StoredSecret>,
}

impl Rows {
    /// Reads them, all in one transaction.
    pub fn read(tx: &mut ReadTx<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            version: counters::reference_version(tx)?,
            clients: clients::all(tx)?,
            apis: apis::all(tx)?,
            roles: roles::all(tx)?,
            settings: settings::all(tx)?,
            keys: keys::all(tx)?,
            api_secrets: api_secrets::all(tx)?,
            ended_before: epochs::ended_before(tx)?,
        })
    }

    /// Leaves out signing keys and secrets of which this holds, as if they were gone. As long as
    /// there are some, the rows are of no version, so that the next look reads them again.
    pub(crate) fn leave_out(&mut self, is_gone: impl Fn(&str) -> bool) -> LeftOut {
        let is_out = |key: &mut StoredKey| {
            key.purpose == Purpose::Sign && key.destroyed_at.is_none() && is_gone(&key.kid)
        };
        let keys: Vec<_> = self.keys.extract_if(.., is_out).map(|key| key.kid).collect();
        let is_out = |secret: &mut StoredSecret| is_gone(&secret.kid);
        let secrets: Vec<_> = self.api_secrets.extract_if(.., is_out).collect();
        if !keys.is_empty() || !secrets.is_empty() {
            self.version = i64::MIN;
        }
        LeftOut { keys, secrets }
    }

    /// Whether there is a root secret and a key for every algorithm that has to be there.
    pub fn lacks(&self, algorithms: &[Algorithm]) -> (bool, Vec<Algorithm>) {
        let has = |name: &str| {
            self.keys.iter().any(|key| key.algorithm == name && key.destroyed_at.is_none())
        };
        let missing = algorithms.iter().copied().filter(|wanted| !has(wanted.as_str()));
        (!self.keys.iter().any(|key| key.kid == "root"), missing.collect())
    }

    /// The algorithms that a client or an API asks for, and that there is no key for yet. RS256 is
    /// everybody's, and made by itself.
    pub(crate) fn unmade(&self) -> Vec<Algorithm> {
        let of_apis = self.apis.iter().map(|api| api.algorithm);
        let of_clients = self.clients.iter().flat_map(|client| {
            let metadata = &client.metadata;
            [metadata.id_token_signed_response_alg, metadata.userinfo_signed_response_alg]
        });
        let asked: BTreeSet<_> = of_apis.chain(of_clients.flatten()).collect();
        let made = |it: &Algorithm| ALGORITHMS.contains(it) && *it != Algorithm::Rs256;
        let asked: Vec<_> = asked.into_iter().filter(made).collect();
        self.lacks(&asked).1
    }
}

impl Snapshot {
    /// Builds it from rows. `known` are the keys of the one before it.
    pub fn build(
        rows: Rows,
        config: &Config,
        clock: &Clock,
        known: Option<&KeyRing>,
    ) -> Result<Self, Failure> {
        let now = clock.now();
        let mut in_force = Settings::defaults(config.mode);
        if config.mcp {
            in_force.clients.let_strangers_in();
        }
        for (name, value) in &rows.settings {
            let value = serde_json::from_str(value).map_err(|_| Failure::Damaged("setting"))?;
            if let Err(error) = in_force.apply(name, &value) {
                // Written by a newer version, or by hand: the default holds, and says so.
                tracing::warn!(setting = name, %error, "a stored setting is not taken");
            }
        }
        if let Some(access_ttl) = config.access_ttl {
            in_force.access_ttl = access_ttl;
        }
        let keys = KeyRing::open(&rows.keys, &config.encryption_key, now, known)?;
        let lacks_keys = !rows.unmade().is_empty();
        let own = own_api(&config.issuer);
        let around = (config.issuer.as_str(), clock, now);
        let secrets = ApiSecrets::open(&rows.api_secrets, &config.encryption_key, around);
        let apis = rows.apis.into_iter().map(|api| sharing(api, &rows.api_secrets, now));
        // The last one of a name counts: nobody but this server makes tokens for this server.
        let apis = apis.chain([own]);
        let secret_changes_at = api_secret::changes_at(&rows.api_secrets, now);
        let algorithms = keys.for_clients(now);
        let scopes = rows.roles.iter().filter(|role| role.disabled_at.is_none());
        let discovery = metadata::discovery(&config.issuer, &algorithms, (&in_force, scopes));
        Ok(Self {
            version: rows.version,
            ended_before: rows.ended_before,
            changes_at: changes_at(&keys, &in_force, now)
                .into_iter()
                .chain(secret_changes_at)
                .min(),
            clients: rows.clients.into_iter().map(|it| (it.id.clone(), Arc::new(it))).collect(),
            apis: apis.map(|it| (it.audience.clone(), Arc::new(it))).collect(),
            roles: rows.roles.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            settings: in_force,
            discovery: Document::new(&discovery)?,
            jwks: Document::new(keys.jwks())?,
            keys,
            api_secrets: secrets,
            lacks_keys,
        })
    }

    /// The first-party client for requests that name none: the one that is set, or else the only
    /// one that may use passwords.
    pub fn default_client(&self) -> Option<Arc<Client>> {
        if let Some(id) = &self.settings.default_client {
            return self.clients.get(id).filter(|client| fits_as_default(client)).cloned();
        }
        let mut fitting = self.clients.values().filter(|client| {
            fits_as_default(client) && client.may_use(GrantType::Password).is_ok()
        });
        let only = fitting.next()?;
        fitting.next().is_none().then(|| Arc::clone(only))
    }

    /// Whether there is such an API, and tokens are issued for it.
    pub fn is_live(&self, audience: &str) -> bool {
        self.apis.get(audience).is_some_and(|api| api.disabled_at.is_none())
    }

    /// The longest life of any access token: how long a revocation has to be remembered.
    pub fn longest_ttl(&self) -> Span {
        let ttls = self.apis.values().filter_map(|api| api.access_ttl);
        // None was ever longer than an hour, also before somebody shortened it.
        ttls.fold(self.settings.access_ttl, Span::max).max(Span::from_hours(1))
    }

    /// The roles of these names that exist and are enabled.
    pub fn enabled_roles<'s>(&'s self, names: &'s [RoleName]) -> impl Iterator<Item = &'s Role> {
        let found = names.iter().filter_map(|name| self.roles.get(name));
        found.map(Arc::as_ref).filter(|role| role.disabled_at.is_none())
    }

    /// What these roles allow together.
    pub fn permissions(&self, names: &[RoleName]) -> Permissions {
        let mut all = Permissions::default();
        for role in self.enabled_roles(names) {
            all.extend(&role.permissions);
        }
        all
    }

    /// A person as a caller.
    pub fn caller(&self, user_id: UserId, names: &[RoleName]) -> Caller {
        let roles = self.enabled_roles(names);
        let scope = roles.fold(Scope::empty(), |all, role| all.with(&role.scope));
        Caller { user_id: Some(user_id), permissions: self.permissions(names), scope }
    }
}

/// When the keys change by themselves, or the next one is to be made.
fn changes_at(keys: &KeyRing, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let due_at = settings.keys.lifetime.and_then(|lifetime| keys.due_at(lifetime, now));
    [keys.changes_at(now), due_at].into_iter().flatten().min()
}

/// A client that nobody has to name is one that could not prove itself anyway, and is ours.
fn fits_as_default(client: &Client) -> bool {
    client.is_public() && client.party == Party::First && !client.is_disabled()
}

/// An API as its tokens are made today: with its secret, if it shares one that signs.
fn sharing(api: Api, secrets: &[StoredSecret], now: Timestamp) -> Api {
    let of_api = secrets.iter().filter(|it| it.audience == api.audience);
    match api_secret::active(of_api, now) {
        Some(_) => Api { algorithm: Algorithm::Hs256, ..api },
        None => api,
    }
}

/// This server as an API: the account and admin APIs take tokens for it.
fn own_api(issuer: &str) -> Api {
    Api {
        audience: issuer.to_owned(),
        name: "Munjigi".to_owned(),
        access_ttl: None,
        algorithm: Algorithm::Es256,
        client_id: None,
        created_at: Timestamp::from_millis(0),
        disabled_at: None,
    }
}

impl Document {
    fn new(value: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(value).map_err(|_| Failure::Damaged("document"))?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let tag = munjigi_token::base64url::encode(digest.as_ref().split_at(12).0);
        let etag = http::HeaderValue::from_str(&format!("\"{tag}\""));
        Ok(Self { body: body.into(), etag: etag.map_err(|_| Failure::Damaged("document"))? })
    }
}
