//! One connection, from its handshake to its end: what it is told while the server leaves, so that
//! nobody's request is cut off (RFC 9112 §9.6, RFC 9113 §6.8).

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Request, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;

use super::{HEADER_DEADLINE, Server};
use crate::opening::Opening;

/// How long a connection that has said nothing yet may still say something when the server closes.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// How long a connection of HTTP/2 may be open without a request, and how often that is looked at.
const IDLE: Duration = Duration::from_secs(60);
const IDLE_TICKS: u32 = 4;
/// RFC 6797 §6.1: a year. What other hosts of the domain do is not for us to say.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How far the end of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It is not in sight.
    Open,
    /// Clients are sent elsewhere.
    Leaving,
    /// Nobody is let in, and who has nothing under way goes.
    Closing,
}

/// Whether a connection came in over TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
}

/// What a connection has spoken so far.
#[derive(Default)]
struct Spoken {
    version: AtomicU8,
    /// How many requests came.
    requests: AtomicUsize,
    /// Held by each request of HTTP/2 until its answer has gone out.
    under_way: Arc<()>,
}

impl Spoken {
    const HTTP_1: u8 = 1;
    const HTTP_2: u8 = 2;

    fn note(&self, version: Version) {
        let version = if version == Version::HTTP_2 { Self::HTTP_2 } else { Self::HTTP_1 };
        self.version.store(version, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether nothing is under way, and how many requests came until now.
    fn rests(&self) -> Option<usize> {
        let is_busy = Arc::strong_count(&self.under_way) > 1;
        (!is_busy).then(|| self.requests.load(Ordering::Relaxed))
    }

    fn is_nothing(&self) -> bool {
        self.version.load(Ordering::Relaxed) == 0
    }

    fn is_http_2(&self) -> bool {
        self.version.load(Ordering::Relaxed) == Self::HTTP_2
    }
}

/// Answers on a connection until it ends. One that breaks is the other side's affair.
pub(super) async fn run(
    server: &Server,
    stream: TcpStream,
    peer: SocketAddr,
    phase: watch::Receiver<Phase>,
) {
    let ended = match &server.tls {
        None => converse(server, stream, (peer, Transport::Plain), phase).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => converse(server, stream, (peer, Transport::Tls), phase).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn converse<S>(
    server: &Server,
    stream: S,
    (peer, transport): (SocketAddr, Transport),
    mut phase: watch::Receiver<Phase>,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spoken = Arc::new(Spoken::default());
    let service = {
        let (router, spoken, phase) = (server.router.clone(), Arc::clone(&spoken), phase.clone());
        service_fn(move |mut request: Request<Incoming>| {
            let version = request.version();
            spoken.note(version);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answering = answer(router.clone(), request);
            let phase = phase.clone();
            let under_way = (version == Version::HTTP_2).then(|| Arc::clone(&spoken.under_way));
            async move {
                let mut response = answering.await?;
                if let Some(under_way) = under_way {
                    response =
                        response.map(|body| Body::new(Going { body, _under_way: under_way }));
                }
                if transport == Transport::Tls {
                    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
                }
                // RFC 9112 §9.6: the last answer on this connection. HTTP/2 has no such header.
                if version < Version::HTTP_2 && *phase.borrow() > Phase::Open {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let stream = TokioIo::new(Opening::within(HEADER_DEADLINE, stream));
    let mut connection = pin!(server.builder.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = until_closed(&mut phase, &spoken) => {}
        () = until_idle(&spoken, IDLE / IDLE_TICKS) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    router.oneshot(request.map(Body::new)).await
}

/// Waits until this connection is to take no further request.
#[expect(clippy::disallowed_methods, reason = "silence is what is waited for")]
async fn until_closed(phase: &mut watch::Receiver<Phase>, spoken: &Spoken) {
    reached(phase, Phase::Leaving).await;
    if spoken.is_http_2() {
        // RFC 9113 §6.8: GOAWAY names the last request that is answered, so that none is lost.
        return;
    }
    // An idle connection of HTTP/1.1 that is closed may lose what its client sends at that moment:
    // its next answer says `close` first, as long as there is time.
    reached(phase, Phase::Closing).await;
    if spoken.is_nothing() {
        tokio::time::sleep(FIRST_WORD).await;
    }
}

/// Waits until a connection of HTTP/2 has been idle for long. One of HTTP/1 that is idle misses
/// hyper's own deadline for the next head.
async fn until_idle(spoken: &Spoken, tick: Duration) {
    let mut ticks = tokio::time::interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut idle) = (None, 0_u32);
    loop {
        ticks.tick().await;
        let now = spoken.rests().filter(|_| spoken.is_http_2());
        idle = if now.is_some() && now == last { idle.saturating_add(1) } else { 0 };
        if idle >= IDLE_TICKS {
            return;
        }
        last = now;
    }
}

/// A body that is under way until it has gone out.
struct Going {
    body: Body,
    _under_way: Arc<()>,
}

impl http_body::Body for Going {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // A sender that is gone has nothing more to say: the server ended without us.
    drop(phase.wait_for(|phase| *phase >= wanted).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_connection_of_http_2_without_requests_is_idle_after_a_while() {
        let spoken = Spoken::default();
        spoken.note(Version::HTTP_2);
        assert!(tokio::time::timeout(LONG, until_idle(&spoken, TICK)).await.is_ok());
    }

    #[tokio::test]
    async fn neither_a_request_under_way_nor_http_1_is_idle() {
        let spoken = Spoken::default();
        spoken.note(Version::HTTP_2);
        let body = Body::from("on its way");
        let going = Going { body, _under_way: Arc::clone(&spoken.under_way) };
        assert!(tokio::time::timeout(TICK * 20, until_idle(&spoken, TICK)).await.is_err());
        drop(going);
        assert!(tokio::time::timeout(LONG, until_idle(&spoken, TICK)).await.is_ok());

        let spoken = Spoken::default();
        spoken.note(Version::HTTP_11);
        assert!(tokio::time::timeout(TICK * 20, until_idle(&spoken, TICK)).await.is_err());
    }
}
