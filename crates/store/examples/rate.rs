//! How many transactions a second the executor does, and at what price in processor time: 64
//! callers turn a grant's generation with a read and a guarded update, once without and once with
//! an audit event. Fresh databases, nothing is kept. `cargo run --release -p munjigi-store
//! --example rate [sqlite|postgres]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement, not the product"
)]

use std::time::{Duration, Instant};

use munjigi_core::audit::{Actor, Event, Kind, Origin};
use munjigi_core::id::EventId;
use munjigi_store::testing::{Database, OPENED_AT, open_with};
use munjigi_store::{Audit, Committed, Result, Store, StoreError, params};

const CALLERS: u64 = 64;
const ROWS: u64 = 10_000;
const LONG: Duration = Duration::from_secs(4);

const TABLES: &str = "
CREATE TABLE turned (
    user_id    BYTEA  NOT NULL,
    id         BYTEA  NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT,
    scope      TEXT   NOT NULL,
    PRIMARY KEY (user_id, id)
);
";

/// What one call does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Work {
    Read,
    Turn,
    TurnAndAudit,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted = std::env::args().nth(1);
    let is_wanted = |name| wanted.as_deref().is_none_or(|wanted| wanted == name);
    let sqlite = is_wanted("sqlite").then(Database::sqlite);
    let postgres = if is_wanted("postgres") { Database::postgres().await } else { None };
    for database in sqlite.into_iter().chain(postgres) {
        let mut options = database.options();
        options.pool_size = 16;
        let store = open_with(options, &[("turned", TABLES)]).await.unwrap();
        seed(&store).await;
        for work in [Work::Read, Work::Turn, Work::TurnAndAudit] {
            measure(&store, work).await;
        }
        store.close().await;
    }
}

/// Sixteen bytes that look random and are the same in each run.
fn key(number: u64) -> [u8; 16] {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut out = [0; 16];
    out[..8].copy_from_slice(&mixed.to_le_bytes());
    out[8..].copy_from_slice(&mixed.rotate_left(29).wrapping_mul(31).to_le_bytes());
    out
}

async fn seed(store: &Store) {
    for from in (0..ROWS).step_by(500) {
        let seeded = store.write(move |tx| {
            for row in from..from + 500 {
                tx.push(
                    "INSERT INTO turned (user_id, id, generation, scope) VALUES ($1, $2, 0, $3)",
                    params![key(row), key(row ^ 1), "openid profile offline_access"],
                )?;
            }
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("seed")))
        });
        seeded.await.unwrap();
    }
}

async fn measure(store: &Store, work: Work) {
    let before = store.statistics();
    let (started, used) = (Instant::now(), processor_time());
    let callers = (0..CALLERS).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut waits = Vec::new();
            for round in 0_u64.. {
                let began = Instant::now();
                if started.elapsed() > LONG {
                    break;
                }
                let row = (round * CALLERS + caller).wrapping_mul(7_919) % ROWS;
                match work {
                    Work::Read => read(&store, row).await.unwrap(),
                    _ => turn(&store, row, work == Work::TurnAndAudit).await.unwrap(),
                }
                waits.push(began.elapsed());
            }
            waits
        })
    });
    let mut waits = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        waits.extend(caller.await.unwrap());
    }
    let (took, used) = (started.elapsed(), processor_time() - used);
    waits.sort();
    let after = store.statistics();
    let percentile = |share: usize| waits[(waits.len() - 1) * share / 100];
    println!(
        "{:9} {:13} {:6.0}/s  {:5.1} µs of ours  p50 {:?}  p99 {:?}  {} commits, {} retries",
        store.backend(),
        format!("{work:?}"),
        waits.len() as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / waits.len() as f64,
        percentile(50),
        percentile(99),
        after.commits - before.commits,
        after.retries - before.retries,
    );
}

async fn read(store: &Store, row: u64) -> Result<()> {
    store
        .read(move |tx| {
            let sql = "SELECT generation, scope FROM turned WHERE user_id = $1 AND id = $2";
            let row = tx.find_row(sql, params![key(row), key(row ^ 1)])?;
            row.ok_or(StoreError::Conflict)?.take::<i64>(0).map(drop)
        })
        .await
}

async fn turn(store: &Store, row: u64, audited: bool) -> Result<()> {
    store
        .write(move |tx| {
            let (user_id, id) = (key(row), key(row ^ 1));
            let sql = "SELECT generation, scope FROM turned WHERE user_id = $1 AND id = $2";
            let found = tx.find_row(sql, params![user_id, id])?;
            let generation: i64 = found.ok_or(StoreError::Conflict)?.take(0)?;
            let turned = tx.exec(
                "UPDATE turned SET generation = generation + 1, rotated_at = $4 \
                 WHERE user_id = $1 AND id = $2 AND generation = $3",
                params![user_id, id, generation, OPENED_AT],
            )?;
            if turned != 1 {
                return Err(StoreError::Conflict);
            }
            if audited {
                return Ok(Committed::new((), event(row, generation)));
            }
            Ok(Committed::new((), Audit::Routine("measured")))
        })
        .await
}

/// An event that no other turn has written.
fn event(row: u64, generation: i64) -> Event {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&generation.to_be_bytes());
    id[8..].copy_from_slice(&row.to_be_bytes());
    let origin = Origin { at: OPENED_AT, actor: Actor::System, address: None, request_id: None };
    Event::new(EventId::from_bytes(id), Kind::SettingChanged, origin)
}

/// User and system time of this process, in Linux's ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
