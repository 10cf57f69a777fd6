//! How an API comes to share a secret with this server, gets another one, and shares none any more.
//! At most two are taken at once: the one that signs, and the one before or after it. The secret is
//! told once, and sealed from then on.

use std::sync::Arc;

use munjigi_core::audit::{Event, Kind};
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::revocation::Revocation;
use munjigi_core::secret::Secret;
use munjigi_core::time::{Span, Timestamp};
use munjigi_store::api_secrets::{self, StoredSecret};
use munjigi_store::{Committed, StoreError, Tx, apis};
use serde_json::{Value, json};

use crate::accounts::rfc3339;
use crate::api_secret::{active, generate};
use crate::app::App;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::key_rotation::Rotation;
use crate::keys::{PUBLISH_AHEAD, RETIRE_AFTER, State};

/// What became of an API's wish for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// There is no such API.
    NoApi,
    /// Two secrets are taken already, one of them until then.
    UnderWay {
        /// When there is room for another one.
        until: Option<Timestamp>,
    },
    /// It has one.
    Shared(StoredSecret),
}

/// A secret that an API is to have, made beforehand.
#[derive(Clone)]
pub(crate) struct NewSecret {
    stored: StoredSecret,
    rotation: Rotation,
    overlap: Span,
    now: Timestamp,
}

impl NewSecret {
    /// Gives it to the API in a transaction. `event` is an `ApiSecretCreated`.
    pub fn share(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Committed<Sharing>, StoreError> {
        let audience = &self.stored.audience;
        if apis::find(tx, audience)?.is_none() {
            return Ok(Committed::nothing(Sharing::NoApi));
        }
        let all = api_secrets::of_api(tx, audience)?;
        let live: Vec<_> =
            all.iter().filter(|it| it.expires_at.is_none_or(|at| at > self.now)).collect();
        if live.len() > 1 {
            let until = live.iter().filter_map(|it| it.expires_at).min();
            return Ok(Committed::nothing(Sharing::UnderWay { until }));
        }
        let activates_at = match self.rotation {
            // The API has to be given it first.
            Rotation::Scheduled => self.now.plus(PUBLISH_AHEAD),
            Rotation::AtOnce => self.now,
        };
        let secret = StoredSecret { activates_at, ..self.stored.clone() };
        let over_at = activates_at.plus(self.overlap).plus(RETIRE_AFTER);
        api_secrets::expire(tx, audience, over_at)?;
        api_secrets::insert(tx, &secret)?;
        let event = event.clone().with("audience", audience).with("kid", &secret.kid);
        let event = event.with("activates_at", activates_at.as_seconds());
        Ok(Committed::new(Sharing::Shared(secret), event))
    }
}

/// Takes the secrets of an API away in a transaction: no token of theirs is taken from now on, and
/// the next one is signed as the API's row says. `None` when it shared none.
pub(crate) fn unshare(
    tx: &mut Tx<'_>,
    ending: &Ending,
    audience: &str,
) -> Result<Option<Vec<Revocation>>, StoreError> {
    let all = api_secrets::of_api(tx, audience)?;
    if api_secrets::delete(tx, audience)? == 0 {
        return Ok(None);
    }
    all.iter().map(|secret| ending.key(tx, &secret.kid)).collect::<Result<_, _>>().map(Some)
}

/// The state of a secret among `all` of its API.
fn state(secret: &StoredSecret, all: &[StoredSecret], now: Timestamp) -> State {
    if now < secret.activates_at {
        return State::Pending;
    }
    match active(all.iter(), now) {
        Some(active) if active.kid == secret.kid => State::Active,
        Some(_) | None => State::Retiring,
    }
}

/// The secrets of an API as they are shown: never what they are.
pub fn show_secrets(all: &[StoredSecret], now: Timestamp) -> Vec<Value> {
    let live = all.iter().filter(|it| it.expires_at.is_none_or(|at| at > now));
    live.map(|secret| show_secret(secret, state(secret, all, now))).collect()
}

/// A secret as it is shown.
pub fn show_secret(secret: &StoredSecret, state: State) -> Value {
    json!({
        "kid": secret.kid,
        "audience": secret.audience,
        "state": state.as_str(),
        "created_at": rfc3339(secret.created_at),
        "activates_at": rfc3339(secret.activates_at),
        "expires_at": secret.expires_at.map(rfc3339),
    })
}

/// The same where it is told, this once.
pub fn tell_secret(secret: &Secret, stored: &StoredSecret, now: Timestamp) -> Value {
    let is_active = stored.activates_at <= now;
    let mut shown = show_secret(stored, if is_active { State::Active } else { State::Pending });
    if let Some(members) = shown.as_object_mut() {
        members.insert("secret".to_owned(), secret.reveal().into());
    }
    shown
}

impl App {
    /// A secret for an API, as told and as to be stored.
    pub(crate) fn new_secret(
        &self,
        audience: &Audience,
        rotation: Rotation,
    ) -> Result<(Secret, NewSecret), Failure> {
        let (kek, now) = (Arc::clone(&self.config.encryption_key), self.clock.now());
        let (secret, stored) = generate(audience, &kek, now)?;
        let overlap = self.snapshot().longest_ttl();
        Ok((secret, NewSecret { stored, rotation, overlap, now }))
    }

    /// Gives an API a secret, which is told here and never again. `event` is an
    /// `ApiSecretCreated`.
    pub async fn share_secret(
        &self,
        audience: &Audience,
        rotation: Rotation,
        event: Event,
    ) -> Result<(Secret, Sharing), Failure> {
        let (secret, new) = self.new_secret(audience, rotation)?;
        let shared = self.store.write(move |tx| new.share(tx, &event)).await?;
        self.reload().await?;
        Ok((secret, shared))
    }

    /// Takes a secret away that a backup brought back, so that nodes that do not remember, and
    /// whoever follows the feed, are told again.
    pub(crate) async fn unshare_again(&self, secret: StoredSecret) -> Result<(), Failure> {
        let StoredSecret { kid, audience, .. } = secret;
        tracing::error!(
            kid,
            audience,
            "a secret that was taken away is there again: it is not taken"
        );
        let event = self.system_event(Kind::ApiSecretsDeleted)?;
        let (event, ending) = (event.with("audience", audience).with("kid", &kid), self.ending());
        let written = self.store.write(move |tx| {
            if !api_secrets::delete_one(tx, &kid)? {
                return Ok(Committed::nothing(None));
            }
            let revocation = ending.key(tx, &kid)?;
            Ok::<_, StoreError>(Committed::new(Some(revocation), event.clone()))
        });
        if let Some(revocation) = written.await? {
            self.reload().await?;
            self.take_over(&revocation);
        }
        Ok(())
    }
}
