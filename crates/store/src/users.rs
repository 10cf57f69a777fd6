//! People. Addresses and user names are unique in their canonical form; who makes it canonical is
//! the caller. Password hashes are not here ([`passwords`](crate::passwords)).

use std::collections::BTreeSet;

use munjigi_core::access::RoleName;
use munjigi_core::account::user::User;
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;

use crate::page::{Listed, Page};
use crate::{ReadTx, Result, Row, Tx, counters, params};

/// What [`StoreError::Unique`](crate::StoreError::Unique) names when somebody has this address
/// already.
pub const EMAIL_TAKEN: &str = "user_.email_canonical";
/// What [`StoreError::Unique`](crate::StoreError::Unique) names when somebody has this user name
/// already.
pub const USERNAME_TAKEN: &str = "user_.username_canonical";

/// The order of the list: by age, then by id.
pub type UserKey = (Timestamp, UserId);

/// Which people are listed; nothing asked for means everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// How the address or the user name begins, in lower case. The canonical form of a user name is
    /// what it looks like, not what somebody types.
    pub text: Option<String>,
    /// A role that they have.
    pub role: Option<RoleName>,
    /// Whether they are disabled.
    pub state: Option<AccountState>,
}

/// Whether an account can do anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// It can.
    Enabled,
    /// It cannot.
    Disabled,
}

/// The columns of `user_ u` that [`from_row`] reads, with the roles.
macro_rules! user_columns {
    () => {
        "u.id, u.email, u.email_canonical, u.email_verified_at, u.username, u.username_canonical, \
         u.name, u.locale, u.created_at, u.updated_at, u.disabled_at, u.password_changed_at, \
         (SELECT string_agg(r.role, ' ') FROM user_role r WHERE r.user_id = u.id), u.profile, \
         u.deletion_due_at"
    };
}
pub(crate) use user_columns;

/// How many columns that is: what a statement reads besides begins here.
pub(crate) const WIDTH: usize = 15;

/// Adds a person with their roles.
///
/// # Errors
/// `Unique` with [`EMAIL_TAKEN`] or [`USERNAME_TAKEN`]; `ForeignKey` when there is no such role.
pub fn insert(tx: &mut Tx<'_>, user: &User) -> Result<()> {
    tx.exec(
        "INSERT INTO user_ (id, email, email_canonical, email_verified_at, username,
         username_canonical, name, locale, created_at, updated_at, disabled_at,
         password_changed_at, profile, deletion_due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            user.id,
            user.email,
            user.email_canonical,
            user.email_verified_at,
            user.username,
            user.username_canonical,
            user.name,
            user.locale,
            user.created_at,
            user.updated_at,
            user.disabled_at,
            user.password_changed_at,
            user.profile,
            user.deletion_due_at,
        ],
    )?;
    for role in &user.roles {
        tx.push(
            "INSERT INTO user_role (user_id, role, granted_at) VALUES ($1, $2, $3)",
            params![user.id, role, user.created_at],
        )?;
    }
    Ok(())
}

/// The person with this id.
pub fn find(tx: &mut ReadTx<'_>, id: &UserId) -> Result<Option<User>> {
    let row = tx.find_row(
        concat!("SELECT ", user_columns!(), " FROM user_ u WHERE u.id = $1"),
        params![id],
    )?;
    row.map(from_row).transpose()
}

/// The person with this address, in canonical form.
pub fn find_by_email(tx: &mut ReadTx<'_>, canonical: &str) -> Result<Option<User>> {
    let row = tx.find_row(
        concat!("SELECT ", user_columns!(), " FROM user_ u WHERE u.email_canonical = $1"),
        params![canonical],
    )?;
    row.map(from_row).transpose()
}

/// The person with this user name, in canonical form.
pub fn find_by_username(tx: &mut ReadTx<'_>, canonical: &str) -> Result<Option<User>> {
    let row = tx.find_row(
        concat!("SELECT ", user_columns!(), " FROM user_ u WHERE u.username_canonical = $1"),
        params![canonical],
    )?;
    row.map(from_row).transpose()
}

/// Writes address, user name, name, language, further claims and `updated_at`; false when there is
/// no such person.
///
/// # Errors
/// `Unique` with [`EMAIL_TAKEN`] or [`USERNAME_TAKEN`].
pub fn update_profile(tx: &mut Tx<'_>, user: &User) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE user_ SET email = $2, email_canonical = $3, email_verified_at = $4, username = $5,
         username_canonical = $6, name = $7, locale = $8, updated_at = $9, profile = $10
         WHERE id = $1",
        params![
            user.id,
            user.email,
            user.email_canonical,
            user.email_verified_at,
            user.username,
            user.username_canonical,
            user.name,
            user.locale,
            user.updated_at,
            user.profile,
        ],
    )?;
    Ok(changed > 0)
}

/// Disables a person since `disabled_at`, or enables them again (`None`); false when they were
/// that already, or are not there.
pub fn set_disabled(
    tx: &mut Tx<'_>,
    id: &UserId,
    disabled_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let changed = match disabled_at {
        Some(since) => tx.exec(
            "UPDATE user_ SET disabled_at = $2, updated_at = $3
             WHERE id = $1 AND disabled_at IS NULL",
            params![id, since, now],
        ),
        None => tx.exec(
            "UPDATE user_ SET disabled_at = NULL, updated_at = $2
             WHERE id = $1 AND disabled_at IS NOT NULL",
            params![id, now],
        ),
    }?;
    Ok(changed > 0)
}

/// Writes down that the password was changed by hand: grants that were given before are dead.
pub fn set_password_changed(tx: &mut Tx<'_>, id: &UserId, now: Timestamp) -> Result<()> {
    tx.push(
        "UPDATE user_ SET password_changed_at = $2, updated_at = $2 WHERE id = $1",
        params![id, now],
    )
}

/// Lets an account be deleted at `due_at`, or takes that back (`None`); false when one of both was
/// said before, or they are not there.
pub fn set_deletion_due(
    tx: &mut Tx<'_>,
    id: &UserId,
    due_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let changed = match due_at {
        Some(due_at) => tx.exec(
            "UPDATE user_ SET deletion_due_at = $2, updated_at = $3
             WHERE id = $1 AND deletion_due_at IS NULL",
            params![id, due_at, now],
        ),
        None => tx.exec(
            "UPDATE user_ SET deletion_due_at = NULL, updated_at = $2
             WHERE id = $1 AND deletion_due_at IS NOT NULL",
            params![id, now],
        ),
    }?;
    Ok(changed > 0)
}

/// The accounts that are to be deleted now, those that wait longest first, at most `limit`.
pub fn list_deletion_due(tx: &mut ReadTx<'_>, now: Timestamp, limit: u32) -> Result<Vec<UserId>> {
    let rows = tx.rows(
        "SELECT id FROM user_ WHERE deletion_due_at IS NOT NULL AND deletion_due_at <= $1
         ORDER BY deletion_due_at, id LIMIT $2",
        params![now, limit],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Deletes a person whose deletion is due, with everything that hangs on them; false when they are
/// not there, or took it back a moment ago.
pub fn delete_if_due(tx: &mut Tx<'_>, id: &UserId, now: Timestamp) -> Result<bool> {
    let deleted = tx.exec(
        "DELETE FROM user_ WHERE id = $1 AND deletion_due_at IS NOT NULL AND deletion_due_at <= $2",
        params![id, now],
    )?;
    Ok(deleted > 0)
}

/// Deletes a person with everything that hangs on them; false when they are not there.
pub fn delete(tx: &mut Tx<'_>, id: &UserId) -> Result<bool> {
    Ok(tx.exec("DELETE FROM user_ WHERE id = $1", params![id])? > 0)
}

/// People, the oldest accounts first.
pub fn list(
    tx: &mut ReadTx<'_>,
    page: &Page<UserKey>,
    filter: &UserFilter,
) -> Result<Listed<User, UserKey>> {
    let first = (Timestamp::from_millis(i64::MIN), UserId::from_bytes([0; 16]));
    let (created_at, id) = page.key().unwrap_or(&first);
    let state = filter.state.map(|state| match state {
        AccountState::Enabled => 0_i64,
        AccountState::Disabled => 1,
    });
    // The beginning of a text is compared by `substr`, which means the same under every collation;
    // `LIKE` and ranges do not.
    let rows = tx.rows(
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM user_ u
             WHERE (u.created_at, u.id) > ($1, $2)
             AND (CAST($3 AS TEXT) IS NULL
                 OR substr(u.email_canonical, 1, length(CAST($3 AS TEXT))) = $3
                 OR substr(lower(u.username), 1, length(CAST($3 AS TEXT))) = $3)
             AND (CAST($4 AS TEXT) IS NULL OR EXISTS (
                 SELECT 1 FROM user_role h WHERE h.user_id = u.id AND h.role = $4))
             AND (CAST($5 AS BIGINT) IS NULL
                 OR (CAST($5 AS BIGINT) = 0 AND u.disabled_at IS NULL)
                 OR (CAST($5 AS BIGINT) = 1 AND u.disabled_at IS NOT NULL))
             ORDER BY u.created_at, u.id LIMIT $6"
        ),
        params![created_at, id, filter.text, filter.role, state, page.rows()],
    )?;
    let users = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(page.cut(users, |user| (user.created_at, user.id)))
}

/// Whether there is anybody: looks at one row, where counting reads an index from end to end.
pub fn is_anybody(tx: &mut ReadTx<'_>) -> Result<bool> {
    Ok(tx.find_row("SELECT id FROM user_ LIMIT 1", params![])?.is_some())
}

/// How many people there are.
pub fn count(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT COUNT(*) FROM user_", params![])?;
    row.ok_or_else(counters::missing)?.at(0)
}

/// Reads `user_columns!`.
pub(crate) fn from_row(mut row: Row) -> Result<User> {
    take(&mut row)
}

/// Reads `user_columns!` and leaves what follows them, from [`WIDTH`] on.
pub(crate) fn take(row: &mut Row) -> Result<User> {
    Ok(User {
        id: row.take(0)?,
        email: row.take(1)?,
        email_canonical: row.take(2)?,
        email_verified_at: row.take(3)?,
        username: row.take(4)?,
        username_canonical: row.take(5)?,
        name: row.take(6)?,
        locale: row.take(7)?,
        created_at: row.take(8)?,
        updated_at: row.take(9)?,
        disabled_at: row.take(10)?,
        password_changed_at: row.take(11)?,
        roles: row.take::<BTreeSet<RoleName>>(12)?.into_iter().collect(),
        profile: row.take(13)?,
        deletion_due_at: row.take(14)?,
    })
}
