//! Where a request would go, judged from the URL alone: before it is stored, and before it is used.
//! A host name is judged again, by every address that it stands for, when it is resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use url::{Host, Url};

use super::address::{Allowed, Reach};

/// How long a URL may be, in bytes.
const LONGEST: usize = 2_048;

/// Why this server does not go to a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is no URL, or has no host.
    #[error("it is not a URL with a host")]
    NotUrl,
    /// Longer than 2 KiB.
    #[error("it is longer than 2048 bytes")]
    TooLong,
    /// Another scheme than https; http goes only where the operator allowed it.
    #[error("it is not an https URL")]
    Scheme,
    /// It carries a user name or a password.
    #[error("it carries a user name or a password")]
    Credentials,
    /// Its host is, or stands for, an address that is not public and that nobody allowed.
    #[error("it leads to an address that is not public")]
    Address,
}

/// A URL that this server may go to, and which addresses its host may have.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) reach: Reach,
}

impl Target {
    /// Reads and judges a URL. It is read once, here: what is judged is what is connected to, in
    /// whichever spelling the host came.
    pub(super) fn parse(text: &str, allowed: &Allowed) -> Result<Self, Refused> {
        if text.len() > LONGEST {
            return Err(Refused::TooLong);
        }
        let url = Url::parse(text).map_err(|_| Refused::NotUrl)?;
        let reach = match url.scheme() {
            "https" => Reach::Public,
            "http" if !allowed.is_empty() => Reach::AllowedOnly,
            _ => return Err(Refused::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        if url.port() == Some(0) {
            return Err(Refused::NotUrl);
        }
        if !may_be_reached(url.host(), allowed, reach)? {
            return Err(if reach == Reach::Public { Refused::Address } else { Refused::Scheme });
        }
        Ok(Self { url, reach })
    }
}

fn may_be_reached(
    host: Option<Host<&str>>,
    allowed: &Allowed,
    reach: Reach,
) -> Result<bool, Refused> {
    match host {
        None => Err(Refused::NotUrl),
        Some(Host::Ipv4(address)) => Ok(allowed.admits(IpAddr::V4(address), reach)),
        Some(Host::Ipv6(address)) => Ok(allowed.admits(IpAddr::V6(address), reach)),
        // RFC 6761 §6.3: names under `localhost` are this machine.
        Some(Host::Domain(name)) if is_this_machine(name) => {
            let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            Ok(loopback.into_iter().any(|address| allowed.admits(address, reach)))
        }
        Some(Host::Domain(name)) => Ok(!name.trim_end_matches('.').is_empty()),
    }
}

fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    fn refused(text: &str, networks: &[&str]) -> Option<Refused> {
        let networks: Vec<_> = networks.iter().map(|it| Network::parse(it).unwrap()).collect();
        Target::parse(text, &Allowed::new(&networks)).err()
    }

    /// AD-06 of the attack kit: every spelling of an address is the address.
    #[test]
    fn ad_06_an_inner_address_is_refused_in_every_spelling() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://127.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0x7f.0x0.0x0.0x1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://127.0.0.1./",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://%31%32%37.0.0.1/",
            "https://0/",
            "https://0.0.0.0/",
            "https://10.0.0.1:8443/x",
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://0xA9FEA9FE/",
            "https://192.168.1.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:a9fe:a9fe]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://localhost/",
            "https://LOCALHOST/",
            "https://localhost./",
            "https://a.localhost/",
            "https:127.0.0.1",
            "https:\\\\127.0.0.1\\x",
            " https://127.0.0.1",
            "https://127.0.0.1\t/",
        ] {
            assert_eq!(refused(url, &[]), Some(Refused::Address), "{url}");
        }
    }

    #[test]
    fn ad_06_only_https_is_taken_and_nothing_beside_a_host() {
        for (url, why) in [
            ("http://example.com/", Refused::Scheme),
            ("ftp://example.com/", Refused::Scheme),
            ("file:///etc/passwd", Refused::Scheme),
            ("gopher://example.com/_x", Refused::Scheme),
            ("javascript:alert(1)", Refused::Scheme),
            ("data:application/json,{}", Refused::Scheme),
            ("ws://example.com/", Refused::Scheme),
            ("https://u@example.com/", Refused::Credentials),
            ("https://:p@example.com/", Refused::Credentials),
            ("https://a@b@example.com/", Refused::Credentials),
            ("https://example.com:0/", Refused::NotUrl),
            ("https://example.com:65536/", Refused::NotUrl),
            ("https://[::1", Refused::NotUrl),
            ("https://[fe80::1%25eth0]/", Refused::NotUrl),
            ("https://1.2.3.256/", Refused::NotUrl),
            ("https://", Refused::NotUrl),
            ("https://./", Refused::Address),
            ("//example.com/", Refused::NotUrl),
            ("/jwks.json", Refused::NotUrl),
            ("", Refused::NotUrl),
        ] {
            assert_eq!(refused(url, &[]), Some(why), "{url}");
        }
        let long = format!("https://example.com/{}", "x".repeat(2_048));
        assert_eq!(refused(&long, &[]), Some(Refused::TooLong));
    }

    #[test]
    fn public_hosts_are_taken_over_https() {
        for url in [
            "https://example.com/jwks.json",
            "https://example.com:8443/?x#y",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "HTTPS://EXAMPLE.COM",
            "https://한국.kr/",
        ] {
            assert_eq!(refused(url, &[]), None, "{url}");
        }
    }

    #[test]
    fn plain_http_goes_only_where_the_operator_allowed_it() {
        let loopback = ["127.0.0.0/8", "::1"];
        for url in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://a.localhost/",
            "http://[::1]:8001/",
            "https://localhost/",
            // Judged by its addresses when it is resolved.
            "http://client.internal/",
        ] {
            assert_eq!(refused(url, &loopback), None, "{url}");
        }
        for url in ["http://1.1.1.1/", "http://10.0.0.1/"] {
            assert_eq!(refused(url, &loopback), Some(Refused::Scheme), "{url}");
        }
        assert_eq!(refused("https://10.0.0.1/", &loopback), Some(Refused::Address));
    }
}
