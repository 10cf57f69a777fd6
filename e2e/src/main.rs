//! The long campaigns, by command; the tests run a slice of each. The server's own program is
//! looked for beside this one.
//!
//! ```console
//! $ cargo build --release -p munjigi -p munjigi-e2e
//! $ target/release/munjigi-e2e crash --cycles 3000 --postgres
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a harness of tests: whatever is not as it should be ends the program"
)]

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use munjigi_e2e::Dev;
use munjigi_e2e::contention::Contention;
use munjigi_e2e::crash::Campaign;
use munjigi_e2e::failover::{self, End, Standby};
use munjigi_e2e::flood;
use munjigi_e2e::nodes;
use munjigi_e2e::production::Production;
use munjigi_e2e::storm::Storm;
use munjigi_e2e::timings::{Compared, Street, over_budget};
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::{Cluster, Database};

/// The long campaigns of Munjigi's tests.
#[derive(Debug, Parser)]
#[command(name = "munjigi-e2e", arg_required_else_help = true)]
struct Words {
    #[command(subcommand)]
    campaign: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Kill the server at random moments under load, and hold it to what it acknowledged
    Crash {
        /// How often it is killed
        #[arg(long, default_value_t = 3_000)]
        cycles: u32,
        /// Where the random choices begin
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Show things that are good once by 32 callers at once
    Contention {
        /// How many presentations
        #[arg(long, default_value_t = 1_000_000)]
        presentations: u32,
        /// Over how many nodes
        #[arg(long, default_value_t = 1)]
        nodes: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Time answers about accounts of every kind, in turns, and look for a difference (LG-02)
    Timings {
        /// How many answers of each kind
        #[arg(long, default_value_t = 400)]
        samples: usize,
    },
    /// Blow a storm of sign-ins at the server, in open loop (DS-03)
    Storm {
        /// Sign-ins a second
        #[arg(long, default_value_t = 500)]
        rate: u32,
        /// For so many seconds
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Open connections that are slow or silent, and see when they are closed (DS-01)
    Slow {
        /// How many; as many files may have to be open, and some more (`ulimit -n`)
        #[arg(long, default_value_t = 1_000)]
        connections: usize,
        #[command(flatten)]
        place: Place,
    },
    /// Send what is far too large, and see what it takes (DS-02)
    Large {
        /// How often
        #[arg(long, default_value_t = 100)]
        times: usize,
        #[command(flatten)]
        place: Place,
    },
    /// Kill the primary of a PostgreSQL pair under load, and promote its standby
    Failover {
        /// How often
        #[arg(long, default_value_t = 40)]
        kills: u32,
        /// Where the random choices begin
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Let its processes hang instead of killing them
        #[arg(long)]
        hung: bool,
    },
    /// Replace a node of an older version by one of this version under load, on PostgreSQL
    Upgrade {
        /// The program of the older version
        #[arg(long, value_name = "PATH")]
        old: PathBuf,
        /// How many seconds each phase lasts
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// On PostgreSQL instead of SQLite
    #[arg(long)]
    postgres: bool,
}

impl Place {
    async fn server(&self) -> Production {
        match self.postgres {
            false => Production::on_sqlite(),
            true => Production::on_postgres(&postgres().await),
        }
    }
}

async fn postgres() -> String {
    let database = Database::postgres().await.expect("PostgreSQL is installed");
    let DatabaseUrl::Postgres(url) = database.url() else { panic!("not PostgreSQL") };
    url.clone()
}

#[tokio::main]
async fn main() {
    match Words::parse().campaign {
        What::Crash { cycles, seed, place } => {
            let campaign = Campaign { cycles, seed, sabotage: None };
            let report = campaign.run(place.server().await).await;
            told(&report, report.violations.len());
            happened(&[report.acknowledged, report.in_doubt, report.checked, report.looks.into()]);
        }
        What::Contention { presentations, nodes, place } => {
            assert!(nodes == 1 || place.postgres, "several nodes need one PostgreSQL");
            let mut servers = vec![place.server().await];
            for _ in 1..nodes {
                servers.push(servers[0].another_node());
            }
            let tally = Contention::of(presentations).run(&mut servers).await;
            told(&tally, tally.violations.len());
            happened(&[tally.presentations, tally.beside_a_revocation.into()]);
        }
        What::Slow { connections, place } => {
            let mut server = place.server().await;
            server.start();
            let seen = flood::slow(&server, connections).await;
            told(&seen, seen.connections - seen.closed);
        }
        What::Large { times, place } => {
            let mut server = place.server().await;
            server.start();
            let seen = flood::large(&server, times);
            let taken = seen.statuses.iter().filter(|(_, status)| (1..400).contains(status));
            told(&seen, taken.count());
        }
        What::Timings { samples } => timings(samples).await,
        What::Storm { rate, seconds, place } => {
            let weather = Storm { rate, seconds }.blow(place.server().await).await;
            told(&weather, weather.violations.len());
        }
        What::Failover { kills, seed, hung } => {
            let end = if hung { End::Hung } else { End::Killed };
            let report = failover::run(kills, seed, (Standby::Synchronous, end)).await;
            let report = report.expect("PostgreSQL is installed");
            told(&report, report.violations.len());
            happened(&[report.kills.into(), report.acknowledged, report.checked]);
        }
        What::Upgrade { old, seconds } => {
            // Without any tables: the older version makes its own.
            let started = tokio::task::block_in_place(|| Cluster::start(&[]));
            let cluster = started.unwrap().expect("PostgreSQL is installed");
            let DatabaseUrl::Postgres(url) = cluster.url("postgres") else { panic!("not it") };
            let seen = nodes::upgrade(&url, &old, Duration::from_secs(seconds)).await;
            told(&seen, usize::try_from(seen.failed).unwrap());
            happened(&[seen.answered]);
        }
    }
}

async fn timings(samples: usize) {
    let dev = Dev::start();
    let street = Street::new(&dev, samples).await;
    let planted = street.planted().await;
    assert!(!planted.is_alike(), "the statistic sees nothing: {planted:?}");
    let mut compared = street.sign_ins().await;
    compared.push(street.sign_ups().await);
    compared.push(street.recoveries().await);
    compared.push(street.throttled().await);
    compared.push(over_budget(samples).await);
    for Compared { asked, kinds: [one, other], medians: [first, second], difference, p, .. } in
        &compared
    {
        println!(
            "{asked}: {one} {first:.3} ms, {other} {second:.3} ms: {:.2} %, p {p:.3}",
            difference * 100.0
        );
    }
    let apart: Vec<_> = compared.iter().filter(|it| !it.is_alike()).collect();
    told(&apart, apart.len());
}

fn told(report: &impl Debug, violations: usize) {
    println!("{report:#?}");
    assert_eq!(violations, 0, "violations");
}

/// A campaign in which there was none of something has shown nothing.
fn happened(counts: &[u64]) {
    assert!(counts.iter().all(|count| *count > 0), "not everything happened: {counts:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_campaign_that_the_documents_name_can_be_run() {
        let (mut run, folder) = (0, munjigi_e2e::top().join("docs/reference"));
        for page in ["reliability.md", "attack-kit.md", "performance.md"] {
            let text = std::fs::read_to_string(folder.join(page)).unwrap();
            for after in text.split("release/munjigi-e2e ").skip(1) {
                let words = after.split(['`', '\n']).next().unwrap();
                let told =
                    Words::try_parse_from(["munjigi-e2e"].into_iter().chain(words.split(' ')));
                assert!(told.is_ok(), "{page}: munjigi-e2e {words}");
                run += 1;
            }
        }
        assert!(run >= 7, "the documents name {run}");
        assert!(Words::try_parse_from(["munjigi-e2e", "crash", "--kills", "3"]).is_err());
    }
}
