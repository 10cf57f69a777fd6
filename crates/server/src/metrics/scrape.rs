//! Everything there is to tell, at the moment that somebody asks. What the database has to be asked
//! for is left out when it does not answer in time: the rest is told all the same.

use std::time::Duration;

use munjigi_core::time::Timestamp;
use munjigi_store::audit_log::{self, Log};
use munjigi_store::{ReadTx, Statistics, StoreError, outbox};

use super::process;
use super::series::Tally;
use super::text::{Kind, Seconds, Text};
use crate::app::App;

/// The format of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long the database may take to answer.
const BUDGET: Duration = Duration::from_secs(1);

/// What the database says.
struct Stored {
    waiting: i64,
    oldest_waiting: Option<Timestamp>,
    log: Option<Log>,
    unnumbered: i64,
    oldest_unnumbered: Option<Timestamp>,
}

/// Everything, as Prometheus reads it.
pub async fn scrape(app: &App) -> String {
    let asked = tokio::time::timeout(BUDGET, app.store.read(read)).await;
    let stored = asked.ok().and_then(Result::ok);
    let mut text = Text::default();
    let (version, database) = (env!("CARGO_PKG_VERSION"), app.store.backend());
    let mut family = text.family(Kind::Gauge, "munjigi_build_info", "What runs; always 1.");
    family.sample(&[("version", version), ("database", database)], 1);
    app.metrics.requests.write(&mut text);
    let about = ("Connections that are open.", app.metrics.connections.count());
    text.single(Kind::Gauge, "munjigi_http_connections", about);
    write_oauth(app, &mut text);
    write_hashing(app, &mut text);
    write_store(&app.store.statistics(), stored.is_some(), &mut text);
    write_feed(app, &mut text);
    write_keys(app, &mut text);
    write_outbox(app, stored.as_ref(), &mut text);
    write_audit(app, stored.as_ref(), &mut text);
    write_anchors(app, &mut text);
    process::write(&mut text);
    text.finish()
}

fn read(tx: &mut ReadTx<'_>) -> Result<Stored, StoreError> {
    let (waiting, oldest_waiting) = outbox::waiting(tx)?;
    Ok(Stored {
        waiting,
        oldest_waiting,
        log: audit_log::find(tx)?,
        unnumbered: audit_log::count_unnumbered(tx)?,
        oldest_unnumbered: audit_log::oldest_unnumbered(tx)?,
    })
}

fn write_tally<const N: usize>(
    text: &mut Text,
    name: &'static str,
    (help, label): (&str, &str),
    tally: &Tally<N>,
) {
    let mut family = text.family(Kind::Counter, name, help);
    tally.values().for_each(|(word, count)| family.sample(&[(label, word)], count));
}

fn write_oauth(app: &App, text: &mut Text) {
    let metrics = &app.metrics;
    let about = ("Access tokens that were issued, by the kind of grant.", "grant_type");
    write_tally(text, "munjigi_tokens_issued_total", about, &metrics.tokens);
    let help = "Requests that the OAuth endpoints refused, by the code of the error.";
    let mut family = text.family(Kind::Counter, "munjigi_oauth_errors_total", help);
    for (code, count) in metrics.requests.refusals.values() {
        family.sample(&[("error", code)], count);
    }
    let about = ("Passwords that were presented, by what came of it.", "outcome");
    write_tally(text, "munjigi_sign_ins_total", about, &metrics.sign_ins);
    let help =
        "Addresses that were put off for wrong passwords, by how many accounts they were at.";
    write_tally(text, "munjigi_guessing_addresses_total", (help, "accounts"), &metrics.guessers);
}

fn write_hashing(app: &App, text: &mut Text) {
    let numbers = app.hashing.numbers();
    let about = ("Passwords that wait to be hashed.", numbers.waiting);
    text.single(Kind::Gauge, "munjigi_hashing_queue_depth", about);
    let help = "How long passwords waited to be hashed, in seconds.";
    let mut family = text.family(Kind::Histogram, "munjigi_hashing_wait_seconds", help);
    family.histogram(&[], &numbers.waits);
    let about = ("Passwords that were not hashed, because too many waited.", numbers.shed);
    text.single(Kind::Counter, "munjigi_hashing_shed_total", about);
}

fn write_store(statistics: &Statistics, answers: bool, text: &mut Text) {
    let up = u8::from(answers);
    text.single(Kind::Gauge, "munjigi_store_up", ("Whether the database answers.", up));
    let help = "Transactions that wait for their turn.";
    text.single(Kind::Gauge, "munjigi_store_queue_depth", (help, statistics.waiting));
    let help = "The largest number of transactions that one commit carried (SQLite).";
    text.single(Kind::Gauge, "munjigi_store_largest_batch", (help, statistics.largest_batch));
    for (name, help, value) in [
        ("munjigi_store_reads_total", "Transactions that only read.", statistics.reads),
        ("munjigi_store_writes_total", "Transactions that may write.", statistics.writes),
        ("munjigi_store_commits_total", "Commits that made something durable.", statistics.commits),
        (
            "munjigi_store_committed_total",
            "Transactions whose changes were committed; several of them share a commit.",
            statistics.committed,
        ),
        (
            "munjigi_store_retries_total",
            "Transactions that were run again, because another one was quicker.",
            statistics.retries,
        ),
        (
            "munjigi_store_slow_total",
            "Transactions that kept others waiting for more than 5 ms.",
            statistics.slow,
        ),
        (
            "munjigi_store_rejected_total",
            "Transactions that were refused, because too many waited.",
            statistics.rejected,
        ),
    ] {
        text.single(Kind::Counter, name, (help, value));
    }
}

fn write_feed(app: &App, text: &mut Text) {
    let name = "munjigi_revocation_followers";
    text.single(Kind::Gauge, name, ("Who waits for revocations here.", app.feed.followers()));
    let in_force = app.verifier.revocations().len();
    let help = "Revocations that can still kill a token.";
    text.single(Kind::Gauge, "munjigi_revocations_in_force", (help, in_force));
    let help = "Entries of the revocation feed that this node holds in memory.";
    text.single(Kind::Gauge, "munjigi_revocation_entries", (help, app.feed.kept()));
    if let Some(age) = app.feed.age() {
        let help = "How old what this node knows of the database is, in seconds.";
        text.single(Kind::Gauge, "munjigi_revocation_age_seconds", (help, Seconds(age)));
    }
}

fn write_keys(app: &App, text: &mut Text) {
    let (snapshot, now) = (app.snapshot(), app.clock.now());
    let help = "How long the present key of an algorithm has signed, in seconds.";
    let mut family = text.family(Kind::Gauge, "munjigi_key_active_age_seconds", help);
    for (algorithm, since) in snapshot.keys.active_since(now) {
        family.sample(&[("algorithm", algorithm.as_str())], between(since, now));
    }
    if let Some(at) = snapshot.keys.changes_at(now) {
        let help = "In how many seconds a key begins to sign or is destroyed.";
        text.single(Kind::Gauge, "munjigi_key_next_change_seconds", (help, between(now, at)));
    }
}

fn write_outbox(app: &App, stored: Option<&Stored>, text: &mut Text) {
    let about = ("Mails and logout tokens that this node tried to send.", "outcome");
    write_tally(text, "munjigi_outbox_deliveries_total", about, &app.metrics.deliveries);
    let Some(stored) = stored else { return };
    let help = "Mails and logout tokens that wait to be sent, by any node.";
    text.single(Kind::Gauge, "munjigi_outbox_depth", (help, stored.waiting));
    let help = "Since how many seconds the oldest of them waits.";
    let oldest = since(stored.oldest_waiting, app.clock.now());
    text.single(Kind::Gauge, "munjigi_outbox_oldest_seconds", (help, oldest));
}

fn write_audit(app: &App, stored: Option<&Stored>, text: &mut Text) {
    let Some(stored) = stored else { return };
    let now = app.clock.now();
    let help = "Events of the audit trail that have no place in its tree yet.";
    text.single(Kind::Gauge, "munjigi_audit_unnumbered", (help, stored.unnumbered));
    let help = "Since how many seconds the oldest of them has none.";
    let oldest = since(stored.oldest_unnumbered, now);
    text.single(Kind::Gauge, "munjigi_audit_lag_seconds", (help, oldest));
    let Some(log) = &stored.log else { return };
    let help = "Leaves of the audit trail's tree.";
    text.single(Kind::Gauge, "munjigi_audit_leaves", (help, log.size));
    let unsigned = log.size.saturating_sub(log.signed_size);
    let help = "Leaves that no checkpoint vouches for yet.";
    text.single(Kind::Gauge, "munjigi_audit_unsigned_leaves", (help, unsigned));
    let help =
        "How old the last checkpoint is, in seconds; one is signed when there is something new.";
    let age = between(log.signed_at, now);
    text.single(Kind::Gauge, "munjigi_audit_checkpoint_age_seconds", (help, age));
}

fn write_anchors(app: &App, text: &mut Text) {
    let (places, now) = (app.metrics.anchors.values(), app.clock.now());
    if places.is_empty() {
        return;
    }
    let help = "Checkpoints that this node sent to anchors, by what came of it.";
    let mut family = text.family(Kind::Counter, "munjigi_audit_anchors_total", help);
    for (place, anchored) in &places {
        family.sample(&[("place", place), ("outcome", "told")], anchored.told);
        family.sample(&[("place", place), ("outcome", "failed")], anchored.failed);
    }
    let help = "How many seconds ago this node last told an anchor.";
    let mut family = text.family(Kind::Gauge, "munjigi_audit_anchored_age_seconds", help);
    for (place, anchored) in &places {
        if let Some(at) = anchored.told_at {
            family.sample(&[("place", place)], between(at, now));
        }
    }
}

/// From one moment to a later one.
fn between(from: Timestamp, to: Timestamp) -> Seconds {
    Seconds(Duration::from_millis(u64::try_from(to.since(from).as_millis()).unwrap_or(0)))
}

fn since(from: Option<Timestamp>, now: Timestamp) -> Seconds {
    from.map_or(Seconds(Duration::ZERO), |from| between(from, now))
}
