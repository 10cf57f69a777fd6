//! What a closure may rely on: it happens whole or not at all, alone, and is answered after the
//! commit.

use std::time::Duration;

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::EventId;
use munjigi_store::testing::OPENED_AT;
use munjigi_store::{
    Audit, Committed, ReadTx, Result, Store, StoreError, Tx, each_backend, params,
};

/// Parents and children, with every kind of constraint.
pub const TABLES: &str = "
CREATE TABLE parent (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, data BYTEA);
CREATE UNIQUE INDEX parent_name ON parent (name);
CREATE TABLE child (
    parent_id BIGINT NOT NULL REFERENCES parent (id) ON DELETE CASCADE,
    place     BIGINT NOT NULL,
    label     TEXT   NOT NULL,
    PRIMARY KEY (parent_id, place)
);
CREATE UNIQUE INDEX child_label ON child (lower(label));
CREATE TABLE late (
    parent_id BIGINT NOT NULL PRIMARY KEY
        REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED
);
";

pub fn add_parent(tx: &mut Tx<'_>, id: i64, name: &str) -> Result<u64> {
    tx.exec("INSERT INTO parent (id, name) VALUES ($1, $2)", params![id, name])
}

pub fn names(tx: &mut ReadTx<'_>) -> Result<Vec<String>> {
    let rows = tx.rows("SELECT name FROM parent ORDER BY name LIMIT 100", params![])?;
    rows.into_iter().map(|mut row| row.take(0)).collect()
}

pub async fn all_names(store: &Store) -> Vec<String> {
    store.read(names).await.unwrap()
}

fn event(detail: &'static str) -> Event {
    let origin = Origin { at: OPENED_AT, actor: Actor::Operator, address: None, request_id: None };
    let id = EventId::from_parts(OPENED_AT, [7; 10]);
    Event::new(id, Kind::SettingChanged, origin).with("detail", detail)
}

/// A write that stays inside its closure, so that what comes after it has to wait.
pub struct Gate {
    leave: std::sync::mpsc::Sender<()>,
    inside: tokio::task::JoinHandle<Result<()>>,
}

impl Gate {
    pub async fn close(store: &Store) -> Self {
        let (entered, entering) = std::sync::mpsc::channel();
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let left = std::sync::Mutex::new(left);
        let store = store.clone();
        let inside = tokio::spawn(async move {
            store
                .write(move |_| {
                    entered.send(()).unwrap();
                    left.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                    Ok::<_, StoreError>(Committed::nothing(()))
                })
                .await
        });
        tokio::task::spawn_blocking(move || entering.recv().unwrap()).await.unwrap();
        Self { leave, inside }
    }

    pub async fn open(self) -> Result<()> {
        self.leave.send(()).unwrap();
        self.inside.await.unwrap()
    }
}

each_backend! {
    async fn what_was_committed_is_read_back(database) {
        let store = database.store_with(TABLES).await;
        let bytes = vec![0_u8, 255, 10];
        let written = bytes.clone();

        let changed = store.write(move |tx| {
            let changed = tx.exec(
                "INSERT INTO parent (name, id, data) VALUES ($2, $1, $3)",
                params![5_i64, "문지기", &written],
            )?;
            Ok::<_, StoreError>(Committed::new(changed, Audit::Routine("test")))
        }).await;

        assert_eq!(changed, Ok(1));
        let row = store.read(|tx| {
            tx.find_row("SELECT id, name, data FROM parent WHERE id = $1", params![5_i64])
        }).await.unwrap().expect("the row");
        assert_eq!(row.at::<i64>(0), Ok(5));
        assert_eq!(row.at::<String>(1), Ok("문지기".to_owned()));
        assert_eq!(row.at::<Option<Vec<u8>>>(2), Ok(Some(bytes)));
        let missing = store.read(|tx| {
            tx.find_row("SELECT id FROM parent WHERE id = $1", params![6_i64])
        }).await;
        assert_eq!(missing, Ok::<_, StoreError>(None));
    }

    async fn parameters_are_bound_by_their_number(database) {
        let store = database.store_with(TABLES).await;
        let row = store.read(|tx| {
            tx.find_row(
                "SELECT CAST($3 AS TEXT), CAST($1 AS BIGINT), CAST($2 AS TEXT), \
                 CAST($1 AS BIGINT)",
                params![1_i64, "two", "three"],
            )
        }).await;
        let mut row = row.and_then(|row| row.ok_or(StoreError::Conflict)).unwrap();
        assert_eq!(row.take::<String>(0).unwrap(), "three");
        assert_eq!(row.take::<i64>(1).unwrap(), 1);
        assert_eq!(row.take::<String>(2).unwrap(), "two");
        assert_eq!(row.take::<i64>(3).unwrap(), 1);
    }

    async fn a_wrong_number_of_parameters_is_refused(database) {
        let store = database.store_with(TABLES).await;
        for given in [params![], params![1_i64, 2_i64]] {
            let found = store.read(move |tx| {
                tx.find_row("SELECT id FROM parent WHERE id = $1", given.clone())
            }).await;
            assert!(matches!(found, Err(StoreError::Internal(_))), "{found:?}");
        }
    }

    async fn a_statement_gives_rows_back_with_returning(database) {
        let store = database.store_with(TABLES).await;
        let name = store.write(|tx| {
            let row = tx.find_row(
                "INSERT INTO parent (id, name) VALUES ($1, $2) RETURNING name",
                params![1_i64, "minji"],
            )?;
            let name: String = row.ok_or(StoreError::Conflict)?.take(0)?;
            Ok::<_, StoreError>(Committed::new(name, Audit::Routine("test")))
        }).await;
        assert_eq!(name.as_deref(), Ok("minji"));
        assert_eq!(all_names(&store).await, ["minji"]);
    }

    async fn pushed_statements_run_in_order_before_what_comes_next(database) {
        let store = database.store_with(TABLES).await;
        let seen = store.write(|tx| {
            tx.push("INSERT INTO parent (id, name) VALUES ($1, $2)", params![1_i64, "a"])?;
            tx.push("UPDATE parent SET name = name || $1", params!["b"])?;
            let seen = names(tx)?;
            tx.push("UPDATE parent SET name = name || $1", params!["c"])?;
            Ok::<_, StoreError>(Committed::new(seen, Audit::Routine("test")))
        }).await;
        assert_eq!(seen.unwrap(), ["ab"]);
        assert_eq!(all_names(&store).await, ["abc"]);
    }

    async fn an_error_undoes_its_own_closure_alone(database) {
        let store = database.store_with(TABLES).await;
        let calls = (1..=40_i64).map(|id| {
            let store = store.clone();
            async move {
                store.write(move |tx| {
                    add_parent(tx, id, &format!("{id:02}"))?;
                    if id % 2 == 0 {
                        return Err(StoreError::Corrupt("on purpose".to_owned()));
                    }
                    Ok(Committed::new(id, Audit::Routine("test")))
                }).await
            }
        });
        let answers = futures_util::future::join_all(calls).await;

        for (id, answer) in (1..).zip(answers) {
            assert_eq!(answer.is_ok(), id % 2 == 1, "{id}: {answer:?}");
        }
        let expected: Vec<_> = (1..=40).step_by(2).map(|id| format!("{id:02}")).collect();
        assert_eq!(all_names(&store).await, expected);
    }

    async fn a_panic_is_an_error_and_the_store_lives_on(database) {
        let store = database.store_with(TABLES).await;
        for _ in 0..6 {
            let answer: Result<()> = store.write(|tx| {
                add_parent(tx, 1, "ghost")?;
                panic!("on purpose");
            }).await;
            assert!(matches!(answer, Err(StoreError::Internal(_))), "{answer:?}");
            let answer: Result<()> = store.read(|_| panic!("on purpose")).await;
            assert!(matches!(answer, Err(StoreError::Internal(_))), "{answer:?}");
        }
        assert!(all_names(&store).await.is_empty());
    }

    async fn an_unaudited_change_is_not_written(database) {
        let store = database.store_with(TABLES).await;
        let by_exec = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            Ok::<_, StoreError>(Committed::nothing(()))
        }).await;
        let by_push = store.write(|tx| {
            tx.push("INSERT INTO parent (id, name) VALUES ($1, $2)", params![1_i64, "a"])?;
            Ok::<_, StoreError>(Committed::nothing(()))
        }).await;
        let by_returning = store.write(|tx| {
            let sql = "INSERT INTO parent (id, name) VALUES ($1, $2) RETURNING id";
            tx.find_row(sql, params![1_i64, "a"])?;
            Ok::<_, StoreError>(Committed::nothing(()))
        }).await;
        let without_effect = store.write(|tx| {
            let sql = "UPDATE parent SET name = $1 WHERE id = $2";
            let changed = tx.exec(sql, params!["b", 9_i64])?;
            Ok::<_, StoreError>(Committed::nothing(changed))
        }).await;

        assert_eq!(by_exec, Err(StoreError::Unaudited));
        assert_eq!(by_push, Err(StoreError::Unaudited));
        assert_eq!(by_returning, Err(StoreError::Unaudited));
        assert_eq!(without_effect, Ok(0));
        assert!(all_names(&store).await.is_empty());
    }

    async fn the_audit_event_stands_and_falls_with_its_change(database) {
        let store = database.store_with(TABLES).await;
        let change = |name: &'static str| {
            let store = store.clone();
            async move {
                store.write(move |tx| {
                    let id = i64::try_from(names(tx)?.len()).unwrap();
                    add_parent(tx, id, name)?;
                    Ok::<_, StoreError>(Committed::new((), event(name)))
                }).await
            }
        };
        assert_eq!(change("first").await, Ok(()));
        // The same event id again: the trail refuses it, so the change is not made either.
        assert_eq!(change("second").await, Err(StoreError::Unique("audit.id".into())));

        assert_eq!(all_names(&store).await, ["first"]);
        let trail = store.read(|tx| {
            tx.rows("SELECT kind, actor_kind, detail FROM audit LIMIT 10", params![])
        }).await.unwrap();
        assert_eq!(trail.len(), 1);
        assert_eq!(trail[0].at::<String>(0).unwrap(), "setting_changed");
        assert_eq!(trail[0].at::<String>(1).unwrap(), "operator");
        assert_eq!(trail[0].at::<String>(2).unwrap(), r#"{"detail":"first"}"#);
    }

    async fn violations_are_named_alike(database) {
        let store = database.store_with(TABLES).await;
        let seeded = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            let sql = "INSERT INTO child (parent_id, place, label) VALUES ($1, $2, $3)";
            tx.exec(sql, params![1_i64, 1_i64, "One"])?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        }).await;
        assert_eq!(seeded, Ok(()));
        let attempt = |sql: &'static str| {
            let store = store.clone();
            async move {
                store.write(move |tx| {
                    tx.exec(sql, params![])?;
                    Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
                }).await
            }
        };
        let unique = |name: &str| Err(StoreError::Unique(name.to_owned()));
        let parent = "INSERT INTO parent (id, name) VALUES (1, 'b')";
        assert_eq!(attempt(parent).await, unique("parent.id"));
        let name = "INSERT INTO parent (id, name) VALUES (2, 'a')";
        assert_eq!(attempt(name).await, unique("parent.name"));
        let both = "INSERT INTO child (parent_id, place, label) VALUES (1, 1, 'two')";
        assert_eq!(attempt(both).await, unique("child.parent_id, child.place"));
        let expression = "INSERT INTO child (parent_id, place, label) VALUES (1, 2, 'ONE')";
        assert_eq!(attempt(expression).await, unique("child_label"));
        let orphan = "INSERT INTO child (parent_id, place, label) VALUES (7, 1, 'x')";
        assert_eq!(attempt(orphan).await, Err(StoreError::ForeignKey));
        let empty = "INSERT INTO parent (id) VALUES (3)";
        assert!(matches!(attempt(empty).await, Err(StoreError::Internal(_))));
        assert_eq!(all_names(&store).await, ["a"]);
    }

    async fn a_violation_in_a_pushed_statement_fails_the_write(database) {
        let store = database.store_with(TABLES).await;
        for expected in [Ok(()), Err(StoreError::Unique("parent.id".into()))] {
            let answer = store.write(|tx| {
                tx.push("INSERT INTO parent (id, name) VALUES ($1, $2)", params![1_i64, "a"])?;
                Ok(Committed::new((), Audit::Routine("test")))
            }).await;
            assert_eq!(answer, expected);
        }
    }

    /// No table of the product has such a constraint; it is how a test makes a commit fail.
    async fn a_commit_that_fails_is_told_and_leaves_nothing(database) {
        let store = database.store_with(TABLES).await;
        let answer = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            tx.exec("INSERT INTO late (parent_id) VALUES ($1)", params![7_i64])?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        }).await;
        assert_eq!(answer, Err(StoreError::ForeignKey));
        assert!(all_names(&store).await.is_empty());
        assert_eq!(store.statistics().commits, 0);
    }

    async fn after_a_failed_statement_only_nothing_can_be_said(database) {
        let store = database.store_with(TABLES).await;
        let taken = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            match add_parent(tx, 1, "b") {
                Err(error) if error.is_unique("parent.id") => Ok(Committed::nothing("taken")),
                other => other.map(|_| Committed::nothing("free")),
            }
        }).await;
        assert_eq!(taken, Ok("taken"));

        let went_on = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            assert!(add_parent(tx, 1, "b").is_err());
            assert!(add_parent(tx, 2, "c").is_err());
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        }).await;
        assert!(matches!(went_on, Err(StoreError::Internal(_))), "{went_on:?}");
        assert!(all_names(&store).await.is_empty());
    }

    async fn a_read_cannot_write(database) {
        let store = database.store_with(TABLES).await;
        let answer = store.read(|tx| {
            tx.find_row("INSERT INTO parent (id, name) VALUES (1, 'a') RETURNING id", params![])
        }).await;
        assert!(matches!(answer, Err(StoreError::Internal(_))), "{answer:?}");
        assert!(all_names(&store).await.is_empty());
    }

    async fn a_read_sees_one_state_of_the_database(database) {
        let store = database.store_with(TABLES).await;
        let (entered, inside) = std::sync::mpsc::channel();
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let left = std::sync::Mutex::new(left);
        let reader = tokio::spawn({
            let store = store.clone();
            async move {
                store.read(move |tx| {
                    let before = names(tx)?;
                    entered.send(()).unwrap();
                    left.lock().unwrap().recv_timeout(Duration::from_secs(10)).unwrap();
                    Ok::<_, StoreError>((before, names(tx)?))
                }).await
            }
        });
        tokio::task::spawn_blocking(move || inside.recv().unwrap()).await.unwrap();
        let written = store.write(|tx| {
            add_parent(tx, 1, "a")?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        }).await;
        leave.send(()).unwrap();

        assert_eq!(written, Ok(()));
        assert_eq!(reader.await.unwrap(), Ok((vec![], vec![])));
        assert_eq!(all_names(&store).await, ["a"]);
    }

    async fn a_closed_store_ends_what_waits_and_refuses_the_rest(database) {
        let store = database.store_with(TABLES).await;
        let other = store.clone();
        let writes = (0..20_i64).map(|id| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(move |tx| {
                    add_parent(tx, id, &id.to_string())?;
                    Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
                }).await
            })
        });
        let writes: Vec<_> = writes.collect();
        store.close().await;

        for write in writes {
            let answer = write.await.unwrap();
            assert!(matches!(answer, Ok(()) | Err(StoreError::Unavailable(_))), "{answer:?}");
        }
        let late = other.write(|_| Ok(Committed::nothing(()))).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
        let late = other.read(names).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    }

    async fn a_full_queue_refuses_at_once(database) {
        let mut options = database.options();
        (options.pool_size, options.queue_size) = (1, 4);
        let store = Store::open(options).await.unwrap();
        let gate = Gate::close(&store).await;

        let write = || store.write(|_| Ok::<_, StoreError>(Committed::nothing(())));
        let mut waiting: Vec<_> = (0..6).map(|_| Box::pin(write())).collect();
        let mut refused = 0;
        for call in &mut waiting {
            if let Some(answer) = futures_util::FutureExt::now_or_never(call.as_mut()) {
                assert_eq!(answer, Err(StoreError::Overloaded));
                refused += 1;
            }
        }
        assert_eq!(refused, 2);
        assert_eq!(store.statistics().rejected, 2);
        assert_eq!(gate.open().await, Ok(()));
        for call in waiting.into_iter().take(4) {
            assert_eq!(call.await, Ok(()));
        }
    }

    async fn a_closure_that_takes_long_is_counted(database) {
        let store = database.store_with(TABLES).await;
        let answer = store.write(|_| {
            std::thread::park_timeout(Duration::from_millis(20));
            Ok::<_, StoreError>(Committed::nothing(()))
        }).await;
        assert_eq!(answer, Ok(()));
        assert!(store.statistics().slow >= 1);
    }

    async fn a_caller_who_has_left_is_not_served(database) {
        let mut options = database.options();
        options.pool_size = 1;
        let opened = munjigi_store::testing::open_with(options, &[("tables", TABLES)]).await;
        let store = opened.unwrap();
        let gate = Gate::close(&store).await;
        let mut gone = Box::pin(store.write(|tx| {
            add_parent(tx, 1, "gone")?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        }));
        assert!(futures_util::FutureExt::now_or_never(gone.as_mut()).is_none());
        drop(gone);
        assert_eq!(gate.open().await, Ok(()));
        assert!(all_names(&store).await.is_empty());
    }
}

#[tokio::test]
async fn in_memory_reads_take_their_turn_and_cannot_write() {
    let store = munjigi_store::testing::Database::memory().store_with(TABLES).await;
    let written = store
        .write(|tx| {
            add_parent(tx, 1, "a")?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
        })
        .await;
    assert_eq!(written, Ok(()));
    assert_eq!(all_names(&store).await, ["a"]);
    let sql = "INSERT INTO parent (id, name) VALUES (2, 'b') RETURNING id";
    let answer = store.read(move |tx| tx.find_row(sql, params![])).await;
    assert!(matches!(answer, Err(StoreError::Internal(_))), "{answer:?}");
    assert_eq!(all_names(&store).await, ["a"]);
}
