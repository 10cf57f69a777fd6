//! Pages of a list: each begins after the key at which the last one ended, so that it costs the
//! same however far down it is. Cursors are read strictly; a wrong one never reaches the database.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use munjigi_core::access::RoleName;
use munjigi_core::id::{ClientId, EventId, SessionId, UserId};
use munjigi_core::oauth::api::{Audience, parse_audience};
use munjigi_core::time::Timestamp;
use thiserror::Error;

/// How many items a page has at most, whatever was asked for.
pub const MAX_LIMIT: u32 = 200;

/// No key is longer than this, in bytes; nor is its text, by far.
const MAX_KEY_BYTES: usize = 512;

/// What part of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Where the page before ended; the beginning of the list when absent.
    pub after: Option<Cursor<K>>,
    /// How many items are wanted: from 1 to [`MAX_LIMIT`], a number outside counts as the nearest.
    pub limit: u32,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T, K> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; absent when this is the last one.
    pub next: Option<Cursor<K>>,
}

/// The key of the last item that was seen. As text it is base64url, which callers hand back as it
/// is; they have no reason to look inside, and nothing is lost if they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor<K>(pub(crate) K);

/// A text that is not a cursor of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a cursor of this list")]
pub struct CursorError;

/// What lists are ordered by. Implemented for the keys of the tables.
pub trait PageKey: Sized {
    /// The key as bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads the key; nothing when these bytes are not exactly one.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl<K> Page<K> {
    /// The first page.
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// How many rows to ask for: one more than wanted, to know whether there is a next page.
    pub(crate) fn rows(&self) -> u32 {
        self.wanted().saturating_add(1)
    }

    pub(crate) fn key(&self) -> Option<&K> {
        self.after.as_ref().map(|cursor| &cursor.0)
    }

    /// Cuts what was found down to what was wanted.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Listed<T, K> {
        let wanted = usize::try_from(self.wanted()).unwrap_or(usize::MAX);
        let more = items.len() > wanted;
        items.truncate(wanted);
        let next = items.last().filter(|_| more).map(|last| Cursor(key(last)));
        Listed { items, next }
    }

    fn wanted(&self) -> u32 {
        self.limit.clamp(1, MAX_LIMIT)
    }
}

impl<K: PageKey> fmt::Display for Cursor<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_bytes()))
    }
}

impl<K: PageKey> FromStr for Cursor<K> {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > MAX_KEY_BYTES.saturating_mul(4).div_ceil(3) {
            return Err(CursorError);
        }
        // RFC 4648 §3.5: bits left over must be zero, so that one key has one text.
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        K::from_bytes(&bytes).map(Self).ok_or(CursorError)
    }
}

impl PageKey for (Timestamp, UserId) {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.as_millis().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.1.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let at = Timestamp::from_millis(i64::from_be_bytes(*at));
        Some((at, UserId::from_bytes(id.try_into().ok()?)))
    }
}

impl PageKey for (UserId, SessionId) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.as_bytes().as_slice(), self.1.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (user, id) = bytes.split_first_chunk::<16>()?;
        Some((UserId::from_bytes(*user), SessionId::from_bytes(id.try_into().ok()?)))
    }
}

impl PageKey for EventId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_bytes)
    }
}

/// Keys that are text, with what reads them.
macro_rules! text_keys {
    ($($key:ty: $parse:expr;)*) => {$(
        impl PageKey for $key {
            fn to_bytes(&self) -> Vec<u8> {
                self.as_str().as_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                $parse(std::str::from_utf8(bytes).ok()?).ok()
            }
        }
    )*};
}

text_keys! {
    RoleName: RoleName::from_str;
    ClientId: ClientId::from_str;
    Audience: parse_audience;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<K: PageKey + PartialEq + fmt::Debug>(key: K) {
        let cursor = Cursor(key);
        assert_eq!(cursor.to_string().parse().as_ref(), Ok(&cursor));
    }

    #[test]
    fn a_cursor_is_read_back() {
        kept((Timestamp::from_millis(-7), UserId::from_random([3; 16])));
        let session = SessionId::from_parts(Timestamp::from_millis(9), [4; 10]);
        kept((UserId::from_random([3; 16]), session));
        kept(EventId::from_parts(Timestamp::from_millis(9), [4; 10]));
        kept("manager".parse::<RoleName>().unwrap());
        kept("planner-web".parse::<ClientId>().unwrap());
        kept(format!("urn:example:{}", "x".repeat(480)));
    }

    #[test]
    fn what_is_not_exactly_a_key_is_no_cursor() {
        type Users = Cursor<(Timestamp, UserId)>;
        let cursor = Cursor((Timestamp::from_millis(5), UserId::from_random([1; 16])));
        let text = cursor.to_string();
        for bad in ["", "=", "%00", &format!("{text}A"), &text[1..], &format!("{text}=")] {
            assert_eq!(bad.parse::<Users>(), Err(CursorError), "{bad:?}");
        }
        // Bits left over: the last character of one byte has four of them.
        assert!("YQ".parse::<Cursor<RoleName>>().is_ok());
        assert!("YR".parse::<Cursor<RoleName>>().is_err());
        let role = URL_SAFE_NO_PAD.encode("a' OR ''='");
        assert!(role.parse::<Cursor<RoleName>>().is_err());
        assert!("A".repeat(5_000).parse::<Cursor<ClientId>>().is_err());
    }

    #[test]
    fn a_page_is_bounded_and_knows_whether_more_follows() {
        let page = |limit| Page::<EventId>::first(limit);
        assert_eq!([page(0).rows(), page(7).rows(), page(9_999).rows()], [2, 8, 201]);
        let key = |millis: &i64| EventId::from_parts(Timestamp::from_millis(*millis), [0; 10]);
        let cut = page(2).cut(vec![1, 2, 3], key);
        assert_eq!((cut.items, cut.next), (vec![1, 2], Some(Cursor(key(&2)))));
        assert_eq!(page(3).cut(vec![1, 2, 3], key).next, None);
        assert_eq!(page(3).cut(vec![], key).next, None);
    }
}
