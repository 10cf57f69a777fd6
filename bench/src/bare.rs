//! Bare signatures and verifications of aws-lc-rs with keys that are parsed once, and what of ours
//! is measured beside them: the same key, the same token.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use munjigi_token::{Algorithm, Expectation, KeySet, SigningKey, Typ, base64url};
use munjigi_verify::Verifier;
use serde_json::{Value, json};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// The algorithms that are measured.
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256];

/// A parsed private key of the bare library.
pub enum Signer {
    /// ES256.
    Ecdsa(EcdsaKeyPair),
    /// EdDSA.
    Ed25519(Ed25519KeyPair),
    /// RS256 or PS256.
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl Signer {
    /// The same key as ours.
    pub fn of(key: &SigningKey) -> Self {
        let der = key.to_pkcs8().unwrap();
        let rsa = || RsaKeyPair::from_pkcs8(&der).unwrap();
        match key.algorithm() {
            Algorithm::Es256 => Self::Ecdsa(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).unwrap(),
            ),
            Algorithm::Rs256 => Self::Rsa(rsa(), &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => Self::Rsa(rsa(), &RSA_PSS_SHA256),
            _ => Self::Ed25519(Ed25519KeyPair::from_pkcs8(&der).unwrap()),
        }
    }

    /// The signature of a message; the length of it.
    pub fn sign(&self, message: &[u8]) -> usize {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().len(),
            Self::Ed25519(pair) => pair.try_sign(message).unwrap().as_ref().len(),
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).unwrap();
                signature.len()
            }
        }
    }
}

fn public_key(key: &SigningKey) -> ParsedPublicKey {
    let jwk = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
    let number = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
    let rsa = || RsaPublicKeyComponents { n: number("n"), e: number("e") };
    match key.algorithm() {
        Algorithm::Es256 => {
            let point = [vec![4], number("x"), number("y")].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).unwrap()
        }
        Algorithm::Rs256 => rsa().to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap(),
        Algorithm::Ps256 => rsa().to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).unwrap(),
        _ => ParsedPublicKey::new(&ED25519, number("x")).unwrap(),
    }
}

/// One algorithm: a token of nine claims, whose signing input is about 400 bytes long, and
/// everything that can be done with it.
pub struct Subject {
    key: SigningKey,
    claims: Value,
    token: String,
    signature: Vec<u8>,
    keys: KeySet,
    expected: Expectation,
    signer: Signer,
    public: ParsedPublicKey,
    verifier: Verifier,
}

impl Subject {
    /// Makes the key and the token.
    pub fn new(algorithm: Algorithm) -> Self {
        let key = SigningKey::generate(algorithm).unwrap();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "7d4f0a52-6f0e-4d3c-9a58-6a1f4f8f3f11",
            "client_id": "shop", "jti": "01j9zx4t6c8q6j0z4n0w2r5y7b", "iat": 1_700_000_000,
            "exp": 4_000_000_000_i64, "scope": "orders:read profile", "roles": ["user"],
        });
        let token = key.sign("at+jwt", &claims).unwrap();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let signature = base64url::decode(signature).unwrap();
        let keys = KeySet::from_keys([key.verifying_key()]);
        let expected = Expectation {
            issuer: ISSUER.to_owned(),
            audience: vec![AUDIENCE.to_owned()],
            typ: Typ::AccessToken,
            now: 1_700_000_100,
            leeway: 5,
        };
        let verifier = Verifier::with_keys(ISSUER, AUDIENCE, keys.clone()).token_cache(10_000);
        let verifier = verifier.build().unwrap();
        verifier.verify_now(&token).unwrap();
        let (signer, public) = (Signer::of(&key), public_key(&key));
        Self { key, claims, token, signature, keys, expected, signer, public, verifier }
    }

    /// What is signed.
    pub fn signing_input(&self) -> &str {
        self.token.rsplit_once('.').unwrap().0
    }

    /// S: a bare signature.
    pub fn bare_sign(&self) -> usize {
        self.signer.sign(self.signing_input().as_bytes())
    }

    /// V: a bare verification.
    pub fn bare_verify(&self) -> usize {
        self.public.verify_sig(self.signing_input().as_bytes(), &self.signature).unwrap();
        self.signature.len()
    }

    /// Ours: claims to a token.
    pub fn sign(&self) -> usize {
        self.key.sign("at+jwt", &self.claims).unwrap().len()
    }

    /// Ours: a token to claims.
    pub fn verify(&self) -> usize {
        let claims = munjigi_token::verify(&self.token, &self.keys, &self.expected).unwrap();
        claims.aud.len()
    }

    /// Ours: a token that was seen before, in a cache with room for 10,000, its expiry and every
    /// revocation looked at again.
    pub fn verify_again(&self) -> usize {
        self.verifier.verify_now(&self.token).unwrap().sub().len()
    }
}
