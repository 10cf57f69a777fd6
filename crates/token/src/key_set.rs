//! The keys of an issuer, parsed and found by name (RFC 7515 §4.1.4, RFC 7517 §5).
//! It must not look anywhere else for a key: no file, no network, nothing inside a token.

use crate::{Algorithm, Header, Jwks, VerifyingKey};

/// Keys that verify. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

impl KeySet {
    /// The keys of a document.
    pub fn from_jwks(jwks: &Jwks) -> Self {
        // Every Jwk was parsed as a key before, so that none is lost here.
        Self::from_keys(jwks.keys.iter().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()))
    }

    /// These keys. Of two with one name and algorithm the first is used.
    pub fn from_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// The key of this name for this algorithm. Without a name: the key for this algorithm, if
    /// exactly one is.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&VerifyingKey> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm().is_same_as(algorithm));
        match kid {
            Some(_) => fitting.find(|key| key.kid() == kid),
            // Trying one after the other would let a stranger choose how much is computed.
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// Whether there is a key of this name, for whatever algorithm.
    pub fn contains(&self, kid: &str) -> bool {
        self.kids().any(|one| one == kid)
    }

    /// The names of the keys, of those that have one.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(VerifyingKey::kid)
    }

    /// What this first part of a token says, if it is one that a key of these writes itself.
    pub(crate) fn known_header(&self, text: &str) -> Option<&Header> {
        self.keys.iter().find_map(|key| key.known_header(text))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
