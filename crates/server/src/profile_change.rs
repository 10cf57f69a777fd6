//! A change of a profile, for the account API, the account pages and the admin API alike.

use munjigi_core::account::user::User;
use munjigi_core::account::{DisplayName, Locale, Username};
use munjigi_core::audit::Event;
use munjigi_core::time::Timestamp;
use munjigi_store::{Audit, Committed, StoreError, Tx, users};

use crate::extract::json::{Change, FromMembers, Members};

/// What of a profile its owner may change. The address is not among it: it changes when the new
/// one was proved to be theirs, which needs mail.
#[derive(Clone)]
pub struct ProfileChange {
    /// The name to sign in with.
    pub username: Change<Username>,
    /// What they want to be called.
    pub name: Change<DisplayName>,
    /// The language they want.
    pub locale: Change<Locale>,
}

impl FromMembers for ProfileChange {
    fn read(members: &mut Members) -> Option<Self> {
        let username = members.change("username", Username::parse);
        let name = members.change("name", DisplayName::parse);
        let locale = members.change("locale", Locale::parse);
        Some(Self { username: username?, name: name?, locale: locale? })
    }
}

impl ProfileChange {
    /// Writes the change that somebody makes of their own profile, with its event; nothing when it
    /// changes nothing.
    ///
    /// # Errors
    /// `Unique` when the user name is somebody else's.
    pub fn write(
        &self,
        tx: &mut Tx<'_>,
        mut user: User,
        event: &Event,
        now: Timestamp,
    ) -> Result<Committed<User>, StoreError> {
        let changed = self.apply(&mut user, now);
        if changed.is_empty() {
            return Ok(Committed::nothing(user));
        }
        users::update_profile(tx, &user)?;
        let event = event.clone().with("changed", changed);
        Ok(Committed::new(user, Audit::Record(Box::new(event))))
    }

    /// The account with the change made, and the names of what was changed.
    pub fn apply(&self, user: &mut User, now: Timestamp) -> Vec<&'static str> {
        let before = user.clone();
        match &self.username {
            Change::Keep => {}
            Change::Clear => (user.username, user.username_canonical) = (None, None),
            Change::Set(username) => {
                user.username = Some(username.as_str().to_owned());
                user.username_canonical = Some(username.canonical().to_owned());
            }
        }
        set(&mut user.name, &self.name, |name| name.as_str().to_owned());
        set(&mut user.locale, &self.locale, |locale| locale.as_str().to_owned());
        let changed = [
            ("username", before.username != user.username),
            ("name", before.name != user.name),
            ("locale", before.locale != user.locale),
        ];
        let names: Vec<_> = changed.into_iter().filter(|it| it.1).map(|it| it.0).collect();
        if !names.is_empty() {
            user.updated_at = now;
        }
        names
    }
}

fn set<T>(field: &mut Option<String>, change: &Change<T>, text: impl Fn(&T) -> String) {
    match change {
        Change::Keep => {}
        Change::Clear => *field = None,
        Change::Set(value) => *field = Some(text(value)),
    }
}
