//! The long campaigns, by command: `crash` and `contention`; the tests run a slice of each. The
//! server's own program is looked for beside this one.
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

use munjigi_e2e::contention::Contention;
use munjigi_e2e::crash::Campaign;
use munjigi_e2e::production::Production;
use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;

const USAGE: &str = "usage: munjigi-e2e crash [--cycles N] [--seed N] [--postgres]
       munjigi-e2e contention [--presentations N] [--nodes N] [--postgres]";

/// The words of the command line.
struct Words(Vec<String>);

impl Words {
    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|other| other == word)
    }

    fn number(&self, name: &str, usual: u32) -> u32 {
        let place = self.0.iter().position(|word| word == name);
        let text = place.and_then(|place| self.0.get(place + 1));
        text.map_or(usual, |text| text.parse().expect(USAGE))
    }
}

#[tokio::main]
async fn main() {
    let words = Words(std::env::args().skip(1).collect());
    let server = match words.has("--postgres") {
        false => Production::on_sqlite(),
        true => {
            let database = Database::postgres().await.expect("PostgreSQL is installed");
            let DatabaseUrl::Postgres(url) = database.url() else { panic!("not PostgreSQL") };
            Production::on_postgres(url)
        }
    };
    let violations = match words.0.first().map(String::as_str) {
        Some("crash") => crash(&words, server).await,
        Some("contention") => contend(&words, server).await,
        _ => panic!("{USAGE}"),
    };
    assert_eq!(violations, 0, "violations");
}

async fn crash(words: &Words, server: Production) -> usize {
    let (cycles, seed) = (words.number("--cycles", 3_000), words.number("--seed", 1));
    let report = Campaign { cycles, seed: seed.into(), sabotage: None }.run(server).await;
    println!("{report:#?}");
    report.violations.len()
}

async fn contend(words: &Words, server: Production) -> usize {
    let things = words.number("--presentations", 1_000_000) / 32;
    let parts = things.div_ceil(10);
    let contention = Contention { codes: 5 * parts, refreshes: 4 * parts, revocations: parts };
    let mut nodes = vec![server];
    for _ in 1..words.number("--nodes", 1) {
        nodes.push(nodes[0].another_node());
    }
    let tally = contention.run(&mut nodes).await;
    println!("{tally:#?}");
    tally.violations.len()
}
