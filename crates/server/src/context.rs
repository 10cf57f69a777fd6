//! What every request brings along: its id, where it came from, and the outermost layer that says
//! so in every answer.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::RequestId;
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::time::Timestamp;
use tower::Service;
use uuid::Uuid;

use crate::app::App;
use crate::clock::stopwatch;
use crate::config::{Mode, Network};
use crate::cross_origin::Readers;
use crate::metrics::RouteNumbers;
use crate::random::{self, NoRandomness};
use crate::reply::problem::Problem;
use crate::router::Route;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const NOSNIFF: (HeaderName, HeaderValue) =
    (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// How long the path and the query may be, in bytes. A way through the pages carries a request of
/// up to 8 KiB, sealed and in base64url.
const MAX_URI: usize = 12 * 1024;

/// How much of a `User-Agent` is kept.
const USER_AGENT_CHARS: usize = 200;

/// One request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its id, as in `x-request-id` of the answer.
    pub request_id: RequestId,
    /// When it arrived.
    pub now: Timestamp,
    /// Where it came from, proxies discounted; unknown when the server is embedded without
    /// connection information.
    pub address: Option<IpAddr>,
}

impl Context {
    /// The origin of events that `actor` causes by this request.
    pub fn origin(&self, actor: Actor) -> Origin {
        let (at, request_id) = (self.now, Some(self.request_id));
        Origin { at, actor, address: self.address, request_id }
    }

    /// A new audit event, caused by `actor` with this request.
    pub fn event(&self, kind: Kind, actor: Actor) -> Result<Event, NoRandomness> {
        Ok(Event::new(random::event_id(self.now)?, kind, self.origin(actor)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "no context");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// How the program at the other end names itself; at most 200 characters, no control characters.
#[derive(Clone, Debug)]
pub struct UserAgent(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for UserAgent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let text = parts.headers.get(http::header::USER_AGENT).and_then(|it| it.to_str().ok());
        let clean = |text: &str| {
            text.chars().filter(|it| !it.is_control()).take(USER_AGENT_CHARS).collect()
        };
        Ok(Self(text.map(clean)))
    }
}

/// The outermost layer: gives the request its id, and the answer the headers that every answer
/// has. Problems get the request id in their body here.
///
/// Every request passes here, so that it is written by hand: no box, no copy of the service.
#[derive(Clone)]
pub struct Contexts<S> {
    app: App,
    readers: Readers,
    numbers: Arc<RouteNumbers>,
    inner: S,
}

impl<S> Contexts<S> {
    /// Around `inner`, whose answers are for these readers and counted among these numbers.
    pub fn new(app: App, around: (Readers, Arc<RouteNumbers>), inner: S) -> Self {
        let (readers, numbers) = around;
        Self { app, readers, numbers, inner }
    }
}

impl<S> Service<Request> for Contexts<S>
where
    S: Service<Request, Response = Response>,
    S::Future: Unpin,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (readers, began) = (self.readers, stopwatch());
        let numbers = Arc::clone(&self.numbers);
        let answering = |stage| Answering { stage, readers, numbers, began };
        let now = self.app.clock.now();
        let Ok(request_id) = random::request_id(now) else {
            return answering(Stage::Failed);
        };
        let config = &self.app.config;
        // Taken out, so that the few extensions of a request still fit the smallest table.
        let info = request.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
        let peer = info.map(|info| info.0.ip());
        let address =
            peer.map(|peer| client_address(peer, request.headers(), &config.trusted_proxies));
        request.extensions_mut().insert(Context { request_id, now, address });
        if config.mode == Mode::Dev && !names_this_machine(request.headers()) {
            // A page elsewhere whose name was made to resolve to this machine (DNS rebinding).
            return answering(Stage::WrongHost(request_id));
        }
        if request.uri().path_and_query().is_some_and(|it| it.as_str().len() > MAX_URI) {
            return answering(Stage::TooLong(request_id));
        }
        let request_of = Current { request_id, route: self.numbers.route, address };
        let future = CURRENT.sync_scope(request_of, || self.inner.call(request));
        answering(Stage::Inside { future, current: request_of })
    }
}

/// The answer of [`Contexts`].
pub struct Answering<F> {
    stage: Stage<F>,
    readers: Readers,
    numbers: Arc<RouteNumbers>,
    began: Instant,
}

enum Stage<F> {
    /// There is no randomness.
    Failed,
    /// In development: not asked for by a name of this machine.
    WrongHost(RequestId),
    /// The address of what is asked for is longer than any of ours.
    TooLong(RequestId),
    /// What stands inside is at it.
    Inside { future: F, current: Current },
}

/// The request that a thread is at, for what is written into the log meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its id.
    pub request_id: RequestId,
    /// The route that it is at: never what it wrote as its path.
    pub route: Route,
    address: Option<IpAddr>,
}

tokio::task_local! {
    static CURRENT: Current;
}

/// The request that this thread is at, if it is at one.
pub fn current() -> Option<Current> {
    CURRENT.try_with(|current| *current).ok()
}

impl Current {
    /// One line of the log: who was answered how, and nothing that they wrote.
    fn note(&self, status: StatusCode, took: Duration) {
        let Route { method, path } = self.route;
        let (status, micros) = (status.as_u16(), u64::try_from(took.as_micros()).unwrap_or(0));
        let address = self.address.map(prefix).unwrap_or_default();
        let request_id = self.request_id;
        tracing::debug!(method, route = path, status, micros, address, %request_id, "answered");
    }
}

/// The network that an address is in: enough to find a flood, too little to find a person.
fn prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            format!("{first}.{second}.{third}.0/24")
        }
        IpAddr::V6(address) => {
            let [first, second, third, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0))
        }
    }
}

impl<F, E> Future for Answering<F>
where
    F: Future<Output = Result<Response, E>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let (response, request_id, current) = match &mut self.stage {
            Stage::Failed => {
                self.numbers.answered(StatusCode::INTERNAL_SERVER_ERROR, self.began.elapsed());
                return Poll::Ready(Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response()));
            }
            Stage::TooLong(request_id) => {
                let detail = "the address is too long; it has at most 12288 bytes";
                let problem = Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail);
                (problem.into_response(), *request_id, None)
            }
            Stage::WrongHost(request_id) => {
                let detail = "this server is for this machine alone; use its own address";
                let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", detail);
                (problem.into_response(), *request_id, None)
            }
            Stage::Inside { future, current } => {
                let polled = CURRENT.sync_scope(*current, || Pin::new(future).poll(cx));
                (ready!(polled)?, current.request_id, Some(*current))
            }
        };
        let mut response = finished(response, request_id);
        self.readers.say(response.headers_mut());
        let (status, took) = (response.status(), self.began.elapsed());
        self.numbers.answered(status, took);
        if let Some(code) = response.extensions().get::<ErrorCode>() {
            self.numbers.refused(code.as_str());
        }
        if let Some(current) = current {
            current.note(status, took);
        }
        Poll::Ready(Ok(response))
    }
}

/// The answer with what every answer has.
fn finished(mut response: Response, request_id: RequestId) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(Some(request_id));
    }
    let headers = response.headers_mut();
    if let Some(shown) = shown(request_id) {
        headers.insert(X_REQUEST_ID, shown);
    }
    let (name, value) = NOSNIFF;
    headers.insert(name, value);
    response
}

/// Around the verifier, which repeats the id of a request in its refusals: puts it where that one
/// looks. What the caller wrote there is of no interest.
#[derive(Clone)]
pub struct Named<S> {
    inner: S,
    /// What whoever asks needs, if it is a permission.
    needed: Option<Needed>,
}

/// The permission without which a route is closed: asked for before anything else is read.
#[derive(Clone, Copy, Debug)]
pub struct Needed(pub &'static str);

impl<S> Named<S> {
    /// Around `inner`.
    pub fn new(inner: S, needed: Option<Needed>) -> Self {
        Self { inner, needed }
    }
}

impl<S: Service<Request>> Service<Request> for Named<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        let request_id = request.extensions().get::<Context>().map(|context| context.request_id);
        match request_id.and_then(shown) {
            Some(shown) => request.headers_mut().insert(X_REQUEST_ID, shown),
            None => request.headers_mut().remove(X_REQUEST_ID),
        };
        if let Some(needed) = self.needed {
            request.extensions_mut().insert(needed);
        }
        self.inner.call(request)
    }
}

/// Whether the `Host` is this machine, by whatever name and port; one that is missing is no page's.
pub(crate) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(http::header::HOST) else { return true };
    let Some(authority) = host.to_str().ok().and_then(|it| it.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The id as a header.
fn shown(request_id: RequestId) -> Option<HeaderValue> {
    let mut text = Uuid::encode_buffer();
    let id = Uuid::from_bytes(*request_id.as_bytes());
    HeaderValue::from_str(id.as_hyphenated().encode_lower(&mut text)).ok()
}

/// The address that a request came from: the peer, unless it is a proxy that we trust; then the
/// right-most address that is not one. What cannot be read counts as the proxy itself, and is
/// never skipped (CVE-2024-47070).
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(address) {
        return address;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        let Ok(hop) = hop.trim().parse::<IpAddr>() else { return address };
        address = hop.to_canonical();
        if !is_trusted(address) {
            return address;
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted: Vec<_> = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    /// LG-06 of the attack kit.
    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(address("1.1.1.1", &["9.9.9.9"], &[]), "1.1.1.1");
        assert_eq!(address("1.1.1.1", &["9.9.9.9"], &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["9.9.9.9"], &["10.0.0.0/8"]), "9.9.9.9");
    }

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let names = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::HOST, host.parse().unwrap());
            names_this_machine(&headers)
        };
        for own in ["localhost", "localhost:8000", "127.0.0.1:1", "127.8.8.8", "[::1]:8000"] {
            assert!(names(own), "{own}");
        }
        for other in ["evil.example", "localhost.evil.example:8000", "10.0.0.1", "", "a b"] {
            assert!(!names(other), "{other}");
        }
        assert!(names_this_machine(&HeaderMap::new()));
    }

    #[test]
    fn what_the_client_itself_wrote_is_not_believed() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 9.9.9.9"], &trusted), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "9.9.9.9, 10.0.0.2"], &trusted), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &["9.9.9.9, a"], &trusted), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &[], &trusted), "10.0.0.1");
    }
}
