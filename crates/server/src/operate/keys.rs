//! Keys, as an operator sees them: names, times and public halves. Making one needs the
//! key-encryption key, and so a whole [`App`](crate::App).

use munjigi_store::keys::{self, Purpose, StoredKey};
use munjigi_token::{Jwk, Jwks, KeySet};

use super::{OperateError, Operator};
use crate::failure::Failure;
use crate::keys::State;

impl Operator {
    /// Every key with its state, the oldest first.
    pub async fn list_keys(&self) -> Result<Vec<(StoredKey, State)>, OperateError> {
        let now = self.now();
        let stored = self.read(|tx| Ok(keys::all(tx)?)).await?;
        let states: Vec<State> = stored.iter().map(|key| State::of(key, &stored, now)).collect();
        Ok(stored.into_iter().zip(states).collect())
    }

    /// The public halves of every key whose signatures are taken, as a server publishes them.
    pub async fn public_keys(&self) -> Result<KeySet, OperateError> {
        let stored = self.read(|tx| Ok(keys::all(tx)?)).await?;
        let live =
            stored.iter().filter(|key| key.purpose == Purpose::Sign && key.destroyed_at.is_none());
        let texts = live.filter_map(|key| key.jwk.as_deref());
        let parsed: Result<Vec<Jwk>, _> = texts.map(|text| Jwk::parse(text.as_bytes())).collect();
        let keys = parsed.map_err(|_| Failure::Damaged("public key"))?;
        Ok(KeySet::from_jwks(&Jwks { keys }))
    }
}
