//! Cursors of lists: what is taken for one is the text of exactly one key, and no key holds what
//! SQL, HTML or a terminal would take for more than a name.

use munjigi_core::access::RoleName;
use munjigi_core::id::{ClientId, EventId, UserId};
use munjigi_core::time::Timestamp;
use munjigi_store::page::{Cursor, PageKey};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check::<(Timestamp, UserId)>(text);
    check::<EventId>(text);
    check::<RoleName>(text);
    check::<ClientId>(text);
    check::<String>(text);
    // As bytes of a key: what is read is what is written.
    keep::<(Timestamp, UserId)>(bytes);
    keep::<EventId>(bytes);
    named::<RoleName>(bytes, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    named::<ClientId>(bytes, |byte| byte.is_ascii_graphic());
    named::<String>(bytes, |byte| byte.is_ascii_graphic());
}

fn check<K: PageKey>(text: &str) {
    if let Ok(cursor) = text.parse::<Cursor<K>>() {
        assert_eq!(cursor.to_string(), text, "two texts for one cursor");
    }
}

fn keep<K: PageKey>(bytes: &[u8]) {
    if let Some(key) = K::from_bytes(bytes) {
        assert_eq!(key.to_bytes(), bytes, "two keys for the same bytes");
    }
}

fn named<K: PageKey>(bytes: &[u8], is_plain: impl Fn(u8) -> bool) {
    keep::<K>(bytes);
    if K::from_bytes(bytes).is_some() {
        assert!(bytes.iter().all(|byte| is_plain(*byte)), "a name of more than plain characters");
    }
}
