//! Authorization codes (RFC 6749 §4.1.2): what one is bound to, and what its presentation means.

use crate::id::{ClientId, CodeId, GrantId, SessionId, UserId};
use crate::oauth::api::Audience;
use crate::oauth::pkce::{CodeChallenge, CodeVerifier};
use crate::oauth::scope::Scope;
use crate::oidc::claims_request::ClaimsRequest;
use crate::secret::constant_time_eq;
use crate::time::{Span, Timestamp};

/// How long a code may wait to be redeemed. RFC 6749 §4.1.2 allows ten minutes, FAPI 2.0 §5.3.2.2
/// one.
pub const CODE_TTL: Span = Span::from_seconds(60);

/// How long the row of a code is kept, so that a second use can end what the first one issued.
pub const KEPT_TTL: Span = Span::from_days(1);

/// An authorization code: the row that its ticket names. Everything that was settled at the
/// authorization endpoint, so that nothing is asked of the token request again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Who signed in.
    pub user_id: UserId,
    /// Its id.
    pub id: CodeId,
    /// The hash of its ticket.
    pub hash: [u8; 32],
    /// The client that it was issued to.
    pub client_id: ClientId,
    /// The sign-in that it came from.
    pub session_id: SessionId,
    /// The id of the grant that its redemption makes.
    pub grant_id: GrantId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the request named that address; then the token request has to repeat it.
    pub redirect_uri_named: bool,
    /// The challenge that its redeemer has to answer.
    pub challenge: Option<CodeChallenge>,
    /// The `nonce` that the ID token repeats.
    pub nonce: Option<String>,
    /// What was granted.
    pub scope: Scope,
    /// The APIs that it is good for.
    pub audiences: Vec<Audience>,
    /// The claims that were asked for one by one.
    pub claims: Option<ClaimsRequest>,
    /// The thumbprint of the key that has to redeem it (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// When its person proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// When it was redeemed, or burnt.
    pub spent_at: Option<Timestamp>,
}

/// What the token request says beside the code.
#[derive(Clone, Copy)]
pub struct Redemption<'a> {
    /// The client, which has proved who it is as far as it can.
    pub client_id: &'a ClientId,
    /// `redirect_uri`.
    pub redirect_uri: Option<&'a str>,
    /// `code_verifier`, as it came.
    pub verifier: Option<&'a str>,
    /// The thumbprint of the key of the DPoP proof.
    pub dpop_jkt: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// What it means that a code is presented. The sentences are for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It is good: spend it, make its grant, issue.
    Issue,
    /// It was spent before: a copy exists. The grant that it made has to die (RFC 6749 §4.1.2).
    Used,
    /// It is too late, and nothing changes.
    Refuse(&'static str),
    /// Somebody has it who should not: spend it, and issue nothing.
    Burn(&'static str),
}

impl Code {
    /// What it means that this code is presented like this. Whoever calls has found that the
    /// ticket opens the row.
    pub fn redeem(&self, redemption: &Redemption<'_>) -> Redeemed {
        // RFC 6749 §4.1.2: a second use SHOULD revoke what the first one issued. First, whoever
        // presents it and however late: the copy exists.
        if self.spent_at.is_some() {
            return Redeemed::Used;
        }
        if redemption.now >= self.expires_at {
            return Redeemed::Refuse("the code has expired");
        }
        match self.misuse(redemption) {
            Some(reason) => Redeemed::Burn(reason),
            None => Redeemed::Issue,
        }
    }

    /// What does not fit. PK-04 of the attack kit: a code in the wrong hands gets no second try.
    fn misuse(&self, redemption: &Redemption<'_>) -> Option<&'static str> {
        munjigi_token::planted!(
            "code_in_any_hands",
            return self.misfit_of_verifier(redemption.verifier)
        );
        // RFC 6749 §4.1.3: the code was issued to the client that was authenticated, or, if it is
        // public, to the `client_id` of the request.
        if self.client_id != *redemption.client_id {
            return Some("the code was issued to another client");
        }
        // RFC 6749 §4.1.3: identical, if the authorization request named it.
        match redemption.redirect_uri {
            None if self.redirect_uri_named => return Some("redirect_uri is missing"),
            Some(presented) if presented != self.redirect_uri => {
                return Some("redirect_uri is not the one of the authorization request");
            }
            _ => {}
        }
        self.misfit_of_verifier(redemption.verifier).or_else(|| {
            // RFC 9449 §10: the key of the proof has to be the one that the request named.
            let bound = self.dpop_jkt.as_ref()?;
            let fits = |jkt: &str| constant_time_eq(jkt.as_bytes(), bound.as_bytes());
            let other = "the code is bound to another DPoP key";
            (!redemption.dpop_jkt.is_some_and(fits)).then_some(other)
        })
    }

    fn misfit_of_verifier(&self, verifier: Option<&str>) -> Option<&'static str> {
        munjigi_token::planted!("pkce_skipped", return None);
        match (&self.challenge, verifier) {
            (None, None) => None,
            // RFC 9700 §4.8.2: a verifier without a challenge means that somebody took the
            // challenge out of the authorization request.
            (None, Some(_)) => Some("the authorization request had no code_challenge"),
            (Some(_), None) => Some("code_verifier is missing"),
            // RFC 7636 §4.6.
            (Some(challenge), Some(verifier)) => {
                let admitted =
                    CodeVerifier::parse(verifier).is_some_and(|it| challenge.admits(&it));
                (!admitted).then_some("code_verifier does not fit the code_challenge")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn code() -> Code {
        Code {
            user_id: UserId::from_random([1; 16]),
            id: CodeId::from_parts(at(100), [2; 10]),
            hash: [3; 32],
            client_id: "shop".parse().unwrap(),
            session_id: SessionId::from_parts(at(90), [4; 10]),
            grant_id: GrantId::from_parts(at(100), [5; 10]),
            redirect_uri: "https://shop.example/cb".into(),
            redirect_uri_named: true,
            challenge: CodeChallenge::from_stored(CHALLENGE),
            nonce: None,
            scope: "openid".parse().unwrap(),
            audiences: vec![],
            claims: None,
            dpop_jkt: None,
            authenticated_at: at(90),
            created_at: at(100),
            expires_at: at(100).plus(CODE_TTL),
            spent_at: None,
        }
    }

    fn redeem(code: &Code, change: impl FnOnce(&mut Redemption<'_>)) -> Redeemed {
        let client_id = "shop".parse().unwrap();
        let mut redemption = Redemption {
            client_id: &client_id,
            redirect_uri: Some("https://shop.example/cb"),
            verifier: Some(VERIFIER),
            dpop_jkt: None,
            now: at(101),
        };
        change(&mut redemption);
        code.redeem(&redemption)
    }

    #[test]
    fn a_code_with_its_client_address_and_verifier_issues() {
        assert_eq!(redeem(&code(), |_| ()), Redeemed::Issue);
        assert_eq!(redeem(&code(), |it| it.now = at(159)), Redeemed::Issue);
    }

    /// PK-02 of the attack kit; fapi2 ensure-token-endpoint-fails-with-expired-auth-code.
    #[test]
    fn a_code_is_good_for_a_minute() {
        let late = redeem(&code(), |it| it.now = at(160));
        assert_eq!(late, Redeemed::Refuse("the code has expired"));
    }

    /// PK-02 of the attack kit; fapi2 attempt-reuse-authorization-code-after-one-second.
    #[test]
    fn a_second_use_is_told_apart_however_late_and_by_whomever() {
        let spent = Code { spent_at: Some(at(101)), ..code() };
        let other = "other".parse().unwrap();
        assert_eq!(redeem(&spent, |_| ()), Redeemed::Used);
        assert_eq!(redeem(&spent, |it| it.now = at(9_000)), Redeemed::Used);
        let by_other = Redemption {
            client_id: &other,
            redirect_uri: None,
            verifier: None,
            dpop_jkt: None,
            now: at(102),
        };
        assert_eq!(spent.redeem(&by_other), Redeemed::Used);
    }

    /// PK-04 of the attack kit; fapi2 ensure-authorization-code-is-bound-to-client.
    #[test]
    fn another_client_burns_the_code() {
        let other = Code { client_id: "other".parse().unwrap(), ..code() };
        assert!(matches!(redeem(&other, |_| ()), Redeemed::Burn(_)));
    }

    /// PK-04 of the attack kit.
    #[test]
    fn another_address_burns_the_code_and_so_does_none_where_one_was_named() {
        for bad in [None, Some("https://shop.example/cb/"), Some("")] {
            let redeemed = redeem(&code(), |it| it.redirect_uri = bad);
            assert!(matches!(redeemed, Redeemed::Burn(_)), "{bad:?}");
        }
        let unnamed = Code { redirect_uri_named: false, ..code() };
        assert_eq!(redeem(&unnamed, |it| it.redirect_uri = None), Redeemed::Issue);
        let other = redeem(&unnamed, |it| it.redirect_uri = Some("https://evil.example"));
        assert!(matches!(other, Redeemed::Burn(_)));
    }

    /// PK-01 of the attack kit; fapi2 incorrect-pkce-code-verifier-rejected and
    /// ensure-pkce-code-verifier-required.
    #[test]
    fn challenge_and_verifier_come_together_and_fit() {
        for bad in [None, Some("too short"), Some(CHALLENGE)] {
            let redeemed = redeem(&code(), |it| it.verifier = bad);
            assert!(matches!(redeemed, Redeemed::Burn(_)), "{bad:?}");
        }
        let without = Code { challenge: None, ..code() };
        assert!(matches!(redeem(&without, |_| ()), Redeemed::Burn(_)));
        assert_eq!(redeem(&without, |it| it.verifier = None), Redeemed::Issue);
    }

    /// fapi2 ensure-token-endpoint-fails-with-mismatched-dpop-jkt.
    #[test]
    fn a_code_that_is_bound_to_a_key_needs_its_proof() {
        let bound = Code { dpop_jkt: Some("a".repeat(43)), ..code() };
        let (right, wrong) = ("a".repeat(43), "b".repeat(43));
        let with = |jkt: Option<&str>| {
            let client_id = "shop".parse().unwrap();
            bound.redeem(&Redemption {
                client_id: &client_id,
                redirect_uri: Some("https://shop.example/cb"),
                verifier: Some(VERIFIER),
                dpop_jkt: jkt,
                now: at(101),
            })
        };
        assert_eq!(with(Some(&right)), Redeemed::Issue);
        assert!(matches!(with(Some(&wrong)), Redeemed::Burn(_)));
        assert!(matches!(with(None), Redeemed::Burn(_)));
    }
}
