//! Redirect URIs: what may be registered, and the one comparison that decides (RFC 9700 §2.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::{Host, Url};

/// A redirect URI as registered. Compared as text, never as a parsed URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Why a text cannot be registered as a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedirectUriError {
    /// Not an absolute URI, longer than 2,000 bytes, or with characters outside of ASCII.
    #[error("a redirect URI is an absolute ASCII URI of at most 2000 characters")]
    Malformed,
    /// RFC 6749 §3.1.2: "MUST NOT include a fragment component".
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// User information before the host, which has fooled many comparisons.
    #[error("a redirect URI has no user name or password")]
    UserInfo,
    /// `http` to another host than this one, or a scheme that a browser runs as a script.
    #[error("a redirect URI uses https, http on loopback, or an application's own scheme")]
    Scheme,
    /// RFC 8252 §7.1: a private-use scheme of one word, which any application may claim.
    #[error(
        "an application's own scheme is its domain backwards, with a period: com.example.app:/cb"
    )]
    PrivateScheme,
}

impl RedirectUri {
    /// Checks a text for registration (RFC 9700 §2.1, RFC 8252 §7, RFC 6749 §3.1.2).
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if text.len() > 2_000 || !plain {
            return Err(RedirectUriError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| RedirectUriError::Malformed)?;
        if url.fragment().is_some() || text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::UserInfo);
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if is_loopback(&url) => Ok(()),
            // RFC 8252 §7.1: a private-use scheme is a reversed domain name, so it has a period;
            // `javascript`, `data`, `vbscript` and `file` have none.
            scheme if scheme.contains('.') => Ok(()),
            "http" | "javascript" | "data" | "vbscript" | "file" => Err(RedirectUriError::Scheme),
            _ => Err(RedirectUriError::PrivateScheme),
        }?;
        Ok(Self(text.to_owned()))
    }

    /// The URI as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request that names `presented` may be answered there: equal as text, but for the
    /// port of a loopback address (RFC 8252 §7.3).
    pub fn matches(&self, presented: &str) -> bool {
        munjigi_token::planted!("redirect_uri_by_prefix", return presented.starts_with(&self.0));
        if self.0 == presented {
            return true;
        }
        match (split_loopback(&self.0), split_loopback(presented)) {
            (Some(registered), Some(presented)) => registered == presented,
            _ => false,
        }
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost",
        None => false,
    }
}

/// Splits `http://127.0.0.1:4711/path` into what counts: the host literal and what follows the
/// port. Only IP literals: RFC 8252 §8.3 advises against `localhost` here.
fn split_loopback(text: &str) -> Option<(&'static str, &str)> {
    ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|prefix| {
        let rest = text.strip_prefix(prefix)?;
        let after_port = match rest.strip_prefix(':') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let port = rest.get(..digits)?;
                port.parse::<u16>().ok()?;
                rest.get(digits..)?
            }
            None => rest,
        };
        let ends_the_authority = after_port.is_empty() || after_port.starts_with(['/', '?']);
        ends_the_authority.then_some((prefix, after_port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_loopback_and_private_schemes_may_be_registered() {
        for good in [
            "https://app.test/cb",
            "https://app.test/cb?x=1",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:9/cb",
            "com.example.app:/cb",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
    }

    /// RU-05 of the attack kit.
    #[test]
    fn dangerous_schemes_fragments_and_user_info_are_refused() {
        use RedirectUriError::{Fragment, Malformed, PrivateScheme, Scheme, UserInfo};
        for (bad, why) in [
            ("http://app.test/cb", Scheme),
            ("JaVaScRiPt:alert(1)", Scheme),
            ("data:text/html,x", Scheme),
            ("vbscript:x", Scheme),
            ("file:///etc/passwd", Scheme),
            ("myapp:/cb", PrivateScheme),
            ("myapp://cb", PrivateScheme),
            ("https://app.test/cb#f", Fragment),
            ("https://app.test/cb#", Fragment),
            ("https://a@app.test/cb", UserInfo),
            ("https://app.test@evil.test/cb", UserInfo),
            ("/cb", Malformed),
            ("https://app.test\\cb", Malformed),
            ("https://app.test/c\nb", Malformed),
            ("https://앱.test/cb", Malformed),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(why), "{bad}");
        }
    }

    /// RU-01 to RU-04 of the attack kit.
    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let web = RedirectUri::parse("https://app.test/cb").unwrap();
        for bad in [
            "https://app.test/cb/",
            "https://app.test/cb?x",
            "https://APP.test/cb",
            "https://app.test:443/cb",
            "https://app.test/cb/..;/x",
            "https://app.test.evil.test/cb",
            "https://app.test@evil.test/cb",
        ] {
            assert!(!web.matches(bad), "{bad}");
        }
        let native = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        assert!(native.matches("http://127.0.0.1:51004/cb"));
        for bad in [
            "http://localhost:51004/cb",
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.1:1@evil/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:51004/cb2",
            "https://127.0.0.1:51004/cb",
        ] {
            assert!(!native.matches(bad), "{bad}");
        }
    }
}
