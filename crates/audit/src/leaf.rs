//! A leaf of Munjigi's audit trail: one event in one text. What tells about a person stands in it
//! as a salted hash, so that it can be erased and the tree still holds.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::merkle::{Hash, digest};
use crate::{Error, canonical};

/// The version of the leaf's form.
pub const VERSION: u64 = 1;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its id.
    pub id: String,
    /// When it happened, in Unix milliseconds.
    pub at: i64,
    /// What happened.
    pub kind: String,
    /// How it ended.
    pub outcome: String,
    /// What kind of actor did it.
    pub actor_kind: String,
    /// Who did it.
    pub actor: Option<String>,
    /// The person whom it concerns, by an id that means nothing once the account is gone.
    pub subject: Option<String>,
    /// The client that it concerns.
    pub client: Option<String>,
    /// The network that the request came from, by [`prefix_of`].
    pub prefix: Option<String>,
    /// The request that caused it.
    pub request: Option<String>,
    /// [`pii_digest`] of what tells about a person.
    pub pii: Hash,
}

impl Leaf {
    /// The entry: canonical JSON, with every member in every leaf.
    pub fn to_entry(&self) -> String {
        canonical(&json!({
            "v": VERSION,
            "id": self.id,
            "at": self.at,
            "kind": self.kind,
            "outcome": self.outcome,
            "actor_kind": self.actor_kind,
            "actor": self.actor,
            "subject": self.subject,
            "client": self.client,
            "prefix": self.prefix,
            "request": self.request,
            "pii": to_hex(&self.pii),
        }))
    }

    /// The leaf of an entry.
    ///
    /// # Errors
    /// [`Error::BadLeaf`] when it is not exactly what [`Leaf::to_entry`] writes.
    pub fn parse(entry: &[u8]) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(entry).map_err(|_| Error::BadLeaf)?;
        let optional = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = |name: &str| optional(name).ok_or(Error::BadLeaf);
        let leaf = Self {
            id: text("id")?,
            at: value.get("at").and_then(Value::as_i64).ok_or(Error::BadLeaf)?,
            kind: text("kind")?,
            outcome: text("outcome")?,
            actor_kind: text("actor_kind")?,
            actor: optional("actor"),
            subject: optional("subject"),
            client: optional("client"),
            prefix: optional("prefix"),
            request: optional("request"),
            pii: hash_of_hex(&text("pii")?).ok_or(Error::BadLeaf)?,
        };
        (leaf.to_entry().as_bytes() == entry).then_some(leaf).ok_or(Error::BadLeaf)
    }
}

/// SHA-256 over the salt and the canonical text of what tells about a person. Without the salt
/// nobody can try out which address or which name it was.
pub fn pii_digest(salt: &Hash, pii: &Value) -> Hash {
    digest(&[salt, canonical(pii).as_bytes()])
}

/// The network of an address: 24 bits of IPv4, 48 of IPv6.
pub fn prefix_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let kept = address.to_bits() & (u128::MAX << 80);
            format!("{}/48", std::net::Ipv6Addr::from_bits(kept))
        }
    }
}

/// In lower case.
pub(crate) fn to_hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Strictly what [`to_hex`] writes.
pub(crate) fn hash_of_hex(text: &str) -> Option<Hash> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?));
    let bytes = bytes.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty())?;
    bytes.try_into().ok()
}
