//! What went wrong that nobody planned for: kept apart from what a caller may be told.

use munjigi_store::StoreError;
use thiserror::Error;

use crate::hashing::HashingError;
use crate::random::NoRandomness;

/// An unforeseen failure. The caller learns that it happened and a request id; the log the rest.
#[derive(Debug, Error)]
pub enum Failure {
    /// The database.
    #[error("database: {0}")]
    Store(#[from] StoreError),
    /// The hashing pool.
    #[error("hashing: {0}")]
    Hashing(#[from] HashingError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The keys.
    #[error("keys: {0}")]
    Keys(#[from] crate::keys::KeyError),
    /// A token could not be signed.
    #[error("signing: {0}")]
    Sign(#[from] munjigi_token::Error),
    /// No active key for an algorithm: the key is still being made, or there is none.
    #[error("no active {0} key")]
    NoKey(&'static str),
    /// What was ended reaches further than now: whatever is made would be dead, or of a time that
    /// has not come.
    #[error("tokens are ended until {0}, in Unix seconds")]
    Ended(i64),
    /// Something stored is not what it has to be.
    #[error("stored data is damaged: {0}")]
    Damaged(&'static str),
    /// There are as many of something as there may be.
    #[error("there are too many {0}")]
    Full(&'static str),
    /// What mails are sent by cannot be set up.
    #[error("mail: {0}")]
    Mail(String),
}

/// Whether it may be better in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Overload or an outage: 503, try again.
    Passing,
    /// A defect: 500.
    Defect,
}

impl Failure {
    /// Whether it may be better in a moment.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Store(error) if error.is_retryable() => Severity::Passing,
            Self::Hashing(HashingError::Overloaded)
            | Self::NoKey(_)
            | Self::Ended(_)
            | Self::Full(_) => Severity::Passing,
            Self::Store(_)
            | Self::Hashing(HashingError::Failed)
            | Self::Random(_)
            | Self::Keys(_)
            | Self::Sign(_)
            | Self::Damaged(_)
            | Self::Mail(_) => Severity::Defect,
        }
    }
}
