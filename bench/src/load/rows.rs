//! The bare price of a durable row: random 32-byte keys, six columns, a hundred rows in each
//! transaction, WAL and `synchronous=FULL`; by the processor time of the thread that writes.

use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::clock;

const ROWS_IN_COMMIT: u64 = 100;
const COMMITS: u64 = 20;

/// A file to write rows into.
pub struct Rows {
    connection: Connection,
    next: u64,
    _directory: TempDir,
}

impl Rows {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let connection = Connection::open(directory.path().join("rows.db")).unwrap();
        let mode = "PRAGMA journal_mode = WAL";
        connection.query_row(mode, [], |_| Ok(())).unwrap();
        let rest = "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
            CREATE TABLE bare (id BLOB PRIMARY KEY, a BLOB, b TEXT, c INTEGER, d INTEGER,
            e INTEGER) WITHOUT ROWID, STRICT;";
        connection.execute_batch(rest).unwrap();
        Self { connection, next: 1, _directory: directory }
    }

    /// µs of processor time for one row.
    pub fn micros_per_row(&mut self) -> f64 {
        let before = clock::of_thread();
        for _ in 0..COMMITS {
            self.commit();
        }
        let used = clock::of_thread() - before;
        used.as_secs_f64() * 1e6 / (COMMITS * ROWS_IN_COMMIT) as f64
    }

    fn commit(&mut self) {
        let transaction = self.connection.transaction().unwrap();
        for _ in 0..ROWS_IN_COMMIT {
            let mixed = self.next.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            self.next += 1;
            let key: Vec<u8> =
                (0..4).flat_map(|turn| mixed.rotate_left(turn * 13).to_be_bytes()).collect();
            let row = params![key, &key[..16], "openid profile", 1, 2, self.next.cast_signed()];
            let insert = "INSERT INTO bare (id, a, b, c, d, e) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.prepare_cached(insert).unwrap().execute(row).unwrap();
        }
        transaction.commit().unwrap();
    }
}
