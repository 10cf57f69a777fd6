//! Opening: what is refused, and the tables that are there afterwards.

use munjigi_core::time::Timestamp;
use munjigi_store::epochs::{self, Epoch};
use munjigi_store::testing::{Cluster, Database, OPENED_AT, open_with};
use munjigi_store::{
    Audit, Committed, DatabaseUrl, Store, StoreError, StoreOptions, Tx, counters, each_backend,
    params,
};

async fn applied(store: &Store) -> Vec<(i64, String)> {
    let rows = store
        .read(|tx| tx.rows("SELECT id, name FROM migration ORDER BY id LIMIT 100", params![]))
        .await;
    let rows: Result<_, StoreError> = rows;
    rows.unwrap().into_iter().map(|mut row| (row.take(0).unwrap(), row.take(1).unwrap())).collect()
}

/// A host that takes connections and says nothing, as one that hangs, keeps nobody from the next.
#[tokio::test]
async fn a_host_that_says_nothing_is_left_for_the_next() {
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    let (before, after) = url.split_once('@').unwrap();
    let open = |url| {
        let mut options = database.options();
        options.database = DatabaseUrl::Postgres(url);
        Store::open(options)
    };
    let store = open(format!("{before}@{mute},{after}")).await.unwrap();
    assert!(!applied(&store).await.is_empty());

    let refused = open(format!("{before}@{mute}/test")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{:?}", refused.err());
}

/// A connection that asks which database this is, and is not answered, is as good as one that was
/// told of another: here the question waits for a lock until the server gives it up.
#[tokio::test]
async fn a_connection_that_nobody_tells_which_database_this_is_does_not_pass() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.store().await;
    let identity = "pg:1:2:3:00000009".to_owned();
    let began_at = Timestamp::from_millis(0);
    let cause = "a test".to_owned();
    let other = Epoch { number: 1, identity, cause, began_at, ended_before: None };
    let begin = move |tx: &mut Tx<'_>| {
        let begun = epochs::begin(tx, &other, 0)?;
        Ok::<_, StoreError>(Committed::new(begun, Audit::Routine("a test")))
    };
    assert!(store.write(begin).await.unwrap());

    let (held, mut is_held) = tokio::sync::mpsc::unbounded_channel();
    let holder = tokio::spawn(async move {
        let hold = move |tx: &mut Tx<'_>| {
            tx.exec("SET LOCAL statement_timeout = 0", params![])?;
            tx.exec("LOCK TABLE epoch IN ACCESS EXCLUSIVE MODE", params![])?;
            held.send(()).unwrap();
            tx.rows("SELECT pg_sleep(13)::text", params![])?;
            Ok::<_, StoreError>(Committed::nothing(()))
        };
        store.write(hold).await
    });
    is_held.recv().await.unwrap();
    let mut options = database.options();
    options.is_guarded = true;
    let guarded = Store::open(options).await.unwrap();
    let told = guarded.read(counters::versions).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    holder.await.unwrap().unwrap();
    let told = guarded.read(counters::versions).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
}

each_backend! {
    async fn an_opened_store_has_its_tables_and_opens_again(database) {
        let first = applied(&database.store().await).await;
        assert!(!first.is_empty());
        assert_eq!(applied(&database.store().await).await, first);
    }

    async fn nodes_that_start_at_once_migrate_once(database) {
        const STEPS: &[(&str, &str)] = &[
            ("one", "CREATE TABLE one (id BIGINT NOT NULL PRIMARY KEY);"),
            ("two", "ALTER TABLE one ADD COLUMN two BYTEA; INSERT INTO one (id) VALUES (1);"),
            ("three", "CREATE TABLE three (id BIGINT NOT NULL PRIMARY KEY);"),
        ];
        let nodes = (0..6).map(|_| {
            let options = database.options();
            tokio::spawn(async move { open_with(options, STEPS).await })
        });
        let mut stores = Vec::new();
        for node in nodes.collect::<Vec<_>>() {
            stores.push(node.await.unwrap().unwrap());
        }
        for store in &stores {
            let names: Vec<_> = applied(store).await.into_iter().map(|(_, name)| name).collect();
            assert!(names.ends_with(&["one".into(), "two".into(), "three".into()]), "{names:?}");
        }
    }

    async fn a_step_that_fails_leaves_nothing(database) {
        const BROKEN: &str = "CREATE TABLE half (id BIGINT NOT NULL PRIMARY KEY); \
                              INSERT INTO nowhere (id) VALUES (1);";
        let failed = open_with(database.options(), &[("broken", BROKEN)]).await;
        assert!(matches!(failed, Err(StoreError::Internal(_))), "{:?}", failed.err());
        let whole = "CREATE TABLE half (id BIGINT NOT NULL PRIMARY KEY);";
        assert!(open_with(database.options(), &[("whole", whole)]).await.is_ok());
    }

    async fn one_version_newer_is_served_and_two_are_refused(database) {
        let newer = [("n_plus_1", "CREATE TABLE newer (id BIGINT NOT NULL PRIMARY KEY);")];
        open_with(database.options(), &newer).await.unwrap().close().await;
        database.store().await.close().await;

        let newest = [newer[0], ("n_plus_2", "DROP TABLE newer;")];
        open_with(database.options(), &newest).await.unwrap().close().await;
        let refused = Store::open(database.options()).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{:?}", refused.err());
    }

    async fn a_database_of_another_history_is_refused(database) {
        let table = "CREATE TABLE other (id BIGINT NOT NULL PRIMARY KEY);";
        open_with(database.options(), &[("ours", table)]).await.unwrap().close().await;
        let refused = open_with(database.options(), &[("theirs", table)]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{:?}", refused.err());
    }
}

#[tokio::test]
async fn a_sqlite_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let database = Database::sqlite();
    let _store = database.store().await;
    for entry in std::fs::read_dir(database.directory().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let database = Database::sqlite();
    let DatabaseUrl::SqliteFile(path) = database.url() else { panic!("a file") };
    std::fs::write(path, "this is not a database, whatever its name says").unwrap();
    let refused = Store::open(database.options()).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{:?}", refused.err());
}

#[tokio::test]
async fn a_directory_that_is_missing_is_named() {
    let database = DatabaseUrl::SqliteFile("/nowhere/at/all/munjigi.db".into());
    let refused = Store::open(StoreOptions::new(database, OPENED_AT)).await;
    let Err(StoreError::Unavailable(why)) = refused else { panic!("opened") };
    assert!(why.contains("/nowhere/at/all/munjigi.db"), "{why}");
}

/// What was confirmed has to survive a crash of the machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_without_durability_is_refused() {
    let Some(database) = Database::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("PostgreSQL") };
    let relaxed = DatabaseUrl::Postgres(format!("{url}&options=-csynchronous_commit%3Doff"));
    let refused = Store::open(StoreOptions::new(relaxed, OPENED_AT)).await;
    let Err(StoreError::Unavailable(why)) = refused else { panic!("opened") };
    assert!(why.contains("synchronous_commit=off"), "{why}");

    let cluster = tokio::task::spawn_blocking(|| Cluster::start(&["fsync=off"]).unwrap());
    let cluster = cluster.await.unwrap().expect("it is installed");
    let options = StoreOptions::new(cluster.url("postgres"), OPENED_AT);
    let Err(StoreError::Unavailable(why)) = Store::open(options).await else { panic!("opened") };
    assert!(why.contains("fsync=off"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let nobody = "postgres://munjigi:hunter2@127.0.0.1:1/munjigi".parse().unwrap();
    let refused = Store::open(StoreOptions::new(nobody, OPENED_AT)).await;
    let Err(StoreError::Unavailable(why)) = refused else { panic!("opened") };
    assert!(!why.contains("hunter2"), "{why}");
}
