//! Password hashes, apart from profiles so that no profile query can carry one away. A hash is an
//! opaque text here: it is made and compared on the hashing pool, never in a closure.

use munjigi_core::account::user::User;
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;

use crate::users::{self, user_columns};
use crate::{ReadTx, Result, Tx, params};

/// With what somebody says who they are, in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn<'a> {
    /// An address.
    Email(&'a str),
    /// A user name.
    Username(&'a str),
}

/// The hash of a person's password, if they have one.
pub fn find(tx: &mut ReadTx<'_>, user_id: &UserId) -> Result<Option<String>> {
    let row = tx.find_row("SELECT hash FROM password WHERE user_id = $1", params![user_id])?;
    row.map(|mut row| row.take(0)).transpose()
}

/// The person who signs in, and the hash of their password, if they have one: one statement.
pub fn find_sign_in(
    tx: &mut ReadTx<'_>,
    login: SignIn<'_>,
) -> Result<Option<(User, Option<String>)>> {
    let row = match login {
        SignIn::Email(canonical) => tx.find_row(
            concat!(
                "SELECT ",
                user_columns!(),
                ", p.hash FROM user_ u LEFT JOIN password p ON p.user_id = u.id
                 WHERE u.email_canonical = $1"
            ),
            params![canonical],
        ),
        SignIn::Username(canonical) => tx.find_row(
            concat!(
                "SELECT ",
                user_columns!(),
                ", p.hash FROM user_ u LEFT JOIN password p ON p.user_id = u.id
                 WHERE u.username_canonical = $1"
            ),
            params![canonical],
        ),
    }?;
    row.map(|mut row| Ok((users::take(&mut row)?, row.take(users::WIDTH)?))).transpose()
}

/// Sets a person's password hash, whether or not there was one.
pub fn put(tx: &mut Tx<'_>, user_id: &UserId, hash: &str, now: Timestamp) -> Result<()> {
    tx.push(
        "INSERT INTO password (user_id, hash, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash,
         updated_at = excluded.updated_at",
        params![user_id, hash, now],
    )
}

/// Takes a person's password away: from then on nobody signs in with one. False when there was
/// none.
pub fn delete(tx: &mut Tx<'_>, user_id: &UserId) -> Result<bool> {
    Ok(tx.exec("DELETE FROM password WHERE user_id = $1", params![user_id])? > 0)
}

/// Replaces exactly this hash (the same password under today's parameters); false when it was
/// changed meanwhile: a rehash must not bring an old password back.
pub fn replace(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    old: &str,
    new: &str,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE password SET hash = $3, updated_at = $4 WHERE user_id = $1 AND hash = $2",
        params![user_id, old, new, now],
    )?;
    Ok(changed > 0)
}
