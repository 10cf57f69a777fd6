//! Where the server goes by itself: an https URL whose host, when it is an address, is one that
//! anybody on the Internet could reach, however it is spelt.

use std::net::{Ipv4Addr, Ipv6Addr};

use munjigi_server::fetch::check_url;
use url::{Host, Url};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if check_url(text, &[]).is_err() {
        return;
    }
    let Ok(url) = Url::parse(text) else { panic!("gone to, and no URL") };
    assert_eq!(url.scheme(), "https", "{text}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text}");
    match url.host() {
        Some(Host::Ipv4(address)) => assert!(is_far_v4(address), "{text}"),
        Some(Host::Ipv6(address)) => assert!(is_far_v6(address), "{text}"),
        Some(Host::Domain(name)) => {
            let mut labels = name.strip_suffix('.').unwrap_or(name).rsplit('.');
            let last = labels.next().unwrap_or_default();
            assert!(last != "localhost", "{text}");
            let is_number = !last.is_empty() && last.bytes().all(|it| it.is_ascii_digit());
            assert!(!is_number, "a number as a name: {text}");
        }
        None => panic!("gone to, and no host: {text}"),
    }
}

fn is_far_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || (first == 100 && second & 0xc0 == 64))
}

fn is_far_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let carries_v4 = address.to_ipv4_mapped().is_some() || address.to_ipv4().is_some();
    let is_global = first & 0xe000 == 0x2000;
    is_global && !carries_v4 && first != 0x2002 && !(first == 0x2001 && second < 0x200)
}
