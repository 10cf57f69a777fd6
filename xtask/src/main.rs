//! `cargo xtask <command>`. It must stay thin: the chores are functions of the library.

#![expect(clippy::print_stdout, reason = "a command speaks on standard output")]

use std::process::ExitCode;

use xtask::suite::{self, Extent, Place};
use xtask::tidy::{self, Tree};
use xtask::{fuzz, planted};

const USAGE: &str = "usage: cargo xtask <command>

  tidy            hold the invariants of ARCHITECTURE.md and the caps of CONTRIBUTING.md
  test            install what is missing and run everything
  test --quick    the same without documentation and licences
  fuzz [--minutes N] [target …]
                  run the fuzz targets, a minute each unless told otherwise
  planted [name …]
                  put errors in, one at a time, and see whether the tests notice";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        ["tidy"] => run_tidy(),
        ["test"] => suite::run(Extent::Whole, place()),
        ["test", "--quick"] => suite::run(Extent::Quick, place()),
        ["planted", rest @ ..] => planted::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            true
        }
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_tidy() -> bool {
    match Tree::read(&xtask::root()) {
        Ok(tree) => {
            let report = tidy::check(&tree);
            println!("{report}");
            report.findings.is_empty()
        }
        Err(error) => {
            println!("tidy cannot read the repository: {error}");
            false
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "`CI` is how a machine says that nobody watches")]
fn place() -> Place {
    let is_set = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if is_set { Place::Ci } else { Place::Desk }
}
