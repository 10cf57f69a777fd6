//! Mails to people: what there is to tell, in English and Korean, as text and HTML. A mail is
//! written into the outbox in the transaction that it tells of, and sent afterwards (`outbox.rs`).
//! It must not hold a link that was not built from the configured issuer.

mod letter;
mod link;
mod mailbox;
mod relay;

use munjigi_core::account::Email;
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Mode};
use crate::failure::Failure;
use crate::page::locale::Locale;
pub use letter::Letter;
pub use link::Link;
pub use mailbox::{Mailbox, Received};
use relay::Smtp;
pub use relay::{MailConfig, Relay, Security, parse_sender};

/// One mail to one person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Whom it concerns, for the audit trail; nobody, when the address has no account.
    user_id: Option<UserId>,
    to: String,
    locale: String,
    about: About,
}

/// What a mail tells.
///
/// Mails to an address that nobody has confirmed repeat nothing that a stranger typed: whoever
/// signs up with somebody else's address must not be able to write to them in our name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// Somebody signed up with this address: is it theirs?
    Verify {
        /// Where they say so.
        link: Link,
        /// How long the link works.
        valid_seconds: i64,
    },
    /// Somebody signed up with this address, which has an account already.
    AccountExists {
        /// Where one signs in.
        sign_in: Link,
        /// Where one asks for a new password.
        recover: Link,
    },
    /// A new password is to be chosen.
    Recover {
        /// Where.
        link: Link,
        /// How long the link works.
        valid_seconds: i64,
    },
    /// This address is to become the one of an account: is it theirs?
    ConfirmNewEmail {
        /// Where they say so.
        link: Link,
        /// How long the link works.
        valid_seconds: i64,
    },
    /// This address is to be replaced by another one: is that right?
    ConfirmOldEmail {
        /// The other one.
        new_email: String,
        /// Where they say so.
        link: Link,
        /// How long the link works.
        valid_seconds: i64,
    },
    /// This address was replaced by another one.
    EmailChanged {
        /// The other one.
        new_email: String,
        /// Where that is undone.
        undo: Link,
        /// How long it can be undone.
        valid_seconds: i64,
    },
    /// The password was changed.
    PasswordChanged {
        /// When, in Unix milliseconds.
        at_millis: i64,
        /// From where, as far as it is known.
        device: Device,
        /// Where to ask for a new one, if it was somebody else.
        recover: Link,
    },
    /// Somebody signed in on a device that was not seen before.
    SignedIn {
        /// When, in Unix milliseconds.
        at_millis: i64,
        /// From where, as far as it is known.
        device: Device,
        /// Where sessions are listed and ended.
        account: Link,
    },
    /// A refresh token came back after it had been replaced: a copy exists (RFC 9700 §4.14.2). The
    /// application's access was ended.
    RefreshReused {
        /// What the application is called.
        client_name: String,
        /// When, in Unix milliseconds.
        at_millis: i64,
        /// Where connected applications are listed.
        account: Link,
    },
    /// The account will be deleted, as its owner asked.
    DeletionPlanned {
        /// When, in Unix milliseconds.
        on_millis: i64,
        /// Where that is taken back.
        account: Link,
    },
}

/// From where something was done, as it is told to its owner.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Device {
    /// The browser and system, in words.
    pub name: Option<String>,
    /// The address.
    pub address: Option<String>,
}

impl Mail {
    /// A mail to `to`, in the language that its reader reads.
    pub fn new(to: &Email, user_id: Option<UserId>, locale: Locale, about: About) -> Self {
        let (to, locale) = (to.as_str().to_owned(), locale.tag().to_owned());
        Self { user_id, to, locale, about }
    }

    /// Whom it concerns.
    pub fn user_id(&self) -> Option<UserId> {
        self.user_id
    }

    /// The mail as it is read.
    pub fn letter(&self, config: &Config) -> Letter {
        letter::write(&self.about, self.locale(), &host_of(&config.issuer))
    }

    fn locale(&self) -> Locale {
        Locale::parse(&self.locale).unwrap_or(Locale::English)
    }
}

/// Where mails go.
pub enum Delivery {
    /// To a mail server.
    Smtp(Box<Smtp>),
    /// Into memory, to be read at `/dev/mail`: nothing leaves the machine.
    Mailbox(Mailbox),
    /// Nowhere: no mail server is configured, and what needs one is off.
    Off,
}

/// One mail on its way.
pub(crate) struct Envelope<'a> {
    /// The outbox's id, which stays the same when a mail is sent again.
    pub id: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// What it is.
    pub mail: &'a Mail,
}

/// Why something was not delivered.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    /// For the log and the audit trail: without addresses and without secrets.
    pub reason: String,
    /// Whether it may go better another time.
    pub again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Later.
    Later,
    /// Never: it is for good.
    Never,
}

impl Delivery {
    /// What the configuration asks for.
    pub(crate) fn start(config: &Config) -> Result<Self, Failure> {
        match (config.mode, &config.mail) {
            (Mode::Dev, _) => Ok(Self::Mailbox(Mailbox::default())),
            (Mode::Serve, Some(mail)) => {
                let smtp = Smtp::new(mail, &config.outbound.roots, &host_of(&config.issuer));
                Ok(Self::Smtp(Box::new(smtp.map_err(Failure::Mail)?)))
            }
            (Mode::Serve, None) => Ok(Self::Off),
        }
    }

    /// Whether mails are sent at all: pages do not offer what needs one when they are not.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// The mailbox of `munjigi dev`.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Mailbox(mailbox) => Some(mailbox),
            Self::Smtp(_) | Self::Off => None,
        }
    }

    /// Sends a mail.
    pub(crate) async fn deliver(
        &self,
        config: &Config,
        envelope: &Envelope<'_>,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let letter = envelope.mail.letter(config);
        match self {
            Self::Smtp(smtp) => smtp.send(envelope, letter).await,
            Self::Mailbox(mailbox) => {
                mailbox.put(envelope, letter, now);
                Ok(())
            }
            Self::Off => {
                let reason = "no mail server is configured".to_owned();
                Err(Undelivered { reason, again: Again::Later })
            }
        }
    }
}

/// The host of a URL; the URL itself, should it have none.
fn host_of(issuer: &str) -> String {
    let url = url::Url::parse(issuer).ok();
    let host = url.as_ref().and_then(|url| url.host_str());
    host.unwrap_or(issuer).to_owned()
}
