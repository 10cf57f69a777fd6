//! Stored password hashes as text: Argon2id in PHC form (RFC 9106) and bcrypt's 60 characters.
//! Nothing is hashed here; what a text may ask the hashing pool to do is bounded here.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use crate::secret::constant_time_eq;

/// bcrypt's own alphabet. Some old libraries left bits standing in the last characters; they mean
/// nothing.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// No stored hash is longer.
const MAX_TEXT_BYTES: usize = 256;
/// The most memory a stored hash may ask for: 256 MiB. A stored `m=4194304` is a bomb.
const MAX_M_KIB: u32 = 262_144;
const MAX_T: u32 = 16;
const MAX_P: u32 = 8;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;
/// RFC 9106 §3.1 takes a salt of 8 bytes and more; 16 are recommended, and what we make.
const SALT_BYTES: std::ops::RangeInclusive<usize> = 8..=64;
const OUR_SALT_BYTES: usize = 16;
const DIGEST_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
const OUR_DIGEST_BYTES: usize = 32;

/// What one Argon2id hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// Memory in KiB.
    pub m_kib: u32,
    /// Passes over it.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

impl Default for Argon2Params {
    /// 19 MiB, 2 passes, 1 lane (`product.md`, defaults; OWASP's recommendation).
    fn default() -> Self {
        Self { m_kib: 19_456, t: 2, p: 1 }
    }
}

impl Argon2Params {
    /// The same, if Argon2 takes them (RFC 9106 §3.1) and they are within our bounds: 256 MiB, 16
    /// passes, 8 lanes.
    pub fn bounded(self) -> Result<Self, StoredHashError> {
        if self.t == 0 || self.p == 0 {
            return Err(StoredHashError::Malformed);
        }
        if self.m_kib > MAX_M_KIB || self.t > MAX_T || self.p > MAX_P {
            return Err(StoredHashError::TooCostly);
        }
        // RFC 9106 §3.1: at least 8 KiB for each lane.
        if self.m_kib < 8 * self.p { Err(StoredHashError::Malformed) } else { Ok(self) }
    }
}

/// Why a stored text is not used to check a password. For the log and for imports, not for the
/// person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoredHashError {
    /// Neither `$argon2id$` nor `$2a$`, `$2b$`, `$2y$`.
    #[error("this kind of password hash is not known")]
    UnknownKind,
    /// Of a known kind, but not well formed.
    #[error("the password hash is malformed")]
    Malformed,
    /// Well formed, but it would take too much memory or time.
    #[error("the password hash asks for more memory or time than is allowed")]
    TooCostly,
}

impl StoredHashError {
    /// A stable code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownKind => "hash_unknown_kind",
            Self::Malformed => "hash_malformed",
            Self::TooCostly => "hash_too_costly",
        }
    }
}

/// A stored password hash. `Display` writes the text to store; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredHash {
    /// What we make.
    Argon2id(Argon2idHash),
    /// What other systems made; replaced at the next sign-in.
    Bcrypt(BcryptHash),
}

impl StoredHash {
    /// Reads a stored text. It is refused before anything is computed if it asks for too much.
    pub fn parse(text: &str) -> Result<Self, StoredHashError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(StoredHashError::Malformed);
        }
        if let Some(rest) = text.strip_prefix("$argon2id$") {
            return Argon2idHash::parse(rest).map(Self::Argon2id);
        }
        for prefix in ["$2a$", "$2b$", "$2y$"] {
            if let Some(rest) = text.strip_prefix(prefix) {
                return BcryptHash::parse(prefix, rest).map(Self::Bcrypt);
            }
        }
        Err(StoredHashError::UnknownKind)
    }

    /// An Argon2id hash that was just computed, with a salt of 16 bytes and a digest of 32. Nothing
    /// is checked: bounds are for what comes from outside.
    pub fn argon2id(params: Argon2Params, salt: &[u8], digest: &[u8]) -> Self {
        Self::Argon2id(Argon2idHash { params, salt: salt.to_vec(), digest: digest.to_vec() })
    }

    /// Whether a password that matched should be hashed again and stored anew: it is not Argon2id,
    /// or less memory, fewer passes, a shorter salt or a shorter digest than today's.
    pub fn needs_rehash(&self, wanted: &Argon2Params) -> bool {
        match self {
            Self::Argon2id(hash) => {
                hash.params.m_kib < wanted.m_kib
                    || hash.params.t < wanted.t
                    || hash.salt.len() < OUR_SALT_BYTES
                    || hash.digest.len() < OUR_DIGEST_BYTES
            }
            Self::Bcrypt(_) => true,
        }
    }
}

impl fmt::Display for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id(hash) => hash.fmt(f),
            Self::Bcrypt(hash) => hash.fmt(f),
        }
    }
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Argon2id(_) => "StoredHash::Argon2id(…)",
            Self::Bcrypt(_) => "StoredHash::Bcrypt(…)",
        })
    }
}

/// An Argon2id hash, version 1.3: parameters, salt and digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Argon2idHash {
    params: Argon2Params,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Argon2idHash {
    // `v=19$m=19456,t=2,p=1$salt$digest`: version and parameters in this order, numbers without
    // zeros in front, base64 without padding or stray bits. One hash has one text.
    fn parse(text: &str) -> Result<Self, StoredHashError> {
        let malformed = StoredHashError::Malformed;
        let mut fields = text.split('$');
        let mut field = || fields.next().ok_or(malformed);
        let (version, params, salt, digest) = (field()?, field()?, field()?, field()?);
        if fields.next().is_some() || version != "v=19" {
            return Err(malformed);
        }

        let mut numbers = params.split(',');
        let mut number = |name: &str| {
            let text = numbers.next().and_then(|field| field.strip_prefix(name));
            text.and_then(plain_number).ok_or(malformed)
        };
        let params = Argon2Params { m_kib: number("m=")?, t: number("t=")?, p: number("p=")? };
        if numbers.next().is_some() {
            return Err(malformed);
        }
        let decode = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| malformed);
        let (params, salt, digest) = (params.bounded()?, decode(salt)?, decode(digest)?);
        if !SALT_BYTES.contains(&salt.len()) || !DIGEST_BYTES.contains(&digest.len()) {
            return Err(malformed);
        }
        Ok(Self { params, salt, digest })
    }

    /// What it cost.
    pub const fn params(&self) -> Argon2Params {
        self.params
    }

    /// The salt to compute with.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The digest, whose length says how long a one to compute. Compare with
    /// [`admits`](Self::admits).
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Whether `computed` is this digest, compared in constant time.
    pub fn admits(&self, computed: &[u8]) -> bool {
        constant_time_eq(&self.digest, computed)
    }
}

impl fmt::Display for Argon2idHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Argon2Params { m_kib, t, p } = self.params;
        let salt = STANDARD_NO_PAD.encode(&self.salt);
        let digest = STANDARD_NO_PAD.encode(&self.digest);
        write!(f, "$argon2id$v=19$m={m_kib},t={t},p={p}${salt}${digest}")
    }
}

/// A bcrypt hash, `$2a$`, `$2b$` or `$2y$`: they differ only in the faults of the libraries that
/// named them.
#[derive(Clone, PartialEq, Eq)]
pub struct BcryptHash {
    cost: u32,
    text: String,
}

impl BcryptHash {
    // `$2b$12$`, 22 characters of salt, 31 of digest.
    fn parse(prefix: &str, text: &str) -> Result<Self, StoredHashError> {
        let malformed = StoredHashError::Malformed;
        let (cost, rest) = text.split_once('$').ok_or(malformed)?;
        let (salt, digest) = rest.split_at_checked(22).ok_or(malformed)?;
        if cost.len() != 2 || digest.len() != 31 || !cost.bytes().all(|b| b.is_ascii_digit()) {
            return Err(malformed);
        }
        let decode = |text: &str| BCRYPT_BASE64.decode(text).map_err(|_| malformed);
        let salt = BCRYPT_BASE64.encode(decode(salt)?);
        let digest = BCRYPT_BASE64.encode(decode(digest)?);
        let text = format!("{prefix}{cost}${salt}{digest}");

        match cost.parse().map_err(|_| malformed)? {
            cost if BCRYPT_COSTS.contains(&cost) => Ok(Self { cost, text }),
            0..=3 => Err(malformed),
            _ => Err(StoredHashError::TooCostly),
        }
    }

    /// The logarithm of its rounds, 4 to 16.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// Its 60 characters, without stray bits. Whoever computes from them compares in constant time.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for BcryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn plain_number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    // More than ten digits is no number of 32 bits; it is still a number, and too big.
    if plain { Some(text.parse().unwrap_or(u32::MAX)) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
        $AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    // The first vectors of the OpenBSD and jBCrypt test suites.
    const BCRYPT: &str = "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";

    fn parse(text: &str) -> Result<StoredHash, StoredHashError> {
        StoredHash::parse(text)
    }

    #[test]
    fn an_argon2id_hash_is_read_and_written_back() {
        let StoredHash::Argon2id(hash) = parse(ARGON2ID).unwrap() else { panic!("another kind") };
        assert_eq!(hash.params(), Argon2Params::default());
        assert_eq!(hash.salt(), b"somesaltsomesalt");
        let digest: Vec<u8> = (0..32).collect();
        assert!(hash.admits(&digest) && hash.digest() == digest);
        assert!(!hash.admits(&digest[..31]) && !hash.admits(&[0; 32]) && !hash.admits(&[]));
        assert_eq!(hash.to_string(), ARGON2ID);
        let made = StoredHash::argon2id(Argon2Params::default(), b"somesaltsomesalt", &digest);
        assert_eq!(made.to_string(), ARGON2ID);
    }

    #[test]
    fn every_version_of_bcrypt_is_read_and_written_back() {
        for version in ["$2a$", "$2b$", "$2y$"] {
            let text = BCRYPT.replace("$2a$", version);
            let StoredHash::Bcrypt(hash) = parse(&text).unwrap() else { panic!("another kind") };
            assert_eq!((hash.cost(), hash.as_str()), (6, text.as_str()));
            assert_eq!(hash.to_string(), text);
        }
    }

    #[test]
    fn stray_bits_of_old_bcrypt_libraries_mean_nothing() {
        let stray = BCRYPT.replace("cll.", "cll/");
        assert_eq!(parse(&stray), parse(BCRYPT));
        assert_eq!(parse(&stray).unwrap().to_string(), BCRYPT);
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_more_than_the_bounds() {
        for params in [
            "m=262145,t=2,p=1",
            "m=4194304,t=2,p=1",
            "m=19456,t=17,p=1",
            "m=19456,t=2,p=9",
            "m=99999999999999999999,t=2,p=1",
        ] {
            let text = ARGON2ID.replace("m=19456,t=2,p=1", params);
            assert_eq!(parse(&text), Err(StoredHashError::TooCostly), "{params}");
        }
        assert!(parse(&ARGON2ID.replace("m=19456,t=2,p=1", "m=262144,t=16,p=8")).is_ok());
        for cost in ["17", "31", "99"] {
            let text = BCRYPT.replace("$06$", &format!("${cost}$"));
            assert_eq!(parse(&text), Err(StoredHashError::TooCostly), "{cost}");
        }
        assert!(parse(&BCRYPT.replace("$06$", "$04$")).is_ok());
        assert!(parse(&BCRYPT.replace("$06$", "$16$")).is_ok());
    }

    #[test]
    fn malformed_hashes_are_refused() {
        let argon2id = [
            ("v=19", "v=16"),
            ("v=19$", ""),
            ("m=19456,t=2,p=1", "t=2,m=19456,p=1"),
            ("m=19456,t=2,p=1", "m=19456,t=2"),
            ("m=19456,t=2,p=1", "m=19456,t=2,p=1,keyid=AA"),
            ("m=19456", "m=019456"),
            ("m=19456", "m=+19456"),
            ("m=19456", "m="),
            ("m=19456", "m=7"),
            ("t=2", "t=0"),
            ("p=1", "p=0"),
            ("c29tZXNhbHRzb21lc2FsdA", "c2FsdA"),
            ("Hh8", "Hh9"),
            ("c29tZXNhbHRzb21lc2FsdA", "c29tZXNhbHRzb21lc2FsdA=="),
            ("Hh8", "Hh8$"),
            ("Hh8", "Hh8\n"),
            ("$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", ""),
        ];
        for (part, instead) in argon2id {
            let text = ARGON2ID.replacen(part, instead, 1);
            assert_eq!(parse(&text), Err(StoredHashError::Malformed), "{text}");
        }
        for (part, instead) in [
            ("$06$", "$6$"),
            ("$06$", "$+6$"),
            ("$06$", "$03$"),
            ("$06$", "$006$"),
            ("1s.", "1s"),
            ("1s.", "1s.."),
            ("DCq", "D=q"),
            ("DCq", "한"),
        ] {
            let text = BCRYPT.replacen(part, instead, 1);
            assert_eq!(parse(&text), Err(StoredHashError::Malformed), "{text}");
        }
        assert_eq!(
            parse(&format!("{ARGON2ID}{}", "A".repeat(300))),
            Err(StoredHashError::Malformed)
        );
    }

    #[test]
    fn other_kinds_are_unknown() {
        for text in [
            "",
            "password",
            "$2x$06$",
            "$2$06$",
            "$argon2i$v=19$",
            "$argon2d$v=19$",
            "$5$salt$",
            "$scrypt$",
            "$ARGON2ID$",
            " $argon2id$",
        ] {
            assert_eq!(parse(text), Err(StoredHashError::UnknownKind), "{text}");
        }
    }

    #[test]
    fn weaker_hashes_are_made_again() {
        let today = Argon2Params::default();
        let needs = |text: &str| parse(text).unwrap().needs_rehash(&today);
        assert!(!needs(ARGON2ID));
        assert!(!needs(&ARGON2ID.replace("m=19456,t=2,p=1", "m=65536,t=3,p=4")));
        assert!(needs(&ARGON2ID.replace("m=19456", "m=19455")));
        assert!(needs(&ARGON2ID.replace("t=2", "t=1")));
        assert!(needs(&ARGON2ID.replace("c29tZXNhbHRzb21lc2FsdA", "c29tZXNhbHQ")));
        assert!(needs(BCRYPT));
    }

    #[test]
    fn a_hash_does_not_show_itself() {
        assert_eq!(format!("{:?}", parse(ARGON2ID).unwrap()), "StoredHash::Argon2id(…)");
        assert_eq!(format!("{:?}", parse(BCRYPT).unwrap()), "StoredHash::Bcrypt(…)");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            drop(parse(&text));
            drop(parse(&format!("$argon2id$v=19${text}")));
            drop(parse(&format!("$2b${text}")));
        }

        #[test]
        fn what_is_written_is_read_back(
            m_kib in 64_u32..=262_144, t in 1_u32..=16, p in 1_u32..=8,
            salt in any::<[u8; 16]>(), digest in any::<[u8; 32]>(),
        ) {
            let hash = StoredHash::argon2id(Argon2Params { m_kib, t, p }, &salt, &digest);
            prop_assert_eq!(parse(&hash.to_string()), Ok(hash));
        }
    }
}
