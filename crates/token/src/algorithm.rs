//! The closed list of signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2).
//! `none` is not on it, and nothing a token says can add to it (RFC 8725 §3.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256, a salt of 32 bytes.
    Ps256,
    /// Ed25519 under the name of RFC 8037.
    EdDsa,
    /// Ed25519 under the name of RFC 9864: the same keys and signatures as [`Algorithm::EdDsa`].
    Ed25519,
    /// HMAC with SHA-256: whoever can verify can sign.
    Hs256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 6] =
        [Self::Es256, Self::Rs256, Self::Ps256, Self::EdDsa, Self::Ed25519, Self::Hs256];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Hs256 => "HS256",
        }
    }

    /// Whether both names mean the same computation over the same keys.
    pub const fn is_same_as(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Es256, Self::Es256)
                | (Self::Rs256, Self::Rs256)
                | (Self::Ps256, Self::Ps256)
                | (Self::EdDsa | Self::Ed25519, Self::EdDsa | Self::Ed25519)
                | (Self::Hs256, Self::Hs256)
        )
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// RFC 7515 §4.1.1: the name is case-sensitive, so `NONE` and `hs256` are as unknown as `none`.
impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        found.ok_or(Error::UnsupportedAlg)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_the_wire_is_read_back() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.as_str().parse(), Ok(algorithm));
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(json, format!("\"{algorithm}\""));
            assert_eq!(serde_json::from_str::<Algorithm>(&json).unwrap(), algorithm);
        }
    }

    #[test]
    fn no_other_name_is_an_algorithm() {
        for name in ["none", "None", "", "es256", "ES256 ", "RS384", "ES256K", "HS512", "eddsa"] {
            assert_eq!(name.parse::<Algorithm>(), Err(Error::UnsupportedAlg), "{name}");
        }
    }
}
