//! The mail server that mails are handed to (RFC 6409), over TLS: from the first byte (RFC 8314) or
//! by STARTTLS (RFC 3207), which is demanded, not tried. Plain only towards this machine, and only
//! when that is asked for.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use munjigi_core::secret::Secret;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use url::Url;

use super::{Again, Envelope, Letter, Undelivered};

/// How long the handing over of one mail may take in all.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long the mail server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who sends, and through which mail server.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The mail server.
    pub relay: Relay,
    /// From whom mails come.
    pub from: Mailbox,
    /// Where answers go, if not there.
    pub reply_to: Option<Mailbox>,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Its name or address: what its certificate has to be for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User name and password.
    credentials: Option<(String, Secret)>,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte: `smtps://`.
    Implicit,
    /// TLS after STARTTLS, without which nothing is said: `smtp://`.
    StartTls,
    /// None: `smtp://…?tls=none`, towards this machine alone.
    Plain,
}

impl Relay {
    /// Reads `smtps://USER:PASSWORD@HOST:PORT`, `smtp://…` or, for this machine,
    /// `smtp://localhost?tls=none`; or says what is wrong, without the text, which holds a secret.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let forms =
            "is `smtps://USER:PASSWORD@HOST` (TLS) or `smtp://USER:PASSWORD@HOST` (STARTTLS)";
        let url = Url::parse(text.trim()).map_err(|_| forms)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(forms)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Security::Implicit, 465),
            ("smtp", None) => (Security::StartTls, 587),
            ("smtp", Some("tls=none")) if is_this_machine(&host) => (Security::Plain, 25),
            ("smtp", Some("tls=none")) => {
                return Err("speaks without TLS only to this machine (`localhost`)");
            }
            _ => return Err(forms),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(forms);
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(String::from);
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                let user = decoded(user).map_err(|_| forms)?;
                Some((user, Secret::new(decoded(password).map_err(|_| forms)?)))
            }
            _ => return Err("has both a user name and a password, or neither"),
        };
        Ok(Self { host, port: url.port().unwrap_or(port), security, credentials })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A sender as people write it: `no-reply@example.kr` or `문지기 <no-reply@example.kr>`.
pub fn parse_sender(text: &str) -> Option<Mailbox> {
    let is_plain = !text.chars().any(char::is_control);
    text.trim().parse().ok().filter(|_| is_plain)
}

/// Hands mails over.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    host: String,
}

impl Smtp {
    /// For one mail server. `host` is our own name. Connects to nothing yet.
    pub(super) fn new(
        config: &MailConfig,
        roots: &[CertificateDer<'_>],
        host: &str,
    ) -> Result<Self, String> {
        let relay = &config.relay;
        let tls = match relay.security {
            Security::Implicit => Tls::Wrapper(tls(relay, roots)?),
            Security::StartTls => Tls::Required(tls(relay, roots)?),
            Security::Plain => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(relay.host.as_str())
            .port(relay.port)
            .hello_name(named(host))
            .timeout(Some(PATIENCE))
            .tls(tls);
        let builder = match &relay.credentials {
            Some((user, password)) => {
                let password = password.reveal().to_owned();
                builder.credentials(Credentials::new(user.clone(), password))
            }
            None => builder,
        };
        let (from, reply_to) = (config.from.clone(), config.reply_to.clone());
        Ok(Self { transport: builder.build(), from, reply_to, host: host.to_owned() })
    }

    pub(super) async fn send(
        &self,
        envelope: &Envelope<'_>,
        letter: Letter,
    ) -> Result<(), Undelivered> {
        let message = self.message(envelope, letter)?;
        let sent = tokio::time::timeout(DEADLINE, self.transport.send(message)).await;
        let Ok(sent) = sent else {
            let reason = "the mail server took too long".to_owned();
            return Err(Undelivered { reason, again: Again::Later });
        };
        sent.map(|_| ()).map_err(|error| undelivered(&error))
    }

    fn message(&self, envelope: &Envelope<'_>, letter: Letter) -> Result<Message, Undelivered> {
        let never = |reason: &str| Undelivered { reason: reason.to_owned(), again: Again::Never };
        let to: Address =
            envelope.mail.to.parse().map_err(|_| never("the address cannot be written to"))?;
        let millis = u64::try_from(envelope.written_at.as_millis()).unwrap_or(0);
        let builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            // RFC 5322 §3.6.4. The same when it is sent again, so that a mail program can tell
            // that it is the same mail.
            .message_id(Some(format!("<{}@{}>", envelope.id, self.host)))
            // RFC 3834 §5: no machine is to answer.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", letter.lang));
        let builder = match &self.reply_to {
            Some(reply_to) => builder.reply_to(reply_to.clone()),
            None => builder,
        };
        let parts = MultiPart::alternative()
            .boundary(envelope.id.clone())
            .singlepart(SinglePart::plain(letter.text))
            .singlepart(SinglePart::html(letter.html));
        builder.multipart(parts).map_err(|_| never("the mail cannot be written"))
    }
}

fn header(name: &'static str, value: &'static str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn tls(relay: &Relay, roots: &[CertificateDer<'_>]) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(relay.host.clone());
    for root in roots {
        let root = Certificate::from_der(root.to_vec()).map_err(|error| error.to_string())?;
        builder = builder.add_root_certificate(root);
    }
    builder.build().map_err(|error| error.to_string())
}

/// How we introduce ourselves (RFC 5321 §4.1.3): by the issuer's host, never by the machine's name.
fn named(host: &str) -> ClientId {
    match host.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}

/// What is kept of an error: its kind and the reply code. The reply's text may hold an address.
fn undelivered(error: &lettre::transport::smtp::Error) -> Undelivered {
    let Some(code) = error.status() else {
        let reason = if error.is_timeout() {
            "the mail server took too long"
        } else if error.is_tls() {
            "no TLS with the mail server"
        } else if error.is_client() {
            "the mail server cannot do what is asked of it"
        } else {
            "the mail server cannot be reached"
        };
        return Undelivered { reason: reason.to_owned(), again: Again::Later };
    };
    let code = code.to_string();
    // RFC 5321 §4.2.3: 550, 551 and 553 speak of the mailbox, and for good. Other refusals (of our
    // credentials, say) an operator can mend.
    let is_mailbox = matches!(code.as_str(), "550" | "551" | "553");
    let again = if is_mailbox { Again::Never } else { Again::Later };
    Undelivered { reason: format!("the mail server answered {code}"), again }
}
