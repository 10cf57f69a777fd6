//! Where the metrics are told: on this machine, unless somebody writes another address down.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde::Deserialize;

use super::{Mistake, mistake};

/// Where `munjigi serve` tells them where nothing is said.
const DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9_464));

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsSection {
    listen: Option<String>,
}

/// Where the metrics are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsListen {
    /// Nowhere.
    #[default]
    Off,
    /// Here, if nobody else is: nothing was said.
    IfFree(SocketAddr),
    /// Here.
    At(SocketAddr),
}

impl MetricsSection {
    pub(super) fn check(&self, listen: Option<SocketAddr>) -> Result<MetricsListen, Mistake> {
        let key = "metrics.listen";
        match self.listen.as_deref() {
            None => Ok(MetricsListen::IfFree(DEFAULT)),
            Some("off") => Ok(MetricsListen::Off),
            Some(text) => {
                let message = "is an address and a port, such as `127.0.0.1:9464`, or `off`";
                let address = text.parse().map_err(|_| mistake(key, message))?;
                if listen == Some(address) && address.port() != 0 {
                    let message = "is where everybody is answered; take an address of its own";
                    return Err(mistake(key, message));
                }
                Ok(MetricsListen::At(address))
            }
        }
    }
}
