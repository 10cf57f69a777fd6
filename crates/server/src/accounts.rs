//! Making and showing accounts: what the account API, the admin API and the command line share.

use jiff::Timestamp as Instant;
use munjigi_core::access::RoleName;
use munjigi_core::account::user::{Session, User};
use munjigi_core::account::{DisplayName, Email, Locale, Password, Username, Weakness, policy};
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;
use munjigi_store::{StoreError, users};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::failure::Failure;

/// What a new account is made of.
pub struct NewAccount {
    /// The address.
    pub email: Email,
    /// The name to sign in with.
    pub username: Option<Username>,
    /// What they want to be called.
    pub name: Option<DisplayName>,
    /// The language they want.
    pub locale: Option<Locale>,
    /// The roles.
    pub roles: Vec<RoleName>,
}

/// Why an account cannot be made or changed.
#[derive(Debug, Error)]
pub enum AccountError {
    /// Somebody has this address.
    #[error("this address has an account already")]
    EmailTaken,
    /// Somebody has this user name, or one that looks like it.
    #[error("this user name is taken, or looks like one that is")]
    UsernameTaken,
    /// A role that does not exist.
    #[error("there is no such role")]
    UnknownRole,
    /// Something unforeseen.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        if error.is_unique(users::EMAIL_TAKEN) {
            return Self::EmailTaken;
        }
        if error.is_unique(users::USERNAME_TAKEN) {
            return Self::UsernameTaken;
        }
        match error {
            StoreError::ForeignKey => Self::UnknownRole,
            other => Self::Failure(other.into()),
        }
    }
}

/// Whether a password is good enough for somebody with these names.
pub fn check_password(
    password: &Password,
    email: &Email,
    username: Option<&str>,
) -> Result<(), Weakness> {
    let words: Vec<&str> = [email.as_str()].into_iter().chain(username).collect();
    policy::check(password, &words)
}

/// The row of a new account.
pub fn new_user(id: UserId, account: NewAccount, now: Timestamp) -> User {
    let NewAccount { email, username, name, locale, mut roles } = account;
    roles.sort();
    roles.dedup();
    User {
        id,
        email: email.as_str().to_owned(),
        email_canonical: email.canonical().to_owned(),
        email_verified_at: None,
        username: username.as_ref().map(|it| it.as_str().to_owned()),
        username_canonical: username.as_ref().map(|it| it.canonical().to_owned()),
        name: name.map(|it| it.as_str().to_owned()),
        locale: locale.map(|it| it.as_str().to_owned()),
        roles,
        created_at: now,
        updated_at: now,
        disabled_at: None,
        password_changed_at: None,
        profile: Default::default(),
        deletion_due_at: None,
    }
}

/// An account as the account API shows it to its owner, and the admin API to administrators.
#[derive(Debug, Serialize)]
pub struct Profile {
    /// The id: the `sub` of tokens.
    pub id: String,
    /// The address.
    pub email: String,
    /// Whether the address was proved to be theirs.
    pub email_verified: bool,
    /// The name to sign in with.
    pub username: Option<String>,
    /// What they want to be called.
    pub name: Option<String>,
    /// The language they want.
    pub locale: Option<String>,
    /// Their roles.
    pub roles: Vec<RoleName>,
    /// When the account was made (RFC 3339).
    pub created_at: String,
    /// When the profile was last changed (RFC 3339).
    pub updated_at: String,
    /// Since when it is disabled (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<String>,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email_verified: user.email_verified_at.is_some(),
            email: user.email,
            username: user.username,
            name: user.name,
            locale: user.locale,
            roles: user.roles,
            created_at: rfc3339(user.created_at),
            updated_at: rfc3339(user.updated_at),
            disabled_at: user.disabled_at.map(rfc3339),
        }
    }
}

/// A session as everybody is shown it who may see it, with what each of them is shown besides.
pub fn show_session(session: &Session, besides: Value) -> Value {
    let mut shown = json!({
        "created_at": rfc3339(session.created_at),
        "used_at": rfc3339(session.used_at),
        "expires_at": rfc3339(session.expires_at),
        "address": session.address.map(|address| address.to_string()),
        "user_agent": session.user_agent,
    });
    if let (Value::Object(shown), Value::Object(besides)) = (&mut shown, besides) {
        shown.extend(besides);
    }
    shown
}

/// A time as people and programs write it (RFC 3339), to the millisecond.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let instant: Instant = text.parse().ok()?;
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

/// A time as people and programs read it (RFC 3339, UTC).
pub fn rfc3339(at: Timestamp) -> String {
    Instant::from_millisecond(at.as_millis()).map_or_else(|_| String::new(), |it| it.to_string())
}
