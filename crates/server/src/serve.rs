//! Listens and answers: bounded in time, in connections and in size, until it is told to stop.

mod connection;
mod motion;
mod seats;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::config::Network;
use crate::metrics::Present;
use crate::tls::Tls;
use connection::Phase;
use motion::Patience;
use seats::{Seats, own_machine};

/// How long the head of a request may take to arrive, and how long a connection may idle.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// How much room the head of a request has, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;
/// How many headers a request may have.
pub const MAX_HEADERS: usize = 100;
/// How long requests under way have to finish once the server is told to stop.
pub const DRAIN: Duration = Duration::from_secs(25);
/// How long accepting rests after it failed for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Where connections come in.
pub struct Doors {
    /// The open sockets.
    pub listeners: Vec<TcpListener>,
    /// The certificate that they come in by; plain HTTP without one.
    pub tls: Option<Tls>,
    /// The proxies in front, which speak for many: their connections are not counted by address.
    pub proxies: Vec<Network>,
    /// Where the open connections are counted.
    pub connections: Present,
}

/// Serves `router` on `listeners` until `stop` ends, then lets what is under way finish.
pub async fn serve(listeners: Vec<TcpListener>, router: Router, stop: impl Future<Output = ()>) {
    let (proxies, connections) = (Vec::new(), Present::default());
    let doors = Doors { listeners, tls: None, proxies, connections };
    serve_at(doors, router, stop, async {}).await;
}

/// Serves `router` at `doors` until `leave` ends. From then on every answer sends its client
/// elsewhere, while connections are taken until `close` ends, too: whoever sends them here needs a
/// moment to hear of it. At last what is under way finishes.
pub async fn serve_at(
    doors: Doors,
    router: Router,
    leave: impl Future<Output = ()>,
    close: impl Future<Output = ()>,
) {
    let seats = Seats::new(own_machine().chain(doors.proxies.iter().cloned()).collect());
    let bounds = Bounds { seats, room: seats::room(), patience: Patience::USUAL };
    bounded(doors, bounds, router, (leave, close)).await;
}

/// How much is put up with.
struct Bounds {
    /// Where the connections of an address are counted.
    seats: Seats,
    /// How many connections there are at once.
    room: usize,
    patience: Patience,
}

/// The same within other bounds.
async fn bounded(
    doors: Doors,
    Bounds { seats, room, patience }: Bounds,
    router: Router,
    (leave, close): (impl Future<Output = ()>, impl Future<Output = ()>),
) {
    let Doors { listeners, tls, connections, .. } = doors;
    let phase = watch::Sender::new(Phase::Open);
    let room = Arc::new(Semaphore::new(room));
    let server = Arc::new(Server { builder: builder(), tls, router, patience });
    let begin = |(stream, peer, permit): (TcpStream, SocketAddr, Permit)| {
        // One too many of an address is closed before it has said anything.
        let Some(seat) = seats.take(peer.ip()) else { return };
        let counted = connections.enter();
        let (server, phase) = (Arc::clone(&server), phase.subscribe());
        tokio::spawn(async move {
            connection::run(&server, stream, peer, phase).await;
            drop((seat, permit, counted));
        });
    };
    let mut end = std::pin::pin!(async {
        leave.await;
        phase.send_replace(Phase::Leaving);
        close.await;
    });
    loop {
        tokio::select! {
            accepted = accept(&listeners, &room) => begin(accepted),
            () = &mut end => break,
        }
    }
    for accepted in left_over(listeners, &room) {
        begin(accepted);
    }
    phase.send_replace(Phase::Closing);
    // Every connection holds a receiver.
    if tokio::time::timeout(DRAIN, phase.closed()).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
}

/// Closes the sockets, and tells who had already come in by them: they would be turned away.
fn left_over(
    listeners: Vec<TcpListener>,
    room: &Arc<Semaphore>,
) -> Vec<(TcpStream, SocketAddr, Permit)> {
    let mut waiting = Vec::new();
    for listener in listeners.into_iter().filter_map(|it| it.into_std().ok()) {
        while let Ok(permit) = Arc::clone(room).try_acquire_owned() {
            let Ok((stream, peer)) = listener.accept() else { break };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            waiting.extend(stream.ok().map(|stream| (stream, peer, permit)));
        }
    }
    waiting
}

/// What every connection needs.
struct Server {
    builder: Builder<TokioExecutor>,
    tls: Option<Tls>,
    router: Router,
    patience: Patience,
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

#[cfg(test)]
mod tests;
