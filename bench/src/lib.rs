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
scenarios: http client-credentials introspection userinfo refresh flow sign-in isolation memory
           start refresh-postgres sign-in-postgres growth growth-postgres revocation
           revocation-nodes; without one, all but growth* and revocation*";

/// Does what the command line says.
pub fn run(words: Vec<String>) -> ExitCode {
    let arguments = Arguments(words);
    match arguments.0.first().map(String::as_str) {
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
        let mut words = self.0.iter().skip(1);
        while let Some(word) = words.next() {
            match word.strip_prefix("--") {
                Some("json" | "together") => {}
                Some(_) => drop(words.next()),
                None => names.push(word.as_str()),
            }
        }
        names
    }
}
