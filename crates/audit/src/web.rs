//! A log as a server gives it out (C2SP tlog-tiles), and how one is let in there. It must not go
//! anywhere but to the server that was named.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use munjigi_audit::{Log, MAX_FILE_BYTES};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, http};

/// How long a server has for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a log's URL ends with.
const SUFFIX: &str = "/api/v1/audit";

/// What lets one in.
pub(crate) enum Access {
    /// Nothing is needed.
    Nothing,
    /// A token in a file that somebody renews.
    TokenFile(PathBuf),
    /// A client and the file of its secret.
    Client {
        /// Its id.
        id: String,
        /// Its secret.
        file: PathBuf,
    },
}

/// A log at a URL.
pub(crate) struct Web {
    url: String,
    access: Access,
    agent: Agent,
    /// The token that the client got last.
    token: Mutex<Option<String>>,
}

impl Web {
    /// The log at this URL.
    pub(crate) fn new(url: &str, access: Access) -> Result<Self, String> {
        let url = url.trim_end_matches('/').to_owned();
        if matches!(access, Access::Client { .. }) && !url.ends_with(SUFFIX) {
            return Err(format!("a client gets its tokens at ISSUER{SUFFIX}"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            // A token is for the server that was named, and for no other.
            .max_redirects(0)
            .http_status_as_error(false)
            .build();
        Ok(Self { url, access, agent: config.into(), token: Mutex::default() })
    }

    /// What goes into the header; `fresh` when the last one was refused.
    fn token(&self, fresh: bool) -> io::Result<Option<String>> {
        let (id, file) = match &self.access {
            Access::Nothing => return Ok(None),
            Access::TokenFile(file) => return secret(file).map(Some),
            Access::Client { id, file } => (id, file),
        };
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() || fresh {
            *known = Some(self.ask(id, &secret(file)?)?);
        }
        Ok(known.clone())
    }

    /// RFC 6749 §4.4.
    fn ask(&self, id: &str, secret: &str) -> io::Result<String> {
        let issuer = self.url.strip_suffix(SUFFIX).unwrap_or(&self.url);
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "admin audit:read"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        let answer = self.agent.post(format!("{issuer}/oauth2/token")).send_form(form);
        let bytes = read(answer.map_err(io::Error::other)?)?;
        let answer: serde_json::Value = serde_json::from_slice(&bytes)?;
        let token = answer.get("access_token").and_then(serde_json::Value::as_str);
        token.map(str::to_owned).ok_or_else(|| io::Error::other("no access token was given"))
    }

    fn get(&self, path: &str, token: Option<&str>) -> io::Result<http::Response<Body>> {
        let request = self.agent.get(format!("{}/{path}", self.url));
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.call().map_err(io::Error::other)
    }
}

impl Log for Web {
    fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        // A server never gives it out.
        if path == "personal.ndjson" {
            return Err(ErrorKind::NotFound.into());
        }
        let mut answer = self.get(path, self.token(false)?.as_deref())?;
        let is_over = answer.status() == 401 && matches!(self.access, Access::Client { .. });
        if is_over {
            answer = self.get(path, self.token(true)?.as_deref())?;
        }
        read(answer)
    }
}

fn secret(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map(|text| text.trim().to_owned())
}

fn read(mut answer: http::Response<Body>) -> io::Result<Vec<u8>> {
    match answer.status().as_u16() {
        200 => {}
        404 => return Err(ErrorKind::NotFound.into()),
        status => return Err(io::Error::other(format!("the server answers {status}"))),
    }
    let bytes = answer.body_mut().with_config().limit(MAX_FILE_BYTES + 1).read_to_vec();
    let bytes = bytes.map_err(io::Error::other)?;
    let is_long = u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES);
    if is_long { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
