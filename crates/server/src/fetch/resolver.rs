//! Turns a host into addresses and lets through only those that may be connected to. The connection
//! is made to what was checked here: nothing is resolved a second time (DNS rebinding).

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Refused;
use super::address::{Allowed, Reach};

/// Resolves for one kind of request.
pub(super) struct Resolver {
    pub(super) names: Names,
    pub(super) allowed: Allowed,
    pub(super) reach: Reach,
}

/// Who knows the addresses of a name.
#[derive(Clone)]
pub(super) enum Names {
    /// The operating system.
    System,
    /// A test.
    #[cfg(test)]
    Told(std::sync::Arc<Told>),
}

/// What a test says that a name stands for.
#[cfg(test)]
pub(super) type Told = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

impl Names {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await?;
                Ok(found.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Self::Told(addresses) => Ok(addresses(name)),
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, allowed, reach) = (self.names.clone(), self.allowed.clone(), self.reach);
        Box::pin(async move {
            let found = names.resolve(name.as_str()).await?;
            // One address that may not be connected to is enough: whoever answers for the name
            // wants us to go there.
            if found.iter().any(|address| !allowed.admits(*address, reach)) {
                return Err(Refused::Address.into());
            }
            // The port is the URL's.
            let checked: Addrs = Box::new(found.into_iter().map(|it| SocketAddr::new(it, 0)));
            Ok(checked)
        })
    }
}
