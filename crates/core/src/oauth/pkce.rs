//! Proof Key for Code Exchange (RFC 7636): the challenge of an authorization request, and the
//! verifier that redeems its code. Only `S256`; `plain` protects nothing and is refused.

use std::fmt;

use munjigi_token::base64url;

use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::secret::{constant_time_eq, sha256};

/// The one method that is taken.
pub const METHOD: &str = "S256";

/// RFC 7636 §4.1.
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// The hash of a secret that only the one who asked for the code knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`.
    ///
    /// # Errors
    /// `invalid_request` (RFC 7636 §4.4.1).
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, OAuthRefusal> {
        let refuse = |why| OAuthRefusal::new(ErrorCode::InvalidRequest, why);
        // RFC 7636 §4.3: without a method it is `plain`. OAuth 2.1 §7.5.2: `plain` MUST NOT be
        // used, since whoever sees the request could redeem the code.
        if method != Some(METHOD) {
            return Err(refuse("code_challenge_method must be S256"));
        }
        Self::from_stored(challenge).ok_or(refuse("code_challenge is no SHA-256 in base64url"))
    }

    /// From what [`fmt::Display`] wrote.
    pub fn from_stored(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        base64url::decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Whether `verifier` is the secret behind this challenge (RFC 7636 §4.6).
    pub fn admits(&self, verifier: &CodeVerifier<'_>) -> bool {
        constant_time_eq(&self.0, &sha256(verifier.0.as_bytes()))
    }
}

impl fmt::Display for CodeChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

/// A verifier as presented. It has no `Debug`.
pub struct CodeVerifier<'v>(&'v str);

impl<'v> CodeVerifier<'v> {
    /// Reads a verifier: 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub fn parse(text: &'v str) -> Option<Self> {
        let unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let fits = VERIFIER_BYTES.contains(&text.len()) && text.bytes().all(unreserved);
        fits.then_some(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds() {
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        assert!(challenge.admits(&CodeVerifier::parse(VERIFIER).unwrap()));
        assert_eq!(challenge.to_string(), CHALLENGE);
        assert_eq!(CodeChallenge::from_stored(CHALLENGE), Some(challenge));
    }

    /// PK-01 of the attack kit.
    #[test]
    fn plain_an_unknown_method_and_no_method_are_refused() {
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            let refusal = CodeChallenge::parse(CHALLENGE, method).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidRequest, "{method:?}");
        }
    }

    #[test]
    fn a_challenge_is_the_base64url_of_32_bytes() {
        let bad = [
            String::new(),
            CHALLENGE[..42].to_owned(),
            format!("{CHALLENGE}="),
            format!("{}+", &CHALLENGE[..42]),
            format!("{}N", &CHALLENGE[..42]), // stray bits at the end
            "x".repeat(10_000),
        ];
        for bad in bad {
            assert!(CodeChallenge::parse(&bad, Some("S256")).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_verifier_is_not_admitted() {
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        let other = VERIFIER.replace('d', "e");
        assert!(!challenge.admits(&CodeVerifier::parse(&other).unwrap()));
        // The challenge itself, as it would be with `plain`.
        assert!(!challenge.admits(&CodeVerifier::parse(CHALLENGE).unwrap()));
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        assert!(CodeVerifier::parse(&"a.-_~".repeat(9)).is_some());
        assert!(CodeVerifier::parse(&"a".repeat(128)).is_some());
        for bad in ["a".repeat(42), "a".repeat(129), format!("{VERIFIER}+"), "가".repeat(20)] {
            assert!(CodeVerifier::parse(&bad).is_none(), "{bad}");
        }
    }
}
