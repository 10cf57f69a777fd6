//! People, and their sessions, as values.

use std::net::IpAddr;

use crate::access::RoleName;
use crate::account::profile_claims::Profile;
use crate::id::{SessionId, UserId};
use crate::time::{Span, Timestamp};

/// For how long a person can take back that their account is deleted.
pub const DELETION_GRACE: Span = Span::from_days(14);

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who they are for ever.
    pub id: UserId,
    /// The address as they wrote it.
    pub email: String,
    /// The form in which addresses are unique.
    pub email_canonical: String,
    /// When the address was proved to be theirs.
    pub email_verified_at: Option<Timestamp>,
    /// The name to sign in with, if they chose one.
    pub username: Option<String>,
    /// The form in which user names are unique.
    pub username_canonical: Option<String>,
    /// What they want to be called.
    pub name: Option<String>,
    /// The language they want to be spoken to in (BCP 47).
    pub locale: Option<String>,
    /// Their roles, in alphabetical order.
    pub roles: Vec<RoleName>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the profile was last changed.
    pub updated_at: Timestamp,
    /// Since when it can do nothing.
    pub disabled_at: Option<Timestamp>,
    /// When the password was last changed by hand.
    pub password_changed_at: Option<Timestamp>,
    /// What else they say about themselves.
    pub profile: Profile,
    /// When the account is deleted, which its owner asked for: until then they can only take that
    /// back.
    pub deletion_due_at: Option<Timestamp>,
}

impl User {
    /// Whether the account can be used: it is not disabled, and its owner has not given it up.
    pub fn is_open(&self) -> bool {
        self.disabled_at.is_none() && self.deletion_due_at.is_none()
    }

    /// Whether its owner has given it up, and can take that back.
    pub fn is_leaving(&self) -> bool {
        self.disabled_at.is_none() && self.deletion_due_at.is_some()
    }
}

/// A sign-in of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user_id: UserId,
    /// Its id, the `sid` of tokens.
    pub id: SessionId,
    /// When its owner proved who they are: the `auth_time` of tokens.
    pub authenticated_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last seen, to within a few minutes.
    pub used_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended.
    pub ended_at: Option<Timestamp>,
    /// From where it began.
    pub address: Option<IpAddr>,
    /// With what it began, as the program named itself; at most 200 characters.
    pub user_agent: Option<String>,
    /// How its owner proved who they are: names of RFC 8176, separated by spaces.
    pub amr: String,
    /// The browser that holds it, if it is one of our own pages'.
    pub browser: Option<BrowserHold>,
}

/// How a browser holds a session: by a cookie, whose secret changes with every change of privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrowserHold {
    /// The hash of the cookie's ticket.
    pub hash: [u8; 32],
    /// When the session dies of disuse.
    pub idle_expires_at: Timestamp,
}

impl Session {
    /// Whether it is over, by itself or by somebody.
    pub fn is_over(&self, now: Timestamp) -> bool {
        let idle = self.browser.is_some_and(|hold| now >= hold.idle_expires_at);
        self.ended_at.is_some() || now >= self.expires_at || idle
    }
}
