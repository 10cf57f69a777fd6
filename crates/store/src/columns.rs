//! How the types of the rules stand in columns: names and sets of names as text, lists of URIs as
//! JSON. What cannot be read back is [`StoreError::Corrupt`](crate::StoreError::Corrupt).

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use munjigi_core::access::{Permissions, RoleName};
use munjigi_core::account::Profile;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::Outcome;
use munjigi_core::oauth::client::{AuthMethod, GrantType, Origin, Party, Pkce};
use munjigi_core::oauth::device::StoredUserCode;
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::parameters::Parameters;
use munjigi_core::oauth::pkce::CodeChallenge;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::revocation;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::oidc::claims_request::ClaimsRequest;
use serde_json::{Map, Value as Json};

use crate::{FromValue, ToValue, Value};

/// Types that are written by `Display` and read by `FromStr`.
macro_rules! as_text {
    ($($kind:ty: $expected:literal,)*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Text(self.to_string())
            }
        }

        impl FromValue for $kind {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Text(text) => text.parse().map_err(|_| Value::Text(text)),
                    other => Err(other),
                }
            }
        }
    )*};
}

as_text! {
    RoleName: "the name of a role",
    Scope: "a scope",
    IpAddr: "an IP address",
}

/// Enums that are written by `as_str`; `parse` is given beside them.
macro_rules! as_word {
    ($($kind:ty: $parse:expr, $expected:literal;)*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Text(self.as_str().to_owned())
            }
        }

        impl FromValue for $kind {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Text(text) => $parse(&text).ok_or(Value::Text(text)),
                    other => Err(other),
                }
            }
        }
    )*};
}
pub(crate) use as_word;

as_word! {
    AuthMethod: AuthMethod::parse, "how a client proves itself";
    Pkce: Pkce::parse, "whether PKCE is required";
    Party: Party::parse, "whose a client is";
    Origin: Origin::parse, "how a client came to be known";
    revocation::Kind: revocation::Kind::parse, "what is revoked";
    Purpose: Purpose::parse, "what a link is for";
    StoredUserCode: StoredUserCode::parse, "what is kept of a user code";
    Outcome: outcome, "how something ended";
}

fn outcome(text: &str) -> Option<Outcome> {
    [Outcome::Succeeded, Outcome::Refused].into_iter().find(|outcome| outcome.as_str() == text)
}

/// Names, separated by single spaces.
struct Spaced<I>(I);

impl<'a, I: Iterator<Item = &'a str> + Clone> fmt::Display for Spaced<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.clone().enumerate() {
            let gap = if index > 0 { " " } else { "" };
            write!(f, "{gap}{name}")?;
        }
        Ok(())
    }
}

/// Reads names that are separated by spaces; one that is not known spoils all of them.
fn spaced<T, C: FromIterator<T>>(
    value: Value,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<C, Value> {
    match value {
        Value::Text(text) => {
            text.split_ascii_whitespace().map(parse).collect::<Option<C>>().ok_or(Value::Text(text))
        }
        other => Err(other),
    }
}

impl ToValue for Permissions {
    fn to_value(&self) -> Value {
        let names: Vec<&str> = self.iter().map(|permission| permission.as_str()).collect();
        Value::Text(Spaced(names.iter().copied()).to_string())
    }
}

impl FromValue for Permissions {
    const EXPECTED: &'static str = "permissions";

    fn from_value(value: Value) -> Result<Self, Value> {
        spaced(value, |name| name.parse().ok())
    }
}

impl ToValue for BTreeSet<GrantType> {
    fn to_value(&self) -> Value {
        Value::Text(Spaced(self.iter().map(|grant_type| grant_type.as_str())).to_string())
    }
}

impl FromValue for BTreeSet<GrantType> {
    const EXPECTED: &'static str = "grant types";

    fn from_value(value: Value) -> Result<Self, Value> {
        spaced(value, GrantType::parse)
    }
}

/// In alphabetical order, whatever order the database put them in.
impl FromValue for BTreeSet<RoleName> {
    const EXPECTED: &'static str = "names of roles";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            // An aggregate over no rows.
            Value::Null => Ok(Self::new()),
            other => spaced(other, |name| name.parse().ok()),
        }
    }
}

/// A JSON array of strings.
impl ToValue for Vec<String> {
    fn to_value(&self) -> Value {
        Value::Text(Json::from(self.as_slice()).to_string())
    }
}

impl FromValue for Vec<String> {
    const EXPECTED: &'static str = "a JSON array of strings";

    fn from_value(value: Value) -> Result<Self, Value> {
        from_json(value)
    }
}

/// A JSON array of strings.
impl ToValue for Vec<RedirectUri> {
    fn to_value(&self) -> Value {
        let texts: Vec<&str> = self.iter().map(RedirectUri::as_str).collect();
        Value::Text(Json::from(texts).to_string())
    }
}

impl FromValue for Vec<RedirectUri> {
    const EXPECTED: &'static str = "a JSON array of redirect URIs";

    fn from_value(value: Value) -> Result<Self, Value> {
        from_json(value)
    }
}

impl ToValue for CodeChallenge {
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

impl FromValue for CodeChallenge {
    const EXPECTED: &'static str = "a code challenge";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Self::from_stored(&text).ok_or(Value::Text(text)),
            other => Err(other),
        }
    }
}

impl ToValue for ClaimsRequest {
    fn to_value(&self) -> Value {
        Value::Text(self.to_json())
    }
}

impl FromValue for ClaimsRequest {
    const EXPECTED: &'static str = "a claims request";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => Self::parse(&text).map_err(|_| Value::Text(text)),
            other => Err(other),
        }
    }
}

/// Types that are a JSON object of what is said, and have nothing that cannot be written.
macro_rules! as_json {
    ($($kind:ty: $expected:literal,)*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Text(serde_json::to_string(self).unwrap_or_default())
            }
        }

        impl FromValue for $kind {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: Value) -> Result<Self, Value> {
                from_json(value)
            }
        }
    )*};
}

as_json! {
    Metadata: "the metadata of a client",
    Profile: "what a person says about themselves",
}

/// A JSON array of pairs, in their order.
impl ToValue for Parameters {
    fn to_value(&self) -> Value {
        Value::Text(serde_json::to_string(self.pairs()).unwrap_or_default())
    }
}

impl FromValue for Parameters {
    const EXPECTED: &'static str = "parameters";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Text(text) => {
                let pairs = serde_json::from_str(&text).ok();
                pairs.and_then(|pairs| Self::new(pairs).ok()).ok_or(Value::Text(text))
            }
            other => Err(other),
        }
    }
}

/// A JSON object.
impl FromValue for Map<String, Json> {
    const EXPECTED: &'static str = "a JSON object";

    fn from_value(value: Value) -> Result<Self, Value> {
        from_json(value)
    }
}

fn from_json<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Value> {
    match value {
        Value::Text(text) => serde_json::from_str(&text).map_err(|_| Value::Text(text)),
        other => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<T: ToValue + FromValue + PartialEq + fmt::Debug>(value: &T) {
        assert_eq!(T::from_value(value.to_value()).as_ref(), Ok(value));
    }

    #[test]
    fn what_is_written_is_read_back() {
        kept(&"manager".parse::<RoleName>().unwrap());
        kept(&"openid profile".parse::<Scope>().unwrap());
        kept(&Scope::empty());
        kept(&"::1".parse::<IpAddr>().unwrap());
        kept(&Permissions::default());
        kept(
            &["users:read".parse().unwrap(), "*".parse().unwrap()]
                .into_iter()
                .collect::<Permissions>(),
        );
        kept(&BTreeSet::from([GrantType::Password, GrantType::RefreshToken]));
        kept(&vec!["urn:example:planner".to_owned(), "https://a.example/\"?é".to_owned()]);
        kept(&vec![RedirectUri::parse("https://app.example/cb").unwrap()]);
        kept(&Vec::<String>::new());
        for party in Party::ALL {
            kept(party);
        }
        for kind in revocation::Kind::ALL {
            kept(kind);
        }
        for outcome in [Outcome::Succeeded, Outcome::Refused] {
            kept(&outcome);
        }
    }

    #[test]
    fn one_unknown_name_spoils_the_set() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(BTreeSet::<GrantType>::from_value(text("password implicit")).is_err());
        assert!(Permissions::from_value(text("users:*")).is_err());
        assert!(Party::from_value(text("First")).is_err());
        assert!(Vec::<String>::from_value(text("[1]")).is_err());
        assert!(Vec::<String>::from_value(Value::Null).is_err());
    }
}
