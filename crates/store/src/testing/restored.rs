//! Rows as a restore leaves them, under servers that run.

use crate::{Audit, Committed, Result, Store, Tx, params};

/// The rows become older by so many beats, as those of a base backup that is started as it was.
/// Whoever's store it is has written something.
pub async fn take_back(store: &Store, beats: i64) -> Result<()> {
    let back = move |tx: &mut Tx<'_>| {
        tx.exec("UPDATE counter SET value = value - $1 WHERE name = 'beat'", params![beats])?;
        Ok(Committed::new((), Audit::Routine("a test")))
    };
    store.write(back).await
}

/// Whenever an epoch begins in a file of SQLite, sessions and grants have just come alive: a
/// trigger stands for requests that come in between.
pub async fn revive_at_each_epoch(store: &Store) -> Result<()> {
    let revive = |tx: &mut Tx<'_>| {
        for trigger in [
            "CREATE TRIGGER a_session AFTER INSERT ON epoch BEGIN
                 UPDATE session SET ended_at = NULL; END",
            "CREATE TRIGGER a_grant AFTER INSERT ON epoch BEGIN
                 UPDATE grant_ SET revoked_at = NULL; END",
        ] {
            tx.exec(trigger, params![])?;
        }
        Ok(Committed::new((), Audit::Routine("a test")))
    };
    store.write(revive).await
}
