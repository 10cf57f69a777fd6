//! What the file says of TLS at our own door: a certificate and its key, or neither.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Mistake, mistake};
use crate::tls::{Pair, TlsFiles, Which};

const CERTIFICATE: &str = "tls.certificate_file";
const KEY: &str = "tls.key_file";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsSection {
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl TlsSection {
    /// Whether anything is said of it.
    pub(super) fn is_said(&self) -> bool {
        self.certificate_file.is_some() || self.key_file.is_some()
    }

    /// The files, which were read: a server that starts can use them.
    pub(super) fn check(&self, issuer: Option<&str>) -> Result<Option<TlsFiles>, Vec<Mistake>> {
        let (certificate, key) = match (&self.certificate_file, &self.key_file) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (None, Some(_)) => {
                return Err(vec![mistake(CERTIFICATE, "is missing; the key has one")]);
            }
            (Some(_), None) => {
                return Err(vec![mistake(KEY, "is missing; the certificate has one")]);
            }
        };
        let mut mistakes = Vec::new();
        if issuer.is_some_and(|issuer| !issuer.starts_with("https://")) {
            mistakes.push(mistake("issuer", "is an https URL where there is a certificate"));
        }
        let files = TlsFiles { certificate, key };
        let wrong = Pair::read(&files).err().unwrap_or_default();
        mistakes.extend(wrong.into_iter().map(|wrong| match wrong.which {
            Which::Certificate => mistake(CERTIFICATE, wrong.message),
            Which::Key => mistake(KEY, wrong.message),
        }));
        if mistakes.is_empty() { Ok(Some(files)) } else { Err(mistakes) }
    }
}
