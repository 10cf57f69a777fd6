//! Sealing everything anew under another key-encryption key, while servers run: row by row, each
//! in a transaction of its own. Ended at any moment, it leaves rows that one of the two keys
//! opens; run again, it goes on. All that is sealed for long is here: other secrets are derived
//! from the root key, and stay what they are.

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_store::{Audit, Committed, StoreError, Tx, api_secrets, audit_log, keys};

use crate::api_secret;
use crate::app::App;
use crate::audit_key;
use crate::failure::Failure;
use crate::keys::{self as key_ring, KeyError};
use crate::random;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// So many were sealed anew.
    pub anew: usize,
    /// So many were sealed under the present key before.
    pub before: usize,
}

/// A sealed row.
#[derive(Clone)]
enum Row {
    Key(String),
    ApiSecret(String),
    AuditKey(String),
}

impl Row {
    fn kid(&self) -> &str {
        match self {
            Self::Key(kid) | Self::ApiSecret(kid) | Self::AuditKey(kid) => kid,
        }
    }

    /// Whether this very transaction did it: nobody else changed the row since it was read.
    fn write(&self, tx: &mut Tx<'_>, was: &[u8], sealed: &[u8]) -> Result<bool, StoreError> {
        match self {
            Self::Key(kid) => keys::reseal(tx, kid, was, sealed),
            Self::ApiSecret(kid) => api_secrets::reseal(tx, kid, was, sealed),
            Self::AuditKey(vkey) => audit_log::reseal_key(tx, vkey, was, sealed),
        }
    }
}

impl App {
    /// Seals everything anew that is not sealed under the present key-encryption key. `actor` says
    /// who asks.
    ///
    /// # Errors
    /// `Keys` when a row opens with neither of the two; what came before it is done.
    pub async fn reseal(&self, actor: Actor) -> Result<Resealed, Failure> {
        let mut done = Resealed::default();
        for (row, place, was) in self.sealed_rows().await? {
            let sealed = self.config.encryption_key.reseal(&place, &was);
            let Some(sealed) = sealed.map_err(KeyError::from)? else {
                done.before = done.before.saturating_add(1);
                continue;
            };
            let event = self.resealed(&row, actor.clone())?;
            let written = self.store.write(move |tx| {
                if !row.write(tx, &was, &sealed)? {
                    return Ok::<_, StoreError>(Committed::nothing(false));
                }
                Ok(Committed::new(true, Audit::Record(Box::new(event.clone()))))
            });
            if written.await? {
                done.anew = done.anew.saturating_add(1);
            }
        }
        Ok(done)
    }

    fn resealed(&self, row: &Row, actor: Actor) -> Result<Event, Failure> {
        let at = self.clock.now();
        let origin = Origin { at, actor, address: None, request_id: None };
        let event = Event::new(random::event_id(at)?, Kind::KeyResealed, origin);
        Ok(event.with("kid", row.kid()))
    }

    /// Every sealed row, the place that it is bound to, and what stands in it.
    async fn sealed_rows(&self) -> Result<Vec<(Row, String, Vec<u8>)>, Failure> {
        let read =
            self.store.read(|tx| Ok::<_, StoreError>((keys::all(tx)?, api_secrets::all(tx)?)));
        let (keys, secrets) = read.await?;
        let keys = keys.into_iter().filter_map(|key| {
            let place = key_ring::place(&key.kid);
            Some((Row::Key(key.kid), place, key.sealed?))
        });
        let secrets = secrets.into_iter().map(|secret| {
            let place = api_secret::place(&secret.audience, &secret.kid);
            (Row::ApiSecret(secret.kid), place, secret.sealed)
        });
        let audit = self.store.read(audit_log::keys).await?.into_iter().map(|key| {
            let place = audit_key::place(&key.vkey);
            (Row::AuditKey(key.vkey), place, key.sealed)
        });
        Ok(keys.chain(secrets).chain(audit).collect())
    }
}
