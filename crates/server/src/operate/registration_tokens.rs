//! Tokens by which clients register themselves (RFC 7591 §3), as an operator makes and takes them.

use munjigi_core::audit::Kind;
use munjigi_core::oauth::registration_token::RegistrationToken;
use munjigi_core::secret::Secret;
use munjigi_store::{Tx, registration_tokens};

use super::{Done, OperateError, Operator, not_found};
use crate::registry::{NewToken, token_id};

impl Operator {
    /// Makes a token. It is told here and never again.
    pub async fn create_registration_token(
        &self,
        new: NewToken,
    ) -> Result<(RegistrationToken, Secret), OperateError> {
        let (token, secret) = new.token(self.now())?;
        let event = self.event(Kind::RegistrationTokenCreated)?;
        let (event, row) = (event.with("registrations", token.remaining), token.clone());
        let write = move |tx: &mut Tx<'_>| {
            registration_tokens::insert(tx, &row)?;
            Ok(Done::Changed((), event.clone()))
        };
        self.write(write).await?;
        Ok((token, secret))
    }

    /// The tokens that are still good, the newest first; at most 200.
    pub async fn list_registration_tokens(&self) -> Result<Vec<RegistrationToken>, OperateError> {
        let now = self.now();
        self.read(move |tx| Ok(registration_tokens::list(tx, now)?)).await
    }

    /// Takes a token back. What was registered with it stays.
    pub async fn delete_registration_token(&self, hash: [u8; 32]) -> Result<(), OperateError> {
        let id = token_id(&hash);
        let event = self.event(Kind::RegistrationTokenDeleted)?.with("id", &id);
        let write = move |tx: &mut Tx<'_>| {
            if !registration_tokens::delete(tx, &hash)? {
                return Err(not_found("registration token", &id));
            }
            Ok(Done::Changed((), event.clone()))
        };
        self.write(write).await
    }
}
