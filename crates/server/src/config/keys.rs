//! The section about the key-encryption key: what seals the keys in the database, and what did so
//! before, while one takes the other's place.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Mistake, Mode, exposed, is_exposed, mistake, read_secret};
use crate::seal::EncryptionKey;

const PRESENT: &str = "keys.encryption_key_file";
const PREVIOUS: &str = "keys.previous_encryption_key_file";

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeysSection {
    encryption_key: Option<String>,
    encryption_key_file: Option<PathBuf>,
    previous_encryption_key_file: Option<PathBuf>,
}

impl KeysSection {
    /// The key that seals, and opens what the previous one sealed if one is named.
    pub(super) fn check(&self, mode: Mode) -> Result<EncryptionKey, Mistake> {
        let text = match (&self.encryption_key, &self.encryption_key_file) {
            (Some(_), Some(_)) => {
                let message = "say it once: `encryption_key` or `encryption_key_file`";
                return Err(mistake(PRESENT, message));
            }
            (Some(text), None) => Zeroizing::new(text.clone()),
            (None, Some(path)) => read(PRESENT, path, mode)?,
            (None, None) => {
                return Err(mistake(
                    PRESENT,
                    "signing keys are sealed in the database under a key that is kept elsewhere; \
                     make one with `openssl rand -base64 32 > munjigi.key; chmod 400 munjigi.key` \
                     and name the file here",
                ));
            }
        };
        let present = parse(PRESENT, &text)?;
        let Some(path) = &self.previous_encryption_key_file else { return Ok(present) };
        let previous = read(PREVIOUS, path, mode)?;
        if previous.trim() == text.trim() {
            return Err(mistake(PREVIOUS, "it is the same key as the present one"));
        }
        Ok(present.with_previous(parse(PREVIOUS, &previous)?))
    }
}

fn read(key: &str, path: &Path, mode: Mode) -> Result<Zeroizing<String>, Mistake> {
    let text = read_secret(key, path)?;
    if mode == Mode::Serve && is_exposed(path) {
        return Err(mistake(key, exposed(path)));
    }
    Ok(text)
}

fn parse(key: &str, text: &str) -> Result<EncryptionKey, Mistake> {
    EncryptionKey::parse(text).map_err(|error| mistake(key, error.to_string()))
}
