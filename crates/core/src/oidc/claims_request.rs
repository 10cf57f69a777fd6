//! The `claims` parameter (OpenID Connect Core §5.5): which claims a client asks for one by one,
//! and where. It must not give a client what no scope of its own would give it.

use std::collections::BTreeMap;

use munjigi_token::json;
use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::oauth::scope::Scope;
use crate::oidc::claims::scope_of;

/// The longest parameter that is looked at, in bytes.
pub const MAX_BYTES: usize = 4_096;
/// The most claims that can be asked for in one place.
pub const MAX_CLAIMS: usize = 64;
/// The most values that can be named for one claim.
pub const MAX_VALUES: usize = 16;
/// The longest name of a claim, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// The claims asked for in one place, by name.
pub type Wishes = BTreeMap<String, Wish>;

/// Which claims were asked for, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClaimsRequest {
    /// From the UserInfo endpoint.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: Wishes,
    /// In the ID token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: Wishes,
}

/// How a claim was asked for (OpenID Connect Core §5.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wish {
    /// Whether the client says that it cannot do without.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The one value that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values that are asked for, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

/// A text that is no claims request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the claims parameter is malformed or too large")]
pub struct ClaimsRequestError;

impl ClaimsRequest {
    /// Reads the parameter. Members that are not known are ignored, as §5.5 asks; known ones of
    /// the wrong type are not.
    pub fn parse(text: &str) -> Result<Self, ClaimsRequestError> {
        if text.len() > MAX_BYTES {
            return Err(ClaimsRequestError);
        }
        let members = json::object(text.as_bytes()).map_err(|_| ClaimsRequestError)?;
        let wishes = |name| match members.get(name) {
            None | Some(Value::Null) => Ok(Wishes::new()),
            Some(Value::Object(claims)) => wishes(claims),
            Some(_) => Err(ClaimsRequestError),
        };
        Ok(Self { userinfo: wishes("userinfo")?, id_token: wishes("id_token")? })
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }

    /// The parameter as text, as [`ClaimsRequest::parse`] reads it.
    pub fn to_json(&self) -> String {
        // Maps of strings and values cannot fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What of it speaks of what these scopes allow. A client cannot get a claim one by one that
    /// none of its scopes would give it; what belongs to no scope (`acr`, `sub`, …) stays.
    #[must_use]
    pub fn within(mut self, scope: &Scope) -> Self {
        let may = |name: &String| scope_of(name).is_none_or(|carrier| scope.has(carrier));
        self.userinfo.retain(|name, _| may(name));
        self.id_token.retain(|name, _| may(name));
        self
    }

    /// The scopes that speak of what is asked for: a person consents to these too.
    pub fn scope(&self) -> Scope {
        let names = self.userinfo.keys().chain(self.id_token.keys());
        names.filter_map(|name| scope_of(name)).fold(Scope::empty(), |all, name| {
            // Names of ours are scopes.
            all.with(&name.parse().unwrap_or_default())
        })
    }

    /// The subject that the request is about (OpenID Connect Core §5.5.1), if it names one.
    pub fn subject(&self) -> Option<&str> {
        [&self.id_token, &self.userinfo]
            .into_iter()
            .find_map(|wishes| wishes.get("sub")?.value.as_ref()?.as_str())
    }
}

impl Wish {
    /// Every value that would do; none when any would.
    pub fn accepted(&self) -> impl Iterator<Item = &Value> {
        self.value.iter().chain(&self.values)
    }
}

fn wishes(claims: &Map<String, Value>) -> Result<Wishes, ClaimsRequestError> {
    if claims.len() > MAX_CLAIMS || claims.keys().any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(ClaimsRequestError);
    }
    claims.iter().map(|(name, value)| Ok((name.clone(), wish(value)?))).collect()
}

fn wish(value: &Value) -> Result<Wish, ClaimsRequestError> {
    let members = match value {
        // OpenID Connect Core §5.5.1: `null` asks for it in the default manner.
        Value::Null => return Ok(Wish::default()),
        Value::Object(members) => members,
        _ => return Err(ClaimsRequestError),
    };
    let essential = match members.get("essential") {
        None => false,
        Some(Value::Bool(essential)) => *essential,
        Some(_) => return Err(ClaimsRequestError),
    };
    let values = match members.get("values") {
        None => Vec::new(),
        Some(Value::Array(values)) if values.len() <= MAX_VALUES => values.clone(),
        Some(_) => return Err(ClaimsRequestError),
    };
    Ok(Wish { essential, value: members.get("value").cloned(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core §5.5, the example.
    const EXAMPLE: &str = r#"{
        "userinfo": {
            "given_name": {"essential": true}, "nickname": null,
            "email": {"essential": true}, "http://example.info/claims/groups": null
        },
        "id_token": {
            "auth_time": {"essential": true},
            "acr": {"values": ["urn:mace:incommon:iap:silver"]},
            "sub": {"value": "248289761001"}
        },
        "unknown": 1
    }"#;

    #[test]
    fn the_example_of_the_specification_is_read_and_written_back() {
        let request = ClaimsRequest::parse(EXAMPLE).unwrap();
        assert!(request.userinfo["given_name"].essential);
        assert_eq!(request.userinfo["nickname"], Wish::default());
        assert_eq!(request.id_token["acr"].accepted().count(), 1);
        assert_eq!(request.subject(), Some("248289761001"));
        assert_eq!(ClaimsRequest::parse(&request.to_json()), Ok(request));
    }

    #[test]
    fn what_it_asks_for_needs_the_scopes_that_carry_it() {
        let request = ClaimsRequest::parse(EXAMPLE).unwrap();
        assert_eq!(request.scope().to_string(), "email profile");

        let request = request.within(&"openid profile".parse().unwrap());
        assert!(!request.userinfo.contains_key("email"));
        assert!(request.userinfo.contains_key("nickname"));
        assert!(request.id_token.contains_key("acr"));
    }

    #[test]
    fn a_malformed_request_is_refused() {
        let many: Vec<String> = (0..=MAX_CLAIMS).map(|n| format!("\"c{n}\":null")).collect();
        for bad in [
            "",
            "[]",
            "null",
            "{",
            r#"{"userinfo":[]}"#,
            r#"{"userinfo":{"email":true}}"#,
            r#"{"userinfo":{"email":{"essential":"true"}}}"#,
            r#"{"id_token":{"acr":{"values":"x"}}}"#,
            r#"{"id_token":{"acr":null,"acr":{"value":"x"}}}"#,
            &format!(r#"{{"userinfo":{{{}}}}}"#, many.join(",")),
            &format!(r#"{{"userinfo":{{"{}":null}}}}"#, "x".repeat(129)),
            &format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_BYTES)),
            &format!(r#"{{"id_token":{{"acr":{{"values":[{}1]}}}}}}"#, "1,".repeat(MAX_VALUES)),
        ] {
            assert_eq!(ClaimsRequest::parse(bad), Err(ClaimsRequestError), "{bad}");
        }
    }
}
