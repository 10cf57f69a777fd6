//! APIs (resource servers), the audiences of access tokens, and resource indicators (RFC 8707).

use munjigi_token::Algorithm;
use thiserror::Error;
use url::Url;

use crate::id::ClientId;
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::time::{Span, Timestamp};

/// How many resources one request may name.
pub const MAX_RESOURCES: usize = 8;

/// The identifier of an API: the `resource` of RFC 8707 and the `aud` of its tokens.
pub type Audience = String;

/// An API that takes our access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// An absolute URI without fragment (RFC 8707 §2).
    pub audience: Audience,
    /// What people call it.
    pub name: String,
    /// How long its access tokens live; the server's default when absent.
    pub access_ttl: Option<Span>,
    /// What its access tokens are signed with.
    pub algorithm: Algorithm,
    /// The client as which this API asks for introspection (RFC 7662 §2.1).
    pub client_id: Option<ClientId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Since when no token is issued for it.
    pub disabled_at: Option<Timestamp>,
}

/// Why a text cannot identify an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an API is identified by an absolute URI without a fragment, of at most 500 characters")]
pub struct AudienceError;

/// Checks an API's identifier (RFC 8707 §2: absolute URI, no fragment).
pub fn parse_audience(text: &str) -> Result<Audience, AudienceError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let url = Url::parse(text).map_err(|_| AudienceError)?;
    let named = url.has_host() || url.scheme() == "urn";
    if text.len() > 500 || !plain || url.fragment().is_some() || !named {
        return Err(AudienceError);
    }
    Ok(text.to_owned())
}

/// What a token for some APIs has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The `aud` of the token.
    pub audiences: Vec<Audience>,
    /// The shortest life that any of the APIs asks for.
    pub access_ttl: Span,
    /// The one algorithm that all of them take.
    pub algorithm: Algorithm,
}

/// Chooses what the token will look like for the APIs named, all of which must be enabled and
/// take the same algorithm.
///
/// # Errors
/// `invalid_target` (RFC 8707 §2) when there is none, one is disabled, or they disagree.
pub fn target(apis: &[&Api], default_ttl: Span, now: Timestamp) -> Result<Target, OAuthRefusal> {
    let refuse = |why| OAuthRefusal::new(ErrorCode::InvalidTarget, why);
    let Some(first) = apis.first() else {
        return Err(refuse("no resource to issue a token for"));
    };
    if apis.iter().any(|api| api.disabled_at.is_some_and(|at| at <= now)) {
        return Err(refuse("a resource is disabled"));
    }
    // Whoever can verify by a shared secret can sign by it: for its own API, and for no other.
    let shares = apis.iter().any(|api| api.algorithm == Algorithm::Hs256);
    if shares && apis.len() > 1 {
        return Err(refuse(
            "a resource that shares a secret takes tokens of its own; ask for it alone",
        ));
    }
    if apis.iter().any(|api| api.algorithm != first.algorithm) {
        return Err(refuse("the resources take tokens of different algorithms; ask one by one"));
    }
    let ttls = apis.iter().map(|api| api.access_ttl.unwrap_or(default_ttl));
    Ok(Target {
        audiences: apis.iter().map(|api| api.audience.clone()).collect(),
        access_ttl: ttls.min().unwrap_or(default_ttl),
        algorithm: first.algorithm,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(audience: &str, algorithm: Algorithm, ttl: Option<i64>) -> Api {
        Api {
            audience: audience.into(),
            name: audience.into(),
            access_ttl: ttl.map(Span::from_seconds),
            algorithm,
            client_id: None,
            created_at: Timestamp::from_millis(0),
            disabled_at: None,
        }
    }

    #[test]
    fn an_audience_is_an_absolute_uri() {
        assert!(parse_audience("https://api.example").is_ok());
        assert!(parse_audience("urn:example:planner").is_ok());
        for bad in ["planner", "/x", "https://api.example/#x", "mailto:x", "https://에이.example"]
        {
            assert!(parse_audience(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_shortest_life_wins() {
        let (long, short) =
            (api("a:b", Algorithm::Es256, None), api("c:d", Algorithm::Es256, Some(5)));
        let now = Timestamp::from_millis(1);
        let both = target(&[&long, &short], Span::from_minutes(10), now).unwrap();
        assert_eq!(both.access_ttl, Span::from_seconds(5));
        assert_eq!(both.audiences, ["a:b", "c:d"]);
    }

    #[test]
    fn an_api_that_shares_a_secret_has_tokens_of_its_own() {
        let now = Timestamp::from_millis(10);
        let (one, other) = (api("a:b", Algorithm::Hs256, None), api("c:d", Algorithm::Hs256, None));
        let es = api("e:f", Algorithm::Es256, None);
        let alone = target(&[&one], Span::from_minutes(10), now).unwrap();
        assert_eq!(alone.algorithm, Algorithm::Hs256);
        for bad in [[&one, &other], [&es, &one], [&one, &es]] {
            let refusal = target(&bad, Span::from_minutes(10), now).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidTarget);
            assert!(refusal.description.contains("shares a secret"), "{}", refusal.description);
        }
    }

    #[test]
    fn disabled_or_disagreeing_apis_are_no_target() {
        let now = Timestamp::from_millis(10);
        let (es, rs) = (api("a:b", Algorithm::Es256, None), api("c:d", Algorithm::Rs256, None));
        let mut off = api("e:f", Algorithm::Es256, None);
        off.disabled_at = Some(now);
        for bad in [vec![&es, &rs], vec![&es, &off], vec![]] {
            let refusal = target(&bad, Span::from_minutes(10), now).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidTarget);
        }
    }
}
