//! Clients (RFC 6749 §2) and the keyed hashes of their secrets. Reference data: every write moves
//! the snapshot's version on.

use munjigi_core::id::ClientId;
use munjigi_core::oauth::client::{Client, SecretHash};
use munjigi_core::time::{Span, Timestamp};

use crate::page::{Listed, Page};
use crate::{ReadTx, Result, Row, Tx, counters, params};

/// What [`StoreError::Unique`](crate::StoreError::Unique) names when there is such a client
/// already.
pub const ID_TAKEN: &str = "client.id";

/// How exactly `used_at` is kept.
pub const USED_AT_GRAIN: Span = Span::from_hours(1);

/// The columns that [`from_row`] reads.
macro_rules! client_columns {
    () => {
        "id, name, auth_method, grant_types, redirect_uris, scope, audiences, pkce, party, \
         created_at, disabled_at, metadata, origin, used_at, refreshed_at, management_hash"
    };
}

/// Adds a client with its secrets.
///
/// # Errors
/// `Unique` with [`ID_TAKEN`].
pub fn insert(tx: &mut Tx<'_>, client: &Client) -> Result<()> {
    tx.exec(
        "INSERT INTO client (id, name, auth_method, grant_types, redirect_uris, scope, audiences,
         pkce, party, created_at, disabled_at, metadata, origin, used_at, refreshed_at,
         management_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        params![
            client.id,
            client.name,
            client.auth_method,
            client.grant_types,
            client.redirect_uris,
            client.scope,
            client.audiences,
            client.pkce,
            client.party,
            client.created_at,
            client.disabled_at,
            client.metadata,
            client.origin,
            client.used_at,
            client.refreshed_at,
            client.management_hash,
        ],
    )?;
    for secret in &client.secrets {
        push_secret(tx, &client.id, secret, client.created_at)?;
    }
    counters::reference_changed(tx)
}

/// The client of this id, with its secrets.
pub fn find(tx: &mut ReadTx<'_>, id: &ClientId) -> Result<Option<Client>> {
    let row = tx.find_row(
        concat!("SELECT ", client_columns!(), " FROM client WHERE id = $1"),
        params![id],
    )?;
    let Some(row) = row else { return Ok(None) };
    let mut client = from_row(row)?;
    add_secrets(tx, std::slice::from_mut(&mut client))?;
    Ok(Some(client))
}

/// Every client with its secrets, by id. Two statements, however many clients there are.
pub fn all(tx: &mut ReadTx<'_>) -> Result<Vec<Client>> {
    let rows =
        tx.rows(concat!("SELECT ", client_columns!(), " FROM client ORDER BY id"), params![])?;
    let mut clients = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    let secrets = tx.rows(
        "SELECT client_id, hash, expires_at FROM client_secret
         ORDER BY client_id, created_at, hash",
        params![],
    )?;
    // Both are in the order of the id, so one walk over each brings them together.
    let mut secrets = secrets.into_iter().peekable();
    for client in &mut clients {
        while let Some(row) =
            secrets.next_if(|row| row.at(0).is_ok_and(|id: ClientId| id == client.id))
        {
            client.secrets.push(secret_from_row(row)?);
        }
    }
    Ok(clients)
}

/// Clients with their secrets, by id.
pub fn list(tx: &mut ReadTx<'_>, page: &Page<ClientId>) -> Result<Listed<Client, ClientId>> {
    let rows = tx.rows(
        concat!("SELECT ", client_columns!(), " FROM client WHERE id > $1 ORDER BY id LIMIT $2"),
        params![page.key().map_or("", ClientId::as_str), page.rows()],
    )?;
    let clients = rows.into_iter().map(from_row).collect::<Result<Vec<_>>>()?;
    let mut listed = page.cut(clients, |client| client.id.clone());
    add_secrets(tx, &mut listed.items)?;
    Ok(listed)
}

/// Writes everything but the id, the secrets, the origin, and when it was made, used and disabled;
/// false when there is no such client.
pub fn update(tx: &mut Tx<'_>, client: &Client) -> Result<bool> {
    let changed = tx.exec(
        "UPDATE client SET name = $2, auth_method = $3, grant_types = $4, redirect_uris = $5,
         scope = $6, audiences = $7, pkce = $8, party = $9, metadata = $10, refreshed_at = $11,
         management_hash = $12
         WHERE id = $1",
        params![
            client.id,
            client.name,
            client.auth_method,
            client.grant_types,
            client.redirect_uris,
            client.scope,
            client.audiences,
            client.pkce,
            client.party,
            client.metadata,
            client.refreshed_at,
            client.management_hash,
        ],
    )?;
    counters::reference_changed_if(tx, changed)
}

/// Writes down that a client was seen, unless that was less than [`USED_AT_GRAIN`] ago. Nobody
/// decides by it at a request, so the snapshot stays as it is.
pub fn touch_used(tx: &mut Tx<'_>, id: &ClientId, now: Timestamp) -> Result<()> {
    tx.push(
        "UPDATE client SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at <= $3)",
        params![id, now, now.minus(USED_AT_GRAIN)],
    )
}

/// Clients that no operator made and that were not seen since `before`, the oldest ids first, at
/// most `limit`. One that an operator has disabled stays: forgotten, it could come back.
pub fn list_unused_registered(
    tx: &mut ReadTx<'_>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<ClientId>> {
    let rows = tx.rows(
        "SELECT id FROM client
         WHERE origin <> 'made' AND disabled_at IS NULL AND COALESCE(used_at, created_at) < $1
         ORDER BY id LIMIT $2",
        params![before, limit],
    )?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

/// How many clients there are that no operator made.
pub fn count_registered(tx: &mut ReadTx<'_>) -> Result<i64> {
    let row = tx.find_row("SELECT COUNT(*) FROM client WHERE origin <> 'made'", params![])?;
    row.ok_or_else(counters::missing)?.at(0)
}

/// Disables a client since `disabled_at`, or enables it again (`None`); false when it was that
/// already, or is not there.
pub fn set_disabled(
    tx: &mut Tx<'_>,
    id: &ClientId,
    disabled_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = match disabled_at {
        Some(since) => tx.exec(
            "UPDATE client SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL",
            params![id, since],
        ),
        None => tx.exec(
            "UPDATE client SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL",
            params![id],
        ),
    }?;
    counters::reference_changed_if(tx, changed)
}

/// Deletes a client with its secrets and grants; an API that asked as this client stays. False
/// when it is not there.
pub fn delete(tx: &mut Tx<'_>, id: &ClientId) -> Result<bool> {
    let changed = tx.exec("DELETE FROM client WHERE id = $1", params![id])?;
    counters::reference_changed_if(tx, changed)
}

/// Gives a client one more secret. Of those that it has only the newest stays beside it: there are
/// never more than two, however often one is rotated.
///
/// # Errors
/// `ForeignKey` when there is no such client.
pub fn add_secret(
    tx: &mut Tx<'_>,
    id: &ClientId,
    secret: &SecretHash,
    now: Timestamp,
) -> Result<()> {
    tx.push(
        "DELETE FROM client_secret WHERE client_id = $1 AND hash NOT IN (
             SELECT newest.hash FROM client_secret newest WHERE newest.client_id = $1
             ORDER BY newest.created_at DESC, newest.hash LIMIT 1)",
        params![id],
    )?;
    push_secret(tx, id, secret, now)?;
    counters::reference_changed(tx)
}

/// Lets the secrets that a client has now end at `until`, unless they end before; how many do.
pub fn expire_secrets(tx: &mut Tx<'_>, id: &ClientId, until: Timestamp) -> Result<u64> {
    let changed = tx.exec(
        "UPDATE client_secret SET expires_at = $2
         WHERE client_id = $1 AND (expires_at IS NULL OR expires_at > $2)",
        params![id, until],
    )?;
    counters::reference_changed_if(tx, changed)?;
    Ok(changed)
}

/// Deletes the secrets that are no longer taken; how many there were.
pub fn forget_expired_secrets(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    let changed = tx.exec("DELETE FROM client_secret WHERE expires_at <= $1", params![now])?;
    counters::reference_changed_if(tx, changed)?;
    Ok(changed)
}

fn push_secret(tx: &mut Tx<'_>, id: &ClientId, secret: &SecretHash, now: Timestamp) -> Result<()> {
    tx.push(
        "INSERT INTO client_secret (client_id, hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4)",
        params![id, secret.hash, now, secret.expires_at],
    )
}

fn add_secrets(tx: &mut ReadTx<'_>, clients: &mut [Client]) -> Result<()> {
    for client in clients {
        let rows = tx.rows(
            "SELECT client_id, hash, expires_at FROM client_secret WHERE client_id = $1
             ORDER BY created_at, hash",
            params![client.id],
        )?;
        client.secrets = rows.into_iter().map(secret_from_row).collect::<Result<_>>()?;
    }
    Ok(())
}

fn secret_from_row(mut row: Row) -> Result<SecretHash> {
    Ok(SecretHash { hash: row.take(1)?, expires_at: row.take(2)? })
}

fn from_row(mut row: Row) -> Result<Client> {
    Ok(Client {
        id: row.take(0)?,
        name: row.take(1)?,
        auth_method: row.take(2)?,
        grant_types: row.take(3)?,
        redirect_uris: row.take(4)?,
        scope: row.take(5)?,
        audiences: row.take(6)?,
        pkce: row.take(7)?,
        party: row.take(8)?,
        created_at: row.take(9)?,
        disabled_at: row.take(10)?,
        metadata: row.take(11)?,
        origin: row.take(12)?,
        used_at: row.take(13)?,
        refreshed_at: row.take(14)?,
        management_hash: row.take(15)?,
        secrets: Vec::new(),
    })
}
