//! For tests only (cargo feature `testing`): fresh databases of both kinds, and a throw-away
//! PostgreSQL cluster to hold them. Nothing of the product may use it.
//!
//! ```text
//! each_backend! {
//!     /// The rule.
//!     async fn a_name_that_states_the_rule(database) {
//!         let store = database.store().await;
//!         …
//!     }
//! }
//! ```

mod audited;
mod cluster;
mod restored;
mod tables;
mod tampered;

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use munjigi_core::time::Timestamp;
use tempfile::TempDir;

pub use self::audited::{lose_events, unaudited};
pub use self::cluster::{Cluster, Copy, Hung};
pub use self::restored::{revive_at_each_epoch, take_back};
pub use self::tables::{Held, held};
pub use self::tampered::{Tampering, tamper};
use crate::migrate::Migration;
pub use crate::sql::Faults;
use crate::{DatabaseUrl, ReadTx, Result, Store, StoreError, StoreOptions};

/// Writes each test once and runs it twice, as `name::sqlite` and `name::postgres`. The block's
/// argument is a [`Database`] of its own.
#[macro_export]
macro_rules! each_backend {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident $(,)?) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "what the module around it has, a test may use")]
            use super::*;

            async fn rule($database: $crate::testing::Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                rule($crate::testing::Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(database) = $crate::testing::Database::postgres().await {
                    rule(database).await;
                }
            }
        }
    )+};
}

/// One fresh database. The file of SQLite goes with it; those of PostgreSQL go with the cluster.
pub struct Database {
    url: DatabaseUrl,
    directory: Option<TempDir>,
}

/// The time at which test databases are opened: 2026-01-01T00:00:00Z.
pub const OPENED_AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

impl Database {
    /// A SQLite file that is not there yet.
    pub fn sqlite() -> Self {
        let directory = loud(tempfile::tempdir(), "no directory for SQLite");
        let url = DatabaseUrl::SqliteFile(directory.path().join("test.db"));
        Self { url, directory: Some(directory) }
    }

    /// A PostgreSQL database with the product's tables, on the cluster of this test binary. `None`
    /// where PostgreSQL is not installed, which is said loudly, and is a failure where `CI` is set.
    pub async fn postgres() -> Option<Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        let made = tokio::task::spawn_blocking(|| {
            let started = || or_skip(Cluster::start_in_memory());
            let cluster = CLUSTER.get_or_init(started).as_ref()?;
            let made = cluster.fresh_database().map_err(|error| {
                let said = cluster.last_words();
                format!("{error}; PostgreSQL said:\n{said}")
            });
            Some(loud(made, "no database on the test cluster"))
        });
        let url = loud(made.await, "the test cluster did not start")?;
        Some(Self { url: DatabaseUrl::Postgres(url), directory: None })
    }

    /// A database of memory only, by its own rules: one connection for reads and writes.
    pub const fn memory() -> Self {
        Self { url: DatabaseUrl::SqliteMemory, directory: None }
    }

    /// Where it is.
    pub const fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The file's directory, of SQLite.
    pub fn directory(&self) -> Option<&std::path::Path> {
        self.directory.as_ref().map(TempDir::path)
    }

    /// Options with few connections: many tests share one cluster.
    pub fn options(&self) -> StoreOptions {
        let mut options = StoreOptions::new(self.url.clone(), OPENED_AT);
        options.pool_size = 4;
        options
    }

    /// Opens it with the product's tables.
    pub async fn store(&self) -> Store {
        loud(Store::open(self.options()).await, "the test database did not open")
    }

    /// Opens it with the product's tables and some of the test's own.
    pub async fn store_with(&self, sql: &'static str) -> Store {
        let opened = open_with(self.options(), &[("of_the_test", sql)]).await;
        loud(opened, "the test database did not open")
    }
}

/// Opens a store with further migrations (name and statements) behind the product's.
pub async fn open_with(
    options: StoreOptions,
    further: &[(&'static str, &'static str)],
) -> Result<Store> {
    let mut migrations = crate::migrations::ALL.to_vec();
    for (name, sql) in further {
        let id = migrations.last().map_or(1, |last| last.id.saturating_add(1));
        migrations.push(Migration { id, name, sql });
    }
    Store::open_with(options, migrations).await
}

/// A database beside this one of PostgreSQL, as the first version that landed left it: with its
/// tables, a person, a client and what they gave it. Its URL.
pub fn first_schema(url: &str) -> Result<String> {
    const FILLED: &str = "
        INSERT INTO user_ (id, email, email_canonical, created_at, updated_at) VALUES
            ('\\x00112233445566778899aabbccddeeff', 'old@example.kr', 'old@example.kr', 1, 1);
        INSERT INTO client (id, name, auth_method, grant_types, redirect_uris, scope, audiences,
            pkce, party, created_at) VALUES
            ('old', 'Old', 'none', 'password refresh_token', '[]', 'openid', '[]', 'required',
            'first', 1);
        INSERT INTO session (user_id, id, authenticated_at, created_at, used_at, expires_at) VALUES
            ('\\x00112233445566778899aabbccddeeff', '\\x01', 1, 1, 1, 4102444800000);
        INSERT INTO audit (id, at, kind, outcome, actor_kind, detail) VALUES
            ('\\x019b76da000070008000000000000001', 1, 'signed_in', 'success', 'anonymous', '{}');";
    let (place, rest) = url.rsplit_once('/').unwrap_or((url, ""));
    let (_, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let name = format!("first_{}", next_number());
    crate::sql::run_batch(url, &format!("CREATE DATABASE {name}"))?;
    let made = format!("{place}/{name}?{parameters}");
    let first: Vec<Migration> = crate::migrations::ALL.iter().take(1).copied().collect();
    crate::sql::run_migrations(&made, &first, OPENED_AT)?;
    crate::sql::run_batch(&made, FILLED)?;
    Ok(made)
}

/// Asks the store's database whether it understands these statements; the ones that it does not.
pub async fn prepare_all(
    store: &Store,
    statements: Vec<String>,
) -> Result<Vec<(String, StoreError)>> {
    store
        .read(move |tx: &mut ReadTx<'_>| {
            let mut refused = Vec::new();
            for sql in &statements {
                if let Err(error) = tx.check(sql) {
                    refused.push((sql.clone(), error));
                }
            }
            Ok(refused)
        })
        .await
}

/// How many rows each table has, and what changes when a row does: the same before and after
/// something that must write nothing. The audit trail comes last.
pub async fn contents(store: &Store) -> Result<Vec<(&'static str, i64)>> {
    macro_rules! counted {
        ($($table:literal)*) => {
            [$(($table, concat!("SELECT COUNT(*) FROM ", $table))),*]
        };
    }
    const COUNTED: &[(&str, &str)] = &counted!(
        "user_" "password" "role" "user_role" "client" "client_secret" "api" "session" "grant_"
        "key" "setting" "revocation" "throttle" "code" "consent" "pushed_request" "device"
        "replay" "link" "outbox" "registration_token"
    );
    const CHANGED: &[(&str, &str)] = &[
        ("counters", "SELECT CAST(SUM(value) AS BIGINT) FROM counter"),
        ("profiles", "SELECT CAST(SUM(updated_at) AS BIGINT) FROM user_"),
        ("hashes", "SELECT CAST(SUM(updated_at) AS BIGINT) FROM password"),
        ("generations", "SELECT CAST(COALESCE(SUM(generation), 0) AS BIGINT) FROM grant_"),
        ("audit", "SELECT COUNT(*) FROM audit"),
    ];
    let read = |tx: &mut ReadTx<'_>| {
        let all = COUNTED.iter().chain(CHANGED);
        let count = |(name, sql): &(&'static str, &'static str)| {
            let row = tx.find_row(sql, Vec::new())?;
            let row = row.ok_or_else(|| StoreError::Corrupt("no count".to_owned()))?;
            Ok((*name, row.at(0)?))
        };
        all.map(count).collect::<Result<Vec<_>>>()
    };
    store.read(read).await
}

/// A number that no other test of this process has.
pub(crate) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where PostgreSQL is missing, tests that need it are skipped: not silently, and never in CI.
#[expect(clippy::disallowed_methods, reason = "CI is how a machine says that it is one")]
fn or_skip(cluster: std::io::Result<Option<Cluster>>) -> Option<Cluster> {
    let found = loud(cluster, "the test cluster did not start");
    if found.is_none() {
        let message = "SKIPPED: PostgreSQL is not installed, so nothing was tested on it\n";
        // Not `eprintln!`: the test harness swallows that of tests that pass.
        loud(std::io::stderr().write_all(message.as_bytes()), "stderr is closed");
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL has to be installed in CI");
    }
    found
}

/// A test that cannot be set up fails, and says why.
#[expect(clippy::panic, reason = "this is the inside of tests")]
fn loud<T, E: std::fmt::Display>(result: std::result::Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}
