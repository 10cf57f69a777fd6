//! Identifiers. User ids are random (UUIDv4), so that they spread over shards; the others are
//! UUIDv7 (RFC 9562 §5), so that new rows land together. The randomness comes from the caller.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use url::Url;
use uuid::Uuid;

use crate::oauth::registration::is_this_machine;
use crate::time::Timestamp;

/// A text that is not the identifier that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a UUID in its hyphenated form")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From the sixteen bytes that the database holds.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes that the database holds.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Only the hyphenated form is an id: one thing has one spelling, but for case.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != 36 {
                    return Err(IdError);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| IdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! random_id {
    ($name:ident) => {
        impl $name {
            /// A UUIDv4 of sixteen random bytes (RFC 9562 §5.4).
            pub fn from_random(random: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(random).into_uuid())
            }
        }
    };
}

macro_rules! timed_id {
    ($name:ident) => {
        impl $name {
            /// A UUIDv7 of a time and ten random bytes (RFC 9562 §5.7).
            pub fn from_parts(at: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(at.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }
        }
    };
}

id!(
    /// A person: the `sub` of their tokens. Never changes and is never used again.
    UserId
);
id!(
    /// A sign-in of a person at this server: the `sid` of tokens.
    SessionId
);
id!(
    /// What a person (or a client) granted to a client: the `gid` of tokens, the family of its
    /// refresh tokens.
    GrantId
);
id!(
    /// One authorization code: the row that its ticket names.
    CodeId
);
id!(
    /// One link that was mailed: the row that its ticket names.
    LinkId
);
id!(
    /// One entry of the audit trail.
    EventId
);
id!(
    /// Something that is to be sent.
    OutboxId
);
id!(
    /// One request to this server, as in `x-request-id`.
    RequestId
);
id!(
    /// One issued token: its `jti`.
    TokenId
);
random_id!(UserId);
timed_id!(SessionId);
timed_id!(GrantId);
timed_id!(CodeId);
timed_id!(LinkId);
timed_id!(EventId);
timed_id!(OutboxId);
timed_id!(RequestId);
timed_id!(TokenId);

/// The identifier of a client (RFC 6749 §2.2): 1 to 128 printable ASCII characters, no space; or
/// the https address of a document that says what the client is, of at most 512.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClientId(String);

/// A text that cannot be a client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a client id is 1 to 128 printable ASCII characters without white space, and no UUID; or an \
     https address with a path in its plainest form"
)]
pub struct ClientIdError;

impl ClientId {
    /// The id as on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the address of the client's document.
    pub fn is_address(&self) -> bool {
        is_on_the_web(&self.0)
    }
}

fn is_on_the_web(text: &str) -> bool {
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(with));
    begins("https://") || begins("http://")
}

/// Client ID Metadata Document §3: https, with a path; no fragment, no user information, no dot
/// segments. Ids are compared as text, so only the form that a parser writes is one.
///
/// Deviates: http on this machine is one too, for whoever writes a client. It is gone to only
/// where the operator allowed addresses of this machine.
fn is_address_of_document(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    if url.scheme() == "http" && !is_this_machine(text) {
        return false;
    }
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    url.as_str() == text && bare && url.path() != "/"
}

impl std::borrow::Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        // RFC 6749 §A.1: client-id = *VSCHAR. A space is refused too, so that ids can be listed.
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        // RFC 9700 §4.15.2: a client must not be able to choose an id that is a person's `sub`.
        let like_a_user = text.parse::<UserId>().is_ok();
        let (longest, fits) = match is_on_the_web(text) {
            true => (512, is_address_of_document(text)),
            false => (128, !like_a_user),
        };
        if text.is_empty() || text.len() > longest || !printable || !fits {
            return Err(ClientIdError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = UserId::from_random([7; 16]);
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
        assert!(id.to_string().replace('-', "").parse::<UserId>().is_err());
        assert!(format!("{{{id}}}").parse::<UserId>().is_err());
        assert_eq!(UserId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = GrantId::from_parts(Timestamp::from_millis(1_000), [255; 10]);
        let late = GrantId::from_parts(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
    }

    #[test]
    fn a_client_id_is_printable_ascii() {
        assert!("planner-web".parse::<ClientId>().is_ok());
        let user = UserId::from_random([7; 16]).to_string();
        for bad in ["", "a b", "문지기", "a\nb", &"x".repeat(129), &user] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_a_client_id_in_its_plainest_form() {
        for good in [
            "https://app.example/client.json",
            "https://app.example:8443/oauth/client?v=1",
            "https://[::1]:8443/client",
            "http://127.0.0.1:4000/client.json",
            "http://localhost:4000/client.json",
        ] {
            assert!(good.parse::<ClientId>().unwrap().is_address(), "{good}");
        }
        assert!(!"web".parse::<ClientId>().unwrap().is_address());
        for bad in [
            "https://app.example",
            "http://app.example/client.json",
            "http://127.0.0.1.example/client.json",
            "http://localhost/",
            "https://app.example/",
            "https://app.example/a/../client",
            "https://app.example/./client",
            "https://app.example/%2e%2e/client",
            "https://app.example/client#f",
            "https://app.example/client#",
            "https://minji@app.example/client",
            "https://:pw@app.example/client",
            "https://APP.example/client",
            "HTTPS://app.example/client",
            "https://app.example:443/client",
            "https://app.example\\client",
            "https:///client",
            "https://",
            &format!("https://app.example/{}", "a".repeat(500)),
        ] {
            assert!(bad.parse::<ClientId>().is_err(), "{bad}");
        }
    }
}
