//! Races: closures are serializable, and what can be spent once is spent once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use munjigi_store::testing::Database;
use munjigi_store::{Audit, Committed, ReadTx, Result, Store, StoreError, each_backend, params};

const TABLES: &str = "
CREATE TABLE doctor (id BIGINT NOT NULL PRIMARY KEY, on_call BIGINT NOT NULL);
INSERT INTO doctor (id, on_call) VALUES (1, 1), (2, 1);
CREATE TABLE ticket (id BIGINT NOT NULL PRIMARY KEY, generation BIGINT NOT NULL, owner BIGINT);
INSERT INTO ticket (id, generation) VALUES (1, 0);
";

fn number(tx: &mut ReadTx<'_>, sql: &'static str) -> Result<i64> {
    tx.find_row(sql, params![])?.ok_or(StoreError::Conflict)?.take(0)
}

/// Leaves, if somebody stays: reads both rows, writes one.
async fn go_home(store: Store, doctor: i64) -> Result<bool> {
    store
        .write(move |tx| {
            let on_call = number(tx, "SELECT COUNT(*) FROM doctor WHERE on_call = 1")?;
            if on_call < 2 {
                return Ok(Committed::nothing(false));
            }
            // Lets the other one read before this one writes.
            std::thread::park_timeout(Duration::from_millis(2));
            tx.exec("UPDATE doctor SET on_call = 0 WHERE id = $1", params![doctor])?;
            Ok(Committed::new(true, Audit::Routine("test")))
        })
        .await
}

async fn open(database: &Database) -> Store {
    let mut options = database.options();
    options.pool_size = 16;
    munjigi_store::testing::open_with(options, &[("tables", TABLES)]).await.unwrap()
}

each_backend! {
    async fn write_skew_does_not_happen(database) {
        let store = open(&database).await;
        for round in 0..20 {
            let first = tokio::spawn(go_home(store.clone(), 1));
            let second = tokio::spawn(go_home(store.clone(), 2));
            let left = [first.await.unwrap().unwrap(), second.await.unwrap().unwrap()];
            assert_eq!(left.iter().filter(|left| **left).count(), 1, "round {round}");
            store.write(|tx| {
                tx.exec("UPDATE doctor SET on_call = 1", params![])?;
                Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
            }).await.unwrap();
        }
    }

    async fn of_64_callers_one_wins_a_guarded_statement(database) {
        let store = open(&database).await;
        let calls = (0..64_i64).map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(move |tx| {
                    let won = tx.exec(
                        "UPDATE ticket SET generation = 1, owner = $1 \
                         WHERE id = 1 AND generation = 0",
                        params![caller],
                    )? == 1;
                    Ok::<_, StoreError>(if won {
                        Committed::new(Some(caller), Audit::Routine("test"))
                    } else {
                        Committed::nothing(None)
                    })
                }).await
            })
        });
        let mut winners = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            winners.extend(call.await.unwrap().unwrap());
        }
        let owner = store.read(|tx| number(tx, "SELECT owner FROM ticket WHERE id = 1")).await;
        assert_eq!(winners, [owner.unwrap()]);
    }

    async fn no_increment_is_lost(database) {
        let store = open(&database).await;
        let calls = (0..64).map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(|tx| {
                    let seen = number(tx, "SELECT generation FROM ticket WHERE id = 1")?;
                    let sql = "UPDATE ticket SET generation = $1 WHERE id = 1";
                    tx.exec(sql, params![seen + 1])?;
                    Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
                }).await
            })
        });
        let mut done = 0;
        for call in calls.collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(()) => done += 1,
                Err(error) => assert_eq!(error, StoreError::Conflict),
            }
        }
        let found = store.read(|tx| number(tx, "SELECT generation FROM ticket WHERE id = 1")).await;
        assert_eq!(found, Ok(done));
        assert!(done >= 32, "{done}");
    }

    /// The first run is told that it lost; the winner arrives meanwhile; the second run sees it.
    async fn a_conflict_is_tried_again_and_sees_the_winner(database) {
        let store = open(&database).await;
        let runs = std::sync::Arc::new(AtomicU32::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let seen = store.write(move |tx| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            let generation = number(tx, "SELECT generation FROM ticket WHERE id = 1")?;
            if run < 3 {
                // The guard names a generation that is not there: the statement loses.
                let sql = "UPDATE ticket SET generation = 9 WHERE id = 1 AND generation = 7";
                if tx.exec(sql, params![])? != 1 {
                    return Err(StoreError::Conflict);
                }
            }
            Ok(Committed::nothing(generation))
        }).await;
        assert_eq!(seen, Ok(0));
        assert_eq!(runs.load(Ordering::Relaxed), 4);
        assert_eq!(store.statistics().retries, 3);
    }

    async fn a_conflict_that_never_ends_is_told_after_a_bounded_number_of_runs(database) {
        let store = open(&database).await;
        let runs = std::sync::Arc::new(AtomicU32::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let answer: Result<(), Wrapped> = store.write(move |tx| {
            counted.fetch_add(1, Ordering::Relaxed);
            let sql = "UPDATE ticket SET generation = 9 WHERE id = 1 AND generation = 7";
            tx.exec_one(sql, params![])?;
            Ok(Committed::new((), Audit::Routine("test")))
        }).await;
        assert_eq!(answer, Err(Wrapped(StoreError::Conflict)));
        let most = if store.backend() == "postgres" { 100 } else { 20 };
        assert_eq!(runs.load(Ordering::Relaxed), most);
    }

    /// What travels with the commit decides there: nothing of a run that lost is kept.
    async fn a_guarded_statement_at_the_end_undoes_a_run_that_lost(database) {
        let store = open(&database).await;
        let runs = std::sync::Arc::new(AtomicU32::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let answer: Result<(), Wrapped> = store.write(move |tx| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            let sql = "UPDATE doctor SET on_call = on_call + 1 WHERE id = 1";
            tx.push(sql, params![])?;
            let sql = "UPDATE ticket SET generation = 9 WHERE id = 1 AND generation = $1";
            tx.push_one(sql, params![if run < 3 { 7 } else { 0 }])?;
            Ok(Committed::new((), Audit::Routine("test")))
        }).await;
        assert_eq!(answer, Ok(()));
        assert_eq!(runs.load(Ordering::Relaxed), 4);
        let read = |sql| store.read(move |tx| number(tx, sql));
        assert_eq!(read("SELECT on_call FROM doctor WHERE id = 1").await, Ok(2));
        assert_eq!(read("SELECT generation FROM ticket WHERE id = 1").await, Ok(9));
    }

    async fn a_guarded_statement_at_the_end_may_not_change_two_rows(database) {
        let store = open(&database).await;
        let answer: Result<(), Wrapped> = store.write(|tx| {
            tx.push_one("UPDATE doctor SET on_call = 0", params![])?;
            Ok(Committed::new((), Audit::Routine("test")))
        }).await;
        assert_eq!(answer, Err(Wrapped(StoreError::Conflict)));
        let on_call = "SELECT COUNT(*) FROM doctor WHERE on_call = 1";
        assert_eq!(store.read(move |tx| number(tx, on_call)).await, Ok(2));
    }
}

/// A caller's own error, of which the executor knows only how it is made.
#[derive(Debug, PartialEq)]
struct Wrapped(StoreError);

impl From<StoreError> for Wrapped {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

/// The command line may write while the server runs: each waits for the other's batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_sqlite_file_take_turns() {
    let database = Database::sqlite();
    let stores = [open(&database).await, open(&database).await];
    let calls = (0..64_usize).map(|caller| {
        let store = stores[caller % 2].clone();
        tokio::spawn(async move {
            store
                .write(|tx| {
                    let seen = number(tx, "SELECT generation FROM ticket WHERE id = 1")?;
                    let sql = "UPDATE ticket SET generation = $1 WHERE id = 1";
                    tx.exec(sql, params![seen + 1])?;
                    Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
                })
                .await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
    let sql = "SELECT generation FROM ticket WHERE id = 1";
    assert_eq!(stores[0].read(move |tx| number(tx, sql)).await, Ok(64));
}

/// PostgreSQL's executor learns which reads are one statement and sends their commit along. A read
/// that turns out to be more is run again, and sees one state all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_grows_still_sees_one_state() {
    let Some(database) = Database::postgres().await else { return };
    let mut options = database.options();
    options.pool_size = 1;
    let store = munjigi_store::testing::open_with(options, &[("tables", TABLES)]).await.unwrap();
    let other = open(&database).await;
    let runs = std::sync::Arc::new(AtomicU32::new(0));
    let (entered, inside) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel::<()>();
    let left = std::sync::Arc::new(std::sync::Mutex::new(left));
    let look = |several: bool| {
        let (store, runs) = (store.clone(), std::sync::Arc::clone(&runs));
        let (entered, left) = (entered.clone(), std::sync::Arc::clone(&left));
        async move {
            let sql = "SELECT generation FROM ticket WHERE id = 1";
            store
                .read(move |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    let first = number(tx, sql)?;
                    if !several {
                        return Ok((first, first));
                    }
                    entered.send(()).unwrap();
                    left.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                    Ok::<_, StoreError>((first, number(tx, sql)?))
                })
                .await
        }
    };
    for _ in 0..3 {
        assert_eq!(look(false).await, Ok((0, 0)));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 3);

    let grown = tokio::spawn(look(true));
    let turn = || {
        other.write(|tx| {
            tx.exec("UPDATE ticket SET generation = generation + 1 WHERE id = 1", params![])?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        })
    };
    // Twice: in the run that was taken for one statement, and in the run that counts.
    for _ in 0..2 {
        inside.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(turn().await, Ok(()));
        leave.send(()).unwrap();
    }
    assert_eq!(grown.await.unwrap(), Ok((1, 1)));
    assert_eq!((runs.load(Ordering::Relaxed), store.statistics().retries), (5, 0));
    assert_eq!(look(false).await, Ok((2, 2)));
}

/// Two nodes share a PostgreSQL database; each retries for itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_spend_a_ticket_once() {
    let Some(database) = Database::postgres().await else { return };
    let nodes = [open(&database).await, open(&database).await];
    let calls = (0..32_usize).map(|caller| {
        let store = nodes[caller % 2].clone();
        tokio::spawn(async move {
            store
                .write(|tx| {
                    let free = number(tx, "SELECT COUNT(*) FROM ticket WHERE owner IS NULL")? == 1;
                    if !free {
                        return Ok::<_, StoreError>(Committed::nothing(0));
                    }
                    tx.push("UPDATE ticket SET owner = 1 WHERE id = 1", params![])?;
                    Ok(Committed::new(1, Audit::Routine("test")))
                })
                .await
        })
    });
    let mut winners = 0;
    for call in calls.collect::<Vec<_>>() {
        winners += call.await.unwrap().unwrap();
    }
    assert_eq!(winners, 1);
}

/// A server that hangs up between two closures is connected to again without anybody noticing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_again() {
    let Some(database) = Database::postgres().await else { return };
    let mut options = database.options();
    options.pool_size = 1;
    let tables = [("tables", TABLES)];
    let store = munjigi_store::testing::open_with(options.clone(), &tables).await.unwrap();
    let other = Store::open(options).await.unwrap();
    let killed = other
        .read(|tx| {
            let sql = "SELECT CAST(pg_terminate_backend(pid) AS INTEGER) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
            tx.rows(sql, params![])
        })
        .await;
    assert_eq!(killed.unwrap_or_default().len(), 1);
    let found = store.read(|tx| number(tx, "SELECT generation FROM ticket WHERE id = 1")).await;
    assert_eq!(found, Ok(0));
    assert!(store.statistics().retries >= 1);
}
