//! A link that may stand in a mail: to a page of this server by the configured issuer. There is no
//! way to make one from a request (poisoned `Host` and forwarding headers are RC-01 of the attack
//! kit).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::config::Config;

/// The address of a page of ours, often with a secret in it: it has no `Display`, and its `Debug`
/// says only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(Zeroizing<String>);

impl Link {
    /// The page at `path`, which begins with a slash, below the issuer; with these parameters.
    pub fn to(config: &Config, path: &str, parameters: &[(&str, &str)]) -> Self {
        let mut text = Zeroizing::new(format!("{}{path}", config.issuer));
        if !parameters.is_empty() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            text.push('?');
            text.push_str(&Zeroizing::new(query.extend_pairs(parameters).finish()));
        }
        Self(text)
    }

    /// As it is written into the mail.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Into the outbox, which is sealed.
impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}
