//! A certificate and its key as they stand in files (RFC 7468), and what is wrong with them.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use munjigi_core::time::{Span, Timestamp};
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use url::Url;
use x509_cert::certificate::CertificateInner;
use x509_cert::der::Decode;
use x509_cert::time::Time;
use zeroize::Zeroizing;

use super::TlsFiles;
use crate::config::is_exposed;

/// How long before its end a certificate is spoken of.
const SOON: Span = Span::from_days(7);
/// How large a file with a chain or a key may be, in bytes.
const MAX_FILE: u64 = 256 * 1024;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one with the chain.
    Certificate,
    /// The one with the key.
    Key,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Which file.
    pub which: Which,
    /// What is wrong and what to do.
    pub message: String,
}

impl Unusable {
    pub(super) fn certificate(message: impl Into<String>) -> Self {
        Self { which: Which::Certificate, message: message.into() }
    }

    fn key(message: impl Into<String>) -> Self {
        Self { which: Which::Key, message: message.into() }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A chain and the key of its first certificate, which fit together.
pub struct Pair {
    certified: Arc<CertifiedKey>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// Everything that is wrong with them, so that a person fixes them in one go.
    pub fn read(files: &TlsFiles) -> Result<Self, Vec<Unusable>> {
        let exposed = is_exposed(&files.key).then(|| {
            let path = files.key.display();
            let why = "with which they can be this server";
            Unusable::key(format!("others can read {path}, {why}; say `chmod 400 {path}`"))
        });
        let chain = read(&files.certificate).map_err(Unusable::certificate);
        let chain = chain.and_then(|bytes| parse_chain(&bytes));
        let key = read(&files.key).map_err(Unusable::key).and_then(|bytes| parse_key(&bytes));

        let wrong = [chain.as_ref().err(), key.as_ref().err()].into_iter().flatten().cloned();
        let wrong: Vec<_> = wrong.chain(exposed).collect();
        let (Ok((chain, validity)), Ok(key), true) = (chain, key, wrong.is_empty()) else {
            return Err(wrong);
        };
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        let certified = certified.map_err(|error| vec![unfit(&error)])?;
        let (not_before, not_after) = validity;
        Ok(Self { certified: Arc::new(certified), not_before, not_after })
    }

    /// The pair for the handshake.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// What a person should know, although the pair is taken: an expired certificate is shown to
    /// nobody's advantage, and a server that does not start to nobody's either.
    pub fn remarks(&self, issuer: &str, now: Timestamp) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.not_after <= now {
            remarks.push("the certificate has expired; no client will take it".to_owned());
        } else if self.not_after.minus(SOON) <= now {
            let hours = self.not_after.since(now).as_seconds().div_euclid(3_600);
            remarks.push(format!("the certificate expires in {hours} hours"));
        }
        if now < self.not_before {
            remarks.push("the certificate is not valid yet; no client will take it".to_owned());
        }
        if !self.names(issuer) {
            remarks.push("the certificate is not for the host of the issuer".to_owned());
        }
        remarks
    }

    /// Whether the certificate is for the issuer's host (RFC 9525).
    fn names(&self, issuer: &str) -> bool {
        let host = Url::parse(issuer).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (Ok(name), Ok(own)) = (ServerName::try_from(host), self.certified.end_entity_cert())
        else {
            return false;
        };
        ParsedCertificate::try_from(own).is_ok_and(|own| verify_server_name(&own, &name).is_ok())
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error| format!("cannot read {}: {error}", path.display());
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE {
        return Err(format!("{} is too large to be a certificate or a key", path.display()));
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}

type Chain = (Vec<CertificateDer<'static>>, (Timestamp, Timestamp));

fn parse_chain(pem: &[u8]) -> Result<Chain, Unusable> {
    let wrong = || Unusable::certificate("holds no chain of certificates in PEM");
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let own = chain.first().ok_or_else(wrong)?;
    let read = CertificateInner::<x509_cert::certificate::Rfc5280>::from_der(own);
    let validity = read.map_err(|_| wrong())?.tbs_certificate.validity;
    Ok((chain, (timestamp(validity.not_before), timestamp(validity.not_after))))
}

fn timestamp(time: Time) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn parse_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        Unusable::key("holds no private key in PEM: PKCS#8, SEC1 or PKCS#1, without a password")
    })
}

fn unfit(error: &Error) -> Unusable {
    match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            Unusable::key("is not the key of the first certificate in `certificate_file`")
        }
        Error::InvalidCertificate(_) => {
            Unusable::certificate("the first certificate cannot be used for TLS")
        }
        _ => Unusable::key("this kind of key cannot be used for TLS"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/");
    const YEAR: Span = Span::from_days(366);

    /// The pair of the tests, in a folder of its own, its key for its owner alone.
    fn files() -> (tempfile::TempDir, TlsFiles) {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let files = TlsFiles { certificate: place("chain.pem"), key: place("key.pem") };
        fs::copy(format!("{FOLDER}localhost.pem"), &files.certificate).unwrap();
        fs::copy(format!("{FOLDER}localhost.key"), &files.key).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o400)).unwrap();
        (folder, files)
    }

    fn wrong(files: &TlsFiles) -> Vec<Which> {
        let wrong = Pair::read(files).err().unwrap_or_default();
        wrong.into_iter().map(|it| it.which).collect()
    }

    #[test]
    fn a_pair_that_fits_is_taken() {
        let (_folder, files) = files();
        assert_eq!(wrong(&files), vec![]);
    }

    #[test]
    fn everything_that_is_wrong_with_the_files_is_told_at_once() {
        let nowhere = || PathBuf::from("/nowhere/at/all.pem");
        let files = TlsFiles { certificate: nowhere(), key: nowhere() };
        assert_eq!(wrong(&files), [Which::Certificate, Which::Key]);
        let (_folder, files) = self::files();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o440)).unwrap();
        fs::write(&files.certificate, "no certificate").unwrap();
        assert_eq!(wrong(&files), [Which::Certificate, Which::Key]);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (_folder, files) = files();
        fs::copy(format!("{FOLDER}ca.pem"), &files.certificate).unwrap();
        assert_eq!(wrong(&files), [Which::Key]);
    }

    #[test]
    fn a_chain_in_place_of_the_key_and_the_other_way_round_is_refused() {
        let (_folder, files) = files();
        let turned = TlsFiles { certificate: files.key.clone(), key: files.certificate };
        fs::set_permissions(&turned.key, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(wrong(&turned), [Which::Certificate, Which::Key]);
    }

    #[test]
    fn a_certificate_that_is_over_or_of_another_host_is_spoken_of() {
        let (_folder, files) = files();
        let pair = Pair::read(&files).unwrap();
        let now = pair.not_before.plus(YEAR);
        assert_eq!(pair.remarks("https://localhost:8443", now), Vec::<String>::new());
        assert_eq!(pair.remarks("https://127.0.0.1:8443/a", now), Vec::<String>::new());
        assert_eq!(pair.remarks("https://[::1]:8443", now), Vec::<String>::new());
        assert!(pair.remarks("https://other.example", now)[0].contains("host"));
        let issuer = "https://localhost";
        assert!(pair.remarks(issuer, pair.not_after)[0].contains("has expired"));
        let soon = pair.not_after.minus(Span::from_hours(30));
        assert_eq!(pair.remarks(issuer, soon), ["the certificate expires in 30 hours"]);
        let early = pair.not_before.minus(Span::from_seconds(1));
        assert!(pair.remarks(issuer, early)[0].contains("not valid yet"));
    }
}
