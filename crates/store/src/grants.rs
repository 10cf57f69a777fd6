//! Grants: one row each, which rotation moves on and never multiplies (RFC 6749 §6). What a row
//! means is decided by [`Grant::present`]; nothing here compares tokens.

use munjigi_core::account::user::User;
use munjigi_core::id::{ClientId, GrantId, SessionId, UserId};
use munjigi_core::oauth::grant::{Grant, Lifetimes, Standing};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::time::Timestamp;

use crate::users::{self, user_columns};
use crate::{ReadTx, Result, Row, Tx, params};

/// How many grants [`list_live`] shows at most.
pub const MAX_LISTED: u32 = 200;

/// The columns of `grant_ g` and `session s` that [`take`] reads.
macro_rules! grant_columns {
    () => {
        "g.user_id, g.id, g.client_id, g.session_id, g.scope, g.audiences, g.generation, g.nonce, \
         g.authenticated_at, g.created_at, g.rotated_at, g.idle_expires_at, g.expires_at, \
         g.revoked_at, g.claims, g.dpop_jkt, s.ended_at, s.kept_at"
    };
}

/// How many columns that is: what a statement reads besides begins here.
const WIDTH: usize = 18;

/// Adds a grant.
///
/// # Errors
/// `ForeignKey` when there is no such session or client.
pub fn insert(tx: &mut Tx<'_>, grant: &Grant) -> Result<()> {
    tx.push(
        "INSERT INTO grant_ (user_id, id, client_id, session_id, scope, audiences, generation,
         nonce, authenticated_at, created_at, rotated_at, idle_expires_at, expires_at, revoked_at,
         claims, dpop_jkt)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            grant.user_id,
            grant.id,
            grant.client_id,
            grant.session_id,
            grant.scope,
            grant.audiences,
            grant.generation,
            grant.nonce,
            grant.authenticated_at,
            grant.created_at,
            grant.rotated_at,
            grant.idle_expires_at,
            grant.expires_at,
            grant.revoked_at,
            grant.claims,
            grant.dpop_jkt,
        ],
    )
}

/// A grant, and how its owner and its session stand: one statement.
pub fn find(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    id: &GrantId,
) -> Result<Option<(Grant, Standing)>> {
    let row = tx.find_row(
        concat!(
            "SELECT ",
            grant_columns!(),
            ", u.disabled_at, u.password_changed_at FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.id = $2"
        ),
        params![user_id, id],
    )?;
    row.map(with_standing).transpose()
}

/// A grant with everything that its next tokens are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The grant.
    pub grant: Grant,
    /// How it stands.
    pub standing: Standing,
    /// Its owner with their roles.
    pub user: User,
    /// How they proved who they are in its session: names of RFC 8176, separated by spaces.
    pub amr: String,
}

/// A grant, how it stands, and its owner, for the claims of the next tokens: one statement.
pub fn find_with_user(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    id: &GrantId,
) -> Result<Option<Found>> {
    let row = tx.find_row(
        concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            grant_columns!(),
            ", s.amr FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.id = $2"
        ),
        params![user_id, id],
    )?;
    let Some(mut row) = row else { return Ok(None) };
    let user = users::take(&mut row)?;
    let (grant, (session_ended_at, session_kept_at)) = take(&mut row, users::WIDTH)?;
    let standing = Standing {
        user_disabled_at: user.disabled_at,
        password_changed_at: user.password_changed_at,
        session_ended_at,
        session_kept_at,
    };
    Ok(Some(Found { grant, standing, user, amr: row.take(users::WIDTH + WIDTH)? }))
}

/// The grants of a person that can be used, the newest first; at most [`MAX_LISTED`].
pub fn list_live(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Grant>> {
    let rows = tx.rows(
        concat!(
            "SELECT ",
            grant_columns!(),
            ", u.disabled_at, u.password_changed_at FROM grant_ g
             JOIN user_ u ON u.id = g.user_id
             JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
             WHERE g.user_id = $1 AND g.revoked_at IS NULL AND s.ended_at IS NULL
             AND g.expires_at > $2 AND g.idle_expires_at > $2
             ORDER BY g.id DESC LIMIT $3"
        ),
        params![user_id, now, limit.min(MAX_LISTED)],
    )?;
    let mut live = Vec::with_capacity(rows.len());
    for row in rows {
        let (grant, standing) = with_standing(row)?;
        // The rule has the last word; the statement only spares it the ones that are surely dead.
        if grant.dead(&standing, now).is_none() {
            live.push(grant);
        }
    }
    Ok(live)
}

/// Moves a grant to its next generation.
///
/// # Errors
/// `Conflict` when somebody else did so first or revoked it: the transaction is run again and sees
/// the winner.
pub fn advance(
    tx: &mut Tx<'_>,
    grant: Grant,
    lifetimes: &Lifetimes,
    now: Timestamp,
) -> Result<Grant> {
    let generation = grant.generation;
    let next = grant.advanced(lifetimes, now);
    // RFC 6749 §6, RFC 9700 §4.14.2: of all who present a token at most one moves the grant on.
    tx.push_one(
        "UPDATE grant_ SET generation = $4, rotated_at = $5, idle_expires_at = $6, dpop_jkt = $7
         WHERE user_id = $1 AND id = $2 AND generation = $3 AND revoked_at IS NULL",
        params![
            next.user_id,
            next.id,
            generation,
            next.generation,
            next.rotated_at,
            next.idle_expires_at,
            next.dpop_jkt,
        ],
    )?;
    Ok(next)
}

/// Revokes a grant; false when it was revoked before, or is not there.
pub fn revoke(tx: &mut Tx<'_>, user_id: &UserId, id: &GrantId, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE grant_ SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL",
        params![user_id, id, now],
    )?;
    Ok(changed > 0)
}

/// A client that was let in by a session.
#[derive(Clone, Debug, PartialEq)]
pub struct RelyingParty {
    /// The session.
    pub session_id: SessionId,
    /// The client.
    pub client_id: ClientId,
    /// What it registered, the addresses that are told of a sign-out among it.
    pub metadata: Metadata,
}

/// Who was let in by a session that has not ended yet. Grants that are over count: what the client
/// began with them may go on.
pub fn relying_parties_of_session(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    session_id: &SessionId,
) -> Result<Vec<RelyingParty>> {
    let rows = tx.rows(
        "SELECT DISTINCT g.session_id, g.client_id, c.metadata FROM grant_ g
         JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
         JOIN client c ON c.id = g.client_id
         WHERE g.user_id = $1 AND g.session_id = $2 AND s.ended_at IS NULL
         ORDER BY g.session_id, g.client_id",
        params![user_id, session_id],
    )?;
    rows.into_iter().map(relying_party).collect()
}

/// The same of every session of a person but one.
pub fn relying_parties_of_user(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    except: Option<&SessionId>,
) -> Result<Vec<RelyingParty>> {
    let rows = tx.rows(
        "SELECT DISTINCT g.session_id, g.client_id, c.metadata FROM grant_ g
         JOIN session s ON s.user_id = g.user_id AND s.id = g.session_id
         JOIN client c ON c.id = g.client_id
         WHERE g.user_id = $1 AND g.session_id IS DISTINCT FROM $2 AND s.ended_at IS NULL
         ORDER BY g.session_id, g.client_id",
        params![user_id, except],
    )?;
    rows.into_iter().map(relying_party).collect()
}

fn relying_party(mut row: Row) -> Result<RelyingParty> {
    let (session_id, client_id) = (row.take(0)?, row.take(1)?);
    Ok(RelyingParty { session_id, client_id, metadata: row.take(2)? })
}

/// Revokes every grant of a session; how many.
pub fn revoke_session(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    session_id: &SessionId,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(
        "UPDATE grant_ SET revoked_at = $3
         WHERE user_id = $1 AND session_id = $2 AND revoked_at IS NULL",
        params![user_id, session_id, now],
    )
}

/// Revokes every grant of a person to a client; those that were revoked now.
pub fn revoke_client(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Vec<GrantId>> {
    let rows = tx.rows(
        "UPDATE grant_ SET revoked_at = $3
         WHERE user_id = $1 AND client_id = $2 AND revoked_at IS NULL
         RETURNING id",
        params![user_id, client_id, now],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Revokes every grant of a person but those of one session; how many.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    except: Option<&SessionId>,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(
        "UPDATE grant_ SET revoked_at = $2
         WHERE user_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $3",
        params![user_id, now, except],
    )
}

fn with_standing(mut row: Row) -> Result<(Grant, Standing)> {
    let (grant, (session_ended_at, session_kept_at)) = take(&mut row, 0)?;
    let standing = Standing {
        user_disabled_at: row.take(WIDTH)?,
        password_changed_at: row.take(WIDTH + 1)?,
        session_ended_at,
        session_kept_at,
    };
    Ok((grant, standing))
}

/// When a session ended, and when it was kept.
type SessionTimes = (Option<Timestamp>, Option<Timestamp>);

/// Reads `grant_columns!`, which begin at column `from`.
fn take(row: &mut Row, from: usize) -> Result<(Grant, SessionTimes)> {
    let grant = Grant {
        user_id: row.take(from)?,
        id: row.take(from + 1)?,
        client_id: row.take(from + 2)?,
        session_id: row.take(from + 3)?,
        scope: row.take(from + 4)?,
        audiences: row.take(from + 5)?,
        generation: row.take(from + 6)?,
        nonce: row.take(from + 7)?,
        authenticated_at: row.take(from + 8)?,
        created_at: row.take(from + 9)?,
        rotated_at: row.take(from + 10)?,
        idle_expires_at: row.take(from + 11)?,
        expires_at: row.take(from + 12)?,
        revoked_at: row.take(from + 13)?,
        claims: row.take(from + 14)?,
        dpop_jkt: row.take(from + 15)?,
    };
    Ok((grant, (row.take(from + 16)?, row.take(from + 17)?)))
}
