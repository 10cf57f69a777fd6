//! Clients, as an operator registers, shows, changes and ends them.

use std::collections::BTreeSet;

use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::client::{
    Client, GrantType, Party, Pkce, SECRET_OVERLAP, SecretHash, check_registration, hash_secret,
};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::secret::Secret;
use munjigi_core::time::Span;
use munjigi_store::{ReadTx, StoreError, Tx, clients};

use super::{Done, OperateError, Operator, ending, not_found};
use crate::random;
use crate::registry::{Registration, RegistrationError, SECRET_PREFIX, say_changes, show_client};

/// What becomes of a client's old secret when it gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldSecret {
    /// It is taken for another day, so that nothing stops while the new one is brought out.
    Overlaps,
    /// It is refused at once, and so are the client's tokens: somebody else knows it.
    EndsNow,
}

impl OldSecret {
    fn overlap(self) -> Span {
        match self {
            Self::Overlaps => SECRET_OVERLAP,
            Self::EndsNow => Span::default(),
        }
    }
}

/// What is changed of a client; what is `None` stays. How it proves itself stays in any case.
#[derive(Clone, Debug, Default)]
pub struct ClientChange {
    /// What people see.
    pub name: Option<String>,
    /// What it may ask with.
    pub grant_types: Option<BTreeSet<GrantType>>,
    /// Where codes may be sent.
    pub redirect_uris: Option<Vec<RedirectUri>>,
    /// What it may ask for.
    pub scope: Option<Scope>,
    /// The APIs its tokens are for.
    pub audiences: Option<Vec<Audience>>,
    /// Whether a code challenge is required.
    pub pkce: Option<Pkce>,
    /// Whose it is.
    pub party: Option<Party>,
    /// What else is known of it, in place of what was.
    pub metadata: Option<Metadata>,
}

impl ClientChange {
    fn applied(&self, client: Client) -> Client {
        Client {
            name: self.name.clone().unwrap_or(client.name),
            grant_types: self.grant_types.clone().unwrap_or(client.grant_types),
            redirect_uris: self.redirect_uris.clone().unwrap_or(client.redirect_uris),
            scope: self.scope.clone().unwrap_or(client.scope),
            audiences: self.audiences.clone().unwrap_or(client.audiences),
            pkce: self.pkce.unwrap_or(client.pkce),
            party: self.party.unwrap_or(client.party),
            metadata: self.metadata.clone().unwrap_or(client.metadata),
            ..client
        }
    }
}

impl From<RegistrationError> for OperateError {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Contradiction(why) => Self::Refused(why.to_owned()),
            RegistrationError::Random(error) => error.into(),
        }
    }
}

impl Operator {
    /// Registers a client. Its secret, if it has one, is told here and never again.
    pub async fn create_client(
        &self,
        registration: Registration,
    ) -> Result<(Client, Option<Secret>), OperateError> {
        let (client, secret) = registration.client(self.now())?;
        let event = self.event(Kind::ClientCreated)?.client(client.id.clone());
        let row = client.clone();
        let write = move |tx: &mut Tx<'_>| {
            clients::insert(tx, &row).map_err(|error| match error {
                StoreError::Unique(_) => {
                    OperateError::Conflict(format!("there is a client `{}` already", row.id))
                }
                other => other.into(),
            })?;
            Ok(Done::Changed((), event.clone()))
        };
        self.write(write).await?;
        Ok((client, secret))
    }

    /// Every client, by id.
    pub async fn list_clients(&self) -> Result<Vec<Client>, OperateError> {
        self.read(|tx| Ok(clients::all(tx)?)).await
    }

    /// The client of this id.
    pub async fn find_client(&self, id: ClientId) -> Result<Client, OperateError> {
        self.read(move |tx| find(tx, &id)).await
    }

    /// Gives a client a new secret, which is told here and never again.
    pub async fn rotate_secret(
        &self,
        id: ClientId,
        old: OldSecret,
    ) -> Result<Secret, OperateError> {
        let secret = random::secret(SECRET_PREFIX)?;
        let (hash, now) = (hash_secret(&id, secret.reveal()), self.now());
        let event = self.event(Kind::ClientSecretRotated)?.client(id.clone());
        let event = event.with("overlap_seconds", old.overlap().as_seconds());
        let write = move |tx: &mut Tx<'_>| {
            if !find(tx, &id)?.auth_method.uses_secret() {
                let why = "a public client, or one that signs, has no secret";
                return Err(OperateError::Conflict(why.to_owned()));
            }
            clients::expire_secrets(tx, &id, now.plus(old.overlap()))?;
            clients::forget_expired_secrets(tx, now)?;
            clients::add_secret(tx, &id, &SecretHash { hash, expires_at: None }, now)?;
            if old == OldSecret::EndsNow {
                // Whoever knew the old one may have asked for tokens with it.
                ending(tx, now)?.client(tx, &id)?;
            }
            Ok(Done::Changed((), event.clone()))
        };
        self.write(write).await?;
        Ok(secret)
    }

    /// Changes a client. Its tokens that are out stay as they are until they expire.
    pub async fn update_client(
        &self,
        id: ClientId,
        change: ClientChange,
    ) -> Result<Client, OperateError> {
        let event = self.event(Kind::ClientUpdated)?.client(id.clone());
        let write = move |tx: &mut Tx<'_>| {
            let before = find(tx, &id)?;
            let client = change.applied(before.clone());
            if client == before {
                return Ok(Done::Same(client));
            }
            check_registration(&client).map_err(RegistrationError::Contradiction)?;
            clients::update(tx, &client)?;
            let event = say_changes(event.clone(), &show_client(&before), &show_client(&client));
            Ok(Done::Changed(client, event))
        };
        self.write(write).await
    }

    /// Disables a client: it can do nothing from then on, and its tokens are dead.
    pub async fn disable_client(&self, id: ClientId) -> Result<Client, OperateError> {
        let now = self.now();
        let event = self.event(Kind::ClientDisabled)?.client(id.clone());
        let write = move |tx: &mut Tx<'_>| {
            let client = find(tx, &id)?;
            if !clients::set_disabled(tx, &id, Some(now))? {
                return Ok(Done::Same(client));
            }
            ending(tx, now)?.client(tx, &id)?;
            Ok(Done::Changed(Client { disabled_at: Some(now), ..client }, event.clone()))
        };
        self.write(write).await
    }

    /// Enables a disabled client again.
    pub async fn enable_client(&self, id: ClientId) -> Result<Client, OperateError> {
        let event = self.event(Kind::ClientEnabled)?.client(id.clone());
        let write = move |tx: &mut Tx<'_>| {
            let client = find(tx, &id)?;
            if !clients::set_disabled(tx, &id, None)? {
                return Ok(Done::Same(client));
            }
            Ok(Done::Changed(Client { disabled_at: None, ..client }, event.clone()))
        };
        self.write(write).await
    }

    /// Deletes a client with its grants; its tokens are dead.
    pub async fn delete_client(&self, id: ClientId) -> Result<Client, OperateError> {
        let now = self.now();
        let event = self.event(Kind::ClientDeleted)?.client(id.clone());
        let write = move |tx: &mut Tx<'_>| {
            let client = find(tx, &id)?;
            ending(tx, now)?.client(tx, &id)?;
            clients::delete(tx, &id)?;
            Ok(Done::Changed(client, event.clone()))
        };
        self.write(write).await
    }
}

fn find(tx: &mut ReadTx<'_>, id: &ClientId) -> Result<Client, OperateError> {
    clients::find(tx, id)?.ok_or_else(|| not_found("client", id))
}
