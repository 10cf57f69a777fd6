//! What tells one PostgreSQL from another: the cluster's identifier, the ids of the database and of
//! a table, and the line of time that a promotion or a restore to a point in time begins.

use munjigi_core::epoch::{Kinship, kinship};
use tokio_postgres::SimpleQueryMessage;

use super::connection::Connection;
use crate::sql::error::StoreError;
use crate::sql::standing::Standing;

/// Everybody may ask for it unless that was taken away (`pg_control_system`).
const CLUSTER: &str = "SELECT system_identifier::text FROM pg_control_system() \
     WHERE NOT pg_is_in_recovery()";

/// The rest. The name of a log file begins with the line of time.
const REST: &str = "SELECT (SELECT oid::text FROM pg_database WHERE datname = current_database()), \
     COALESCE(to_regclass('epoch')::oid::text, '?'), \
     substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
     current_setting('synchronous_standby_names', true), \
     current_setting('synchronous_commit', true) WHERE NOT pg_is_in_recovery()";

/// What PostgreSQL says of a function that a role may not call.
const NOT_ALLOWED: &str = "(42501)";

/// What is told to the operator whose role may not ask, by what it may not ask.
const GRANTS: [(&str, &str); 2] = [
    (
        CLUSTER,
        "the role that this server has in PostgreSQL may not ask which cluster it is in: as long \
         as it may not, a backup that is restored in another cluster can pass for this database \
         (GRANT EXECUTE ON FUNCTION pg_control_system() TO the role)",
    ),
    (
        REST,
        "the role that this server has in PostgreSQL may not ask which database this is: as long \
         as it may not, no backup that is restored is noticed, and after a restore it takes \
         `munjigi database restored` (GRANT EXECUTE ON FUNCTION pg_walfile_name(pg_lsn), \
         pg_current_wal_lsn() TO the role)",
    ),
];

/// The life that the rows say they are in, if they say so.
const STORED: &str = "SELECT identity FROM epoch ORDER BY number DESC LIMIT 1";

/// What nodes say of a database that they do not go on with.
pub(super) const OTHER: &str = "is another database than before, or another state of it: a server \
     that starts, or runs, settles what that means";

impl Connection {
    /// What this database is; nothing where it does not say so, as relatives of PostgreSQL do not.
    ///
    /// # Errors
    /// It did not answer: then nobody knows.
    pub(super) fn standing(&mut self) -> Result<Option<Standing>, StoreError> {
        let Some([database, table, timeline, standbys, commit]) = self.told(REST)? else {
            return Ok(None);
        };
        let cluster = self.told(CLUSTER)?;
        let cluster = cluster.map_or_else(|| "?".to_owned(), |[identifier]| identifier);
        let is_confirmed = ["on", "remote_apply", "remote_write"].contains(&commit.as_str());
        Ok(Some(Standing {
            identity: format!("pg:{cluster}:{database}:{table}:{timeline}"),
            is_synchronous: is_confirmed && !standbys.is_empty(),
        }))
    }

    /// Says what the role may not ask, and what that costs. Relatives of PostgreSQL that have
    /// nothing to ask lack no grant.
    pub(super) fn tell_missing_grants(&mut self) {
        for (sql, grant) in GRANTS {
            let asked = self.texts::<1>(sql);
            if let Err(StoreError::Internal(said)) = asked
                && said.contains(NOT_ALLOWED)
            {
                tracing::warn!(why = grant, "the role of this server in PostgreSQL lacks a right");
            }
        }
    }

    /// Refuses a database whose rows are of another one: nothing may be decided on them before it
    /// is settled what was lost.
    pub(super) fn check_epoch(&mut self) -> Result<(), StoreError> {
        let Some([stored]) = self.told::<1>(STORED)? else { return Ok(()) };
        let Some(found) = self.standing()? else { return Ok(()) };
        match kinship(&stored, &found.identity) {
            Kinship::Same => Ok(()),
            Kinship::OtherTimeline | Kinship::Other => {
                Err(StoreError::Unavailable(format!("PostgreSQL {OTHER}")))
            }
        }
    }

    /// As [`Self::texts`]; nothing where there is nothing to ask, or this role may not.
    fn told<const N: usize>(&mut self, sql: &str) -> Result<Option<[String; N]>, StoreError> {
        match self.texts(sql) {
            Err(StoreError::Internal(_)) => Ok(None),
            asked => asked,
        }
    }

    fn texts<const N: usize>(&mut self, sql: &str) -> Result<Option<[String; N]>, StoreError> {
        let answers = self.simple(sql)?;
        let row = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |row: &tokio_postgres::SimpleQueryRow, index| {
            row.try_get(index).ok().flatten().unwrap_or_default().to_owned()
        };
        Ok(row.map(|row| std::array::from_fn(|index| text(row, index))))
    }
}
