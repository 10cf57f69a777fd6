//! People, as an operator makes, shows, changes and ends them.

use munjigi_core::access::RoleName;
use munjigi_core::account::user::User;
use munjigi_core::account::{
    Argon2Params, DisplayName, Email, Locale, Password, Username, Weakness,
};
use munjigi_core::audit::Kind;
use munjigi_core::id::UserId;
use munjigi_store::page::{Listed, Page};
use munjigi_store::users::{self, UserFilter, UserKey};
use munjigi_store::{ReadTx, Tx, consents, passwords, roles, sessions};

use super::settings::in_force;
use super::{Done, OperateError, Operator, ending, not_found};
use crate::accounts::{AccountError, NewAccount, check_password, new_user};
use crate::failure::Failure;
use crate::hashing::Hashing;
use crate::mailed_link;
use crate::random;

/// A new account, with the password of its owner.
pub struct NewUser {
    /// The address.
    pub email: Email,
    /// The name to sign in with.
    pub username: Option<Username>,
    /// What they want to be called.
    pub name: Option<DisplayName>,
    /// The language they want.
    pub locale: Option<Locale>,
    /// The roles; those of a new account when absent.
    pub roles: Option<Vec<RoleName>>,
    /// The password.
    pub password: Password,
}

impl From<AccountError> for OperateError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::EmailTaken | AccountError::UsernameTaken => {
                Self::Conflict(error.to_string())
            }
            AccountError::UnknownRole => Self::Refused(error.to_string()),
            AccountError::Failure(failure) => Self::Failure(failure),
        }
    }
}

impl From<Weakness> for OperateError {
    fn from(weakness: Weakness) -> Self {
        Self::Refused(weakness.to_string())
    }
}

impl Operator {
    /// Makes an account. A weak password is refused, with the reason.
    pub async fn create_user(&self, new: NewUser) -> Result<User, OperateError> {
        let NewUser { email, username, name, locale, roles, password } = new;
        check_password(&password, &email, username.as_ref().map(Username::as_str))?;
        let hash = hash(password).await?;
        let account = NewAccount { email, username, name, locale, roles: Vec::new() };
        let user = new_user(random::user_id()?, account, self.now());
        let event = self.event(Kind::UserCreated)?.subject(user.id);

        let write = move |tx: &mut Tx<'_>| {
            let mut user = user.clone();
            user.roles = match &roles {
                Some(roles) => roles.clone(),
                None => in_force(tx)?.default_roles,
            };
            user.roles.sort();
            user.roles.dedup();
            check_roles(tx, &user.roles)?;
            users::insert(tx, &user).map_err(AccountError::from)?;
            passwords::put(tx, &user.id, &hash, user.created_at)?;
            let event = event.clone().with("roles", &user.roles);
            Ok(Done::Changed(user, event))
        };
        self.write(write).await
    }

    /// People, the oldest accounts first.
    pub async fn list_users(
        &self,
        page: Page<UserKey>,
        filter: UserFilter,
    ) -> Result<Listed<User, UserKey>, OperateError> {
        self.read(move |tx| Ok(users::list(tx, &page, &filter)?)).await
    }

    /// The person of this id, address or user name, and how many live sessions they have.
    pub async fn find_user(&self, name: &str) -> Result<(User, usize), OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let look = move |tx: &mut ReadTx<'_>| {
            let user = find(tx, &name)?;
            let live = sessions::list_live(tx, &user.id, now, sessions::MAX_LISTED)?;
            Ok((user, live.len()))
        };
        self.read(look).await
    }

    /// Disables an account: it can do nothing from then on. Its sessions, grants and tokens end.
    pub async fn disable_user(&self, name: &str) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::UserDisabled)?;
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            if !users::set_disabled(tx, &user.id, Some(now), now)? {
                return Ok(Done::Same(user));
            }
            mailed_link::revoke_for_good(tx, &user.id, now)?;
            ending(tx, now)?.user(tx, &user.id)?;
            let event = event.clone().subject(user.id);
            Ok(Done::Changed(User { disabled_at: Some(now), updated_at: now, ..user }, event))
        };
        self.write(write).await
    }

    /// Enables a disabled account again. What had ended stays ended.
    pub async fn enable_user(&self, name: &str) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::UserEnabled)?;
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            if !users::set_disabled(tx, &user.id, None, now)? {
                return Ok(Done::Same(user));
            }
            let event = event.clone().subject(user.id);
            Ok(Done::Changed(User { disabled_at: None, updated_at: now, ..user }, event))
        };
        self.write(write).await
    }

    /// Ends every session of a person, with its grants and tokens; they may sign in again.
    pub async fn sign_out_user(&self, name: &str) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::SessionEnded)?.with("which", "all");
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            ending(tx, now)?.user(tx, &user.id)?;
            let event = event.clone().subject(user.id);
            Ok(Done::Changed(user, event))
        };
        self.write(write).await
    }

    /// Gives roles to a person. Tokens that are out do not carry them; the next ones do.
    pub async fn add_roles(&self, name: &str, given: Vec<RoleName>) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::UserRolesChanged)?;
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            check_roles(tx, &given)?;
            let mut changed = false;
            for role in &given {
                changed |= roles::assign(tx, &user.id, role, now)?;
            }
            let user = found(users::find(tx, &user.id)?, &name)?;
            if !changed {
                return Ok(Done::Same(user));
            }
            let event = event.clone().subject(user.id).with("roles", &user.roles);
            Ok(Done::Changed(user, event))
        };
        self.write(write).await
    }

    /// Takes roles from a person. Tokens that carry them die at once.
    pub async fn remove_roles(
        &self,
        name: &str,
        taken: Vec<RoleName>,
    ) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::UserRolesChanged)?;
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            check_roles(tx, &taken)?;
            let mut changed = false;
            for role in &taken {
                changed |= roles::withdraw(tx, &user.id, role)?;
            }
            let user = found(users::find(tx, &user.id)?, &name)?;
            if !changed {
                return Ok(Done::Same(user));
            }
            ending(tx, now)?.tokens_of(tx, &user.id)?;
            let event = event.clone().subject(user.id).with("roles", &user.roles);
            Ok(Done::Changed(user, event))
        };
        self.write(write).await
    }

    /// Sets a new password. Whoever was signed in with the old one is signed out.
    pub async fn reset_password(
        &self,
        name: &str,
        password: Password,
    ) -> Result<User, OperateError> {
        let (user, _) = self.find_user(name).await?;
        let email = Email::parse(&user.email).map_err(|_| Failure::Damaged("e-mail address"))?;
        check_password(&password, &email, user.username.as_deref())?;
        let (hash, now, id) = (hash(password).await?, self.now(), user.id);
        let event = self.event(Kind::PasswordChanged)?.subject(id);
        let name = name.to_owned();

        let write = move |tx: &mut Tx<'_>| {
            found(users::find(tx, &id)?, &name)?;
            passwords::put(tx, &id, &hash, now)?;
            users::set_password_changed(tx, &id, now)?;
            mailed_link::revoke_for_good(tx, &id, now)?;
            // Whoever had the account before may have let a client of their own in.
            consents::delete_all(tx, &id)?;
            ending(tx, now)?.user(tx, &id)?;
            let user = found(users::find(tx, &id)?, &name)?;
            Ok(Done::Changed(user, event.clone()))
        };
        self.write(write).await
    }

    /// Deletes a person with everything that hangs on them.
    pub async fn delete_user(&self, name: &str) -> Result<User, OperateError> {
        let (name, now) = (name.to_owned(), self.now());
        let event = self.event(Kind::UserDeleted)?;
        let write = move |tx: &mut Tx<'_>| {
            let user = find(tx, &name)?;
            ending(tx, now)?.user(tx, &user.id)?;
            users::delete(tx, &user.id)?;
            let event = event.clone().subject(user.id);
            Ok(Done::Changed(user, event))
        };
        self.write(write).await
    }
}

/// The person of this id, address or user name. Whatever cannot be one of them is nobody's.
fn find(tx: &mut ReadTx<'_>, name: &str) -> Result<User, OperateError> {
    // A user name may look like an id; the id wins, so that nobody stands in for another person.
    if let Ok(id) = name.parse::<UserId>()
        && let Some(user) = users::find(tx, &id)?
    {
        return Ok(user);
    }
    let user = match (name.contains('@'), Email::parse(name), Username::parse(name)) {
        (true, Ok(email), _) => users::find_by_email(tx, email.canonical())?,
        (false, _, Ok(username)) => users::find_by_username(tx, username.canonical())?,
        _ => None,
    };
    found(user, name)
}

fn found(user: Option<User>, name: &str) -> Result<User, OperateError> {
    user.ok_or_else(|| not_found("user", name))
}

fn check_roles(tx: &mut ReadTx<'_>, names: &[RoleName]) -> Result<(), OperateError> {
    for name in names {
        if roles::find(tx, name)?.is_none() {
            return Err(not_found("role", name));
        }
    }
    Ok(())
}

/// Hashes one password, on a thread of its own.
async fn hash(password: Password) -> Result<String, OperateError> {
    let hashing = Hashing::start(1, Argon2Params::default())
        .map_err(|_| Failure::Damaged("no thread could be started"))?;
    let hash = hashing.hash(password).await.map_err(Failure::from)?;
    Ok(hash.to_string())
}
