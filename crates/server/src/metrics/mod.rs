//! What this node tells Prometheus. What happens often is counted by atomics where it happens; what
//! can be looked at is looked at when somebody asks ([`scrape`]). No label holds anything that a
//! stranger chose: no id, no name, no address, no path but that of a route.

mod anchored;
mod process;
pub(crate) mod requests;
mod scrape;
pub(crate) mod series;
mod text;

use requests::Requests;
pub(crate) use requests::RouteNumbers;
pub use scrape::{CONTENT_TYPE, scrape};
pub use series::Present;
use series::Tally;

/// What came of looking at a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// It was right.
    Proved,
    /// It was wrong, or there is no such account.
    Refused,
    /// There were too many guesses before.
    Throttled,
    /// The server could not look: it is busy, or something is wrong.
    Failed,
}

impl SignInOutcome {
    const ALL: [&str; 4] = ["proved", "refused", "throttled", "failed"];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }
}

/// From how many accounts on somebody tries out what other people's passwords are said to be.
const MANY_ACCOUNTS: u32 = 8;

/// What is counted while the server runs.
#[derive(Debug)]
pub struct Metrics {
    pub(crate) requests: Requests,
    /// Connections that are open.
    pub connections: Present,
    /// What became of checkpoints on their way to anchors.
    pub(crate) anchors: anchored::Places,
    tokens: Tally<5>,
    sign_ins: Tally<4>,
    guessers: Tally<2>,
    deliveries: Tally<3>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Requests::default(),
            connections: Present::default(),
            anchors: anchored::Places::default(),
            tokens: Tally::new([
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "password",
                "device_code",
            ]),
            sign_ins: Tally::new(SignInOutcome::ALL),
            guessers: Tally::new(["few", "many"]),
            deliveries: Tally::new(["sent", "postponed", "given_up"]),
        }
    }
}

/// What came of sending something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It was taken.
    Sent,
    /// It will be tried again.
    Postponed,
    /// It will not.
    GivenUp,
}

impl Metrics {
    /// An access token was issued, for this kind of grant.
    pub(crate) fn issued(&self, grant: &'static str) {
        self.tokens.add(grant);
    }

    /// Somebody's password was looked at, or was not.
    pub(crate) fn signed_in(&self, outcome: SignInOutcome) {
        self.sign_ins.add(outcome.as_str());
    }

    /// An address was put off for passwords that were wrong, at so many accounts at least.
    pub(crate) fn guessed(&self, accounts: u32) {
        self.guessers.add(if accounts < MANY_ACCOUNTS { "few" } else { "many" });
    }

    /// The outbox sent something, or did not.
    pub(crate) fn delivered(&self, outcome: Delivered) {
        self.deliveries.add(match outcome {
            Delivered::Sent => "sent",
            Delivered::Postponed => "postponed",
            Delivered::GivenUp => "given_up",
        });
    }
}
