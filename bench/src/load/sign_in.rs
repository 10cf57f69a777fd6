//! Sign-ins: their rate beside bare Argon2id with the same parameters and as many threads, and the
//! memory of those that wait.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::argon;
use crate::child::{Child, memory};
use crate::load::Place;
use crate::load::client::{Caller, Connected};
use crate::load::figure::{Figure, Goal};
use crate::load::measure::Measure;
use crate::statistics::{Spread, median, quartiles};

/// How many people there are.
pub const PEOPLE: u64 = 4_000;
const WINDOW: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 16;

/// Callers that sign in one person after the other.
pub fn callers(count: usize) -> Vec<Caller> {
    let next = Arc::new(AtomicU64::new(0));
    (0..count).map(|_| Caller::SignIn { next: Arc::clone(&next), people: PEOPLE }).collect()
}

/// A server with people, and this many hashing threads.
pub fn server(place: &Place, threads: usize, further: &[&str]) -> Child {
    let (people, threads) = (PEOPLE.to_string(), threads.to_string());
    let mut words = vec!["child-server", "--database", &place.url, "--users", &people];
    words.extend(["--hashing", &threads]);
    words.extend(further);
    Child::start(&words)
}

/// Sign-ins a second beside bare hashes a second, with one hashing thread and with two.
pub async fn rate(measure: &Measure, place: Place) -> Vec<Figure> {
    let mut figures = Vec::new();
    for threads in [1, 2] {
        let mut child = server(&place, threads, &[]);
        let mut asking = callers(CONNECTIONS);
        let (mut rates, mut cpu_ratios, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        let (mut own, mut bare, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..measure.long_pairs() {
            let hashed = tokio::task::spawn_blocking(move || argon::run(threads, WINDOW));
            let hashed = hashed.await.unwrap();
            let connected = Connected::open(child.address, asking).await;
            let before = child.report().cpu;
            let (window, again) = connected.run(WINDOW).await;
            let used = child.report().cpu - before;
            asking = again;
            assert_eq!(window.refused, 0, "{}", window.first_refusal.unwrap_or_default());
            let cpu_ms = used.as_secs_f64() * 1e3 / window.requests as f64;
            rates.push(window.rate() / hashed.rate);
            cpu_ratios.push(hashed.cpu_ms / cpu_ms);
            own.push(window.rate());
            bare.push(hashed.rate);
            cpu.push(cpu_ms * 1e3);
            latencies.extend(window.latencies);
        }
        let name = format!("sign-in on {}, {threads} hashing", place.kind);
        let mut figure = Figure::plain(name, quartiles(&rates), "of bare").latencies(&latencies);
        (figure.rate, figure.cpu) = (median(&own), median(&cpu));
        let Spread { median: by_cpu, low, high } = quartiles(&cpu_ratios);
        let note = format!(
            "bare {:.1}/s; by processor time {by_cpu:.3} [{low:.3}–{high:.3}]",
            median(&bare)
        );
        figures.push(figure.goal(Goal::AtLeast(0.97)).note(note));
    }
    figures
}

/// Resident memory while as many wait as may: how much more than with one at a time.
pub async fn waiting() -> Vec<Figure> {
    let place = Place::sqlite();
    let child = server(&place, 1, &[]);
    // One after the other first: the thread has its arena then, and keeps it for a while.
    let (_, alone) = Connected::open(child.address, callers(1)).await.run(WINDOW).await;
    let (before, _) = memory(child.id());
    // From here on, the peak is that of what follows (proc_pid_clear_refs(5)).
    std::fs::write(format!("/proc/{}/clear_refs", child.id()), "5").unwrap();
    let waiting = alone.into_iter().chain(callers(32)).collect();
    let (window, _) = Connected::open(child.address, waiting).await.run(WINDOW).await;
    let (_, peak) = memory(child.id());
    let mib = peak.saturating_sub(before) as f64 / 1_024.0;
    let value = Spread { median: mib, low: mib, high: mib };
    let note = format!(
        "1 hashing: {:.1} MiB with one sign-in at a time, {:.1} at the peak of 33 at once; \
         {} signed in, {} refused",
        before as f64 / 1_024.0,
        peak as f64 / 1_024.0,
        window.requests,
        window.refused
    );
    let figure = Figure::plain("waiting sign-ins, beyond the arena", value, "MiB").note(note);
    vec![figure.goal(Goal::AtMost(16.0))]
}
