//! The claims about a person (OpenID Connect Core §5.1, §5.4): which scope carries which, and what
//! an ID token or the UserInfo endpoint says. It must not say what was neither granted nor asked
//! for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::oauth::client::wire_enum;
use crate::oauth::scope::Scope;
use crate::oidc::claims_request::Wishes;
use crate::time::Timestamp;

/// Which scope carries which claims (OpenID Connect Core §5.4); `groups` and `roles` are ours.
const CARRIERS: &[(&str, &[&str])] = &[
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("groups", &["groups"]),
    ("roles", &["roles"]),
];

/// Every claim about a person that this server can have, for `claims_supported`.
pub fn supported() -> impl Iterator<Item = &'static str> {
    CARRIERS.iter().flat_map(|(_, claims)| claims.iter().copied())
}

/// The scope that carries a claim; `None` for a claim that no scope carries.
pub fn scope_of(claim: &str) -> Option<&'static str> {
    CARRIERS.iter().find(|(_, claims)| claims.contains(&claim)).map(|(scope, _)| *scope)
}

wire_enum! {
    /// What an ID token says of a person beyond who they are.
    #[derive(Default, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    IdTokenClaims {
        /// Only what was asked for by the `claims` parameter; the rest is at UserInfo (OpenID
        /// Connect Core §5.4: where an access token is issued, the claims are returned there).
        #[default]
        Minimal = "minimal",
        /// Also what the scopes carry, for clients that never ask UserInfo.
        Hydrated = "hydrated",
    }
}

/// A person, as far as claims speak of them.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// The address, as they wrote it.
    pub email: &'a str,
    /// When the address was proved to be theirs.
    pub email_verified_at: Option<Timestamp>,
    /// The name to sign in with.
    pub username: Option<&'a str>,
    /// What they want to be called.
    pub name: Option<&'a str>,
    /// The language they want to be spoken to in.
    pub locale: Option<&'a str>,
    /// When any of this was last changed.
    pub updated_at: Timestamp,
    /// Further claims, by their names (`given_name`, `address`, …). Names that no scope carries are
    /// never told.
    pub further: &'a Map<String, Value>,
    /// The roles that they have today.
    pub roles: &'a [&'a str],
    /// The groups that they are in.
    pub groups: &'a [&'a str],
}

/// What the UserInfo endpoint says, but for `sub` (OpenID Connect Core §5.3.2): what the granted
/// scopes carry, and what was asked for there one by one.
pub fn of_userinfo(person: &Person<'_>, scope: &Scope, asked: &Wishes) -> Map<String, Value> {
    told(person, |claim| carried(claim, scope) || asked.contains_key(claim))
}

/// What an ID token says of the person, but for `sub` and the claims of the protocol.
pub fn of_id_token(
    person: &Person<'_>,
    scope: &Scope,
    asked: &Wishes,
    placement: IdTokenClaims,
) -> Map<String, Value> {
    told(person, |claim| {
        let by_scope = match placement {
            IdTokenClaims::Minimal => false,
            IdTokenClaims::Hydrated => carried(claim, scope),
        };
        by_scope || asked.contains_key(claim)
    })
}

fn carried(claim: &str, scope: &Scope) -> bool {
    scope_of(claim).is_some_and(|carrier| scope.has(carrier))
}

/// The claims that may be told and that there is something to say about: a claim without a value
/// is left out (OpenID Connect Core §5.3.2).
fn told(person: &Person<'_>, may: impl Fn(&str) -> bool) -> Map<String, Value> {
    supported()
        .filter(|claim| may(claim))
        .filter_map(|claim| Some((claim.to_owned(), value_of(person, claim)?)))
        .collect()
}

fn value_of(person: &Person<'_>, claim: &str) -> Option<Value> {
    let text = |text: Option<&str>| text.map(Value::from);
    match claim {
        "name" => text(person.name),
        "preferred_username" => text(person.username),
        "locale" => text(person.locale),
        "updated_at" => Some(person.updated_at.as_seconds().into()),
        "email" => text(Some(person.email)),
        "email_verified" => Some(person.email_verified_at.is_some().into()),
        "roles" => Some(person.roles.into()),
        "groups" => Some(person.groups.into()),
        // A number that was never proved is not verified, whatever the row says of it: only what
        // this server has seen to is (ZD CVE-2026-27946).
        "phone_number_verified" => {
            person.further.contains_key("phone_number").then(|| false.into())
        }
        _ => person.further.get(claim).filter(|value| !value.is_null()).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oidc::claims_request::Wish;

    fn further() -> Map<String, Value> {
        let further = json!({
            "given_name": "Minji", "nickname": null, "address": {"country": "KR"},
            "phone_number": "+82 10 0000 0000", "phone_number_verified": true,
            "email_verified": true, "secret_note": "x", "sub": "someone else",
        });
        further.as_object().unwrap().clone()
    }

    fn minji(further: &Map<String, Value>) -> Person<'_> {
        Person {
            email: "minji@example.com",
            email_verified_at: None,
            username: Some("minji"),
            name: Some("김민지"),
            locale: None,
            updated_at: Timestamp::from_seconds(100),
            further,
            roles: &["user"],
            groups: &[],
        }
    }

    fn userinfo(scope: &str, asked: &[&str]) -> Value {
        let further = further();
        let asked = asked.iter().map(|name| ((*name).to_owned(), Wish::default())).collect();
        of_userinfo(&minji(&further), &scope.parse().unwrap(), &asked).into()
    }

    /// oidcc-scope-profile, -email, -address, -phone, -all.
    #[test]
    fn a_scope_carries_its_claims_and_no_others() {
        assert_eq!(userinfo("openid", &[]), json!({}));
        assert_eq!(
            userinfo("openid profile", &[]),
            json!({
                "name": "김민지", "given_name": "Minji", "preferred_username": "minji",
                "updated_at": 100,
            })
        );
        assert_eq!(
            userinfo("email", &[]),
            json!({"email": "minji@example.com", "email_verified": false})
        );
        assert_eq!(userinfo("address", &[]), json!({"address": {"country": "KR"}}));
        assert_eq!(
            userinfo("phone", &[]),
            json!({"phone_number": "+82 10 0000 0000", "phone_number_verified": false})
        );
        assert_eq!(userinfo("roles groups", &[]), json!({"roles": ["user"], "groups": []}));
    }

    /// oidcc-claims-essential.
    #[test]
    fn a_claim_can_be_asked_for_alone() {
        assert_eq!(userinfo("openid", &["name", "nickname"]), json!({"name": "김민지"}));
    }

    #[test]
    fn a_claim_that_no_scope_carries_is_never_told() {
        assert_eq!(userinfo("openid", &["secret_note", "sub"]), json!({}));
    }

    #[test]
    fn a_minimal_id_token_says_what_was_asked_for_and_a_hydrated_one_what_was_granted() {
        let further = further();
        let scope = "openid email".parse().unwrap();
        let asked = [("name".to_owned(), Wish::default())].into();
        let id_token = |placement| of_id_token(&minji(&further), &scope, &asked, placement);
        assert_eq!(Value::from(id_token(IdTokenClaims::Minimal)), json!({"name": "김민지"}));
        assert_eq!(id_token(IdTokenClaims::Hydrated).len(), 3);
    }

    #[test]
    fn the_scope_of_each_claim_is_one_that_speaks_of_identity() {
        for claim in supported() {
            let scope = scope_of(claim).unwrap();
            assert!(crate::oauth::scope::IDENTITY_SCOPES.contains(&scope), "{claim}");
        }
    }
}
