//! The setting about signing keys: how old one gets.

use munjigi_core::time::Span;

use crate::config::parse_span;

/// What holds for signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// How long a key signs before the next one does; `None` when nobody replaces it by itself.
    pub lifetime: Option<Span>,
}

/// Shorter, and the next key would be published before the present one signs for a day.
const LEAST: Span = Span::from_days(2);
const MOST: Span = Span::from_days(3_660);

impl KeySettings {
    /// Three months.
    pub(super) const fn defaults() -> Self {
        Self { lifetime: Some(Span::from_days(90)) }
    }

    /// Takes one setting over; false when it is not this one.
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<bool, ()> {
        match (name, text) {
            ("signing_key_lifetime", "off") => self.lifetime = None,
            ("signing_key_lifetime", text) => {
                let span = parse_span(text).filter(|span| (LEAST..=MOST).contains(span));
                self.lifetime = Some(span.ok_or(())?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The setting's value as people write it.
    pub(super) fn show(&self, name: &str) -> Option<String> {
        let off = || "off".to_owned();
        (name == "signing_key_lifetime")
            .then(|| self.lifetime.map_or_else(off, |span| format!("{}s", span.as_seconds())))
    }
}
