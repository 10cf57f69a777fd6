//! Sign-ins. Keyed by the person and the id, so that every statement stays with one person.

use munjigi_core::account::user::{BrowserHold, Session};
use munjigi_core::id::{SessionId, UserId};
use munjigi_core::time::{Span, Timestamp};

use crate::page::{Listed, Page};
use crate::{ReadTx, Result, Row, Tx, params};

/// How exactly `used_at` is kept: a write at every request would cost more than it tells.
pub const USED_AT_GRAIN: Span = Span::from_minutes(5);

/// How many sessions [`list_live`] shows at most.
pub const MAX_LISTED: u32 = 200;

/// The order of the list of all: by the person, then by age.
pub type SessionKey = (UserId, SessionId);

/// Begins a session.
///
/// # Errors
/// `ForeignKey` when there is no such person.
pub fn insert(tx: &mut Tx<'_>, session: &Session) -> Result<()> {
    tx.push(
        "INSERT INTO session (user_id, id, authenticated_at, created_at, used_at, expires_at,
         ended_at, address, user_agent, amr, cookie_hash, idle_expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        params![
            session.user_id,
            session.id,
            session.authenticated_at,
            session.created_at,
            session.used_at,
            session.expires_at,
            session.ended_at,
            session.address,
            session.user_agent,
            session.amr,
            session.browser.map(|hold| hold.hash),
            session.browser.map(|hold| hold.idle_expires_at),
        ],
    )
}

/// A session, whether live or not.
pub fn find(tx: &mut ReadTx<'_>, user_id: &UserId, id: &SessionId) -> Result<Option<Session>> {
    let row = tx.find_row(
        "SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at, address,
         user_agent, amr, cookie_hash, idle_expires_at
         FROM session WHERE user_id = $1 AND id = $2",
        params![user_id, id],
    )?;
    row.map(from_row).transpose()
}

/// The live sessions of a person, the last used first; at most [`MAX_LISTED`].
pub fn list_live(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Session>> {
    let rows = tx.rows(
        "SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at, address,
         user_agent, amr, cookie_hash, idle_expires_at
         FROM session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
         AND (idle_expires_at IS NULL OR idle_expires_at > $2)
         ORDER BY used_at DESC, id DESC LIMIT $3",
        params![user_id, now, limit.min(MAX_LISTED)],
    )?;
    rows.into_iter().map(from_row).collect()
}

/// The live sessions of everybody, or of one person, person by person.
pub fn list_all(
    tx: &mut ReadTx<'_>,
    page: &Page<SessionKey>,
    of: Option<&UserId>,
    now: Timestamp,
) -> Result<Listed<Session, SessionKey>> {
    // No id is made of zeros alone: every row comes behind it.
    let first = || (UserId::from_bytes([0; 16]), SessionId::from_bytes([0; 16]));
    let (after_user, after) = page.key().copied().unwrap_or_else(first);
    let rows = match of {
        Some(of) => tx.rows(
            "SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at,
             address, user_agent, amr, cookie_hash, idle_expires_at
             FROM session WHERE user_id = $1 AND id > $2
             AND ended_at IS NULL AND expires_at > $3
             AND (idle_expires_at IS NULL OR idle_expires_at > $3)
             ORDER BY user_id, id LIMIT $4",
            params![of, after, now, page.rows()],
        ),
        None => tx.rows(
            "SELECT user_id, id, authenticated_at, created_at, used_at, expires_at, ended_at,
             address, user_agent, amr, cookie_hash, idle_expires_at
             FROM session WHERE (user_id, id) > ($1, $2)
             AND ended_at IS NULL AND expires_at > $3
             AND (idle_expires_at IS NULL OR idle_expires_at > $3)
             ORDER BY user_id, id LIMIT $4",
            params![after_user, after, now, page.rows()],
        ),
    }?;
    let sessions: Result<Vec<Session>> = rows.into_iter().map(from_row).collect();
    Ok(page.cut(sessions?, |session| (session.user_id, session.id)))
}

/// The live sessions of a person beyond one and the `kept` youngest others, the oldest first; at
/// most [`MAX_LISTED`].
pub fn list_beyond(
    tx: &mut ReadTx<'_>,
    (user_id, except): (&UserId, &SessionId),
    kept: u32,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let rows = tx.rows(
        "SELECT id FROM session WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL
         AND expires_at > $3 AND (idle_expires_at IS NULL OR idle_expires_at > $3)
         ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5",
        params![user_id, except, now, MAX_LISTED, kept],
    )?;
    let ids: Result<Vec<_>> = rows.into_iter().map(|mut row| row.take(0)).collect();
    Ok(ids?.into_iter().rev().collect())
}

/// Writes down that a session was used, unless that was less than [`USED_AT_GRAIN`] ago.
pub fn touch(tx: &mut Tx<'_>, user_id: &UserId, id: &SessionId, now: Timestamp) -> Result<()> {
    tx.push(
        "UPDATE session SET used_at = $3
         WHERE user_id = $1 AND id = $2 AND used_at <= $4 AND ended_at IS NULL",
        params![user_id, id, now, now.minus(USED_AT_GRAIN)],
    )
}

/// Gives a browser another hold on a live session, in place of the one with `hash`: the cookie
/// before is dead. `None` takes the session from the browser. False when somebody else was first.
pub fn hold(
    tx: &mut Tx<'_>,
    (user_id, id): (&UserId, &SessionId),
    hash: &[u8; 32],
    next: Option<&BrowserHold>,
) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE session SET cookie_hash = $4, idle_expires_at = $5
         WHERE user_id = $1 AND id = $2 AND cookie_hash = $3 AND ended_at IS NULL",
        params![
            user_id,
            id,
            hash,
            next.map(|hold| hold.hash),
            next.map(|hold| hold.idle_expires_at),
        ],
    )?;
    Ok(changed > 0)
}

/// Writes down that a browser used its session, unless that was less than [`USED_AT_GRAIN`] ago:
/// it lives on until `idle_expires_at`. One that has died of disuse stays dead; how many live on.
pub fn touch_held(
    tx: &mut Tx<'_>,
    (user_id, id): (&UserId, &SessionId),
    idle_expires_at: Timestamp,
    now: Timestamp,
) -> Result<u64> {
    tx.exec(
        "UPDATE session SET used_at = $3, idle_expires_at = $5
         WHERE user_id = $1 AND id = $2 AND used_at <= $4 AND ended_at IS NULL
         AND cookie_hash IS NOT NULL AND idle_expires_at > $3",
        params![user_id, id, now, now.minus(USED_AT_GRAIN), idle_expires_at],
    )
}

/// Writes down that the owner of a live session has proved who they are once more, for whoever
/// asks the session from now on. What came from it before is [kept](keep).
pub fn reauthenticate(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    id: &SessionId,
    at: Timestamp,
) -> Result<()> {
    tx.push(
        "UPDATE session SET authenticated_at = $3
         WHERE user_id = $1 AND id = $2 AND ended_at IS NULL",
        params![user_id, id, at],
    )
}

/// Lets the grants of a session outlive the changes of password until now: their owner has proved
/// in it who they are, or made the change there. When they proved it for them, stays as it was.
pub fn keep(tx: &mut Tx<'_>, user_id: &UserId, id: &SessionId, at: Timestamp) -> Result<()> {
    tx.push(
        "UPDATE session SET kept_at = $3 WHERE user_id = $1 AND id = $2 AND ended_at IS NULL",
        params![user_id, id, at],
    )
}

/// Ends a session; false when it was ended before, or is not there: of many callers one is told
/// that it was them.
pub fn end(tx: &mut Tx<'_>, user_id: &UserId, id: &SessionId, now: Timestamp) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE session SET ended_at = $3 WHERE user_id = $1 AND id = $2 AND ended_at IS NULL",
        params![user_id, id, now],
    )?;
    Ok(changed > 0)
}

/// Ends every session of a person but one; those that were ended now. Sessions that have expired
/// are ended, too: a grant may outlive its session, but not the session's end.
pub fn end_all(
    tx: &mut Tx<'_>,
    user_id: &UserId,
    except: Option<&SessionId>,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let rows = tx.rows(
        "UPDATE session SET ended_at = $2
         WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3
         RETURNING id",
        params![user_id, now, except],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// Deletes sessions that have expired before `before`, at most `limit` of them, with their grants;
/// how many sessions. One that still has a grant that may be used stays.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM session WHERE (user_id, id) IN (
             SELECT s.user_id, s.id FROM session s
             WHERE s.expires_at < $1 AND (s.ended_at IS NOT NULL OR NOT EXISTS (
                 SELECT 1 FROM grant_ g
                 WHERE g.user_id = s.user_id AND g.session_id = s.id AND g.revoked_at IS NULL
                 AND g.expires_at >= $1 AND g.idle_expires_at >= $1))
             ORDER BY s.expires_at LIMIT $2)",
        params![before, limit],
    )
}

fn from_row(mut row: Row) -> Result<Session> {
    Ok(Session {
        user_id: row.take(0)?,
        id: row.take(1)?,
        authenticated_at: row.take(2)?,
        created_at: row.take(3)?,
        used_at: row.take(4)?,
        expires_at: row.take(5)?,
        ended_at: row.take(6)?,
        address: row.take(7)?,
        user_agent: row.take(8)?,
        amr: row.take(9)?,
        browser: match (row.take(10)?, row.take(11)?) {
            (Some(hash), Some(idle_expires_at)) => Some(BrowserHold { hash, idle_expires_at }),
            _ => None,
        },
    })
}
