//! The mailbox of `munjigi dev`: the last mails, in memory, for `/dev/mail`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use munjigi_core::time::Timestamp;

use super::{Envelope, Letter};

/// How many mails are kept.
const KEPT: usize = 200;

/// A mail that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its id.
    pub id: String,
    /// To whom.
    pub to: String,
    /// The letter.
    pub letter: Letter,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// The last mails.
#[derive(Default)]
pub struct Mailbox(Mutex<VecDeque<Received>>);

impl Mailbox {
    /// What arrived, the newest first.
    pub fn list(&self) -> Vec<Received> {
        self.lock().iter().rev().cloned().collect()
    }

    /// Throws everything away.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn put(&self, envelope: &Envelope<'_>, letter: Letter, now: Timestamp) {
        let mut received = self.lock();
        if received.len() >= KEPT {
            received.pop_front();
        }
        let (id, to) = (envelope.id.clone(), envelope.mail.to.clone());
        received.push_back(Received { id, to, letter, sent_at: now });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Received>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
