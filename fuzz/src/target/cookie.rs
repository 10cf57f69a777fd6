//! Cookies (RFC 6265): read when there is exactly one of the name, and only a value that a cookie
//! may have; what is stored is read back, and its line cannot be broken out of.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use munjigi_core::time::Span;
use munjigi_server::page::cookies::Cookie;

const COOKIES: [Cookie; 5] =
    [Cookie::Session, Cookie::Browser, Cookie::Device, Cookie::Locale, Cookie::DevWalk];

pub fn run(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(16) {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, line);
        }
    }
    for cookie in COOKIES {
        let Some(value) = cookie.read(&headers) else { continue };
        let brought = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = brought.flat_map(|line| line.split(';'));
        let named = pairs.filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            pair.contains('=') && name.trim_matches([' ', '\t']) == cookie.name()
        });
        assert_eq!(named.count(), 1, "one of several was believed");
        assert!(!value.contains([';', ',', '"', '\\', ' ', '\t']) && !value.is_empty(), "{value}");
    }

    let Ok(value) = std::str::from_utf8(bytes) else { return };
    let Some(line) = Cookie::Session.store(value, Some(Span::from_days(1))) else { return };
    let Ok(line) = line.to_str() else { panic!("a line of more than plain characters") };
    let own = format!("__Host-munjigi-session={value}");
    let rest = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400";
    assert_eq!(line, format!("{own}{rest}"));
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, HeaderValue::from_str(&own).unwrap_or(HeaderValue::from_static("")));
    assert_eq!(Cookie::Session.read(&headers), Some(value), "stored, and not read back");
}
