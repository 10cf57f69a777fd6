//! Signed notes with Ed25519 (C2SP signed-note; RFC 8032). It must not say what a note is about.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Error;
use crate::merkle::digest;

/// The signature type of Ed25519.
const TYPE: u8 = 1;
/// More than a checkpoint with sixteen cosignatures of the longest kind needs.
const MAX_NOTE_BYTES: usize = 262_144;
/// How a line with a signature begins: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// A public key under its name, as text `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

/// A key that signs notes under its name.
pub struct Signer {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

impl VerifierKey {
    fn new(name: &str, public: [u8; 32]) -> Result<Self, Error> {
        // signed-note: non-empty, without Unicode spaces and without a plus.
        let is_bad = |c: char| c == '+' || c.is_whitespace() || c.is_control();
        if name.is_empty() || name.contains(is_bad) {
            return Err(Error::BadKey);
        }
        // key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
        let hash = digest(&[name.as_bytes(), b"\n", &[TYPE], &public]);
        let id = hash.first_chunk().copied().unwrap_or_default();
        Ok(Self { name: name.to_owned(), id, public })
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a note that this key signed.
    ///
    /// # Errors
    /// [`Error::BadNote`], [`Error::Unsigned`], [`Error::BadSignature`].
    pub fn open<'note>(&self, note: &'note str) -> Result<&'note str, Error> {
        let is_bad = |c: char| c < ' ' && c != '\n';
        if note.len() > MAX_NOTE_BYTES || note.contains(is_bad) {
            return Err(Error::BadNote);
        }
        // The text is separated from the signatures by the last empty line.
        let cut = note.rfind("\n\n").ok_or(Error::BadNote)?;
        let (text, signatures) = note.split_at_checked(cut + 1).ok_or(Error::BadNote)?;
        let lines = signatures.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let mut is_signed = false;
        for line in lines.ok_or(Error::BadNote)?.split('\n') {
            is_signed |= self.check(line, text)?;
        }
        is_signed.then_some(text).ok_or(Error::Unsigned)
    }

    /// Whether a line is this key's signature. Those of other keys are ignored, a wrong one of this
    /// key spoils the note.
    fn check(&self, line: &str, text: &str) -> Result<bool, Error> {
        let parts = line.strip_prefix(MARK).and_then(|line| line.split_once(' '));
        let (name, signature) = parts.ok_or(Error::BadNote)?;
        let signature = STANDARD.decode(signature).map_err(|_| Error::BadNote)?;
        let (id, signature) = signature.split_first_chunk::<4>().ok_or(Error::BadNote)?;
        if name != self.name || *id != self.id {
            return Ok(false);
        }
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(text.as_bytes(), signature).map_err(|_| Error::BadSignature)?;
        Ok(true)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![TYPE];
        key.extend_from_slice(&self.public);
        let id = u32::from_be_bytes(self.id);
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // The key itself may contain a plus; the name may not.
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::BadKey);
        };
        let key = STANDARD.decode(key).map_err(|_| Error::BadKey)?;
        let Some((&TYPE, public)) = key.split_first() else { return Err(Error::BadKey) };
        let key = Self::new(name, public.try_into().map_err(|_| Error::BadKey)?)?;
        (format!("{:08x}", u32::from_be_bytes(key.id)) == id).then_some(key).ok_or(Error::BadKey)
    }
}

impl Signer {
    /// The key of this seed (RFC 8032 §5.1.5), which has to be secret and random.
    ///
    /// # Errors
    /// [`Error::BadKey`] for a name that no key may have.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| Error::BadKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Error::BadKey)?;
        Ok(Self { verifier: VerifierKey::new(name, public)?, pair })
    }

    /// Its public half.
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// The same note, signed by this key as well.
    ///
    /// # Errors
    /// [`Error::BadNote`] when it is no note.
    pub fn countersign(&self, note: &str) -> Result<String, Error> {
        let cut = note.rfind("\n\n").ok_or(Error::BadNote)?;
        let text = note.get(..=cut).ok_or(Error::BadNote)?;
        let signed = self.sign(text)?;
        let line = signed.get(text.len() + 1..).ok_or(Error::BadNote)?;
        Ok(format!("{note}{line}"))
    }

    /// A note of this text, which ends with a newline.
    ///
    /// # Errors
    /// [`Error::BadNote`] when no note can have this text.
    pub fn sign(&self, text: &str) -> Result<String, Error> {
        if !text.ends_with('\n') || text.contains(|c: char| c < ' ' && c != '\n') {
            return Err(Error::BadNote);
        }
        let signature = self.pair.try_sign(text.as_bytes()).map_err(|_| Error::BadKey)?;
        let mut bytes = self.verifier.id.to_vec();
        bytes.extend_from_slice(signature.as_ref());
        Ok(format!("{text}\n{MARK}{} {}\n", self.verifier.name, STANDARD.encode(bytes)))
    }
}

/// Without the private half.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
