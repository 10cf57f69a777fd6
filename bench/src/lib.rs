//! Measures what Munjigi costs beside the bare thing that it stands on, in the same run. It must
//! not be part of the product, and says nothing about other machines or other days.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    reason = "a measurement fails loudly and prints, it is no part of the product"
)]

mod argon;
pub mod bare;
mod child;
pub mod clock;
mod load;
mod ratios;
mod statistics;

use std::process::ExitCode;

const USAGE: &str = "\
munjigi-bench ratios [--rounds N] [--pairs N]
munjigi-bench load [SCENARIO…] [--pairs N] [--window MILLISECONDS] [--connections N,N]
                   [--rows N] [--trials N] [--munjigi PATH] [--together] [--json]
scenarios: http client-credentials introspection userinfo refresh flow sign-in isolation storm
           memory start size refresh-postgres sign-in-postgres growth growth-postgres
           revocation revocation-nodes; without one, all but growth* and revocation*";

/// The options that have a value, and those that have none.
const WITH_VALUE: [&str; 7] =
    ["--rounds", "--pairs", "--window", "--connections", "--rows", "--trials", "--munjigi"];
const WITHOUT_VALUE: [&str; 2] = ["--together", "--json"];

/// Does what the command line says.
pub fn run(words: Vec<String>) -> ExitCode {
    let arguments = Arguments(words);
    let command = arguments.0.first().map(String::as_str);
    if let (Some("ratios" | "load"), Some(unknown)) = (command, arguments.unknown()) {
        println!("there is no {unknown}\n{USAGE}");
        return ExitCode::from(2);
    }
    match command {
        Some("ratios") => ratios::run(&arguments),
        Some("load") => load::run(&arguments),
        Some("child-hello") => child::hello(&arguments),
        Some("child-server") => child::server(&arguments),
        Some("child-followers") => child::followers(&arguments),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The command line.
struct Arguments(Vec<String>);

impl Arguments {
    /// What follows `--name`.
    fn find(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|word| word == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// What follows `--name`, as a number.
    fn number(&self, name: &str, otherwise: usize) -> usize {
        self.find(name).map_or(otherwise, |text| text.parse().expect("a number"))
    }

    /// Whether `--name` is there.
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| word == name)
    }

    /// The words that are neither the command nor an option nor its value.
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut words = self.0.iter().skip(1).map(String::as_str);
        while let Some(word) = words.next() {
            if WITH_VALUE.contains(&word) {
                words.next();
            } else if !WITHOUT_VALUE.contains(&word) {
                names.push(word);
            }
        }
        names
    }

    /// The first word that nothing is called by: a run of many minutes is no answer to it.
    fn unknown(&self) -> Option<&str> {
        let is_ratios = self.0.first().is_some_and(|command| command == "ratios");
        let is_known = |word: &str| !is_ratios && load::is_scenario(word);
        self.names().into_iter().find(|word| !is_known(word))
    }
}
