//! Values that travel through browsers as text which only this server opens: in a cookie, an
//! address, or a hidden field. Each kind has a place of its own, with a key of its own, so that
//! none is taken for another. What a value may be used for, and until when, its own file says.

use munjigi_token::base64url;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::keys::{KeyError, KeyRing};
use crate::seal::{EncryptionKey, SealError};

/// A value as text: base64url of what only this server opens.
pub fn seal(
    keys: &KeyRing,
    place: &'static str,
    value: &impl Serialize,
) -> Result<String, Failure> {
    let plain = serde_json::to_vec(value).map_err(|_| Failure::Damaged(place))?;
    let sealed = key(keys, place).and_then(|key| key.seal(place, &plain));
    Ok(base64url::encode(&sealed.map_err(KeyError::from)?))
}

/// What was sealed here for this place; nothing for any other text.
pub fn open<T: DeserializeOwned>(keys: &KeyRing, place: &str, text: &str) -> Option<T> {
    let sealed = base64url::decode(text).ok()?;
    let plain = key(keys, place).and_then(|key| key.open(place, &sealed)).ok()?;
    serde_json::from_slice(&plain).ok()
}

fn key(keys: &KeyRing, place: &str) -> Result<EncryptionKey, SealError> {
    EncryptionKey::from_bytes(&keys.derive(place))
}
