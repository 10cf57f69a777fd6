//! What stands around the pages of one's own account: whose it is, the menu, what was just done.

use crate::page::consent::initial;
use crate::page::frame::Frame;

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'o> {
    /// The name, the user name or the address: whatever there is first.
    pub shown: &'o str,
    /// The address, if there is one.
    pub email: Option<&'o str>,
}

/// The pages, in the order of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Profile,
    Email,
    Password,
    Sessions,
    Applications,
    Data,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Overview,
        Self::Profile,
        Self::Email,
        Self::Password,
        Self::Sessions,
        Self::Applications,
        Self::Data,
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Profile => "/account/profile",
            Self::Email => "/account/email",
            Self::Password => "/account/password",
            Self::Sessions => "/account/sessions",
            Self::Applications => "/account/applications",
            Self::Data => "/account/data",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Overview => "account-overview",
            Self::Profile => "account-profile",
            Self::Email => "account-email",
            Self::Password => "account-password",
            Self::Sessions => "account-sessions",
            Self::Applications => "account-applications",
            Self::Data => "account-data",
        }
    }
}

/// An entry of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    /// Where to.
    pub href: String,
    /// What stands on it.
    pub label: String,
    /// Whether it is this page.
    pub is_current: bool,
}

/// What stands around every account page: the menu, and signing out (`POST /oauth2/logout` with
/// `action=sign-out`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    /// Whose account it is.
    pub shown: String,
    /// The first letter of it.
    pub initial: String,
    /// The pages.
    pub entries: Vec<MenuEntry>,
    /// Where signing out is sent to.
    pub sign_out: String,
    /// What was just done, said once at the top.
    pub notice: Option<String>,
}

impl Menu {
    pub(super) fn new(
        frame: &Frame,
        owner: Owner<'_>,
        here: Place,
        notice: Option<Notice>,
    ) -> Self {
        let entry = |place: Place| MenuEntry {
            href: frame.path(place.path()),
            label: frame.text(place.label()),
            is_current: place == here,
        };
        Self {
            shown: owner.shown.to_owned(),
            initial: initial(owner.shown),
            entries: Place::ALL.map(entry).into(),
            sign_out: frame.path("/oauth2/logout"),
            notice: notice.map(|notice| frame.text(notice.message())),
        }
    }
}

/// What was just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The profile is stored.
    ProfileStored,
    /// The password is changed, and every other session ended.
    PasswordChanged,
    /// A session was ended.
    SessionEnded,
    /// Every other session was ended.
    OthersEnded,
    /// An application lost its access.
    ApplicationRemoved,
    /// A mail is on its way that proves the address.
    VerificationMailed,
}

impl Notice {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::ProfileStored,
        Self::PasswordChanged,
        Self::SessionEnded,
        Self::OthersEnded,
        Self::ApplicationRemoved,
        Self::VerificationMailed,
    ];

    /// As it stands in the address after a form: `?done=…`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ProfileStored => "profile",
            Self::PasswordChanged => "password",
            Self::SessionEnded => "session",
            Self::OthersEnded => "sessions",
            Self::ApplicationRemoved => "application",
            Self::VerificationMailed => "verification",
        }
    }

    /// The one with a code; anything else is nothing.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    const fn message(self) -> &'static str {
        match self {
            Self::ProfileStored => "notice-profile",
            Self::PasswordChanged => "notice-password",
            Self::SessionEnded => "notice-session",
            Self::OthersEnded => "notice-others",
            Self::ApplicationRemoved => "notice-application",
            Self::VerificationMailed => "notice-verification",
        }
    }
}
