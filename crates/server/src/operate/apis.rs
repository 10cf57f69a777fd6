//! APIs, as an operator registers, shows and deletes them.

use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Api, Audience};
use munjigi_core::time::Span;
use munjigi_store::{ReadTx, StoreError, Tx, apis};
use munjigi_token::Algorithm;

use super::{Done, OperateError, Operator, not_found};

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

fn refusal(error: StoreError, api: &Api) -> OperateError {
    match (error, &api.client_id) {
        (StoreError::Unique(_), _) => {
            OperateError::Conflict(format!("there is an API `{}` already", api.audience))
        }
        (StoreError::ForeignKey, Some(client_id)) => not_found("client", client_id),
        (other, _) => other.into(),
    }
}
