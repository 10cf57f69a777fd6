//! Redirect URIs (RFC 9700 §2.1, RFC 8252 §7.3): the registered text matches, or the port of a
//! loopback address differs, in the eyes of another reader of URLs; nothing else.

use munjigi_core::oauth::redirect_uri::RedirectUri;
use url::{Host, Url};

use crate::entropy::two_lines;

pub fn run(bytes: &[u8]) {
    let Some((registered, presented)) = two_lines(bytes) else { return };
    let Ok(uri) = RedirectUri::parse(registered) else { return };
    let Ok(url) = Url::parse(registered) else { panic!("registered, and no URL") };
    let scheme = url.scheme();
    assert!(scheme.contains('.') || scheme == "https" || scheme == "http", "{registered}");
    assert!(url.fragment().is_none() && url.username().is_empty(), "{registered}");
    assert!(scheme != "http" || is_this_machine(&url), "{registered}");
    assert!(uri.matches(registered), "a URI does not match itself");

    if !uri.matches(presented) || presented == registered {
        return;
    }
    let Ok(mut other) = Url::parse(presented) else { panic!("matched, and no URL: {presented}") };
    let is_literal = |url: &Url| !matches!(url.host(), None | Some(Host::Domain(_)));
    assert!(is_this_machine(&other) && is_literal(&other), "{registered} leads to {presented}");
    let mut url = url;
    assert!(url.set_port(None).is_ok() && other.set_port(None).is_ok());
    assert_eq!(url, other, "more than the port differs");
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
