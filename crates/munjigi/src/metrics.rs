//! `/metrics`, on a socket of its own: on this machine, unless the operator wrote another address
//! down.

use std::io::ErrorKind;
use std::net::SocketAddr;

use munjigi_server::config::MetricsListen;
use munjigi_server::endpoint::metrics::{Scrapers, router};
use munjigi_server::{App, serve};
use tokio::net::TcpListener;

use crate::listen;
use crate::stop::Stop;

/// An open socket, and its address.
pub struct Bound {
    listener: TcpListener,
    /// With the port that was really taken.
    pub address: SocketAddr,
}

/// Listens where it was said. Where nothing was said, two servers may be on one machine: the
/// second one goes on without.
pub async fn bind(wanted: MetricsListen) -> Result<Option<Bound>, Stop> {
    let listener = match wanted {
        MetricsListen::Off => return Ok(None),
        MetricsListen::At(address) => listen::bind(address).await?,
        MetricsListen::IfFree(address) => match TcpListener::bind(address).await {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tracing::warn!(%address, "no metrics: in use; set `metrics.listen`");
                return Ok(None);
            }
            Err(error) => {
                tracing::warn!(%address, %error, "no metrics; set `metrics.listen`");
                return Ok(None);
            }
        },
    };
    let address = listener.local_addr().map_err(|error| Stop::file("socket", &error))?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "others can reach the metrics, and nobody asks who they are");
    }
    Ok(Some(Bound { listener, address }))
}

/// Tells them until the process ends, so that they can be read while it drains.
pub fn start(app: &App, bound: Bound) {
    let scrapers = match bound.address.ip().is_loopback() {
        true => Scrapers::ThisMachine,
        false => Scrapers::Anyone,
    };
    let router = router(app, scrapers);
    tokio::spawn(serve::serve(vec![bound.listener], router, std::future::pending()));
}
