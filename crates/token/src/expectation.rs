//! What a verifier expects of a token, and the check (RFC 7519 §4.1, RFC 8725 §3.8-§3.11, RFC 9068
//! §4). It takes the time; it must not read a clock.

use crate::{Claims, Error};

/// What a token has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Exactly the `iss`.
    pub issuer: String,
    /// One of these has to be in `aud`. With none of them, no token holds.
    pub audience: Vec<String>,
    /// The kind of token.
    pub typ: Typ,
    /// The time, in Unix seconds.
    pub now: i64,
    /// How far clocks may be apart, in seconds. Below 0 it counts as 0.
    pub leeway: i64,
}

/// A kind of token, as its header says (RFC 7515 §4.1.9, RFC 8725 §3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typ {
    /// `at+jwt`: an access token (RFC 9068 §2.1), which has more mandatory claims.
    AccessToken,
    /// `JWT`, or nothing: an ID token, for example.
    Jwt,
    /// This media type, and no other.
    Exactly(String),
}

impl Typ {
    /// Whether a header with this `typ` is of the kind.
    pub fn admits(&self, typ: Option<&str>) -> bool {
        crate::planted!("typ_unchecked", return true);
        match (self, typ) {
            (Self::AccessToken, Some(typ)) => is_same_type(typ, "at+jwt"),
            (Self::Jwt, Some(typ)) => is_same_type(typ, "JWT"),
            (Self::Exactly(wanted), Some(typ)) => is_same_type(typ, wanted),
            (Self::Jwt, None) => true,
            (Self::AccessToken | Self::Exactly(_), None) => false,
        }
    }
}

/// RFC 7515 §4.1.9: media types, compared without case; `application/` may be left out.
fn is_same_type(one: &str, other: &str) -> bool {
    fn short(typ: &str) -> &str {
        const PREFIX: &str = "application/";
        match typ.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => {
                rest
            }
            _ => typ,
        }
    }
    short(one).eq_ignore_ascii_case(short(other))
}

impl Claims {
    /// Whether these claims are what was expected. The signature, and `typ`, are for others to
    /// check: see [`crate::verify`].
    ///
    /// `iss`, `aud` and `exp` are mandatory; for an access token `sub`, `client_id`, `iat` and
    /// `jti` are too.
    pub fn check(&self, expected: &Expectation) -> Result<(), Error> {
        self.check_issuer(expected)?;
        self.check_audience(expected)?;
        self.check_times(expected)?;
        match expected.typ {
            Typ::AccessToken => self.check_access_token(),
            Typ::Jwt | Typ::Exactly(_) => Ok(()),
        }
    }

    fn check_issuer(&self, expected: &Expectation) -> Result<(), Error> {
        crate::planted!("issuer_unchecked", return Ok(()));
        let iss = self.iss.as_ref().ok_or(Error::ClaimMissing { claim: "iss" })?;
        // RFC 8725 §3.8: the same string, not a similar URL.
        if *iss == expected.issuer { Ok(()) } else { Err(Error::WrongIssuer) }
    }

    fn check_audience(&self, expected: &Expectation) -> Result<(), Error> {
        if self.aud.is_empty() {
            return Err(Error::ClaimMissing { claim: "aud" });
        }
        crate::planted!("audience_unchecked", return Ok(()));
        // RFC 7519 §4.1.3: whoever is not named refuses.
        let is_named = self.aud.iter().any(|one| expected.audience.contains(one));
        if is_named { Ok(()) } else { Err(Error::WrongAudience) }
    }

    fn check_times(&self, expected: &Expectation) -> Result<(), Error> {
        let leeway = expected.leeway.max(0);
        let (earliest, latest) =
            (expected.now.saturating_sub(leeway), expected.now.saturating_add(leeway));
        crate::planted!("expiry_unchecked", return Ok(()));
        // RFC 7519 §4.1.4: on or after `exp` a token is not accepted.
        if self.exp.ok_or(Error::ClaimMissing { claim: "exp" })? <= earliest {
            return Err(Error::Expired);
        }
        if self.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Error::NotYetValid);
        }
        // A token from the future outlives every revocation that is dated by `iat`.
        if self.iat.is_some_and(|iat| iat > latest) {
            return Err(Error::IssuedInFuture);
        }
        Ok(())
    }

    /// RFC 9068 §2.2: what an access token has besides.
    fn check_access_token(&self) -> Result<(), Error> {
        let mandatory = [
            ("sub", self.sub.is_some()),
            ("client_id", self.client_id.is_some()),
            ("iat", self.iat.is_some()),
            ("jti", self.jti.is_some()),
        ];
        match mandatory.into_iter().find(|(_, is_there)| !is_there) {
            Some((claim, _)) => Err(Error::ClaimMissing { claim }),
            None => Ok(()),
        }
    }
}
