//! Bundles of entries (C2SP tlog-tiles, "Log entries"): each behind its length in two bytes. It
//! must not know what an entry says.

use crate::Error;

/// The longest entry.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// The entries of a bundle, which has to hold exactly so many.
///
/// # Errors
/// [`Error::BadBundle`].
pub fn read_bundle(bytes: &[u8], width: u64) -> Result<Vec<&[u8]>, Error> {
    let entries = read_entries(bytes);
    let length: usize = entries.iter().map(|entry| entry.len() + 2).sum();
    let is_whole = length == bytes.len() && u64::try_from(entries.len()) == Ok(width);
    is_whole.then_some(entries).ok_or(Error::BadBundle)
}

/// The entries at the beginning of a bundle, as many as can be read.
pub(crate) fn read_entries(bytes: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((entry, after)) = after.split_at_checked(length) else { break };
        entries.push(entry);
        rest = after;
    }
    entries
}

/// A bundle of these entries.
///
/// # Errors
/// [`Error::TooLong`].
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| Error::TooLong)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// A place in memory. What does not fit is nowhere.
pub(crate) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
