//! Public keys as JSON: JWK and JWK sets (RFC 7517), their members (RFC 7518 §6, RFC 8037 §2) and
//! thumbprints (RFC 7638). Private and symmetric keys have no place here.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Algorithm, Error, MAX_JWKS_BYTES, MAX_JWKS_KEYS, base64url, json, weakness};

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key for verifying signatures: EC P-256, RSA of 2048 to 8192 bits, or Ed25519.
///
/// One exists only if its numbers are a key that can be used and is not known to be weak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    kid: Option<String>,
    algorithm: Algorithm,
    numbers: Numbers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    P256 { x: [u8; 32], y: [u8; 32] },
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ed25519 { x: [u8; 32] },
}

impl Jwk {
    /// Reads one key.
    ///
    /// Refused: private and symmetric keys, a `use` other than `sig`, `key_ops` without `verify`,
    /// an `alg` that is not for this kind of key ([`Error::BadKey`], [`Error::UnsupportedAlg`]),
    /// and weak keys ([`Error::WeakKey`]).
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(Error::TooLarge);
        }
        Self::from_members(&json::object(json)?)
    }

    /// The name of the key.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What the key verifies. A key that does not say: RS256 for RSA, EdDSA for Ed25519. One key
    /// verifies one algorithm, so PS256 has to be said.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The SHA-256 of what makes the key this key (RFC 7638), in base64url.
    pub fn thumbprint(&self) -> String {
        // RFC 7638 §3.2: the required members in the order of their names, without white space.
        let members = match &self.numbers {
            Numbers::P256 { x, y } => {
                let (x, y) = (base64url::encode(x), base64url::encode(y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Numbers::Rsa { n, e } => {
                let (n, e) = (base64url::encode(n), base64url::encode(e));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            Numbers::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(x))
            }
        };
        base64url::encode(digest(&SHA256, members.as_bytes()))
    }

    /// A key of our own; `kid` is the thumbprint where none is given.
    pub(crate) fn new(
        numbers: Numbers,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Self, Error> {
        let mut jwk = Self { kid: kid.map(str::to_owned), algorithm, numbers };
        jwk.verification_key()?;
        if jwk.kid.is_none() {
            jwk.kid = Some(jwk.thumbprint());
        }
        Ok(jwk)
    }

    pub(crate) fn from_members(members: &Map<String, Value>) -> Result<Self, Error> {
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(Error::BadKey);
        }
        let numbers = Numbers::from_members(members)?;
        check_purpose(members)?;
        let algorithm = match members.get("alg") {
            None => numbers.default_algorithm(),
            Some(Value::String(name)) => name.parse()?,
            Some(_) => return Err(Error::BadKey),
        };
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(Error::BadKey),
        };
        let jwk = Self { kid, algorithm, numbers };
        jwk.verification_key()?;
        Ok(jwk)
    }

    /// The key as it is computed with. Costs a point decompression or the like: do it once.
    pub(crate) fn verification_key(&self) -> Result<ParsedPublicKey, Error> {
        let parsed = match (&self.numbers, self.algorithm) {
            (Numbers::P256 { x, y }, Algorithm::Es256) => {
                // SEC 1 §2.3.3, uncompressed. Points that are not on the curve are refused here.
                let point = [&[4_u8][..], x, y].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            }
            (Numbers::Rsa { n, e }, Algorithm::Rs256) => {
                weakness::check_rsa(n, e)?;
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            (Numbers::Rsa { n, e }, Algorithm::Ps256) => {
                weakness::check_rsa(n, e)?;
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
            }
            (Numbers::Ed25519 { x }, Algorithm::EdDsa | Algorithm::Ed25519) => {
                weakness::check_ed25519(x)?;
                ParsedPublicKey::new(&ED25519, x)
            }
            // RFC 8725 §3.1: a key is used with its own algorithm.
            _ => return Err(Error::BadKey),
        };
        parsed.map_err(|_| Error::BadKey)
    }
}

/// RFC 7517 §4.2, §4.3: a key for another purpose verifies nothing.
fn check_purpose(members: &Map<String, Value>) -> Result<(), Error> {
    let is_for_signatures = members.get("use").is_none_or(|purpose| purpose == "sig");
    let may_verify = members.get("key_ops").is_none_or(|operations| {
        let mut operations = operations.as_array().into_iter().flatten();
        operations.any(|operation| operation == "verify")
    });
    if is_for_signatures && may_verify { Ok(()) } else { Err(Error::BadKey) }
}

impl Numbers {
    fn from_members(members: &Map<String, Value>) -> Result<Self, Error> {
        let text = |name: &str| members.get(name).and_then(Value::as_str).ok_or(Error::BadKey);
        let bytes = |name: &str| base64url::decode(text(name)?).map_err(|_| Error::BadKey);
        let coordinate = |name: &str| -> Result<[u8; 32], Error> {
            // RFC 7518 §6.2.1.2: the full size of a coordinate, leading zeros included.
            bytes(name)?.try_into().map_err(|_| Error::BadKey)
        };
        let number = |name: &str| -> Result<Vec<u8>, Error> {
            // RFC 7518 §2, Base64urlUInt: the fewest octets, at least one.
            bytes(name).and_then(|bytes| match bytes.first() {
                Some(1..) => Ok(bytes),
                _ => Err(Error::BadKey),
            })
        };
        match text("kty")? {
            "EC" if text("crv")? == "P-256" => {
                Ok(Self::P256 { x: coordinate("x")?, y: coordinate("y")? })
            }
            "RSA" => Ok(Self::Rsa { n: number("n")?, e: number("e")? }),
            "OKP" if text("crv")? == "Ed25519" => Ok(Self::Ed25519 { x: coordinate("x")? }),
            _ => Err(Error::BadKey),
        }
    }

    fn default_algorithm(&self) -> Algorithm {
        match self {
            Self::P256 { .. } => Algorithm::Es256,
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::Ed25519 { .. } => Algorithm::EdDsa,
        }
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        let mut put = |name: &str, value: &str| members.serialize_entry(name, value);
        match &self.numbers {
            Numbers::P256 { x, y } => {
                put("kty", "EC")?;
                put("crv", "P-256")?;
                put("x", &base64url::encode(x))?;
                put("y", &base64url::encode(y))?;
            }
            Numbers::Rsa { n, e } => {
                put("kty", "RSA")?;
                put("n", &base64url::encode(n))?;
                put("e", &base64url::encode(e))?;
            }
            Numbers::Ed25519 { x } => {
                put("kty", "OKP")?;
                put("crv", "Ed25519")?;
                put("x", &base64url::encode(x))?;
            }
        }
        crate::planted!("jwks_private_member", put("d", "AA")?);
        put("use", "sig")?;
        put("alg", self.algorithm.as_str())?;
        if let Some(kid) = &self.kid {
            put("kid", kid)?;
        }
        members.end()
    }
}

/// A set of public keys (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, in the order of the document.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a key set of at most [`MAX_JWKS_BYTES`] and [`MAX_JWKS_KEYS`] entries.
    ///
    /// An entry that [`Jwk::parse`] would refuse is left out (RFC 7517 §5), whatever is wrong with
    /// it: an issuer may publish keys for others, and a key that leaked is not trusted. Two usable
    /// keys of one name are [`Error::DuplicateKid`].
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MAX_JWKS_BYTES {
            return Err(Error::TooLarge);
        }
        let document = json::object(json)?;
        let entries = document.get("keys").and_then(Value::as_array).ok_or(Error::BadJson)?;
        if entries.len() > MAX_JWKS_KEYS {
            return Err(Error::TooLarge);
        }
        let members = entries.iter().filter_map(Value::as_object);
        let mut keys: Vec<Jwk> = Vec::new();
        for key in members.filter_map(|members| Jwk::from_members(members).ok()) {
            // RFC 7517 §4.5: different keys have different names. With two of one name, whoever can
            // add a key could take the place of another.
            if key.kid.is_some() && keys.iter().any(|other| other.kid == key.kid) {
                return Err(Error::DuplicateKid);
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }
}
