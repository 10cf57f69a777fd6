//! Which addresses this server connects to by itself: public ones, and what the operator allowed.
//! It resolves nothing and connects to nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::config::Network;

/// Which addresses a request may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Public addresses, and those that the operator allowed: over TLS.
    Public,
    /// Those that the operator allowed and no other: in plain HTTP.
    AllowedOnly,
}

/// The addresses that the operator allowed although they are not public.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowed(Arc<[Network]>);

impl Allowed {
    pub(super) fn new(networks: &[Network]) -> Self {
        Self(networks.into())
    }

    /// Whether anything is allowed at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a connection may be made to `address`.
    pub(super) fn admits(&self, address: IpAddr, reach: Reach) -> bool {
        let is_allowed = self.0.iter().any(|network| network.contains(address));
        is_allowed || (reach == Reach::Public && is_public(address))
    }
}

/// Whether an address is one that anybody on the Internet could reach.
pub(super) fn is_public(address: IpAddr) -> bool {
    munjigi_core::planted!("private_address_fetched", return true);
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// RFC 6890 and its registry: everything that is not global unicast, with its length of prefix.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // "this network" (RFC 791 §3.2)
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private (RFC 1918)
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers (RFC 6598)
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local (RFC 3927), and clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private (RFC 1918)
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocols (RFC 6890)
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation (RFC 5737)
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays (RFC 7526)
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private (RFC 1918)
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks (RFC 2544)
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation (RFC 5737)
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation (RFC 5737)
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast (RFC 5771)
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|(network, prefix)| {
        let differ = u32::from(*network) ^ u32::from(address);
        differ.checked_shr(32_u32.saturating_sub(*prefix)).unwrap_or(0) == 0
    })
}

/// What is not public inside of 2000::/3, the only block that global addresses are given from
/// (RFC 4291 §2.4). Everything else falls with the block: loopback, link-local, unique local,
/// multicast, and the forms that carry an IPv4 address (mapped, compatible, NAT64).
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // IETF protocols, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation (RFC 3849)
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4 (RFC 3056)
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation (RFC 9637)
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
    let is_in = |network: Ipv6Addr, prefix: u32| {
        let differ = u128::from(network) ^ u128::from(address);
        differ.checked_shr(128_u32.saturating_sub(prefix)).unwrap_or(0) == 0
    };
    is_in(GLOBAL, 3) && !NOT_PUBLIC_V6.iter().any(|(network, prefix)| is_in(*network, *prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_PUBLIC: &str = "
        0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254
        169.254.169.254 169.254.0.1 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.170 192.0.2.1
        192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9
        224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
        :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1
        64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:0:4136:e378::1 2001:10::1
        2001:20::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 3fff:fff::1 5f00::1 fc00::1
        fd12:3456:789a::1 fe80::1 febf::1 fec0::1 ff02::1 ff0e::1 4000::1 8000::1";

    const PUBLIC: &str = "
        1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
        169.253.255.255 172.15.255.255 172.32.0.1 192.0.1.1 192.167.1.1 198.17.0.1 198.20.0.1
        223.255.255.255 2001:200::1 2001:4860:4860::8888 2003::1 2606:4700::1111 2a00:1450::1
        3ffe::1";

    #[test]
    fn addresses_that_nobody_outside_could_reach_are_not_public() {
        for text in NOT_PUBLIC.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in PUBLIC.split_whitespace() {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_the_operator_allowed_is_reached_in_every_way_and_nothing_else_in_plain_http() {
        let networks =
            [Network::parse("10.1.0.0/16").unwrap(), Network::parse("fd00::/8").unwrap()];
        let allowed = Allowed::new(&networks);
        for (text, public, plain) in [
            ("10.1.2.3", true, true),
            ("::ffff:10.1.2.3", true, true),
            ("10.2.0.1", false, false),
            ("fd00::1", true, true),
            ("fe80::1", false, false),
            ("8.8.8.8", true, false),
        ] {
            let address = text.parse().unwrap();
            assert_eq!(allowed.admits(address, Reach::Public), public, "{text}");
            assert_eq!(allowed.admits(address, Reach::AllowedOnly), plain, "{text}");
        }
    }
}
