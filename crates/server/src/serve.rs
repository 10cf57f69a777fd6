//! Listens and answers: bounded in time, in connections and in size, until it is told to stop.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::opening::Opening;

/// How long the head of a request may take to arrive, and how long a connection may idle.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How much room the head of a request has, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;
/// How many headers a request may have.
pub const MAX_HEADERS: usize = 100;
/// How many connections are open at once; further ones wait to be accepted.
pub const MAX_CONNECTIONS: usize = 4_096;
/// How long requests under way have to finish once the server is told to stop.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long accepting rests after it failed for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Serves `router` on `listeners` until `stop` ends, then lets what is under way finish.
pub async fn serve(listeners: Vec<TcpListener>, router: Router, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let server =
        Arc::new(Server { builder: builder(), room: Arc::new(Semaphore::new(MAX_CONNECTIONS)) });
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listeners, &server.room) => accepted,
            () = &mut stop => break,
        };
        let (stream, peer, permit) = accepted;
        let connection = connect(&server, stream, peer, router.clone());
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks is the other side's affair.
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection broke");
            }
            drop(permit);
        });
    }
    drop(listeners);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
}

struct Server {
    builder: Builder<TokioExecutor>,
    room: Arc<Semaphore>,
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Without a timer hyper does not enforce the deadline at all.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}

type Permit = tokio::sync::OwnedSemaphorePermit;

/// Waits for room, then for a connection.
#[expect(clippy::disallowed_methods, reason = "without file descriptors all one can do is wait")]
async fn accept(
    listeners: &[TcpListener],
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Permit) {
    loop {
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        let any = listeners.iter().map(|listener| Box::pin(listener.accept()));
        let (accepted, _, _) = futures_util::future::select_all(any).await;
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection broke at once");
                }
                return (stream, peer, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

fn connect(
    server: &Server,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl GracefulConnection<Error = Box<dyn Error + Send + Sync>> + Send + 'static {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let stream = Opening::within(HEADER_DEADLINE, stream);
    server.builder.serve_connection(TokioIo::new(stream), service).into_owned()
}
