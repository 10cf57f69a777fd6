//! An issuer for tests: makes tokens in memory, for the verifier that production uses.
//! It must not exist in production, and it uses no network.
//!
//! ```
//! # fn main() -> Result<(), munjigi_verify::testing::CannotIssue> {
//! let issuer = munjigi_verify::testing::Issuer::new("orders-api")?;
//! let verifier = issuer.verifier()?;
//! let header = issuer.bearer("minji").scope("orders:read").role("admin").to_string();
//! assert!(header.starts_with("Bearer "));
//! let expired = issuer.bearer("minji").expired().token()?;
//! assert_eq!(verifier.verify_now(&expired).unwrap_err().code(), "expired");
//! # Ok(())
//! # }
//! ```

use std::fmt;

use munjigi_token::{Algorithm, KeySet, SigningKey, dpop};
use serde_json::{Map, Value, json};

use crate::builder::{BuildError, Builder};
use crate::clock::Clock;
use crate::verifier::Verifier;

/// The variables whose value may say that this is production.
const ENVIRONMENTS: [&str; 2] = ["MUNJIGI_ENV", "APP_ENV"];
const TTL_SECONDS: i64 = 600;

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotIssue {
    /// The environment says that this is production.
    #[error("{0} says production: an issuer for tests is not made here")]
    Production(&'static str),
    /// No key could be made, or it could not sign.
    #[error("signing failed: {0}")]
    Token(#[from] munjigi_token::Error),
    /// The verifier cannot be built.
    #[error(transparent)]
    Verifier(#[from] BuildError),
}

/// An issuer whose keys live as long as it does.
#[derive(Clone, Debug)]
pub struct Issuer {
    issuer: String,
    audience: String,
    key: SigningKey,
    rotated_key: SigningKey,
    clock: Clock,
}

impl Issuer {
    /// An issuer of tokens for this API, at the machine's time.
    pub fn new(audience: &str) -> Result<Self, CannotIssue> {
        Self::at(audience, Clock::system())
    }

    /// The same, at the time of this clock: its verifiers go by it too.
    pub fn at(audience: &str, clock: Clock) -> Result<Self, CannotIssue> {
        if let Some(name) = ENVIRONMENTS.into_iter().find(|name| says_production(name)) {
            return Err(CannotIssue::Production(name));
        }
        Ok(Self {
            issuer: "https://issuer.test".to_owned(),
            audience: audience.to_owned(),
            key: SigningKey::generate(Algorithm::Es256)?,
            rotated_key: SigningKey::generate(Algorithm::Es256)?,
            clock,
        })
    }

    /// Under another name than `https://issuer.test`.
    #[must_use]
    pub fn named(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        self
    }

    /// The `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The clock that it goes by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The key that signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The keys that it publishes.
    pub fn keys(&self) -> KeySet {
        KeySet::from_keys([self.key.verifying_key()])
    }

    /// A verifier for its tokens.
    pub fn verifier(&self) -> Result<Verifier, CannotIssue> {
        Ok(self.builder().build()?)
    }

    /// The same, to be refined.
    pub fn builder(&self) -> Builder {
        Verifier::with_keys(&self.issuer, &self.audience, self.keys()).clock(self.clock.clone())
    }

    /// A DPoP proof for one request with a token (RFC 9449 §4): the value of the `DPoP` header.
    /// `jti` is what may be used once.
    pub fn proof(
        &self,
        key: &SigningKey,
        (method, url): (&str, &str),
        token: &str,
        jti: &str,
    ) -> Result<String, CannotIssue> {
        let claims = json!({
            "jti": jti,
            "htm": method,
            "htu": url,
            "iat": self.clock.unix_seconds(),
            "ath": dpop::access_token_hash(token),
        });
        Ok(dpop::sign(key, &claims)?)
    }

    /// A token for this person, good for ten minutes, to be refined. As text it is the value of an
    /// `Authorization` header.
    pub fn bearer(&self, sub: &str) -> Token {
        let now = self.clock.unix_seconds();
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": sub,
            "client_id": "test",
            "jti": "test",
            "iat": now,
            "exp": now.saturating_add(TTL_SECONDS),
        });
        let claims = match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        Token {
            claims,
            typ: "at+jwt".to_owned(),
            key: self.key.clone(),
            rotated_key: self.rotated_key.clone(),
            now,
        }
    }
}

/// A token in the making.
#[derive(Clone, Debug)]
#[must_use]
pub struct Token {
    claims: Map<String, Value>,
    typ: String,
    key: SigningKey,
    rotated_key: SigningKey,
    now: i64,
}

impl Token {
    /// Adds scopes, with spaces between them.
    pub fn scope(mut self, scope: &str) -> Self {
        let before = self.claims.get("scope").and_then(Value::as_str).unwrap_or_default();
        let all = format!("{before} {scope}").trim().to_owned();
        self.claims.insert("scope".to_owned(), all.into());
        self
    }

    /// Adds a role.
    pub fn role(self, role: &str) -> Self {
        self.listed("roles", role)
    }

    /// Adds a group.
    pub fn group(self, group: &str) -> Self {
        self.listed("groups", group)
    }

    /// Adds a permission.
    pub fn permission(self, permission: &str) -> Self {
        self.listed("permissions", permission)
    }

    fn listed(mut self, claim: &str, entry: &str) -> Self {
        let list = self.claims.entry(claim).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(entry.into());
        }
        self
    }

    /// Sets any claim to any value, right or wrong.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// For another API.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Ends so many seconds from now.
    pub fn expires_in(self, seconds: i64) -> Self {
        let end = self.now.saturating_add(seconds);
        self.claim("exp", end)
    }

    /// Ended an hour ago, when no leeway helps.
    pub fn expired(self) -> Self {
        let issued = self.now.saturating_sub(3_600 + TTL_SECONDS);
        self.expires_in(-3_600).claim("iat", issued)
    }

    /// Bound to this key (RFC 9449 §6.1); [`Issuer::proof`] makes the proofs.
    pub fn bound_to(self, key: &SigningKey) -> Self {
        let jkt = key.public_jwk().map(|jwk| jwk.thumbprint()).unwrap_or_default();
        self.claim("cnf", json!({"jkt": jkt}))
    }

    /// With this `typ` in its header: `JWT` makes an ID token of it.
    pub fn typ(mut self, typ: &str) -> Self {
        typ.clone_into(&mut self.typ);
        self
    }

    /// Signed with the issuer's next key, which it does not publish yet.
    pub fn rotated_key(mut self) -> Self {
        self.key = self.rotated_key.clone();
        self
    }

    /// Signed with any key.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.key = key.clone();
        self
    }

    /// The token by itself.
    pub fn token(&self) -> Result<String, CannotIssue> {
        Ok(self.key.sign(&self.typ, &self.claims)?)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token().map_err(|_| fmt::Error)?;
        write!(f, "Bearer {token}")
    }
}

#[expect(clippy::disallowed_methods, reason = "a guard of the environment reads the environment")]
fn says_production(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| is_production(&value.to_string_lossy()))
}

fn is_production(value: &str) -> bool {
    ["production", "prod", "live"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_has_several_spellings() {
        for value in ["production", "PRODUCTION ", "Prod", "live"] {
            assert!(is_production(value), "{value}");
        }
        for value in ["", "test", "development", "non-production"] {
            assert!(!is_production(value), "{value}");
        }
    }
}
