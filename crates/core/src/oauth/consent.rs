//! Consents: what a person allowed a client, remembered until they take it back.

use crate::id::{ClientId, UserId};
use crate::oauth::api::Audience;
use crate::oauth::scope::Scope;
use crate::time::Timestamp;

/// What a person allowed a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Who allowed it.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// What.
    pub scope: Scope,
    /// At which APIs.
    pub audiences: Vec<Audience>,
    /// When they last said so.
    pub granted_at: Timestamp,
}

/// What a person has not allowed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// The scopes.
    pub scope: Scope,
    /// The APIs.
    pub audiences: Vec<Audience>,
}

impl Missing {
    /// What `consent` leaves open of a scope at some APIs.
    pub fn after(consent: Option<&Consent>, scope: &Scope, audiences: &[Audience]) -> Self {
        let Some(consent) = consent else {
            return Self { scope: scope.clone(), audiences: audiences.to_vec() };
        };
        let open = |audience: &&Audience| !consent.audiences.contains(audience);
        Self {
            scope: scope.only(|name| !consent.scope.has(name)),
            audiences: audiences.iter().filter(open).cloned().collect(),
        }
    }

    /// Whether nothing is open.
    pub fn is_nothing(&self) -> bool {
        self.scope.is_empty() && self.audiences.is_empty()
    }
}

impl Consent {
    /// The consent after its person allowed more: what was allowed before stays allowed.
    #[must_use]
    pub fn widened(mut self, scope: &Scope, audiences: &[Audience], now: Timestamp) -> Self {
        self.scope = self.scope.with(scope);
        self.audiences.extend(audiences.iter().cloned());
        self.audiences.sort_unstable();
        self.audiences.dedup();
        self.granted_at = now;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent() -> Consent {
        Consent {
            user_id: UserId::from_random([1; 16]),
            client_id: "shop".parse().unwrap(),
            scope: "openid profile".parse().unwrap(),
            audiences: vec!["https://a.example".to_owned()],
            granted_at: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn what_was_never_allowed_is_open() {
        let scope = "email openid".parse().unwrap();
        let audiences = ["https://a.example".to_owned(), "https://b.example".to_owned()];
        let missing = Missing::after(Some(&consent()), &scope, &audiences);
        assert_eq!(missing.scope.to_string(), "email");
        assert_eq!(missing.audiences, ["https://b.example"]);
        assert_eq!(Missing::after(None, &scope, &audiences).scope, scope);

        let wider = consent().widened(&scope, &audiences, Timestamp::from_millis(2));
        assert!(Missing::after(Some(&wider), &scope, &audiences).is_nothing());
        assert_eq!(wider.scope.to_string(), "email openid profile");
        assert_eq!(wider.audiences.len(), 2);
    }
}
