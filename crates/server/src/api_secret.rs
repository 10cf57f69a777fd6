//! Secrets that single APIs share with this server, by explicit choice: the tokens for such an API
//! alone are signed with HS256 (RFC 7518 §3.2). Whoever knows the secret can make such tokens, so
//! they open nothing but that API: nothing here takes one for itself, and no other API is told of
//! the secret. It is never published.
//!
//! Nor may they end what the API was not given: the `jti` of a token that was made here proves
//! whose grant it names, by a key that no API has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use munjigi_core::id::TokenId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::secret::{Secret, constant_time_eq, keyed_hash};
use munjigi_core::time::Timestamp;
use munjigi_store::api_secrets::StoredSecret;
use munjigi_token::{Algorithm, KeySet, SigningKey, Unverified, base64url};
use munjigi_verify::{Dpop, Principal, Verifier};

use crate::app::App;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::keys::{KeyError, KeyRing};
use crate::random::{self, NoRandomness};
use crate::seal::EncryptionKey;

/// What every shared secret begins with, so that secret scanners can find leaked ones.
pub const PREFIX: &str = "mj_hs_";

/// How long the proof in a `jti` is.
const PROOF_BYTES: usize = 16;

/// A secret of an API, open.
struct Shared {
    signing: SigningKey,
    verifier: Verifier,
    audience: Audience,
    created_at: Timestamp,
    activates_at: Timestamp,
    expires_at: Option<Timestamp>,
}

/// The secrets of one moment, by `kid`.
#[derive(Default)]
pub struct ApiSecrets(HashMap<String, Shared>);

/// What a shared secret is sealed for.
pub(crate) fn place(audience: &str, kid: &str) -> String {
    format!("api_secret/{kid}/{audience}")
}

/// A new secret of an API: as told, and as stored. Its text, all of it, is the key: 256 random bits
/// in base64url behind a prefix.
pub(crate) fn generate(
    audience: &str,
    kek: &EncryptionKey,
    now: Timestamp,
) -> Result<(Secret, StoredSecret), Failure> {
    let secret = random::secret(PREFIX)?;
    let kid = kid()?;
    let sealed = kek.seal(&place(audience, &kid), secret.reveal().as_bytes());
    let stored = StoredSecret {
        sealed: sealed.map_err(KeyError::from)?,
        kid,
        audience: audience.to_owned(),
        created_at: now,
        activates_at: now,
        expires_at: None,
    };
    Ok((secret, stored))
}

/// A name that no signing key has, and that says nothing of the secret.
fn kid() -> Result<String, NoRandomness> {
    Ok(format!("hs-{}", base64url::encode(random::bytes::<12>()?)))
}

/// What a token names, which whoever knows the secret could claim of anybody's.
#[derive(Clone, Copy)]
pub(crate) struct Named<'t> {
    /// `client_id`.
    pub client_id: &'t str,
    /// `sub`.
    pub sub: &'t str,
    /// `gid`.
    pub gid: &'t str,
    /// `aud`, which is one.
    pub audience: &'t str,
}

impl Named<'_> {
    /// The `jti` of a token that names this: an id, and the proof that it was made here.
    pub(crate) fn jti(&self, keys: &KeyRing, id: TokenId) -> String {
        let id = id.to_string();
        let Self { client_id, sub, gid, audience } = self;
        let parts = [id.as_str(), client_id, sub, gid, audience].map(str::as_bytes);
        let proof = keyed_hash(&keys.derive("jti of an api's token"), &parts);
        format!("{id}.{}", base64url::encode(proof.split_at(PROOF_BYTES).0))
    }

    /// Whether `jti` is one of those.
    fn is_proved_by(&self, keys: &KeyRing, jti: &str) -> bool {
        let id = jti.split_once('.').and_then(|(id, _)| id.parse::<TokenId>().ok());
        id.is_some_and(|id| constant_time_eq(self.jti(keys, id).as_bytes(), jti.as_bytes()))
    }
}

/// The secret among these of one API that signs at `now`.
pub(crate) fn active<'s>(
    of_api: impl Iterator<Item = &'s StoredSecret>,
    now: Timestamp,
) -> Option<&'s StoredSecret> {
    let ready =
        of_api.filter(|it| it.activates_at <= now && it.expires_at.is_none_or(|at| at > now));
    ready.max_by_key(|it| (it.activates_at, it.created_at))
}

/// When a secret begins to sign, or is over.
pub(crate) fn changes_at(secrets: &[StoredSecret], now: Timestamp) -> Option<Timestamp> {
    let times = secrets.iter().flat_map(|it| [Some(it.activates_at), it.expires_at]);
    times.flatten().filter(|at| *at > now).min()
}

impl ApiSecrets {
    /// Opens those that are not over. One that this node cannot open is left out, and said so: the
    /// rest of the server has nothing to do with it.
    pub fn open(
        stored: &[StoredSecret],
        kek: &EncryptionKey,
        (issuer, clock, now): (&str, &Clock, Timestamp),
    ) -> Self {
        let live = stored.iter().filter(|it| it.expires_at.is_none_or(|at| at > now));
        let opened = live.filter_map(|secret| match Shared::open(secret, kek, (issuer, clock)) {
            Ok(shared) => Some((secret.kid.clone(), shared)),
            Err(error) => {
                let StoredSecret { kid, audience, .. } = secret;
                tracing::error!(kid, audience, %error, "an API's secret is not usable here");
                None
            }
        });
        Self(opened.collect())
    }

    /// The secret that signs for an API at `now`, if it shares one.
    pub fn signer(&self, audience: &str, now: Timestamp) -> Option<&SigningKey> {
        let of_api = self.0.values().filter(|it| it.audience == audience);
        let ready = of_api.filter(|it| it.activates_at <= now && it.is_live(now));
        ready.max_by_key(|it| (it.activates_at, it.created_at)).map(|it| &it.signing)
    }

    /// The names of the secrets that sign at `now`.
    pub(crate) fn signing(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let ready = self.0.iter().filter(move |(_, it)| it.activates_at <= now && it.is_live(now));
        ready.map(|(kid, _)| kid.as_str())
    }

    /// What a token of an API's secret says, if it holds: it is for that API alone. Whether it was
    /// revoked is not known here.
    fn verify(&self, token: &str, now: Timestamp) -> Option<Arc<Principal>> {
        let unverified = Unverified::parse(token).ok()?;
        if unverified.header().alg != Algorithm::Hs256 {
            return None;
        }
        let shared = self.0.get(unverified.header().kid.as_deref()?)?;
        let principal = shared.verifier.danger_verify_without_proof(token).ok()?;
        let is_its_own = principal.claims().aud == [shared.audience.as_str()];
        (is_its_own && shared.is_live(now)).then_some(principal)
    }
}

impl App {
    /// What an access token of this server says, whichever API it is for: for those who ask about
    /// tokens or give them back, and no way in for one of these. Of what an API made itself with
    /// its secret nothing is told: it could name anybody's grant, and end it.
    pub(crate) fn told_by(&self, token: &str) -> Option<Arc<Principal>> {
        if let Ok(principal) = self.introspector.danger_verify_without_proof(token) {
            return Some(principal);
        }
        let snapshot = self.snapshot();
        let principal = snapshot.api_secrets.verify(token, self.clock.now())?;
        let named = Named {
            client_id: principal.client_id(),
            sub: principal.sub(),
            gid: principal.gid()?,
            audience: principal.claims().aud.first()?,
        };
        if !named.is_proved_by(&snapshot.keys, principal.jti()?) {
            return None;
        }
        let is_dead = self.introspector.revocations().killer_of(&principal).is_some();
        (!is_dead).then_some(principal)
    }
}

impl Shared {
    fn open(
        stored: &StoredSecret,
        kek: &EncryptionKey,
        (issuer, clock): (&str, &Clock),
    ) -> Result<Self, Failure> {
        let StoredSecret { kid, audience, sealed, .. } = stored;
        let secret = kek.open(&place(audience, kid), sealed).map_err(KeyError::from)?;
        let verifier = Verifier::with_keys(issuer, audience, KeySet::default())
            .danger_hs256_shared_secret(kid, &secret)
            .algorithms(&[Algorithm::Hs256])
            .clock(clock.of_verifier())
            .dpop(Dpop::Allowed)
            .public_url(issuer)
            .leeway(Duration::from_secs(1))
            .token_cache(0)
            .build();
        Ok(Self {
            signing: SigningKey::hs256_shared_secret(kid, &secret)?,
            verifier: verifier.map_err(|_| Failure::Damaged("issuer"))?,
            audience: audience.clone(),
            created_at: stored.created_at,
            activates_at: stored.activates_at,
            expires_at: stored.expires_at,
        })
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}
