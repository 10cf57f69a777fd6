//! What a database holds, for tests that compare it before and after something: every row of what
//! counts, and the events that tell of it. A table that nobody has placed here fails a test.

use std::collections::BTreeMap;

use munjigi_core::id::EventId;

use crate::{ReadTx, Result, Row, Store};

/// What counts. Left out are columns that say when something was last used, and how far a rotation
/// or a poll has come: those move all the time, and nothing hangs on them.
const STATE: &[(&str, &str)] = &[
    ("user_", "SELECT * FROM user_ ORDER BY id"),
    ("password", "SELECT * FROM password ORDER BY user_id"),
    ("role", "SELECT * FROM role ORDER BY name"),
    ("user_role", "SELECT * FROM user_role ORDER BY user_id, role"),
    (
        "client",
        "SELECT id, name, auth_method, grant_types, redirect_uris, scope, audiences, pkce, party,
         disabled_at, metadata, origin, management_hash FROM client ORDER BY id",
    ),
    ("client_secret", "SELECT * FROM client_secret ORDER BY client_id, hash"),
    ("api", "SELECT * FROM api ORDER BY audience"),
    ("api_secret", "SELECT * FROM api_secret ORDER BY 1, 2"),
    (
        "session",
        "SELECT user_id, id, authenticated_at, expires_at, ended_at, cookie_hash, amr
         FROM session ORDER BY user_id, id",
    ),
    (
        "grant_",
        "SELECT user_id, id, client_id, session_id, scope, audiences, revoked_at, claims, dpop_jkt
         FROM grant_ ORDER BY user_id, id",
    ),
    ("code", "SELECT * FROM code ORDER BY user_id, id"),
    ("consent", "SELECT * FROM consent ORDER BY user_id, client_id"),
    (
        "device",
        "SELECT hash, user_code, client_id, scope, approved_at, denied_at, spent_at
         FROM device ORDER BY hash",
    ),
    ("link", "SELECT * FROM link ORDER BY user_id, id"),
    (
        "key",
        "SELECT kid, purpose, algorithm, activates_at, retires_at, destroyed_at FROM key
         ORDER BY kid",
    ),
    ("setting", "SELECT name, value FROM setting ORDER BY name"),
    ("revocation", "SELECT * FROM revocation ORDER BY seq"),
    ("registration_token", "SELECT * FROM registration_token ORDER BY hash"),
];

/// The rest of what must not be left half done: columns that are left out above, queues, counters.
const BESIDE: &[(&str, &str)] = &[
    (
        "rotation",
        "SELECT user_id, id, generation, nonce, rotated_at, idle_expires_at FROM grant_
         ORDER BY user_id, id",
    ),
    ("kept session", "SELECT user_id, id, kept_at FROM session ORDER BY user_id, id"),
    ("sealed key", "SELECT kid, sealed, withdrawn_at FROM key ORDER BY kid"),
    ("counter", "SELECT name, value FROM counter ORDER BY name"),
    ("epoch", "SELECT * FROM epoch ORDER BY number"),
    ("outbox", "SELECT id, kind, created_at FROM outbox ORDER BY id"),
    ("pushed_request", "SELECT * FROM pushed_request ORDER BY hash"),
];

/// Counters, queues, what was seen or guessed, and the trail itself.
#[cfg(test)]
const BOOKS: &[&str] = &[
    "counter",
    "epoch",
    "throttle",
    "replay",
    "outbox",
    "pushed_request",
    "audit",
    "audit_leaf",
    "audit_tile",
    "audit_checkpoint",
    "audit_log",
    "audit_key",
];

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    tables: BTreeMap<&'static str, Vec<Row>>,
    beside: BTreeMap<&'static str, Vec<Row>>,
    events: BTreeMap<EventId, (String, String)>,
}

impl Held {
    /// The tables that hold something else than before.
    pub fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let is_other = |table: &&'static str| self.tables.get(*table) != before.tables.get(*table);
        self.tables.keys().copied().filter(is_other).collect()
    }

    /// How many rows went and how many came since, by table, counters and queues among them. A row
    /// that says something else went and came.
    pub fn rows_since(&self, before: &Self) -> BTreeMap<&'static str, (usize, usize)> {
        let mut moved = BTreeMap::new();
        let all = self.tables.iter().chain(&self.beside);
        for (table, rows) in all {
            let then = before.tables.get(table).or_else(|| before.beside.get(table));
            let then = then.map_or(&[][..], Vec::as_slice);
            let missing =
                |of: &[Row], from: &[Row]| of.iter().filter(|it| !from.contains(it)).count();
            let counts = (missing(then, rows), missing(rows, then));
            if counts != (0, 0) {
                moved.insert(*table, counts);
            }
        }
        moved
    }

    /// The events that were written since: kind and outcome of each, in alphabetical order.
    pub fn events_since(&self, before: &Self) -> Vec<(String, String)> {
        let new = self.events.iter().filter(|(id, _)| !before.events.contains_key(*id));
        let mut new: Vec<_> = new.map(|(_, event)| event.clone()).collect();
        new.sort();
        new
    }
}

/// Looks at everything.
pub async fn held(store: &Store) -> Result<Held> {
    store.read(|tx: &mut ReadTx<'_>| look(tx)).await
}

fn look(tx: &mut ReadTx<'_>) -> Result<Held> {
    let mut held = Held::default();
    for (table, statement) in STATE {
        held.tables.insert(table, tx.rows(statement, Vec::new())?);
    }
    for (name, statement) in BESIDE {
        held.beside.insert(name, tx.rows(statement, Vec::new())?);
    }
    for mut row in tx.rows("SELECT id, kind, outcome FROM audit", Vec::new())? {
        held.events.insert(row.take(0)?, (row.take(1)?, row.take(2)?));
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations;

    #[test]
    fn every_table_is_either_state_or_books() {
        let lines = migrations::ALL.iter().flat_map(|step| step.sql.lines());
        let made = lines.filter_map(|line| line.strip_prefix("CREATE TABLE "));
        for name in made.filter_map(|rest| rest.split([' ', '(']).next()) {
            let is_state = STATE.iter().any(|(table, _)| *table == name);
            assert!(is_state != BOOKS.contains(&name), "{name} stands nowhere, or twice");
        }
    }
}
