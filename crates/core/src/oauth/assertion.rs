//! What a client's assertion has to say (`private_key_jwt`: RFC 7523 §3 as draft-ietf-oauth-
//! rfc7523bis tightens it). Whether its signature holds is seen to before.

use munjigi_token::MAX_NUMERIC_DATE;
use serde_json::{Map, Value};

use crate::id::ClientId;
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::secret::keyed_hash;
use crate::time::{Span, Timestamp};

/// The `client_assertion_type` (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far ahead an assertion may end.
const MAX_TTL: Span = Span::from_minutes(5);
/// How far the clocks may be apart.
const SKEW: Span = Span::from_seconds(10);
/// How far ahead it may begin: FAPI 2.0 §5.3.2.1 takes 10 seconds and refuses more than 60.
const MAX_AHEAD: Span = Span::from_seconds(60);
/// The longest `jti`, in bytes.
const MAX_JTI_BYTES: usize = 255;

/// An assertion that says what it has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    jti: String,
    expires_at: Timestamp,
}

/// For whom, to whom and when an assertion is presented.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The client that it has to be of.
    pub client_id: &'a ClientId,
    /// This server.
    pub issuer: &'a str,
    /// When.
    pub now: Timestamp,
}

impl Assertion {
    /// Checks the claims of an assertion.
    ///
    /// # Errors
    /// `invalid_client` (RFC 7523 §3.2).
    pub fn check(
        claims: &Map<String, Value>,
        presented: &Presented<'_>,
    ) -> Result<Self, OAuthRefusal> {
        let text = |claim| claims.get(claim).and_then(Value::as_str);
        // RFC 7523 §3, 1 and 2: both are the client.
        let client_id = Some(presented.client_id.as_str());
        if text("iss") != client_id || text("sub") != client_id {
            return Err(refuse("iss and sub of the assertion must be the client_id"));
        }
        // rfc7523bis: the issuer identifier of the authorization server is the sole audience, and
        // a string. An array, or the address of an endpoint, lets another server that the client
        // talks to use the assertion here.
        if text("aud") != Some(presented.issuer) {
            return Err(refuse("aud of the assertion must be the issuer, as one string"));
        }
        let expires_at = check_times(claims, presented.now)?;
        // RFC 7523 §3, 7: it is what makes an assertion good once.
        let jti = text("jti").filter(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len()));
        let jti = jti.ok_or(refuse("jti of the assertion must have 1 to 255 bytes"))?;
        Ok(Self { jti: jti.to_owned(), expires_at })
    }

    /// Under what it is remembered, so that it is good once, and until when.
    pub fn seen_once(&self, client_id: &ClientId) -> ([u8; 32], Timestamp) {
        const DOMAIN: &[u8; 32] = b"munjigi client assertion id, v 1";
        let key = keyed_hash(DOMAIN, &[client_id.as_str().as_bytes(), self.jti.as_bytes()]);
        (key, self.expires_at.plus(SKEW))
    }
}

const fn refuse(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidClient, why)
}

/// RFC 7523 §3, 4 to 6.
fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, OAuthRefusal> {
    let expires_at = date(claims, "exp")?.ok_or(refuse("exp of the assertion is missing"))?;
    if now >= expires_at.plus(SKEW) {
        return Err(refuse("the assertion has expired"));
    }
    if expires_at > now.plus(MAX_TTL).plus(SKEW) {
        return Err(refuse("the assertion must end within five minutes"));
    }
    for claim in ["nbf", "iat"] {
        if date(claims, claim)?.is_some_and(|at| at > now.plus(MAX_AHEAD)) {
            return Err(refuse("the assertion comes from the future"));
        }
    }
    Ok(expires_at)
}

/// A NumericDate (RFC 7519 §2). One of the wrong type is no date, never one that is absent
/// (CVE-2026-25537).
fn date(claims: &Map<String, Value>, claim: &str) -> Result<Option<Timestamp>, OAuthRefusal> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| (0..=MAX_NUMERIC_DATE).contains(seconds));
    let seconds = seconds.ok_or(refuse("a time of the assertion is no whole number of seconds"))?;
    Ok(Some(Timestamp::from_seconds(seconds)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn claims() -> Value {
        json!({
            "iss": "shop", "sub": "shop", "aud": "https://id.example", "jti": "1",
            "iat": NOW, "exp": NOW + 60,
        })
    }

    fn check(change: impl FnOnce(&mut Value)) -> Result<Assertion, OAuthRefusal> {
        let mut claims = claims();
        change(&mut claims);
        let presented = Presented {
            client_id: &"shop".parse().unwrap(),
            issuer: "https://id.example",
            now: Timestamp::from_seconds(NOW),
        };
        Assertion::check(claims.as_object().unwrap(), &presented)
    }

    fn with(claim: &str, value: Value) -> Result<Assertion, OAuthRefusal> {
        check(|claims| claims[claim] = value)
    }

    /// oidcc-ensure-client-assertion-with-iss-aud-succeeds; fapi2
    /// ensure-client-assertion-in-token-endpoint.
    #[test]
    fn a_valid_assertion_is_taken() {
        assert!(check(|_| ()).is_ok());
        assert!(check(|claims| drop(claims.as_object_mut().unwrap().remove("iat"))).is_ok());
    }

    /// JW-11 of the attack kit; fapi2 ensure-client-assertion-with-no-sub-fails.
    #[test]
    fn every_claim_is_there_and_of_its_type() {
        for claim in ["iss", "sub", "aud", "exp", "jti"] {
            let missing = check(|claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(missing.unwrap_err().code, ErrorCode::InvalidClient, "{claim}");
            for wrong in [json!(null), json!(true), json!(1.5), json!([]), json!({})] {
                assert!(with(claim, wrong.clone()).is_err(), "{claim} {wrong}");
            }
        }
        for claim in ["nbf", "iat", "exp"] {
            for wrong in [json!("1700000000"), json!(-1), json!(1e300), json!(null)] {
                assert!(with(claim, wrong.clone()).is_err(), "{claim} {wrong}");
            }
        }
    }

    #[test]
    fn it_is_by_the_client_about_the_client() {
        assert!(with("iss", json!("other")).is_err());
        assert!(with("sub", json!("other")).is_err());
    }

    /// JW-11 of the attack kit; fapi2 par-test-array-as-audience-fails,
    /// -token-endpoint-url-as-audience-fails, -par-endpoint-url-as-audience-fails.
    #[test]
    fn the_audience_is_the_issuer_alone_as_a_string() {
        for bad in [
            json!(["https://id.example"]),
            json!(["https://id.example", "https://other.example"]),
            json!("https://id.example/"),
            json!("https://id.example/oauth2/token"),
            json!("https://id.example/oauth2/par"),
            json!("https://other.example"),
        ] {
            assert!(with("aud", bad.clone()).is_err(), "{bad}");
        }
    }

    /// fapi2 ensure-client-assertion-with-exp-is-5-minutes-in-past-fails; JW-11.
    #[test]
    fn it_ends_soon_but_not_yet() {
        assert!(with("exp", json!(NOW - 9)).is_ok());
        assert!(with("exp", json!(NOW - 10)).is_err());
        assert!(with("exp", json!(NOW - 300)).is_err());
        assert!(with("exp", json!(NOW + 310)).is_ok());
        assert!(with("exp", json!(NOW + 311)).is_err());
        assert!(with("exp", json!(NOW + 48 * 3_600)).is_err());
    }

    /// fapi2 par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted,
    /// -nbf-over-60-seconds-in-the-future-fails.
    #[test]
    fn it_began_or_begins_within_a_minute() {
        for claim in ["nbf", "iat"] {
            assert!(with(claim, json!(NOW + 8)).is_ok());
            assert!(with(claim, json!(NOW + 61)).is_err());
            assert!(with(claim, json!(NOW - 3_600)).is_ok());
        }
    }

    #[test]
    fn its_id_is_remembered_per_client_until_it_is_dead() {
        assert!(with("jti", json!("")).is_err());
        assert!(with("jti", json!("x".repeat(256))).is_err());
        let assertion = with("jti", json!("x".repeat(255))).unwrap();
        let (shop, until) = assertion.seen_once(&"shop".parse().unwrap());
        assert_eq!(until, Timestamp::from_seconds(NOW + 70));
        assert_ne!(shop, assertion.seen_once(&"other".parse().unwrap()).0);
    }
}
