//! `at_hash` (OpenID Connect Core §3.1.3.6): what ties an ID token to the access token beside it.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use munjigi_token::{Algorithm, base64url};

/// The left half of the hash that the ID token's own algorithm uses, in base64url. Ed25519 hashes
/// with SHA-512 (RFC 8032 §5.1); every other algorithm here with SHA-256.
pub fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDsa | Algorithm::Ed25519 => &SHA512,
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Hs256 => &SHA256,
    };
    let hash = digest(hash, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    base64url::encode(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core, appendix A.3.
    #[test]
    fn the_example_of_the_specification_holds() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }

    #[test]
    fn the_length_is_half_of_the_hash() {
        assert_eq!(at_hash(Algorithm::Es256, "x").len(), 22);
        assert_eq!(at_hash(Algorithm::EdDsa, "x").len(), 43);
        assert_eq!(at_hash(Algorithm::EdDsa, "x"), at_hash(Algorithm::Ed25519, "x"));
    }
}
