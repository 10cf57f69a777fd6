//! The few questions that this crate asks about a URL. It must not resolve names.

#[cfg(feature = "remote")]
use std::net::IpAddr;

use http::Uri;

/// Whether what is fetched from there comes from whom it says: https, or http on this machine.
#[cfg(feature = "remote")]
pub(crate) fn is_trusted_transport(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let is_bare = !authority.as_str().contains('@') && !authority.host().is_empty();
    let is_trusted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback(authority.host()),
        _ => false,
    };
    is_bare && is_trusted
}

/// Whether both have one scheme, host and port (RFC 6454 §5).
#[cfg(feature = "remote")]
pub(crate) fn is_same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let authority = uri.authority()?;
        let is_bare = !authority.as_str().contains('@');
        let scheme = uri.scheme_str()?.to_owned();
        let default = if scheme == "https" { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(default);
        is_bare.then(|| (scheme, authority.host().to_ascii_lowercase(), port))
    };
    origin(one).is_some() && origin(one) == origin(other)
}

#[cfg(feature = "remote")]
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The path of a URL, without a slash that ends it; empty for a name that is no URL.
pub(crate) fn path_of(resource: &str) -> String {
    let parsed = resource.parse::<Uri>().ok();
    let url = parsed.filter(|uri| uri.scheme().is_some() && uri.authority().is_some());
    url.map(|uri| uri.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

#[cfg(all(test, feature = "remote"))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let issuer = uri("https://id.example/a");
        assert!(is_same_origin(&uri("https://ID.example:443/jwks"), &issuer));
        for other in [
            "http://id.example/jwks",
            "https://id.example:444/",
            "https://id.example.evil/",
            "https://u@id.example/",
            "/jwks",
        ] {
            assert!(!is_same_origin(&uri(other), &issuer), "{other}");
        }
    }

    #[test]
    fn plain_text_is_trusted_on_this_machine_alone() {
        for trusted in ["http://localhost", "http://127.8.0.1:80", "http://[::1]:9", "https://x"] {
            assert!(is_trusted_transport(&uri(trusted)), "{trusted}");
        }
        for foreign in ["http://localhost.evil", "http://10.0.0.1", "http://128.0.0.1", "x:80"] {
            assert!(!is_trusted_transport(&uri(foreign)), "{foreign}");
        }
    }

    #[test]
    fn a_name_that_is_no_url_has_no_path() {
        assert_eq!(path_of("orders-api"), "");
        assert_eq!(path_of("https://api.example"), "");
        assert_eq!(path_of("https://api.example/"), "");
        assert_eq!(path_of("https://api.example/v1/orders"), "/v1/orders");
    }
}
