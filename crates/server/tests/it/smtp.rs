//! A mail server of the tests' own, over loopback: as much of RFC 5321 as one mail needs, with TLS
//! from the first byte, by STARTTLS, or not at all.

use std::sync::{Arc, Mutex};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub const CA: &[u8] = include_bytes!("../tls/ca.pem");

/// How the server protects its connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    Implicit,
    StartTls,
    Nothing,
}

/// The server, and everything that it was told.
#[derive(Clone)]
pub struct MailServer {
    pub port: u16,
    /// Every line of every conversation.
    pub said: Arc<Mutex<Vec<String>>>,
    /// The mails that were taken.
    pub mails: Arc<Mutex<Vec<String>>>,
    /// What is answered to RCPT TO; `250 ok` at first.
    pub answer: Arc<Mutex<&'static str>>,
}

impl MailServer {
    pub async fn start(protection: Protection) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            said: Arc::default(),
            mails: Arc::default(),
            answer: Arc::new(Mutex::new("250 ok")),
        };
        let mine = server.clone();
        let acceptor = acceptor();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, acceptor) = (mine.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if protection == Protection::Implicit {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        server.converse(stream, Protection::Nothing, true).await;
                    } else if let Some(stream) = server.converse(stream, protection, true).await {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        server.converse(stream, Protection::Nothing, false).await;
                    }
                });
            }
        });
        server
    }

    /// Talks until the client leaves; gives the connection back when it asks for TLS.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        protection: Protection,
        greets: bool,
    ) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if greets {
            stream.write_all(b"220 mail.test ready\r\n").await.ok()?;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            self.said.lock().unwrap().push(line.trim_end().to_owned());
            let word = line.split([' ', ':', '\r']).next().unwrap().to_uppercase();
            let answer = match word.as_str() {
                "EHLO" if protection == Protection::StartTls => "250-mail.test\r\n250 STARTTLS",
                "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                "STARTTLS" if protection == Protection::StartTls => {
                    stream.write_all(b"220 go ahead\r\n").await.ok()?;
                    return Some(stream.into_inner());
                }
                "AUTH" => "235 welcome",
                "RCPT" => *self.answer.lock().unwrap(),
                "DATA" => {
                    stream.write_all(b"354 go ahead\r\n").await.ok()?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail).await.ok()?;
                    }
                    self.mails.lock().unwrap().push(mail);
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
        }
    }
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = CertificateDer::pem_slice_iter(include_bytes!("../tls/localhost.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/localhost.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
