//! Keys as they are computed with: parsed once, kept, shared by clones (RFC 7518 §3, RFC 8037
//! §3.1). It must not print or hand out key material except where a name says so.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::jwk::{Jwk, Numbers};
use crate::{Algorithm, Error, Header, MAX_TOKEN_BYTES, MIN_SECRET_BYTES, base64url};

/// The kinds of token whose header is kept ready.
const FREQUENT: [&str; 2] = ["at+jwt", "JWT"];

/// A key that signs. A clone is cheap and shares the key.
#[derive(Clone)]
pub struct SigningKey(Arc<Signing>);

struct Signing {
    kid: String,
    algorithm: Algorithm,
    secret: Secret,
    public: Option<Jwk>,
    verifying: VerifyingKey,
    /// The first part of a token and its dot, for each of [`FREQUENT`].
    headers: [String; FREQUENT.len()],
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ed25519(Ed25519KeyPair),
    Hmac(Box<hmac::Key>),
}

impl SigningKey {
    /// A new key; its `kid` is its thumbprint (RFC 7638), RSA has 2048 bits.
    ///
    /// RSA takes a good part of a second. [`Error::UnsupportedAlg`] for HS256: a shared secret is
    /// drawn by whoever shares it.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Error> {
        let failed = |_| Error::BadKey;
        let rsa = || RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed);
        let secret = match algorithm {
            Algorithm::Es256 => Secret::Ecdsa(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            ),
            Algorithm::Rs256 => Secret::Rsa(rsa()?, &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => Secret::Rsa(rsa()?, &RSA_PSS_SHA256),
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Secret::Ed25519(Ed25519KeyPair::generate().map_err(failed)?)
            }
            Algorithm::Hs256 => return Err(Error::UnsupportedAlg),
        };
        Self::from_secret(secret, algorithm, None)
    }

    /// The key of an unencrypted PKCS#8 document. [`Error::UnsupportedAlg`] for HS256.
    pub fn from_pkcs8(algorithm: Algorithm, kid: &str, der: &[u8]) -> Result<Self, Error> {
        let refused = |_| Error::BadKey;
        let rsa = || RsaKeyPair::from_pkcs8(der).map_err(refused);
        let secret = match algorithm {
            Algorithm::Es256 => Secret::Ecdsa(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(refused)?,
            ),
            Algorithm::Rs256 => Secret::Rsa(rsa()?, &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => Secret::Rsa(rsa()?, &RSA_PSS_SHA256),
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                Secret::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(refused)?)
            }
            Algorithm::Hs256 => return Err(Error::UnsupportedAlg),
        };
        Self::from_secret(secret, algorithm, Some(kid))
    }

    /// A key for HS256 from a secret that both sides know, of at least [`MIN_SECRET_BYTES`]
    /// ([`Error::WeakKey`]). Everybody who verifies with it can sign with it.
    pub fn hs256_shared_secret(kid: &str, secret: &[u8]) -> Result<Self, Error> {
        let verifying = VerifyingKey::hs256_shared_secret(kid, secret)?;
        let secret = Secret::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        let algorithm = Algorithm::Hs256;
        let headers = FREQUENT.map(|typ| header(algorithm, Some(typ), kid));
        let kid = kid.to_owned();
        Ok(Self(Arc::new(Signing { kid, algorithm, secret, public: None, verifying, headers })))
    }

    /// The private key as an unencrypted PKCS#8 document; `None` for HS256.
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let document = match &self.0.secret {
            Secret::Ecdsa(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Secret::Rsa(pair, _) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
                der.as_ref().to_vec()
            }
            Secret::Hmac(_) => return None,
        };
        Some(Zeroizing::new(document))
    }

    /// The name of the key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Its public half; `None` for HS256, which has none.
    pub fn public_jwk(&self) -> Option<Jwk> {
        self.0.public.clone()
    }

    /// What verifies its signatures.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.0.verifying.clone()
    }

    /// A token of this kind (`typ`) with these claims, which have to be a JSON object.
    ///
    /// A token longer than [`MAX_TOKEN_BYTES`], which nobody would take, is [`Error::TooLarge`].
    pub fn sign<C: Serialize + ?Sized>(&self, typ: &str, claims: &C) -> Result<String, Error> {
        let mut payload = Vec::with_capacity(512);
        serde_json::to_writer(&mut payload, claims).map_err(|_| Error::BadJson)?;
        // RFC 7519 §7.1: the claims are one JSON object.
        if payload.first() != Some(&b'{') {
            return Err(Error::BadJson);
        }
        self.sign_payload(Some(typ), &payload)
    }

    /// A JWS in compact form over these bytes (RFC 7515 §7.1), bounded as [`SigningKey::sign`] is.
    pub fn sign_payload(&self, typ: Option<&str>, payload: &[u8]) -> Result<String, Error> {
        let key = &*self.0;
        let ready = FREQUENT.iter().position(|frequent| Some(*frequent) == typ);
        let mut token = Vec::with_capacity(payload.len().saturating_mul(4) / 3 + 512);
        match ready.and_then(|at| key.headers.get(at)) {
            Some(header) => token.extend_from_slice(header.as_bytes()),
            None => token.extend_from_slice(header(key.algorithm, typ, &key.kid).as_bytes()),
        }
        base64url::append(payload, &mut token);
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLarge);
        }

        key.secret.sign_onto(&mut token)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLarge);
        }
        // Three parts of base64url and two dots are text.
        String::from_utf8(token).map_err(|_| Error::Malformed)
    }

    /// A JWS of a header and a payload as they are.
    pub(crate) fn sign_parts(&self, header: &[u8], payload: &[u8]) -> Result<String, Error> {
        let mut token = base64url::encode(header).into_bytes();
        token.push(b'.');
        base64url::append(payload, &mut token);
        self.0.secret.sign_onto(&mut token)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::TooLarge);
        }
        String::from_utf8(token).map_err(|_| Error::Malformed)
    }

    fn from_secret(secret: Secret, algorithm: Algorithm, kid: Option<&str>) -> Result<Self, Error> {
        let public = Jwk::new(secret.public_numbers()?, algorithm, kid)?;
        let verifying = VerifyingKey::from_jwk(&public)?;
        let kid = public.kid().unwrap_or_default().to_owned();
        let headers = FREQUENT.map(|typ| header(algorithm, Some(typ), &kid));
        let public = Some(public);
        Ok(Self(Arc::new(Signing { kid, algorithm, secret, public, verifying, headers })))
    }
}

/// The first part of a token and its dot.
fn header(algorithm: Algorithm, typ: Option<&str>, kid: &str) -> String {
    #[derive(Serialize)]
    struct Members<'a> {
        alg: Algorithm,
        #[serde(skip_serializing_if = "Option::is_none")]
        typ: Option<&'a str>,
        kid: &'a str,
    }
    // Three strings always serialize.
    let json = serde_json::to_vec(&Members { alg: algorithm, typ, kid }).unwrap_or_default();
    let mut text = base64url::encode(json);
    text.push('.');
    text
}

impl Secret {
    /// Appends a dot and the signature over `token` as it is.
    fn sign_onto(&self, token: &mut Vec<u8>) -> Result<(), Error> {
        let failed = |_| Error::BadKey;
        let random = SystemRandom::new();
        let message = token.as_slice();
        match self {
            Self::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).map_err(failed)?;
                append_part(signature.as_ref(), token);
            }
            Self::Ed25519(pair) => {
                let signature = pair.try_sign(message).map_err(failed)?;
                append_part(signature.as_ref(), token);
            }
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(failed)?;
                append_part(&signature, token);
            }
            Self::Hmac(key) => append_part(hmac::sign(key, message).as_ref(), token),
        }
        Ok(())
    }

    fn public_numbers(&self) -> Result<Numbers, Error> {
        match self {
            Self::Ecdsa(pair) => match pair.public_key().as_ref().split_first() {
                // SEC 1 §2.3.3: 4, then both coordinates.
                Some((4, point)) => {
                    let (x, y) = point.split_first_chunk::<32>().ok_or(Error::BadKey)?;
                    Ok(Numbers::P256 { x: *x, y: y.try_into().map_err(|_| Error::BadKey)? })
                }
                _ => Err(Error::BadKey),
            },
            Self::Ed25519(pair) => {
                let x = pair.public_key().as_ref().try_into().map_err(|_| Error::BadKey)?;
                Ok(Numbers::Ed25519 { x })
            }
            Self::Rsa(pair, _) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                let n = n.big_endian_without_leading_zero().to_vec();
                Ok(Numbers::Rsa { n, e: e.big_endian_without_leading_zero().to_vec() })
            }
            Self::Hmac(_) => Err(Error::BadKey),
        }
    }
}

fn append_part(signature: &[u8], token: &mut Vec<u8>) {
    token.push(b'.');
    base64url::append(signature, token);
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &*self.0;
        f.debug_struct("SigningKey").field("kid", &key.kid).field("alg", &key.algorithm).finish()
    }
}

/// A key that verifies one algorithm. A clone is cheap and shares the key.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Verifying>);

struct Verifying {
    kid: Option<String>,
    algorithm: Algorithm,
    check: Check,
    /// The first parts of tokens that this key's own half writes, and what they say: nearly every
    /// token begins with one of them.
    headers: Vec<(String, Header)>,
}

enum Check {
    Signature(ParsedPublicKey),
    Mac(Box<hmac::Key>),
}

impl VerifyingKey {
    /// The key, parsed.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        let check = Check::Signature(jwk.verification_key()?);
        let kid = jwk.kid().map(str::to_owned);
        Ok(Self::with(kid, jwk.algorithm(), check))
    }

    /// A key for HS256 from a secret that both sides know, of at least [`MIN_SECRET_BYTES`]
    /// ([`Error::WeakKey`]). Everybody who verifies with it can sign with it.
    pub fn hs256_shared_secret(kid: &str, secret: &[u8]) -> Result<Self, Error> {
        // RFC 7518 §3.2: a key of the size of the hash or larger.
        if secret.len() < MIN_SECRET_BYTES {
            return Err(Error::WeakKey);
        }
        let check = Check::Mac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
        Ok(Self::with(Some(kid.to_owned()), Algorithm::Hs256, check))
    }

    fn with(kid: Option<String>, algorithm: Algorithm, check: Check) -> Self {
        let written = |kid: &String| FREQUENT.map(|typ| header(algorithm, Some(typ), kid));
        let texts = kid.as_ref().map(written).into_iter().flatten();
        // Read as any other is, so that what is remembered is what would be read.
        let read = |text: String| {
            let text = text.trim_end_matches('.');
            Some((text.to_owned(), Header::parse_text(text).ok()?))
        };
        let headers = texts.filter_map(read).collect();
        Self(Arc::new(Verifying { kid, algorithm, check, headers }))
    }

    /// What this first part of a token says, if this key's own half writes it so.
    pub(crate) fn known_header(&self, text: &str) -> Option<&Header> {
        self.0.headers.iter().find(|(known, _)| known == text).map(|(_, header)| header)
    }

    /// The name of the key.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    /// What it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// Whether `signature` is this key's over `message`, made with `algorithm`.
    pub(crate) fn check(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        crate::planted!("signature_unchecked", return Ok(()));
        // RFC 8725 §3.1: the key says what it is for; the token may only agree.
        if !self.0.algorithm.is_same_as(algorithm) {
            return Err(Error::KeyMismatch);
        }
        let outcome = match &self.0.check {
            Check::Signature(key) => key.verify_sig(message, signature),
            Check::Mac(key) => hmac::verify(key, message, signature),
        };
        outcome.map_err(|_| Error::BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &*self.0;
        f.debug_struct("VerifyingKey").field("kid", &key.kid).field("alg", &key.algorithm).finish()
    }
}
