//! The cookies of the pages (RFC 6265): each has one purpose, and a name that ties it to this host
//! (`__Host-`: Secure, path `/`, no domain), so that no neighbour can plant one. It must not read
//! what is in them.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use munjigi_core::time::Span;

/// The longest value of ours that is looked at, in bytes.
const MAX_VALUE: usize = 2_048;

/// The cookies that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// The session of a signed-in person; a new value at every change of privilege.
    Session,
    /// Binds a way through the pages to the browser in which it began.
    Browser,
    /// A device that somebody has signed in with: its guesses are counted apart.
    Device,
    /// An account that somebody asked for in this browser, and whose address is to be proved.
    SignedUp,
    /// The language that a person chose.
    Locale,
    /// In `dev` alone: where the first page's walk through sign-in and tokens stands.
    DevWalk,
}

impl Cookie {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "__Host-munjigi-session",
            Self::Browser => "__Host-munjigi-browser",
            Self::Device => "__Host-munjigi-device",
            Self::SignedUp => "__Host-munjigi-signed-up",
            Self::Locale => "__Host-munjigi-locale",
            Self::DevWalk => "__Host-munjigi-dev-walk",
        }
    }

    /// The value that a request brings. One that comes twice counts as absent: somebody else
    /// planted one of them, and nobody knows which.
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(name, _)| name.trim_matches([' ', '\t']) == self.name());
        let (_, value) = values.next()?;
        let value = value.trim_matches([' ', '\t']);
        let is_alone = values.next().is_none();
        (is_alone && is_value(value)).then_some(value)
    }

    /// The `Set-Cookie` that stores a value for some time, or until the browser closes. `None` when
    /// the value is none that a cookie may have.
    pub fn store(self, value: &str, ttl: Option<Span>) -> Option<HeaderValue> {
        if !is_value(value) {
            return None;
        }
        let age = ttl.map(|ttl| format!("; Max-Age={}", ttl.as_seconds())).unwrap_or_default();
        self.line(value, &age)
    }

    /// The `Set-Cookie` that removes it.
    pub fn clear(self) -> Option<HeaderValue> {
        self.line("", "; Max-Age=0")
    }

    fn line(self, value: &str, age: &str) -> Option<HeaderValue> {
        // Lax: it has to come along when an application sends a person here.
        let name = self.name();
        let line = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
        let line =
            munjigi_core::planted!("cookie_for_scripts" => line.replace("; HttpOnly", ""), line);
        let mut line = HeaderValue::from_str(&line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }
}

/// RFC 6265 §4.1.1: `cookie-octet`, and neither nothing nor more than we ever write.
fn is_value(value: &str) -> bool {
    let is_octet =
        |byte: u8| matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e);
    !value.is_empty() && value.len() <= MAX_VALUE && value.bytes().all(is_octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        Cookie::Session.read(&headers).map(str::to_owned)
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(read(&["a=b; __Host-munjigi-session=x1; c"]).as_deref(), Some("x1"));
        assert_eq!(read(&["a=b", "__Host-munjigi-session=x1"]).as_deref(), Some("x1"));
        assert_eq!(read(&["__Host-munjigi-session=a=b"]).as_deref(), Some("a=b"));
    }

    #[test]
    fn a_cookie_that_comes_twice_or_is_not_plain_counts_as_absent() {
        for lines in [
            &["__Host-munjigi-session=a; __Host-munjigi-session=b"][..],
            &["__Host-munjigi-session=a", "__Host-munjigi-session=a"],
            &["__Host-munjigi-session="],
            &["__Host-munjigi-session=\"a\""],
            &["__Host-munjigi-session=a b"],
            &["__host-munjigi-session=a"],
            &["x__Host-munjigi-session=a"],
            &["__Host-munjigi-session"],
            &["__Host-munjigi-session=é"],
            &[],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
        let long = format!("__Host-munjigi-session={}", "a".repeat(3_000));
        assert_eq!(read(&[&long]), None);
    }

    #[test]
    fn a_cookie_is_for_this_host_and_for_no_script() {
        let stored = Cookie::Browser.store("abc", Some(Span::from_days(1))).unwrap();
        assert_eq!(
            stored.to_str().unwrap(),
            "__Host-munjigi-browser=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400"
        );
        assert!(Cookie::Session.clear().unwrap().to_str().unwrap().ends_with("; Max-Age=0"));
        for bad in ["", "a;b", "a b", "a\r\nb", "é"] {
            assert!(Cookie::Session.store(bad, None).is_none(), "{bad}");
        }
    }
}
