//! What a verifier is built from. It must not reach the network: an issuer that is down now may be
//! up when the first token comes.

use std::sync::Arc;
use std::time::Duration;

use munjigi_token::{Algorithm, KeySet, VerifyingKey};

use crate::cache::TokenCache;
use crate::clock::Clock;
use crate::feed::Feed;
#[cfg(feature = "remote")]
use crate::feed::{Credentials, Follower, Known, Pace, Revocations, Source, Work};
use crate::keys::Keys;
use crate::metadata::ResourceMetadata;
use crate::possession::{Dpop, Possession};
use crate::verifier::{Audience, State, Verifier};

/// RFC 8725 §3.1: the closed list. HS256 is not on it: who can verify with it can sign with it.
const ASYMMETRIC: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Ed25519];
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

/// Builds a [`Verifier`]; see [`Verifier::builder`] and [`Verifier::with_keys`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    any_audience: bool,
    /// `None`: to be fetched from the issuer.
    keys: Option<KeySet>,
    leeway: Duration,
    algorithms: Vec<Algorithm>,
    shared_secrets: Vec<Result<VerifyingKey, munjigi_token::Error>>,
    cached_tokens: usize,
    clock: Clock,
    resource_metadata: Option<String>,
    resource_name: Option<String>,
    scopes_supported: Vec<String>,
    dpop: Dpop,
    public_url: Option<String>,
    #[cfg(feature = "remote")]
    revocations: Revocations,
    #[cfg(feature = "remote")]
    credentials: Option<Credentials>,
    #[cfg(feature = "remote")]
    most_revocations: usize,
}

/// How many revocations are held, unless said otherwise.
#[cfg(feature = "remote")]
const MOST_REVOCATIONS: usize = 100_000;
/// What a strict verifier may be told to bear.
#[cfg(feature = "remote")]
const STALENESS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(5)..=Duration::from_secs(3_600);

/// Why a verifier cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The issuer is no URL that can be trusted.
    #[error("the issuer must be an https URL (http on this machine alone), without a query")]
    Issuer,
    /// The audience is empty, or has characters that no resource identifier has.
    #[error("the audience must be the API's identifier: not empty, without spaces or braces")]
    Audience,
    /// No clocks are that far apart.
    #[error("the leeway must be at most five minutes")]
    Leeway,
    /// Without an algorithm nothing passes.
    #[error("the list of algorithms is empty")]
    NoAlgorithms,
    /// HS256 is listed without a secret, or the secret is unusable.
    #[error("HS256 needs danger_hs256_shared_secret with a secret of at least 32 bytes")]
    SharedSecret,
    /// Proofs of possession name a URL, and nobody said which is ours.
    #[error("DPoP needs public_url, the http or https URL of this API as its clients know it")]
    PublicUrl,
    /// The feed of revocations is for clients that are known.
    #[error("following revocations needs client_credentials with the scope revocations:read")]
    Credentials,
    /// Shorter, it would refuse whenever the issuer takes a breath; longer, it is not strict.
    #[error("the staleness that a strict verifier bears is 5 seconds to an hour")]
    Staleness,
    /// The TLS library refused its own defaults.
    #[error("the HTTP client cannot be set up")]
    HttpClient,
}

impl Builder {
    pub(crate) fn new(issuer: &str, audience: &str, keys: Option<KeySet>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            any_audience: false,
            keys,
            leeway: Duration::from_secs(30),
            algorithms: ASYMMETRIC.to_vec(),
            shared_secrets: Vec::new(),
            cached_tokens: 10_000,
            clock: Clock::system(),
            resource_metadata: None,
            resource_name: None,
            scopes_supported: Vec::new(),
            dpop: Dpop::Off,
            public_url: None,
            #[cfg(feature = "remote")]
            revocations: Revocations::Off,
            #[cfg(feature = "remote")]
            credentials: None,
            #[cfg(feature = "remote")]
            most_revocations: MOST_REVOCATIONS,
        }
    }

    /// Whether the issuer's revocations are followed, so that a token that was revoked is refused
    /// within a moment instead of when it expires: not at all unless said otherwise. Needs
    /// [`Builder::client_credentials`]. One task follows, for the verifier and all its clones; it
    /// starts here, or with the first token where there is no runtime yet.
    #[cfg(feature = "remote")]
    pub fn revocations(mut self, mode: Revocations) -> Self {
        self.revocations = mode;
        self
    }

    /// The client that this API is to the issuer, with the grant `client_credentials` and the scope
    /// `revocations:read`: only such a client may follow what is revoked.
    #[cfg(feature = "remote")]
    pub fn client_credentials(mut self, client_id: &str, client_secret: &str) -> Self {
        let (client_id, client_secret) = (client_id.to_owned(), client_secret.to_owned());
        self.credentials = Some(Credentials { client_id, client_secret });
        self
    }

    /// How many revocations are held at most, at about 200 bytes each: 100,000 unless said
    /// otherwise. Where there are more, a strict verifier refuses everything until there is room
    /// again, and another one goes by those that it has.
    #[cfg(feature = "remote")]
    pub fn most_revocations(mut self, most: usize) -> Self {
        self.most_revocations = most;
        self
    }

    /// How far the issuer's clock and ours may be apart: 30 s unless said otherwise, at most 5 min.
    /// A token is taken so much longer than it says.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The algorithms that are taken: every asymmetric one unless said otherwise.
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// Takes HS256 tokens of this key and secret too. **Dangerous**: whoever can verify such a
    /// token can make one, for anybody; it is for one API that shares a secret with the issuer.
    /// Said twice, both are taken: while one secret takes the other's place. An API that takes
    /// nothing else says so with [`Builder::algorithms`] after it.
    pub fn danger_hs256_shared_secret(mut self, kid: &str, secret: &[u8]) -> Self {
        self.shared_secrets.push(VerifyingKey::hs256_shared_secret(kid, secret));
        if !self.algorithms.contains(&Algorithm::Hs256) {
            self.algorithms.push(Algorithm::Hs256);
        }
        self
    }

    /// How many verified tokens are remembered, at 2 KiB each: 10,000 unless said otherwise, 0 for
    /// none. A remembered token is still refused once it expires, is revoked or loses its key.
    pub fn token_cache(mut self, entries: usize) -> Self {
        self.cached_tokens = entries;
        self
    }

    /// The clock to go by, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The URL of this API's metadata (RFC 9728 §5.1), named in every `WWW-Authenticate`.
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.resource_metadata = Some(url.to_owned());
        self
    }

    /// The API's name for people, for its metadata.
    pub fn resource_name(mut self, name: &str) -> Self {
        self.resource_name = Some(name.to_owned());
        self
    }

    /// The scopes that this API knows, for its metadata.
    pub fn scopes_supported<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes_supported = scopes.into_iter().map(str::to_owned).collect();
        self
    }

    /// Whether tokens that are bound to a key are taken, or taken alone (RFC 9449): none unless
    /// said otherwise. Proofs name a URL, so the one that clients use has to be said:
    /// [`Builder::public_url`].
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = dpop;
        self
    }

    /// The URL of this API as its clients know it: scheme, host and port, and the path under which
    /// it is mounted, if a proxy takes that away. It is never read from a request.
    pub fn public_url(mut self, url: &str) -> Self {
        self.public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }

    /// Takes tokens for any API. Only for the issuer itself, whose introspection and UserInfo
    /// answer for tokens of others; anywhere else a token for one API would open all of them
    /// (RFC 9068 §4).
    pub fn any_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// The verifier. It does not need the issuer to be up.
    pub fn build(mut self) -> Result<Verifier, BuildError> {
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"{}\"\\".contains(c);
        if self.audience.is_empty() || !self.audience.chars().all(is_plain) {
            return Err(BuildError::Audience);
        }
        if self.issuer.is_empty() {
            return Err(BuildError::Issuer);
        }
        if self.leeway > LONGEST_LEEWAY {
            return Err(BuildError::Leeway);
        }
        if self.algorithms.is_empty() {
            return Err(BuildError::NoAlgorithms);
        }
        let is_url = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if self.dpop != Dpop::Off && !self.public_url.as_ref().is_some_and(is_url) {
            return Err(BuildError::PublicUrl);
        }
        let shared: Result<Vec<_>, _> = self.shared_secrets.drain(..).collect();
        let shared = shared.map_err(|_| BuildError::SharedSecret)?;
        if self.algorithms.contains(&Algorithm::Hs256) && shared.is_empty() {
            return Err(BuildError::SharedSecret);
        }

        let metadata = ResourceMetadata::new(
            &self.audience,
            &self.issuer,
            self.resource_name.as_deref(),
            &self.scopes_supported,
        );
        let keys = match self.keys.take() {
            Some(keys) => Keys::handed_in(keys),
            None => fetched_from(&self.issuer, &self.clock)?,
        };
        #[cfg(feature = "remote")]
        let feed = match self.revocations {
            Revocations::Off => Feed::off(),
            _ => self.followed(&keys)?,
        };
        #[cfg(not(feature = "remote"))]
        let feed = Feed::off();
        let audience =
            if self.any_audience { Audience::Any } else { Audience::Only(self.audience) };
        Ok(Verifier::from_state(State {
            issuer: self.issuer,
            audience,
            leeway_seconds: i64::try_from(self.leeway.as_secs()).unwrap_or_default(),
            algorithms: self.algorithms,
            shared_secret: (!shared.is_empty()).then(|| KeySet::from_keys(shared)),
            keys,
            cache: TokenCache::new(self.cached_tokens),
            clock: self.clock,
            resource_metadata: self.resource_metadata.map(Arc::from),
            metadata,
            feed,
            counters: Default::default(),
            possession: Possession::new(self.dpop, self.public_url),
        }))
    }
}

#[cfg(feature = "remote")]
impl Builder {
    fn followed(&self, keys: &Keys) -> Result<Feed, BuildError> {
        let mode = self.revocations;
        if let Revocations::Strict { max_staleness } = mode
            && !STALENESS.contains(&max_staleness)
        {
            return Err(BuildError::Staleness);
        }
        let credentials = self.credentials.clone().ok_or(BuildError::Credentials)?;
        let known = Arc::new(Known::new(Arc::default()));
        let follower = Follower::new(Work {
            source: Source::new(&self.issuer, credentials, self.clock.clone())?,
            known: Arc::clone(&known),
            keys: keys.clone(),
            clock: self.clock.clone(),
            pace: Pace::of(mode),
            most: self.most_revocations,
        });
        follower.start();
        Ok(Feed::followed(mode, known, follower))
    }
}

#[cfg(feature = "remote")]
fn fetched_from(issuer: &str, clock: &Clock) -> Result<Keys, BuildError> {
    let source = crate::keys::Source::new(issuer)?;
    Ok(Keys::fetched(source, clock.clone()))
}

/// Without the feature no builder is made that has no keys.
#[cfg(not(feature = "remote"))]
fn fetched_from(_: &str, _: &Clock) -> Result<Keys, BuildError> {
    Err(BuildError::HttpClient)
}
