//! Links that are mailed: what one is for, how long it waits, and what it means that somebody
//! follows it. A link changes nothing when it is looked at (a mail scanner does that), only when a
//! form is sent.

use crate::id::{LinkId, UserId};
use crate::oauth::client::wire_enum;
use crate::time::{Span, Timestamp};

wire_enum! {
    /// What a link is for.
    Purpose {
        /// To prove that an address is one's own.
        Verify = "verify",
        /// To choose a new password.
        Recover = "recover",
        /// To prove that the new address is one's own.
        ChangeNew = "change_new",
        /// To say at the old address that the change is wanted.
        ChangeOld = "change_old",
        /// To say at the old address, after it was changed, that it was not.
        Undo = "undo",
    }
}

impl Purpose {
    /// How long a link for this waits. RC-02 of the attack kit: the one that opens an account waits
    /// 15 minutes.
    pub const fn ttl(self) -> Span {
        match self {
            Self::Recover => Span::from_minutes(15),
            Self::Verify | Self::ChangeNew | Self::ChangeOld => Span::from_hours(24),
            Self::Undo => Span::from_days(7),
        }
    }
}

/// A link that was mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// To whom.
    pub user_id: UserId,
    /// Its id.
    pub id: LinkId,
    /// What it is for.
    pub purpose: Purpose,
    /// The hash of its ticket.
    pub hash: [u8; 32],
    /// The address that it is about: the one to prove, or, of [`Purpose::Recover`], the one that
    /// it was sent to.
    pub email: String,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// When it was used, or taken back.
    pub spent_at: Option<Timestamp>,
}

/// What it means that somebody follows a link. The caller has found that its ticket opens the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// It is good.
    Good,
    /// It is too late.
    Expired,
    /// It was used, or a newer one took its place.
    Spent,
    /// It is for something else.
    Other,
}

impl Link {
    /// What it means that somebody follows it for a purpose.
    pub fn follow(&self, purpose: Purpose, now: Timestamp) -> Followed {
        if self.purpose != purpose {
            return Followed::Other;
        }
        if self.spent_at.is_some() {
            return Followed::Spent;
        }
        if now >= self.expires_at { Followed::Expired } else { Followed::Good }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RC-02 of the attack kit.
    #[test]
    fn a_link_is_good_once_for_its_purpose_and_not_for_long() {
        let at = Timestamp::from_seconds;
        let link = Link {
            user_id: UserId::from_random([1; 16]),
            id: LinkId::from_parts(at(0), [2; 10]),
            purpose: Purpose::Recover,
            hash: [3; 32],
            email: "minji@example.com".into(),
            created_at: at(0),
            expires_at: at(0).plus(Purpose::Recover.ttl()),
            spent_at: None,
        };
        assert_eq!(link.follow(Purpose::Recover, at(899)), Followed::Good);
        assert_eq!(link.follow(Purpose::Recover, at(900)), Followed::Expired);
        assert_eq!(link.follow(Purpose::Verify, at(1)), Followed::Other);
        let spent = Link { spent_at: Some(at(1)), ..link };
        assert_eq!(spent.follow(Purpose::Recover, at(2)), Followed::Spent);
    }
}
