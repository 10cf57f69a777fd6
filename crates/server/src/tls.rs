//! TLS at our own door (RFC 8446, RFC 5246): a certificate and its key from files, taken anew when
//! the files change. It must not take a pair that a start would refuse, and never gives up a pair
//! that works for one that does not.

mod pair;
mod watch;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use munjigi_core::time::Timestamp;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use pair::{Pair, Unusable, Which};
pub use watch::watch;

/// How long a handshake may take.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain in PEM, this server's own certificate first.
    pub certificate: PathBuf,
    /// Its key in PEM: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// What connections are taken over TLS with. Clones are the same.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

/// The pair that new connections are shown.
struct Current {
    files: TlsFiles,
    pair: ArcSwap<Pair>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.pair.load().certified()))
    }
}

impl Tls {
    /// TLS with the pair in these files.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn open(files: TlsFiles) -> Result<Self, Vec<Unusable>> {
        let pair = ArcSwap::from_pointee(Pair::read(&files)?);
        let current = Arc::new(Current { files, pair });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            // RFC 9325 §3.1.1: nothing before 1.2.
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| vec![Unusable::certificate(error.to_string())])?
            .with_no_client_auth();
        let resolver = Arc::clone(&current);
        let mut config = config.with_cert_resolver(resolver);
        // RFC 7301: what we speak, what we would rather speak first.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current })
    }

    /// A connection, once both sides agree; an error as soon as they do not, or take too long.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE_DEADLINE, self.acceptor.accept(stream)).await?
    }

    /// What a person should know of the pair in use, although it is taken.
    pub fn remarks(&self, issuer: &str, now: Timestamp) -> Vec<String> {
        self.current.pair.load().remarks(issuer, now)
    }
}
