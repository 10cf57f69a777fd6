//! What was confirmed is there after the process was killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use munjigi_store::testing::{OPENED_AT, open_with};
use munjigi_store::{Audit, Committed, DatabaseUrl, StoreError, StoreOptions, params};

const TABLES: &str = "CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY);";
const FILE: &str = "MUNJIGI_STORE_DURABILITY_FILE";

async fn open(path: &Path) -> munjigi_store::Store {
    let options = StoreOptions::new(DatabaseUrl::SqliteFile(path.to_owned()), OPENED_AT);
    open_with(options, &[("kept", TABLES)]).await.unwrap()
}

/// The child of the test below: writes from eight tasks and prints each number once it is
/// confirmed, until somebody kills it.
#[ignore = "started by every_confirmed_row_survives_a_kill"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "how the parent tells its child where to write")]
async fn child_writes_until_it_is_killed() {
    let path = std::env::var_os(FILE).expect("the parent names the file");
    let store = open(Path::new(&path)).await;
    let tasks = (0..8_i64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..1_000_000_i64 {
                let id = round * 8 + task;
                let sql = "INSERT INTO kept (id) VALUES ($1)";
                store
                    .write(move |tx| {
                        tx.exec(sql, params![id])?;
                        Ok::<_, StoreError>(Committed::new((), Audit::Routine("test")))
                    })
                    .await
                    .unwrap();
                // One system call for each line: what was printed is with the parent.
                std::io::Write::write_all(
                    &mut std::io::stdout(),
                    format!("\nconfirmed {id} .\n").as_bytes(),
                )
                .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn every_confirmed_row_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("killed.db");
    let mut total = 0;
    for round in 0..3 {
        std::fs::remove_file(&path).ok();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::child_writes_until_it_is_killed"])
            .args(["--ignored", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut confirmed = Vec::new();
        let wanted = 100 + 150 * round;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let number = line.strip_prefix("confirmed ").and_then(|rest| rest.strip_suffix(" ."));
            confirmed.extend(number.and_then(|number| number.parse::<i64>().ok()));
            if confirmed.len() == wanted {
                // SIGKILL, in the middle of whatever it does; then what it still had printed.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(confirmed.len() >= wanted, "the child confirmed {}", confirmed.len());

        let store = open(&path).await;
        let rows = store.read(|tx| tx.rows("SELECT id FROM kept LIMIT 1000000", params![])).await;
        let rows: Result<Vec<_>, StoreError> = rows;
        let kept: std::collections::HashSet<i64> =
            rows.unwrap().iter().map(|row| row.at(0).unwrap()).collect();
        let lost: Vec<_> = confirmed.iter().filter(|id| !kept.contains(id)).collect();
        assert!(lost.is_empty(), "confirmed and lost: {lost:?}");
        total += confirmed.len();
        store.close().await;
        for suffix in ["-wal", "-shm"] {
            std::fs::remove_file(directory.path().join(format!("killed.db{suffix}"))).ok();
        }
    }
    assert!(total >= 750);
}
