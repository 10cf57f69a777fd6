//! One connection, from its handshake to its end: what it is told while the server leaves, so that
//! nobody's request is cut off (RFC 9112 §9.6, RFC 9113 §6.8).

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::response::Response;
use http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::ServiceExt;

use super::motion::{Counted, Motion, Watched};
use super::{HEADER_DEADLINE, Server};
use crate::opening::Opening;

/// How long a connection that has said nothing yet may still say something when the server closes.
const FIRST_WORD: Duration = Duration::from_secs(1);
/// RFC 6797 §6.1: a year. What other hosts of the domain do is not for us to say.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

const UNTAKEN: &str = "the other side takes no answer";

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
    let motion = Arc::new(Motion::default());
    let service = {
        let (router, motion, phase) = (server.router.clone(), Arc::clone(&motion), phase.clone());
        service_fn(move |mut request: Request<Incoming>| {
            let version = request.version();
            let thinking = motion.begin(version);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answering = answer(router.clone(), request);
            let (phase, motion) = (phase.clone(), Arc::clone(&motion));
            async move {
                let mut response = answering.await?;
                drop(thinking);
                if version == Version::HTTP_2 {
                    response = response.map(|body| Body::new(Counted { body, motion }));
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
    let stream = Opening::within(HEADER_DEADLINE, stream);
    let stream = TokioIo::new(Watched { stream, motion: Arc::clone(&motion) });
    let mut connection = pin!(server.builder.serve_connection(stream, service));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = until_closed(&mut phase, &motion) => {}
        // Nothing that HTTP/1.1 could be told would be read.
        () = motion.until_still(server.patience) => if motion.is_http_1() {
            return Err(UNTAKEN.into());
        }
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = motion.until_still(server.patience.at_the_end()) => {
            Err(UNTAKEN.into())
        }
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> Result<Response, Infallible> {
    router.oneshot(request.map(Body::new)).await
}

/// Waits until this connection is to take no further request.
#[expect(clippy::disallowed_methods, reason = "silence is what is waited for")]
async fn until_closed(phase: &mut watch::Receiver<Phase>, motion: &Motion) {
    reached(phase, Phase::Leaving).await;
    if motion.is_http_2() {
        // RFC 9113 §6.8: GOAWAY names the last request that is answered, so that none is lost.
        return;
    }
    // An idle connection of HTTP/1.1 that is closed may lose what its client sends at that moment:
    // its next answer says `close` first, as long as there is time.
    reached(phase, Phase::Closing).await;
    if motion.is_nothing() {
        tokio::time::sleep(FIRST_WORD).await;
    }
}

async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // A sender that is gone has nothing more to say: the server ended without us.
    drop(phase.wait_for(|phase| *phase >= wanted).await);
}
