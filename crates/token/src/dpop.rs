//! DPoP proofs (RFC 9449): a request signed with the key that a token is bound to. It must not
//! remember which proofs it saw: whoever takes one spends its [`Proof::jti`] somewhere.
//!
//! ```
//! use munjigi_token::{Algorithm, SigningKey, dpop};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let url = "https://api.example/orders";
//! let claims = serde_json::json!({
//!     "jti": "1", "htm": "GET", "htu": url, "iat": 1_700_000_000,
//! });
//! let proof = dpop::Proof::parse(&dpop::sign(&key, &claims)?)?;
//! let request = dpop::Request { method: "GET", url, access_token: None };
//! proof.check(&request, 1_700_000_003)?;
//! # Ok(())
//! # }
//! ```

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::jwk::Jwk;
use crate::{
    Algorithm, Error, MAX_NUMERIC_DATE, MAX_TOKEN_BYTES, SigningKey, Unverified, VerifyingKey,
    base64url, json,
};

/// The `typ` of a proof (RFC 9449 §4.2).
pub const TYP: &str = "dpop+jwt";

/// The algorithms of proofs: every asymmetric one.
pub const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ed25519, Algorithm::Ps256, Algorithm::Rs256];

/// How old a proof may be, in seconds. Its `jti` has to be remembered that much longer than its
/// `iat`.
pub const MAX_AGE_SECONDS: i64 = 60;

/// How far ahead of us the clock of a client may be, in seconds.
pub const MAX_AHEAD_SECONDS: i64 = 10;

/// The longest `jti`, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// It is no signed token, or its signature or its claims do not hold.
    #[error("the DPoP proof is not valid: {0}")]
    Token(#[from] Error),
    /// For another method (`htm`).
    #[error("the DPoP proof is for another method")]
    WrongMethod,
    /// For another URL (`htu`).
    #[error("the DPoP proof is for another URL")]
    WrongUrl,
    /// Too old, or from the future (`iat`).
    #[error("the DPoP proof is too old, or comes from the future")]
    Stale,
    /// For another access token, or for none (`ath`).
    #[error("the DPoP proof is for another access token")]
    WrongToken,
}

impl ProofError {
    /// The stable name of the reason, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::WrongMethod => "proof_wrong_method",
            Self::WrongUrl => "proof_wrong_url",
            Self::Stale => "proof_stale",
            Self::WrongToken => "proof_wrong_token",
        }
    }
}

/// A proof whose signature holds under the key that it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    jkt: String,
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    nbf: Option<i64>,
    exp: Option<i64>,
    ath: Option<String>,
    nonce: Option<String>,
}

/// The request that a proof came with.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: &'r str,
    /// The URL as the client knows it; query and fragment do not count.
    pub url: &'r str,
    /// The access token beside it, at an API.
    pub access_token: Option<&'r str>,
}

impl Proof {
    /// Reads a proof and checks its signature with the key in its header (RFC 9449 §4.3, 2 to 7).
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLarge.into());
        }
        let unverified = Unverified::parse(text)?;
        // RFC 9449 §4.3, 4 and 5.
        if unverified.header().typ.as_deref() != Some(TYP) {
            return Err(Error::WrongTyp.into());
        }
        let algorithm = unverified.header().alg;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(Error::UnsupportedAlg.into());
        }
        let jwk = embedded_key(text, algorithm)?;
        let verified = unverified.verify_with(&VerifyingKey::from_jwk(&jwk)?)?;
        Self::from_claims(&json::object(verified.payload())?, jwk.thumbprint())
    }

    fn from_claims(claims: &Map<String, Value>, jkt: String) -> Result<Self, ProofError> {
        let text = |claim: &'static str| match claims.get(claim) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            None => Ok(None),
            Some(_) => Err(Error::ClaimType { claim }),
        };
        let required = |claim| text(claim)?.ok_or(Error::ClaimMissing { claim });
        let date = |claim: &'static str| {
            let Some(value) = claims.get(claim) else { return Ok(None) };
            let date = value.as_i64().filter(|date| (0..=MAX_NUMERIC_DATE).contains(date));
            date.map(Some).ok_or(Error::ClaimType { claim })
        };
        let proof = Self {
            jkt,
            jti: required("jti")?,
            htm: required("htm")?,
            htu: required("htu")?,
            iat: date("iat")?.ok_or(Error::ClaimMissing { claim: "iat" })?,
            nbf: date("nbf")?,
            exp: date("exp")?,
            ath: text("ath")?,
            nonce: text("nonce")?,
        };
        if proof.jti.is_empty() || proof.jti.len() > MAX_JTI_BYTES {
            return Err(Error::ClaimType { claim: "jti" }.into());
        }
        Ok(proof)
    }

    /// Whether the proof is for this request, made a moment ago (RFC 9449 §4.3, 8 to 12). `now` is
    /// in Unix seconds. Whether its nonce is one of ours, and its `jti` new, is for the caller.
    pub fn check(&self, request: &Request<'_>, now: i64) -> Result<(), ProofError> {
        if self.htm != request.method {
            return Err(ProofError::WrongMethod);
        }
        let (theirs, ours) = (normalized(&self.htu), normalized(request.url));
        if theirs.is_none() || theirs != ours {
            return Err(ProofError::WrongUrl);
        }
        let age = now.saturating_sub(self.iat);
        if !(-MAX_AHEAD_SECONDS..=MAX_AGE_SECONDS).contains(&age) {
            return Err(ProofError::Stale);
        }
        // RFC 7519 §4.1.4, §4.1.5: nobody has to say these; who does is taken at their word.
        let is_over = self.exp.is_some_and(|exp| now.saturating_sub(exp) >= MAX_AHEAD_SECONDS);
        let is_ahead = self.nbf.is_some_and(|nbf| nbf.saturating_sub(now) > MAX_AHEAD_SECONDS);
        if is_over || is_ahead {
            return Err(ProofError::Stale);
        }
        match (request.access_token, &self.ath) {
            (None, _) => Ok(()),
            (Some(token), Some(ath)) if *ath == access_token_hash(token) => Ok(()),
            (Some(_), _) => Err(ProofError::WrongToken),
        }
    }

    /// The thumbprint of its key (RFC 7638): what `cnf.jkt` and `dpop_jkt` name.
    pub fn jkt(&self) -> &str {
        &self.jkt
    }

    /// Its id, which is good once.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// When it was made, in Unix seconds, by the client's clock.
    pub fn iat(&self) -> i64 {
        self.iat
    }

    /// The server's nonce that it repeats.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// The `ath` of an access token (RFC 9449 §4.2).
pub fn access_token_hash(token: &str) -> String {
    base64url::encode(digest(&SHA256, token.as_bytes()))
}

/// A proof, for clients and tests. The claims are those of RFC 9449 §4.2.
pub fn sign<C: Serialize + ?Sized>(key: &SigningKey, claims: &C) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Members {
        typ: &'static str,
        alg: Algorithm,
        jwk: Jwk,
    }
    let jwk = key.public_jwk().ok_or(Error::UnsupportedAlg)?;
    let members = Members { typ: TYP, alg: key.algorithm(), jwk };
    let header = serde_json::to_vec(&members).map_err(|_| Error::BadJson)?;
    let payload = serde_json::to_vec(claims).map_err(|_| Error::BadJson)?;
    key.sign_parts(&header, &payload)
}

/// The key in the header. It is believed only as far as the signature shows that somebody has it.
fn embedded_key(text: &str, algorithm: Algorithm) -> Result<Jwk, Error> {
    let header = text.split('.').next().ok_or(Error::Malformed)?;
    let mut header = json::object(&base64url::decode(header)?)?;
    let Some(Value::Object(mut members)) = header.remove("jwk") else {
        return Err(Error::BadKey);
    };
    // An RSA key does not say whether it is for RS256 or PS256; the header does, and whoever has
    // the key may choose.
    let name = algorithm.as_str();
    members.entry("alg").or_insert_with(|| Value::String(name.to_owned()));
    // RFC 9449 §4.3, 7: no private key; a `kid` says nothing here.
    members.remove("kid");
    Jwk::from_members(&members)
}

/// A URL without query and fragment, normalised by syntax and by scheme (RFC 9449 §4.3; RFC 3986
/// §6.2.2 and §6.2.3). `None` for what is no http URL.
fn normalized(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    Some(format!("{scheme}://{authority}{}", normalized_path(path)?))
}

/// Percent-encoding in capitals, and none where none is needed (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normalized_path(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            out.push(next);
            continue;
        }
        let (high, low) = (rest.next()?.to_digit(16)?, rest.next()?.to_digit(16)?);
        let byte = u8::try_from(high * 16 + low).ok()?;
        let is_unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match is_unreserved {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;
    const URL: &str = "https://server.example.com/token";
    const REQUEST: Request<'_> = Request { method: "POST", url: URL, access_token: None };

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::generate(algorithm).unwrap()
    }

    fn claims() -> Value {
        json!({"jti": "-BwC3ESc6acc2lTc", "htm": "POST", "htu": URL, "iat": NOW})
    }

    fn proof(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Proof, ProofError> {
        let mut claims = claims();
        change(claims.as_object_mut().unwrap());
        Proof::parse(&sign(&key(Algorithm::Es256), &claims).unwrap())
    }

    /// RFC 9449 §4.1 and §6.1: the example, and the thumbprint of its key.
    #[test]
    fn the_example_of_the_rfc_holds() {
        let text = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4\
            dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpi\
            VFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZ\
            hY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiw\
            iaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0\
            x7NVY-FNyJK70nfbV37xRZT3Lg";
        let proof = Proof::parse(text).unwrap();
        assert_eq!(proof.jkt(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        proof.check(&REQUEST, 1_562_262_616).unwrap();
    }

    #[test]
    fn every_asymmetric_algorithm_proves() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256] {
            let key = key(algorithm);
            let proof = Proof::parse(&sign(&key, &claims()).unwrap()).unwrap();
            assert_eq!(proof.jkt(), key.public_jwk().unwrap().thumbprint());
            proof.check(&REQUEST, NOW).unwrap();
        }
    }

    #[test]
    fn a_proof_is_for_one_method_and_one_url() {
        let proof = proof(|_| ()).unwrap();
        let check = |method, url| proof.check(&Request { method, url, access_token: None }, NOW);
        assert_eq!(check("GET", URL), Err(ProofError::WrongMethod));
        for same in [
            "https://server.example.com/token?a=b",
            "https://server.example.com/token#f",
            "HTTPS://SERVER.example.com:443/token",
            "https://server.example.com/%74oken",
        ] {
            assert_eq!(check("POST", same), Ok(()), "{same}");
        }
        for other in [
            "https://server.example.com/token/",
            "https://server.example.com/Token",
            "http://server.example.com/token",
            "https://server.example.com:8443/token",
            "https://server.example.com.evil/token",
            "https://a@server.example.com/token",
            "https://server.example.com",
        ] {
            assert_eq!(check("POST", other), Err(ProofError::WrongUrl), "{other}");
        }
    }

    #[test]
    fn a_proof_is_made_a_moment_ago() {
        let proof = proof(|_| ()).unwrap();
        for (now, expected) in [
            (NOW - MAX_AHEAD_SECONDS, Ok(())),
            (NOW + MAX_AGE_SECONDS, Ok(())),
            (NOW - MAX_AHEAD_SECONDS - 1, Err(ProofError::Stale)),
            (NOW + MAX_AGE_SECONDS + 1, Err(ProofError::Stale)),
        ] {
            assert_eq!(proof.check(&REQUEST, now), expected, "{now}");
        }
    }

    #[test]
    fn a_proof_that_says_when_it_begins_or_ends_is_taken_at_its_word() {
        let check = |claim: &str, value: Value| {
            let proof = proof(|claims| drop(claims.insert(claim.to_owned(), value)))?;
            proof.check(&REQUEST, NOW)
        };
        assert_eq!(check("exp", json!(NOW - MAX_AHEAD_SECONDS + 1)), Ok(()));
        assert_eq!(check("exp", json!(NOW - MAX_AHEAD_SECONDS)), Err(ProofError::Stale));
        assert_eq!(check("nbf", json!(NOW + MAX_AHEAD_SECONDS)), Ok(()));
        assert_eq!(check("nbf", json!(NOW + MAX_AHEAD_SECONDS + 1)), Err(ProofError::Stale));
        for claim in ["exp", "nbf"] {
            assert_eq!(check(claim, json!("soon")), Err(Error::ClaimType { claim }.into()));
        }
    }

    #[test]
    fn a_proof_beside_a_token_names_it() {
        let request = Request { access_token: Some("token"), ..REQUEST };
        let check = |ath: Option<&str>| {
            let proof = proof(|claims| {
                if let Some(ath) = ath {
                    claims.insert("ath".to_owned(), json!(ath));
                }
            });
            proof.unwrap().check(&request, NOW)
        };
        assert_eq!(check(Some(&access_token_hash("token"))), Ok(()));
        assert_eq!(check(Some(&access_token_hash("other"))), Err(ProofError::WrongToken));
        assert_eq!(check(None), Err(ProofError::WrongToken));
    }

    #[test]
    fn what_a_proof_lacks_or_says_in_the_wrong_type_is_refused() {
        for claim in ["jti", "htm", "htu", "iat"] {
            let missing = proof(|claims| drop(claims.remove(claim)));
            assert_eq!(missing, Err(Error::ClaimMissing { claim }.into()));
            for wrong in [json!(true), json!([]), json!(null), json!(1.5)] {
                let wrong = proof(|claims| drop(claims.insert(claim.to_owned(), wrong)));
                assert_eq!(wrong, Err(Error::ClaimType { claim }.into()));
            }
        }
        for jti in ["", &"x".repeat(257)] {
            let wrong = proof(|claims| drop(claims.insert("jti".to_owned(), json!(jti))));
            assert_eq!(wrong, Err(Error::ClaimType { claim: "jti" }.into()));
        }
    }

    #[test]
    fn another_kind_of_token_a_foreign_signature_and_a_private_key_prove_nothing() {
        let key = key(Algorithm::Es256);
        let good = sign(&key, &claims()).unwrap();
        let (header, rest) = good.split_once('.').unwrap();
        let with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut members = json::object(&base64url::decode(header).unwrap()).unwrap();
            change(&mut members);
            let header = base64url::encode(serde_json::to_vec(&members).unwrap());
            Proof::parse(&format!("{header}.{rest}")).unwrap_err()
        };
        let typ = with(&|members| drop(members.insert("typ".to_owned(), json!("JWT"))));
        assert_eq!(typ, Error::WrongTyp.into());
        assert_eq!(with(&|members| drop(members.remove("jwk"))), Error::BadKey.into());
        let private = with(&|members| members["jwk"]["d"] = json!("AA"));
        assert_eq!(private, Error::BadKey.into());
        let none = with(&|members| drop(members.insert("alg".to_owned(), json!("none"))));
        assert_eq!(none, Error::UnsupportedAlg.into());
        let hmac = with(&|members| drop(members.insert("alg".to_owned(), json!("HS256"))));
        assert_eq!(hmac, Error::UnsupportedAlg.into());
        let foreign = sign(&tests::key(Algorithm::Es256), &claims()).unwrap();
        let (_, other_rest) = foreign.split_once('.').unwrap();
        let mixed = Proof::parse(&format!("{header}.{other_rest}")).unwrap_err();
        assert_eq!(mixed, Error::BadSignature.into());
        assert!(Proof::parse(&"a".repeat(MAX_TOKEN_BYTES + 1)).is_err());
    }
}
