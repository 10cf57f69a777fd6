//! Signed tokens for access control: JWS (RFC 7515), JWK (RFC 7517), JWA (RFC 7518), JWT (RFC
//! 7519), thumbprints (RFC 7638), Ed25519 (RFC 8037, RFC 9864), the access token profile (RFC 9068)
//! and the practices of RFC 8725. It must not know HTTP, a clock, or where keys come from.
//!
//! The algorithms are a closed list, every key is parsed once, and what a token says is believed
//! only after its signature. A refusal is an [`Error`] with a stable [`Error::code`].
//!
//! ```
//! use munjigi_token::{Algorithm, Expectation, KeySet, SigningKey, Typ, verify};
//! # fn main() -> Result<(), munjigi_token::Error> {
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let claims = serde_json::json!({
//!     "iss": "https://id.example", "aud": "https://api.example", "sub": "minji",
//!     "client_id": "shop", "jti": "1", "iat": 1_700_000_000, "exp": 1_700_000_600,
//! });
//! let token = key.sign("at+jwt", &claims)?;
//!
//! let keys = KeySet::from_keys([key.verifying_key()]);
//! let expected = Expectation {
//!     issuer: "https://id.example".to_owned(),
//!     audience: vec!["https://api.example".to_owned()],
//!     typ: Typ::AccessToken,
//!     now: 1_700_000_010,
//!     leeway: 5,
//! };
//! assert_eq!(verify(&token, &keys, &expected)?.sub.as_deref(), Some("minji"));
//! # Ok(())
//! # }
//! ```

mod algorithm;
pub mod base64url;
mod claims;
pub mod dpop;
mod error;
mod expectation;
pub mod json;
mod jwk;
mod jws;
mod key;
mod key_set;
#[cfg(test)]
#[path = "../tests/it/outside.rs"]
#[expect(clippy::disallowed_methods, reason = "tests: what is not there fails where CI is set")]
mod outside;
#[doc(hidden)]
pub mod planted;
mod weakness;
#[cfg(test)]
mod wycheproof;

pub use algorithm::Algorithm;
pub use claims::{Claims, Confirmation, Scopes};
pub use error::Error;
pub use expectation::{Expectation, Typ};
pub use jwk::{Jwk, Jwks};
pub use jws::{Header, Unverified, Verified};
pub use key::{SigningKey, VerifyingKey};
pub use key_set::KeySet;

/// The longest token that is looked at, in bytes. Checked before anything else is done with it.
pub const MAX_TOKEN_BYTES: usize = 8_192;

/// The longest key set that is looked at, in bytes.
pub const MAX_JWKS_BYTES: usize = 262_144;

/// The most entries that a key set may have, usable or not.
pub const MAX_JWKS_KEYS: usize = 64;

/// The shortest secret for HS256, in bytes (RFC 7518 §3.2: as long as the hash, or longer).
pub const MIN_SECRET_BYTES: usize = 32;

/// The last second of the year 9999: no time in a token is later.
pub const MAX_NUMERIC_DATE: i64 = 253_402_300_799;

/// What a token says, if it holds. In this order: size, form, header, key, signature, `typ`,
/// claims.
pub fn verify(token: &str, keys: &KeySet, expected: &Expectation) -> Result<Claims, Error> {
    let known = |header: &str| keys.known_header(header).cloned();
    Unverified::parse_with(token, known)?.verify(keys)?.check(expected)
}
