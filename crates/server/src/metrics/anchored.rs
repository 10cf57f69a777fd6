//! What became of the checkpoints that this node sent to anchors. Places are few: those that its
//! operator wrote down.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use munjigi_core::time::Timestamp;

/// How one place did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Anchored {
    /// How many checkpoints it took.
    pub told: u64,
    /// How often it took none.
    pub failed: u64,
    /// When it took the last one.
    pub told_at: Option<Timestamp>,
}

/// Every place that was told, or was to be.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<BTreeMap<String, Anchored>>);

impl Places {
    /// A place has taken a checkpoint.
    pub fn told(&self, place: String, now: Timestamp) {
        self.note(place, |it| {
            (it.told, it.told_at) = (it.told.saturating_add(1), Some(now));
        });
    }

    /// A place has not.
    pub fn failed(&self, place: String) {
        self.note(place, |it| it.failed = it.failed.saturating_add(1));
    }

    fn note(&self, place: String, change: impl FnOnce(&mut Anchored)) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(places.entry(place).or_default());
    }

    /// All of them.
    pub fn values(&self) -> Vec<(String, Anchored)> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().map(|(place, anchored)| (place.clone(), *anchored)).collect()
    }
}
