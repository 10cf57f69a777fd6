//! Scopes (RFC 6749 §3.3): a set of names, written with single spaces.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::oauth::error::{ErrorCode, OAuthRefusal};

/// How many names one scope may have.
pub const MAX_SCOPES: usize = 64;
/// How long a whole scope may be, in bytes.
pub const MAX_SCOPE_BYTES: usize = 2_048;

/// Scopes that speak only of the person's own identity (OpenID Connect Core §5.4, §11): every
/// person may grant them; every other scope needs a role that carries it.
pub const IDENTITY_SCOPES: &[&str] =
    &["openid", "profile", "email", "address", "phone", "offline_access", "roles", "groups"];

/// A set of scope names, in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(BTreeSet<String>);

/// A text that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// A character outside of `%x21 / %x23-5B / %x5D-7E`, or more than one space between names.
    #[error("a scope is a list of names, separated by single spaces")]
    Malformed,
    /// More than [`MAX_SCOPES`] names or [`MAX_SCOPE_BYTES`] bytes.
    #[error("a scope has at most 64 names and 2048 bytes")]
    TooLarge,
}

impl Scope {
    /// The empty scope.
    pub const fn empty() -> Self {
        Self(BTreeSet::new())
    }

    /// What a client asks for: everything that it may have, when it asks for nothing in particular
    /// (RFC 6749 §3.3).
    ///
    /// # Errors
    /// `invalid_scope` when it is malformed, or more than the client may have.
    pub fn asked(text: Option<&str>, allowed: &Self) -> Result<Self, OAuthRefusal> {
        let refuse = |why| OAuthRefusal::new(ErrorCode::InvalidScope, why);
        let Some(text) = text else { return Ok(allowed.clone()) };
        let asked: Self =
            text.parse().map_err(|_| refuse("the scope is malformed or too large"))?;
        if munjigi_token::planted!("scope_unbounded" => false, !asked.within(allowed)) {
            return Err(refuse("the scope holds more than this client may have"));
        }
        Ok(asked)
    }

    /// Whether there is no name in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is in it.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether every name of this is in `other` too.
    pub fn within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The names that are in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The names that are in either.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The names for which `keep` says yes.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|name| keep(name)).cloned().collect())
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether `name` is one scope-token (RFC 6749 §3.3).
fn is_scope_token(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !name.is_empty() && name.bytes().all(allowed)
}

impl FromStr for Scope {
    type Err = ScopeError;

    /// The empty text is the empty scope; a name that comes twice counts once.
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_SCOPE_BYTES {
            return Err(ScopeError::TooLarge);
        }
        let mut names = BTreeSet::new();
        for name in text.split(' ').filter(|_| !text.is_empty()) {
            if !is_scope_token(name) {
                return Err(ScopeError::Malformed);
            }
            names.insert(name.to_owned());
        }
        if names.len() > MAX_SCOPES {
            return Err(ScopeError::TooLarge);
        }
        Ok(Self(names))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_set_of_names() {
        let scope: Scope = "profile openid profile".parse().unwrap();
        assert_eq!(scope.to_string(), "openid profile");
        assert!("".parse::<Scope>().unwrap().is_empty());
    }

    #[test]
    fn a_client_asks_for_what_it_may_have() {
        let allowed: Scope = "openid profile".parse().unwrap();
        assert_eq!(Scope::asked(None, &allowed).unwrap(), allowed);
        assert_eq!(Scope::asked(Some("openid"), &allowed).unwrap().to_string(), "openid");
        for bad in ["admin openid", "openid  profile"] {
            let refusal = Scope::asked(Some(bad), &allowed).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidScope);
        }
    }

    #[test]
    fn quotes_backslashes_and_double_spaces_are_refused() {
        for bad in ["a\"b", "a\\b", "a  b", " a", "a ", "가", "a\tb"] {
            assert_eq!(bad.parse::<Scope>(), Err(ScopeError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_is_bounded() {
        let many: Vec<String> = (0..65).map(|number| format!("s{number}")).collect();
        assert_eq!(many.join(" ").parse::<Scope>(), Err(ScopeError::TooLarge));
        assert_eq!("x".repeat(2_049).parse::<Scope>(), Err(ScopeError::TooLarge));
    }
}
