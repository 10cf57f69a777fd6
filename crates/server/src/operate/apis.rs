//! APIs, as an operator registers, shows and deletes them.

use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Api, Audience};
use munjigi_core::time::Span;
use munjigi_store::api_secrets::StoredSecret;
use munjigi_store::{ReadTx, StoreError, Tx, api_secrets, apis};
use munjigi_token::Algorithm;

use super::{Done, OperateError, Operator, ending, not_found};
use crate::api_sharing::unshare;
use crate::registry::{say_changes, show_api};

/// A new API.
#[derive(Clone, Debug)]
pub struct NewApi {
    /// The audience of its tokens.
    pub audience: Audience,
    /// What people call it.
    pub name: String,
    /// How long its tokens live; the setting when absent.
    pub access_ttl: Option<Span>,
    /// What its tokens are signed with.
    pub algorithm: Algorithm,
    /// The client as which it asks for introspection.
    pub client_id: Option<ClientId>,
}

/// What is changed of an API; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ApiChange {
    /// What people call it.
    pub name: Option<String>,
    /// How long its tokens live.
    pub access_ttl: Option<Span>,
    /// What its tokens are signed with.
    pub algorithm: Option<Algorithm>,
    /// The client as which it asks for introspection.
    pub client_id: Option<ClientId>,
}

impl Operator {
    /// Registers an API.
    pub async fn create_api(&self, new: NewApi) -> Result<Api, OperateError> {
        let NewApi { audience, name, access_ttl, algorithm, client_id } = new;
        let (created_at, disabled_at) = (self.now(), None);
        let api = Api { audience, name, access_ttl, algorithm, client_id, created_at, disabled_at };
        let event = self.event(Kind::ApiCreated)?.with("audience", &api.audience);
        let write = move |tx: &mut Tx<'_>| {
            apis::insert(tx, &api).map_err(|error| refusal(error, &api))?;
            Ok(Done::Changed(api.clone(), event.clone()))
        };
        self.write(write).await
    }

    /// Every API, by audience. The server itself is one without a row.
    pub async fn list_apis(&self) -> Result<Vec<Api>, OperateError> {
        self.read(|tx| Ok(apis::all(tx)?)).await
    }

    /// The API with this audience.
    pub async fn find_api(&self, audience: Audience) -> Result<Api, OperateError> {
        let look = move |tx: &mut ReadTx<'_>| {
            apis::find(tx, &audience)?.ok_or_else(|| not_found("API", &audience))
        };
        self.read(look).await
    }

    /// Changes an API; its next tokens are like that.
    pub async fn update_api(
        &self,
        audience: Audience,
        change: ApiChange,
    ) -> Result<Api, OperateError> {
        let event = self.event(Kind::ApiUpdated)?.with("audience", &audience);
        let write = move |tx: &mut Tx<'_>| {
            let before = found(tx, &audience)?;
            let mut api = before.clone();
            api.name = change.name.clone().unwrap_or(api.name);
            api.access_ttl = change.access_ttl.or(api.access_ttl);
            api.algorithm = change.algorithm.unwrap_or(api.algorithm);
            api.client_id = change.client_id.clone().or(api.client_id);
            if api == before {
                return Ok(Done::Same(api));
            }
            apis::update(tx, &api).map_err(|error| refusal(error, &api))?;
            let event = say_changes(event.clone(), &show_api(&before), &show_api(&api));
            Ok(Done::Changed(api, event))
        };
        self.write(write).await
    }

    /// Disables an API: no token is issued for it from then on.
    pub async fn disable_api(&self, audience: Audience) -> Result<Api, OperateError> {
        let (event, now) = (self.event(Kind::ApiDisabled)?.with("audience", &audience), self.now());
        let write = move |tx: &mut Tx<'_>| {
            let api = found(tx, &audience)?;
            if !apis::set_disabled(tx, &audience, Some(now))? {
                return Ok(Done::Same(api));
            }
            Ok(Done::Changed(Api { disabled_at: Some(now), ..api }, event.clone()))
        };
        self.write(write).await
    }

    /// Enables a disabled API again.
    pub async fn enable_api(&self, audience: Audience) -> Result<Api, OperateError> {
        let event = self.event(Kind::ApiEnabled)?.with("audience", &audience);
        let write = move |tx: &mut Tx<'_>| {
            let api = found(tx, &audience)?;
            if !apis::set_disabled(tx, &audience, None)? {
                return Ok(Done::Same(api));
            }
            Ok(Done::Changed(Api { disabled_at: None, ..api }, event.clone()))
        };
        self.write(write).await
    }

    /// The secrets that an API shares, without what they are.
    pub async fn list_api_secrets(
        &self,
        audience: Audience,
    ) -> Result<Vec<StoredSecret>, OperateError> {
        let look = move |tx: &mut ReadTx<'_>| {
            found(tx, &audience)?;
            Ok(api_secrets::of_api(tx, &audience)?)
        };
        self.read(look).await
    }

    /// Takes the secrets of an API away: no token of theirs is taken from now on.
    pub async fn unshare_secrets(&self, audience: Audience) -> Result<Api, OperateError> {
        let event = self.event(Kind::ApiSecretsDeleted)?.with("audience", &audience);
        let now = self.now();
        let write = move |tx: &mut Tx<'_>| {
            let (api, ending) = (found(tx, &audience)?, ending(tx, now)?);
            Ok(match unshare(tx, &ending, &audience)? {
                Some(_) => Done::Changed(api, event.clone()),
                None => Done::Same(api),
            })
        };
        self.write(write).await
    }

    /// Deletes an API: no token is issued for it any more.
    pub async fn delete_api(&self, audience: Audience) -> Result<Api, OperateError> {
        let event = self.event(Kind::ApiDeleted)?.with("audience", &audience);
        let write = move |tx: &mut Tx<'_>| {
            let api = apis::find(tx, &audience)?.ok_or_else(|| not_found("API", &audience))?;
            apis::delete(tx, &audience)?;
            Ok(Done::Changed(api, event.clone()))
        };
        self.write(write).await
    }
}

fn found(tx: &mut ReadTx<'_>, audience: &Audience) -> Result<Api, OperateError> {
    apis::find(tx, audience)?.ok_or_else(|| not_found("API", audience))
}

fn refusal(error: StoreError, api: &Api) -> OperateError {
    match (error, &api.client_id) {
        (StoreError::Unique(_), _) => {
            OperateError::Conflict(format!("there is an API `{}` already", api.audience))
        }
        (StoreError::ForeignKey, Some(client_id)) => not_found("client", client_id),
        (other, _) => other.into(),
    }
}
