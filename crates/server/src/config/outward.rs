//! What the file says of the ways out: the mail server, and where this server may go by itself.

use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::network::{Network, check_networks};
use super::{Mistake, mistake, read_secret};
use crate::fetch::parse_roots;
use crate::mail::{MailConfig, Relay, parse_sender};

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MailSection {
    smtp_url: Option<String>,
    smtp_url_file: Option<PathBuf>,
    from: Option<String>,
    reply_to: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OutboundSection {
    ca_file: Option<PathBuf>,
    allow: Vec<String>,
}

/// Where this server may go by itself, beside public addresses over TLS.
#[derive(Clone, Debug, Default)]
pub struct Outbound {
    /// Authorities that are trusted beside the machine's own.
    pub roots: Vec<CertificateDer<'static>>,
    /// Addresses that may be connected to although they are not public, also in plain HTTP.
    pub allowed: Vec<Network>,
}

impl MailSection {
    pub(super) fn check(&self) -> Result<Option<MailConfig>, Mistake> {
        let url = match (&self.smtp_url, &self.smtp_url_file) {
            (Some(_), Some(_)) => {
                return Err(mistake("mail.smtp_url", "say it once: `smtp_url` or `smtp_url_file`"));
            }
            (Some(text), None) => Zeroizing::new(text.clone()),
            (None, Some(path)) => read_secret("mail.smtp_url_file", path)?,
            (None, None) if self.from.is_none() && self.reply_to.is_none() => return Ok(None),
            (None, None) => {
                return Err(mistake("mail.smtp_url", "is missing; no mail is sent without it"));
            }
        };
        let relay = Relay::parse(&url).map_err(|wrong| mistake("mail.smtp_url", wrong))?;
        let sender = |key: &str, text: &str| {
            let message = "is an address such as `Munjigi <no-reply@example.kr>`";
            parse_sender(text).ok_or_else(|| mistake(key, message))
        };
        let Some(from) = &self.from else {
            return Err(mistake("mail.from", "is missing; from whom do mails come?"));
        };
        let from = sender("mail.from", from)?;
        let reply_to = self.reply_to.as_deref().map(|text| sender("mail.reply_to", text));
        Ok(Some(MailConfig { relay, from, reply_to: reply_to.transpose()? }))
    }
}

impl OutboundSection {
    pub(super) fn check(&self) -> Result<Outbound, Mistake> {
        let key = "outbound.ca_file";
        let roots = match &self.ca_file {
            None => Vec::new(),
            Some(path) => {
                let read = std::fs::read(path);
                let pem = read.map_err(|error| {
                    mistake(key, format!("cannot read {}: {error}", path.display()))
                });
                let wrong = "holds no certificate of an authority in PEM";
                parse_roots(&pem?).ok_or_else(|| mistake(key, wrong))?
            }
        };
        Ok(Outbound { roots, allowed: check_networks("outbound.allow", &self.allow)? })
    }
}
