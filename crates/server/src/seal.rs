//! Seals private keys for the database: AES-256-GCM under the key-encryption key, bound to the
//! place where the sealed bytes belong.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random;

/// The key that seals other keys. It never stands in the database. While one takes another's place,
/// both open, and the new one alone seals.
pub struct EncryptionKey {
    present: LessSafeKey,
    previous: Option<LessSafeKey>,
}

/// What can be wrong with sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SealError {
    /// The text is not 32 bytes in base64.
    #[error("it is 32 random bytes in base64, for example from `openssl rand -base64 32`")]
    BadKey,
    /// The sealed bytes were made under another key, belong elsewhere, or were changed.
    #[error(
        "a sealed key does not open: the key-encryption key is another one than it was sealed with \
         (keys.encryption_key_file, or keys.previous_encryption_key_file while it is replaced)"
    )]
    DoesNotOpen,
    /// No randomness for a nonce, or a plaintext too long to seal.
    #[error("a key could not be sealed")]
    DoesNotSeal,
}

impl EncryptionKey {
    /// From 32 raw bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::BadKey)?;
        Ok(Self { present: LessSafeKey::new(key), previous: None })
    }

    /// The same, and what `previous` sealed still opens.
    #[must_use]
    pub fn with_previous(self, previous: Self) -> Self {
        Self { previous: Some(previous.present), ..self }
    }

    /// From base64 text (either alphabet, white space around it allowed).
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text));
        let decoded = Zeroizing::new(decoded.map_err(|_| SealError::BadKey)?);
        let bytes = decoded.first_chunk::<32>().filter(|_| decoded.len() == 32);
        Self::from_bytes(bytes.ok_or(SealError::BadKey)?)
    }

    /// A new key as text, to be kept in a file.
    pub fn generate() -> Result<Zeroizing<String>, random::NoRandomness> {
        let bytes = Zeroizing::new(random::bytes::<32>()?);
        Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
    }

    /// Seals `plain` for `place` (table and row).
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = random::bytes::<NONCE_LEN>().map_err(|_| SealError::DoesNotSeal)?;
        let mut sealed = nonce.to_vec();
        let mut body = Zeroizing::new(plain.to_vec());
        let aad = Aad::from(place.as_bytes());
        let tag = self
            .present
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body)
            .map_err(|_| SealError::DoesNotSeal)?;
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let opened = open_with(&self.present, place, sealed);
        match &self.previous {
            Some(previous) if opened.is_err() => open_with(previous, place, sealed),
            Some(_) | None => opened,
        }
    }

    /// The same sealed anew, if another key than the present one sealed it.
    pub fn reseal(&self, place: &str, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        if open_with(&self.present, place, sealed).is_ok() {
            return Ok(None);
        }
        self.seal(place, &self.open(place, sealed)?).map(Some)
    }
}

fn open_with(
    key: &LessSafeKey,
    place: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::DoesNotOpen)?;
    let mut body = Zeroizing::new(body.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let aad = Aad::from(place.as_bytes());
    let opened = key.open_in_place(nonce, aad, &mut body);
    let length = opened.map_err(|_| SealError::DoesNotOpen)?.len();
    body.truncate(length);
    Ok(body)
}

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_only_in_its_own_place_and_unchanged() {
        let key = EncryptionKey::parse(&EncryptionKey::generate().unwrap()).unwrap();
        let sealed = key.seal("key/1", b"private").unwrap();
        assert_eq!(key.open("key/1", &sealed).unwrap().as_slice(), b"private");
        assert_eq!(key.open("key/2", &sealed).err(), Some(SealError::DoesNotOpen));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open("key/1", &changed).is_err());
        }
        let other = EncryptionKey::from_bytes(&[1; 32]).unwrap();
        assert!(other.open("key/1", &sealed).is_err());
        assert!(key.open("key/1", &sealed[..5]).is_err());
    }

    #[test]
    fn what_the_previous_key_sealed_opens_and_is_sealed_anew_once() {
        let of = |byte| EncryptionKey::from_bytes(&[byte; 32]).unwrap();
        let sealed = of(1).seal("key/1", b"private").unwrap();
        let both = of(2).with_previous(of(1));
        assert_eq!(both.open("key/1", &sealed).unwrap().as_slice(), b"private");
        assert!(both.open("key/2", &sealed).is_err());

        let anew = both.reseal("key/1", &sealed).unwrap().unwrap();
        assert_eq!(both.reseal("key/1", &anew), Ok(None));
        assert_eq!(of(2).open("key/1", &anew).unwrap().as_slice(), b"private");
        assert!(of(1).open("key/1", &anew).is_err(), "the previous key is needed no more");
        assert_eq!(of(3).reseal("key/1", &anew), Err(SealError::DoesNotOpen));
        assert!(of(1).open("key/9", &both.seal("key/9", b"new").unwrap()).is_err());
    }

    #[test]
    fn a_short_key_is_no_key() {
        for bad in ["", "c2hvcnQ=", "not base64!", &STANDARD.encode([0; 33])] {
            assert_eq!(EncryptionKey::parse(bad).err(), Some(SealError::BadKey), "{bad}");
        }
    }
}
