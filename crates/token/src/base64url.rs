//! base64url without padding (RFC 7515 §2, RFC 4648 §5), strictly: one text for each value.
//! It must not forgive padding, white space, the other alphabet or stray bits at the end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Error;

/// The text of these bytes.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of this text; [`Error::BadBase64`] if it is not exactly what [`encode`] writes.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::BadBase64)
}

/// Appends the text of these bytes; as bytes, because a token grows in place and is looked at as
/// text once.
pub(crate) fn append(bytes: &[u8], text: &mut Vec<u8>) {
    let start = text.len();
    let room = base64::encoded_len(bytes.len(), false).unwrap_or_default();
    text.resize(start.saturating_add(room), 0);
    let place = text.get_mut(start..).unwrap_or_default();
    // The room is exactly what the text needs.
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, place).unwrap_or_default();
    text.truncate(start.saturating_add(written));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_text() {
        assert_eq!(encode([0xfb, 0xff]), "-_8");
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
        assert_eq!(decode(""), Ok(vec![]));
        // Padding, the other alphabet, white space, stray bits, an impossible length.
        for text in ["-_8=", "+/8", "-_8\n", " -_8", "-_ 8", "-_9", "A", "-_8A-", "é", "-_8\0"] {
            assert_eq!(decode(text), Err(Error::BadBase64), "{text:?}");
        }
    }
}
