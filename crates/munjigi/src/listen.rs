//! Where a server listens: loopback alone for `dev`, what the configuration says for `serve`.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tokio::net::TcpListener;

use crate::stop::{Code, Stop};

/// How often a free port is looked for that is free on both loopback addresses.
const TRIES: usize = 16;

/// An address of this machine that no other machine can reach, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    host: Host,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    /// Both loopback addresses, as browsers understand it.
    Localhost,
    Ip(IpAddr),
}

impl Loopback {
    /// The one address, or the first one, that it stands for.
    pub fn first(self) -> SocketAddr {
        let ip = match self.host {
            Host::Ip(ip) => ip,
            Host::Localhost => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        SocketAddr::new(ip, self.port)
    }
}

/// A text that is no loopback address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopbackError {
    /// Not `ADDR:PORT`.
    Malformed,
    /// Others could reach it.
    Reachable,
}

impl fmt::Display for LoopbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "say an address and a port, such as localhost:8000 or 127.0.0.1:0",
            Self::Reachable => {
                "`munjigi dev` has public passwords, so it listens where no other machine can \
                 reach it: localhost, 127.0.0.1 or [::1]; for others there is `munjigi serve`"
            }
        })
    }
}

impl std::error::Error for LoopbackError {}

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, LoopbackError> {
        let (host, port) = text.rsplit_once(':').ok_or(LoopbackError::Malformed)?;
        let port = port.parse().map_err(|_| LoopbackError::Malformed)?;
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(Self { host: Host::Localhost, port });
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let ip: IpAddr = match bare {
            Some(inside) => inside.parse::<Ipv6Addr>().map(IpAddr::V6).ok(),
            None => host.parse::<Ipv4Addr>().map(IpAddr::V4).ok(),
        }
        // A name may mean anything tomorrow.
        .ok_or(LoopbackError::Reachable)?;
        if ip.is_loopback() {
            return Ok(Self { host: Host::Ip(ip), port });
        }
        Err(LoopbackError::Reachable)
    }
}

/// Open sockets, and the URL under which they are reached.
pub struct Listening {
    /// The sockets.
    pub listeners: Vec<TcpListener>,
    /// The address of the first one.
    pub address: SocketAddr,
    /// `http://HOST:PORT`, with the port that was really taken.
    pub url: String,
}

/// Listens on this machine.
pub async fn on_loopback(wanted: Loopback) -> Result<Listening, Stop> {
    for _ in 0..TRIES {
        let mut listeners = vec![bind(wanted.first()).await?];
        let address = local_address(&listeners)?;
        let port = address.port();
        let host = match wanted.host {
            Host::Localhost => "localhost".to_owned(),
            Host::Ip(IpAddr::V4(ip)) => ip.to_string(),
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        };
        let url = format!("http://{host}:{port}");
        if wanted.host != Host::Localhost {
            return Ok(Listening { listeners, address, url });
        }
        // Browsers and curl try ::1 first: whoever sits there would get our callers.
        let other = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
        match TcpListener::bind(other).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                tracing::debug!(%error, "this machine has no IPv6 loopback");
            }
            Err(_) if wanted.port == 0 => continue,
            Err(error) => return Err(unavailable(other, &error)),
        }
        return Ok(Listening { listeners, address, url });
    }
    Err(Stop::new(Code::Failed, "no port is free on both loopback addresses"))
}

/// Listens on one address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Stop> {
    TcpListener::bind(address).await.map_err(|error| unavailable(address, &error))
}

fn local_address(listeners: &[TcpListener]) -> Result<SocketAddr, Stop> {
    let address = listeners.first().map(TcpListener::local_addr);
    let unknown = || std::io::Error::other("no socket");
    let address = address.unwrap_or_else(|| Err(unknown()));
    address.map_err(|error| Stop::file("socket", &error))
}

fn unavailable(address: SocketAddr, error: &std::io::Error) -> Stop {
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            "is in use; stop what listens there, or take another one with --listen \
             (port 0 is any free one)"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => "is no address of this machine".to_owned(),
        ErrorKind::PermissionDenied => {
            let why = format!("{address} may not be used: {error}");
            return Stop::new(Code::Denied, why);
        }
        _ => format!("cannot be listened on: {error}"),
    };
    Stop::new(Code::Failed, format!("{address} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_nobody_else_can_reach_are_taken() {
        for good in ["localhost:8000", "LOCALHOST:0", "127.0.0.1:0", "127.9.9.9:1", "[::1]:8000"] {
            assert!(good.parse::<Loopback>().is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8000", "[::]:8000", "192.168.0.1:1", "example.com:80", ":8000"] {
            assert_eq!(bad.parse::<Loopback>(), Err(LoopbackError::Reachable), "{bad}");
        }
        for bad in ["", "8000", "localhost", "localhost:", "localhost:99999", "127.0.0.1:x"] {
            assert_eq!(bad.parse::<Loopback>(), Err(LoopbackError::Malformed), "{bad}");
        }
    }
}
