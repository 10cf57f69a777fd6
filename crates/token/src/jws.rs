//! JWS in compact form (RFC 7515 §7.1): three parts, a header that is not believed, a signature
//! that is checked before anything else is (RFC 8725 §3). Other forms, and JWE, are refused.

use serde_json::{Map, Value};

use crate::json::{self, Reader, Record};
use crate::{
    Algorithm, Claims, Error, Expectation, KeySet, MAX_TOKEN_BYTES, VerifyingKey, base64url,
};

/// The header of a token.
///
/// `jwk`, `jku`, `x5u`, `x5c` and `x5t` may stand in one and are never looked at: a token does not
/// choose its key (RFC 8725 §3.1, §3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The algorithm.
    pub alg: Algorithm,
    /// The name of the key.
    pub kid: Option<String>,
    /// The kind of token.
    pub typ: Option<String>,
    /// The kind of payload.
    pub cty: Option<String>,
}

/// A token whose signature was not checked yet.
#[derive(Clone, Debug)]
pub struct Unverified<'t> {
    header: Header,
    signing_input: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Reads the form of a token: size, three parts, base64url, header.
    pub fn parse(token: &'t str) -> Result<Self, Error> {
        Self::parse_with(token, |_| None)
    }

    /// The same, with a memory of headers: what it knows by its text is not read again.
    pub(crate) fn parse_with(
        token: &'t str,
        known: impl FnOnce(&str) -> Option<Header>,
    ) -> Result<Self, Error> {
        // First of all, so that what a stranger sends costs next to nothing.
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Error::Malformed)?;
        // RFC 7515 §7.1: three parts. A JWE has five, an unsecured JWS (RFC 7515 appendix A.5) an
        // empty last one.
        if payload.contains('.') || header.is_empty() || signature.is_empty() {
            return Err(Error::Malformed);
        }
        let header = match known(header) {
            Some(header) => header,
            None => Header::parse_text(header)?,
        };
        let payload = base64url::decode(payload)?;
        let signature = base64url::decode(signature)?;
        Ok(Self { header, signing_input, payload, signature })
    }

    /// The header. Nobody vouches for it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The claims. **Nobody vouches for them**: good for refusing early, never for allowing.
    pub fn peek(&self) -> Result<Claims, Error> {
        Claims::parse(&self.payload)
    }

    /// Checks the signature with the key that the header names, which must be one of these.
    pub fn verify(self, keys: &KeySet) -> Result<Verified, Error> {
        let kid = self.header.kid.as_deref();
        let Some(key) = keys.find(kid, self.header.alg) else {
            let is_named = kid.is_some_and(|kid| keys.contains(kid));
            return Err(if is_named { Error::KeyMismatch } else { Error::UnknownKid });
        };
        self.verify_with(key)
    }

    /// Checks the signature with this key, whatever name the header gives.
    pub fn verify_with(self, key: &VerifyingKey) -> Result<Verified, Error> {
        key.check(self.header.alg, self.signing_input.as_bytes(), &self.signature)?;
        Ok(Verified { header: self.header, payload: self.payload })
    }
}

/// A token whose signature holds. Whether it is meant for you is another question:
/// [`Verified::check`].
#[derive(Clone, Debug)]
pub struct Verified {
    header: Header,
    payload: Vec<u8>,
}

impl Verified {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload as it was signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The claims, which nobody compared to anything.
    pub fn claims(&self) -> Result<Claims, Error> {
        Claims::parse(&self.payload)
    }

    /// The claims of a token that is what was expected: first `typ`, then [`Claims::check`].
    pub fn check(&self, expected: &Expectation) -> Result<Claims, Error> {
        // RFC 8725 §3.11, RFC 9068 §4: before the claims, whose meaning depends on it.
        if !expected.typ.admits(self.header.typ.as_deref()) {
            return Err(Error::WrongTyp);
        }
        let claims = self.claims()?;
        claims.check(expected)?;
        Ok(claims)
    }
}

#[derive(Default)]
struct HeaderMembers {
    alg: Option<Result<Algorithm, Error>>,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    rest: Map<String, Value>,
}

impl Record for HeaderMembers {
    fn field(name: &str) -> Option<(u32, &'static str)> {
        Some(match name {
            "alg" => (0, "alg"),
            "kid" => (1, "kid"),
            "typ" => (2, "typ"),
            "cty" => (3, "cty"),
            _ => return None,
        })
    }

    fn read(&mut self, field: &'static str, reader: &mut Reader<'_>) -> Result<(), Error> {
        let Some(text) = reader.text()? else {
            reader.note(Error::Malformed);
            return Ok(());
        };
        match field {
            "alg" => self.alg = Some(text.parse()),
            "kid" => self.kid = Some(text.into_owned()),
            "typ" => self.typ = Some(text.into_owned()),
            _ => self.cty = Some(text.into_owned()),
        }
        Ok(())
    }

    fn rest(&mut self) -> &mut Map<String, Value> {
        &mut self.rest
    }
}

impl Header {
    /// Reads the first part of a token.
    pub(crate) fn parse_text(text: &str) -> Result<Self, Error> {
        Self::parse(&base64url::decode(text)?)
    }

    fn parse(json: &[u8]) -> Result<Self, Error> {
        let members: HeaderMembers = json::record(json)?;
        let alg = members.alg.ok_or(Error::Malformed)??;
        // RFC 7515 §4.1.11: what is critical has to be understood, and nothing is understood here.
        // RFC 7797 §7: `b64` changes what is signed, whether or not it is named as critical.
        let is_strange = ["crit", "b64"].iter().any(|name| members.rest.contains_key(*name));
        if crate::planted!("crit_ignored" => false, is_strange) {
            return Err(Error::CritUnsupported);
        }
        Ok(Self { alg, kid: members.kid, typ: members.typ, cty: members.cty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SigningKey;

    #[test]
    fn a_header_that_is_known_by_its_text_says_what_it_says_when_it_is_read() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let keys = KeySet::from_keys([key.verifying_key()]);
        for (typ, is_known) in [("at+jwt", true), ("JWT", true), ("secevent+jwt", false)] {
            let token = key.sign(typ, &serde_json::json!({})).unwrap();
            let (text, _) = token.split_once('.').unwrap();
            assert_eq!(keys.known_header(text).is_some(), is_known, "{typ}");
            let known = |text: &str| keys.known_header(text).cloned();
            let parsed = Unverified::parse_with(&token, known).unwrap();
            assert_eq!(parsed.header, Unverified::parse(&token).unwrap().header);
            assert_eq!(parsed.header.typ.as_deref(), Some(typ));
        }
    }
}
