//! The settings about the audit trail: how long it tells about people, and who else is told how far
//! it is.

use munjigi_core::time::Span;
use url::Url;

use crate::config::parse_span;

/// What holds for the audit trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// How long events are kept; their leaves stay. For ever when absent.
    pub retention: Option<Span>,
    /// Who is sent a checkpoint now and then.
    pub anchor: Option<Url>,
}

/// Shorter, and a leaf could be all that is left of what happened this week.
const LEAST: Span = Span::from_days(30);
const MOST: Span = Span::from_days(3_660);

impl AuditSettings {
    /// Everything is kept, nobody is told.
    pub(super) const fn defaults() -> Self {
        Self { retention: None, anchor: None }
    }

    /// Takes one setting over; false when it is none of these.
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<bool, ()> {
        match (name, text) {
            ("audit_retention", "forever") => self.retention = None,
            ("audit_retention", text) => {
                let span = parse_span(text).filter(|span| (LEAST..=MOST).contains(span));
                self.retention = Some(span.ok_or(())?);
            }
            ("audit_anchor", "") => self.anchor = None,
            ("audit_anchor", text) => {
                let is_web = |url: &Url| matches!(url.scheme(), "https" | "http");
                self.anchor = Some(text.parse().ok().filter(is_web).ok_or(())?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A setting's value as people write it.
    pub(super) fn show(&self, name: &str) -> Option<String> {
        match name {
            "audit_retention" => Some(match self.retention {
                Some(span) => format!("{}s", span.as_seconds()),
                None => "forever".to_owned(),
            }),
            "audit_anchor" => Some(self.anchor.as_ref().map(Url::to_string).unwrap_or_default()),
            _ => None,
        }
    }
}
