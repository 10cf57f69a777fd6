//! The one client by which this server requests anything from anybody: clients' keys and metadata,
//! back-channel logout. Whoever names a URL to us must not reach what only we can reach (RFC 9700
//! §4.16 calls it server-side request forgery), nor make us wait, follow or swallow without end.
//!
//! https alone, to public addresses alone, unless the operator allowed others (`outbound.allow`),
//! which holds for what administrators wrote down and for no stranger's client ([`Namer`]);
//! every address of a host is checked and the connection goes to a checked one; no redirects, no
//! proxy from the environment, no cookies; 1 MiB and five seconds in all.

mod address;
mod resolver;
mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use munjigi_core::oauth::client::Origin;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::Semaphore;
use url::form_urlencoded;

use crate::config::{Mode, Network, Outbound};
use address::{Allowed, Reach};
use resolver::{Names, Resolver};
pub use target::Refused;
use target::Target;

/// How long one request may take from beginning to end, waiting for its turn included.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long an answer may be, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// How many requests are under way at once.
const AT_ONCE: usize = 32;
/// How many of them may go to the same host, so that a slow one leaves room for the others.
const PER_HOST: usize = 2;
/// How much room the head of an answer has over HTTP/2, in bytes.
const MAX_HEAD: u32 = 16 * 1024;

/// Why a request brought nothing. What it says is for the log and for whoever operates a client:
/// a stranger who named the URL must not learn from it what can be reached from here.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The URL, or an address that its host stands for, is none that this server goes to.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No connection, no TLS, or a broken answer.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// Not within five seconds.
    #[error("it took too long")]
    TooSlow,
    /// The answer is longer than 1 MiB.
    #[error("it answered with more than 1 MiB")]
    TooLarge,
    /// It points elsewhere, where nobody has checked that we may go.
    #[error("it answered with a redirect, which is not followed")]
    Redirect,
    /// Another status than success.
    #[error("it answered with status {0}")]
    Status(StatusCode),
    /// The answer is no JSON, or other JSON than expected.
    #[error("it answered with something else than the expected JSON")]
    NotJson,
    /// No trusted root certificate on this machine.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
}

/// An answer that was read whole.
#[derive(Debug)]
pub struct Document {
    /// What was said.
    pub bytes: Vec<u8>,
    /// How long it may be kept (RFC 9111 §5.2.2), where the other side says so.
    pub fresh_for: Option<Duration>,
}

impl Document {
    /// The answer as a type of ours.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, FetchError> {
        serde_json::from_slice(&self.bytes).map_err(|_| FetchError::NotJson)
    }
}

/// Who named a URL to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namer {
    /// An administrator, or the operator.
    Operator,
    /// Somebody whom nobody here has looked at: a client that registered itself, or that a document
    /// speaks for. What the operator's own network has is none of their business.
    Stranger,
}

/// The guarded client. Clones are the same client.
#[derive(Clone)]
pub struct Fetch {
    inner: Arc<Inner>,
    namer: Namer,
}

struct Inner {
    roots: Vec<CertificateDer<'static>>,
    names: Names,
    deadline: Duration,
    operators: Ways,
    strangers: Ways,
    room: Semaphore,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// How a URL may be followed, depending on who named it.
struct Ways {
    allowed: Allowed,
    /// Over TLS, to public addresses. Made on first use: reading the machine's certificates costs
    /// more than the rest of a start.
    public: OnceLock<Result<Client, String>>,
    /// In plain HTTP, to allowed addresses alone.
    allowed_only: OnceLock<Result<Client, String>>,
}

impl Ways {
    fn new(allowed: Allowed) -> Self {
        Self { allowed, public: OnceLock::new(), allowed_only: OnceLock::new() }
    }
}

/// Whether a URL is one that this server would go to, as far as the URL alone tells: for refusing
/// it when it is stored.
pub fn check_url(text: &str, allowed: &[Network]) -> Result<(), Refused> {
    Target::parse(text, &Allowed::new(allowed)).map(|_| ())
}

/// The certificates of a file of authorities in PEM; at least one.
pub fn parse_roots(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    let is_usable = |root: &CertificateDer<'_>| {
        let mut store = rustls::RootCertStore::empty();
        store.add(root.clone().into_owned()).is_ok()
    };
    (!roots.is_empty() && roots.iter().all(is_usable)).then_some(roots)
}

impl Fetch {
    /// A client for what the operator configured. It connects to nothing yet. In `dev` whoever
    /// registers a client is the developer.
    pub fn new(outbound: &Outbound, mode: Mode) -> Self {
        let to_strangers = match mode {
            Mode::Serve => &[],
            Mode::Dev => outbound.allowed.as_slice(),
        };
        Self::with(outbound, to_strangers, (Names::System, DEADLINE))
    }

    fn with(
        outbound: &Outbound,
        to_strangers: &[Network],
        (names, deadline): (Names, Duration),
    ) -> Self {
        let inner = Inner {
            roots: outbound.roots.clone(),
            names,
            deadline,
            operators: Ways::new(Allowed::new(&outbound.allowed)),
            strangers: Ways::new(Allowed::new(to_strangers)),
            room: Semaphore::new(AT_ONCE),
            hosts: Mutex::default(),
        };
        Self { inner: Arc::new(inner), namer: Namer::Operator }
    }

    /// The same client for URLs that somebody else named.
    #[must_use]
    pub fn named_by(&self, namer: Namer) -> Self {
        Self { inner: Arc::clone(&self.inner), namer }
    }

    /// The same client for what such a client says of itself.
    #[must_use]
    pub fn for_client(&self, client: &munjigi_core::oauth::client::Client) -> Self {
        self.named_by(match client.origin {
            Origin::Made => Namer::Operator,
            Origin::Registered | Origin::Document => Namer::Stranger,
        })
    }

    fn ways(&self) -> &Ways {
        match self.namer {
            Namer::Operator => &self.inner.operators,
            Namer::Stranger => &self.inner.strangers,
        }
    }

    /// [`check_url`] by what this client allows.
    pub fn check(&self, url: &str) -> Result<(), Refused> {
        Target::parse(url, &self.ways().allowed).map(|_| ())
    }

    /// Reads a JSON document. Only status 200 is one.
    pub async fn json(&self, url: &str) -> Result<Document, FetchError> {
        let target = Target::parse(url, &self.ways().allowed)?;
        let ask =
            |client: &Client| client.get(target.url.clone()).header(ACCEPT, "application/json");
        self.run(&target, ask, |status| status == StatusCode::OK).await
    }

    /// Sends a form. Any 2xx is a success.
    pub async fn post_form(
        &self,
        url: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, FetchError> {
        let target = Target::parse(url, &self.ways().allowed)?;
        let form =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let ask = |client: &Client| {
            let request = client.post(target.url.clone());
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
        };
        self.run(&target, ask, |status| status.is_success()).await
    }

    async fn run(
        &self,
        target: &Target,
        ask: impl FnOnce(&Client) -> RequestBuilder,
        is_success: impl Fn(StatusCode) -> bool,
    ) -> Result<Document, FetchError> {
        let exchange = async {
            // The host's turn first, so that those who wait for a slow one hold no room.
            let host = self.inner.turns_of(target.url.host_str().unwrap_or_default());
            let _turn = host.acquire().await.map_err(|_| FetchError::TooSlow)?;
            let _room = self.inner.room.acquire().await.map_err(|_| FetchError::TooSlow)?;
            let client = self.inner.client(self.ways(), target.reach)?;
            let response = ask(client).send().await.map_err(unreachable)?;
            let status = response.status();
            if status.is_redirection() {
                return Err(FetchError::Redirect);
            }
            if !is_success(status) {
                return Err(FetchError::Status(status));
            }
            read(response).await
        };
        let outcome = tokio::time::timeout(self.inner.deadline, exchange).await;
        outcome.unwrap_or(Err(FetchError::TooSlow))
    }
}

impl Inner {
    fn turns_of(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        // Only hosts that somebody is talking to are kept.
        hosts.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = hosts.entry(host.to_owned());
        Arc::clone(turns.or_insert_with(|| Arc::new(Semaphore::new(PER_HOST))))
    }

    fn client<'w>(&self, ways: &'w Ways, reach: Reach) -> Result<&'w Client, FetchError> {
        let build = || self.build(&ways.allowed, reach);
        let made = match reach {
            Reach::Public => ways.public.get_or_init(build),
            Reach::AllowedOnly => ways.allowed_only.get_or_init(build),
        };
        made.as_ref().map_err(|error| FetchError::Tls(error.clone()))
    }

    fn build(&self, allowed: &Allowed, reach: Reach) -> Result<Client, String> {
        let (names, allowed) = (self.names.clone(), allowed.clone());
        let builder = guarded().dns_resolver(Arc::new(Resolver { names, allowed, reach }));
        let roots = self.roots.iter().map(|root| reqwest::Certificate::from_der(root));
        let roots: Vec<_> = roots.collect::<Result<_, _>>().map_err(|error| chain(&error))?;
        let builder = match reach {
            Reach::Public => builder.https_only(true).tls_certs_merge(roots),
            Reach::AllowedOnly => builder.tls_certs_only([]),
        };
        builder.build().map_err(|error| chain(&error))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
fn guarded() -> ClientBuilder {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        // Every request resolves and is judged anew; there are few of them.
        .pool_max_idle_per_host(0)
        .http2_max_header_list_size(MAX_HEAD)
        .user_agent(concat!("munjigi/", env!("CARGO_PKG_VERSION")))
}

async fn read(mut response: Response) -> Result<Document, FetchError> {
    let announced = response.content_length().unwrap_or(0);
    if announced > u64::try_from(MAX_BODY).unwrap_or(u64::MAX) {
        return Err(FetchError::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len().saturating_add(chunk.len()) > MAX_BODY {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Document { bytes, fresh_for: fresh_for(response.headers()) })
}

/// RFC 9111 §5.2.2: `max-age`, or not at all.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    let directives: Vec<_> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let is_said = |name: &str| directives.iter().any(|it| it.eq_ignore_ascii_case(name));
    if is_said("no-store") || is_said("no-cache") {
        return Some(Duration::ZERO);
    }
    directives.iter().find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        let is_age = name.trim().eq_ignore_ascii_case("max-age");
        is_age.then(|| value.trim().trim_matches('"').parse().ok().map(Duration::from_secs))?
    })
}

/// Our own refusal, where it is behind the error; otherwise the whole chain of causes, without the
/// URL, which may carry a secret.
fn unreachable(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return FetchError::Refused(*refused);
        }
        cause = inner.source();
    }
    FetchError::Unreachable(chain(&error))
}

fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
