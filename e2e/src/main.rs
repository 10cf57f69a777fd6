//! The long campaigns, by command: `cargo run --release -p munjigi-e2e -- crash --cycles 3000`.
//! The tests run a slice of each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a harness of tests: whatever is not as it should be ends the program"
)]

use munjigi_e2e::crash::Campaign;
use munjigi_e2e::production::Production;
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let place = words.iter().position(|word| word == name)?;
        words.get(place + 1).cloned()
    };
    assert_eq!(
        words.first().map(String::as_str),
        Some("crash"),
        "usage: crash [--cycles N] [--seed N] [--postgres]"
    );
    let number =
        |name: &str, usual: u64| option(name).map_or(usual, |text| text.parse().expect("a number"));
    let cycles = u32::try_from(number("--cycles", 3_000)).unwrap();
    let campaign = Campaign { cycles, seed: number("--seed", 1), sabotage: None };
    let report = if words.iter().any(|word| word == "--postgres") {
        let database = Database::postgres().await.expect("PostgreSQL is installed");
        let DatabaseUrl::Postgres(url) = database.url() else { panic!("a PostgreSQL database") };
        campaign.run(Production::on_postgres(url)).await
    } else {
        campaign.run(Production::on_sqlite()).await
    };
    println!("{report:#?}");
    assert!(report.violations.is_empty(), "{} violations", report.violations.len());
}
