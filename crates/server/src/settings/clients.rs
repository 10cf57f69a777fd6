//! The settings about clients that no operator made: those that register themselves (RFC 7591), and
//! those that a document speaks for (Client ID Metadata Document).

use munjigi_core::oauth::api::{Audience, parse_audience};
use munjigi_core::time::Span;

use crate::config::parse_span;

/// Who may register clients at `/oauth2/register`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRegistration {
    /// Nobody.
    Off,
    /// Whoever has a token that an operator made for it (RFC 7591 §3).
    Token,
    /// Everybody.
    Open,
}

/// The APIs for which such clients may ask for tokens, beside UserInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenApis {
    /// Every API that is registered here.
    All,
    /// These.
    Some(Vec<Audience>),
}

impl OpenApis {
    /// Whether an API is among them.
    pub fn has(&self, audience: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(audiences) => audiences.iter().any(|it| it == audience),
        }
    }
}

/// What holds for clients that no operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Who may register clients.
    pub registration: ClientRegistration,
    /// Whether the address of a document is taken as a client's id.
    pub documents: bool,
    /// After how long without use such a client is forgotten.
    pub unused_ttl: Span,
    /// Which APIs such clients may ask for.
    pub apis: OpenApis,
}

impl ClientSettings {
    /// Nobody, unless somebody says so.
    pub(super) fn defaults() -> Self {
        Self {
            registration: ClientRegistration::Off,
            documents: false,
            unused_ttl: Span::from_days(90),
            apis: OpenApis::All,
        }
    }

    /// The defaults where `[mcp] enabled = true`: a client that nobody here knows makes itself
    /// known, by either way.
    pub fn let_strangers_in(&mut self) {
        (self.registration, self.documents) = (ClientRegistration::Open, true);
    }

    /// Takes one setting over; false when it is none of these.
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<bool, ()> {
        match name {
            "client_registration" => {
                self.registration = match text {
                    "off" => ClientRegistration::Off,
                    "token" => ClientRegistration::Token,
                    "open" => ClientRegistration::Open,
                    _ => return Err(()),
                };
            }
            "client_documents" => {
                self.documents = match text {
                    "on" => true,
                    "off" => false,
                    _ => return Err(()),
                };
            }
            "client_unused_ttl" => {
                let bounds = Span::from_days(1)..=Span::from_days(366);
                let span = parse_span(text).filter(|span| bounds.contains(span));
                self.unused_ttl = span.ok_or(())?;
            }
            "client_apis" if text == "all" => self.apis = OpenApis::All,
            "client_apis" => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                let apis: Result<_, _> = names.map(parse_audience).collect();
                self.apis = OpenApis::Some(apis.map_err(|_| ())?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A setting's value as people write it.
    pub(super) fn show(&self, name: &str) -> Option<String> {
        match name {
            "client_registration" => Some(
                match self.registration {
                    ClientRegistration::Off => "off",
                    ClientRegistration::Token => "token",
                    ClientRegistration::Open => "open",
                }
                .to_owned(),
            ),
            "client_documents" => Some(if self.documents { "on" } else { "off" }.to_owned()),
            "client_unused_ttl" => Some(format!("{}s", self.unused_ttl.as_seconds())),
            "client_apis" => Some(match &self.apis {
                OpenApis::All => "all".to_owned(),
                OpenApis::Some(audiences) => audiences.join(","),
            }),
            _ => None,
        }
    }
}
