//! Where the checkpoints of the audit trail are kept besides the database.

use serde::Deserialize;

use super::{Mistake, mistake};
use crate::anchors::Anchorage;

/// More of them, and nobody would look at any.
const MOST: usize = 8;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuditSection {
    anchors: Vec<String>,
}

impl AuditSection {
    pub(super) fn check(&self) -> Result<Vec<Anchorage>, Mistake> {
        let key = "audit.anchors";
        if self.anchors.len() > MOST {
            return Err(mistake(key, format!("has at most {MOST} places")));
        }
        let read = |text: &String| {
            let read = text.parse::<Anchorage>();
            read.map_err(|why| mistake(key, format!("`{text}`: {why}")))
        };
        self.anchors.iter().map(read).collect()
    }
}
