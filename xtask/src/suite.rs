//! `cargo xtask test`: one command that installs what is missing and runs everything.
//! It must not print green what it did not run: what is left out is said, and fails in CI.

mod deny;
mod packages;
mod step;
mod tally;

use std::time::Duration;

use crate::clock::timed;
use step::{Outcome, cargo, run as run_command};
pub use tally::Tally;

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Everything.
    Whole,
    /// Without documentation and licences: for the tenth run of an afternoon.
    Quick,
}

/// Who watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A person, who can read that something was skipped.
    Desk,
    /// Nobody: what is skipped has failed.
    Ci,
}

/// Rows of the summary.
struct Suite {
    place: Place,
    rows: Vec<(&'static str, Duration, Outcome)>,
    tally: Tally,
}

/// Runs everything and prints a summary. Whether all of it passed.
pub fn run(extent: Extent, place: Place) -> bool {
    let mut suite = Suite { place, rows: Vec::new(), tally: Tally::default() };
    suite.step("room on disk", room_on_disk);
    suite.step("system packages", packages::install_system_packages);
    suite.step("Python packages", packages::install_python);
    suite.step("Node packages", packages::install_node);
    suite.step("Go verifier", packages::install_go);
    suite.step("Spring verifier", packages::install_spring);

    suite.step("format", || run_command(cargo(place).args(["fmt", "--all", "--check"])));
    suite.step("clippy", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        run_command(cargo(place).args(lint))
    });
    match extent {
        Extent::Whole => suite.slow_checks(),
        Extent::Quick => {
            for name in ["licences and bans", "advisories", "documentation"] {
                suite.step(name, || Outcome::LeftOut("--quick".to_owned()));
            }
        }
    }

    // The tests start binaries of other packages. Built together with the tests they share one set
    // of features; built alone, half the tree would be compiled twice.
    suite.step("build", || {
        run_command(cargo(place).args(["build", "--workspace", "--bins", "--tests"]))
    });
    suite.tests();
    suite.step("room left on disk", room_on_disk);
    suite.report()
}

/// Says how much room there is: databases that fail to start on a full disk do not say so.
fn room_on_disk() -> Outcome {
    run_command(step::command("df").args(["-h", ".", "/tmp"]))
}

impl Suite {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Outcome) {
        println!("\n== {name}");
        let (outcome, took) = timed(work);
        if let Outcome::Failed(why) | Outcome::Skipped(why) | Outcome::LeftOut(why) = &outcome {
            println!("{name}: {why}");
        }
        self.rows.push((name, took, outcome));
    }

    fn slow_checks(&mut self) {
        let place = self.place;
        self.step("licences and bans", || deny::check_licences(place));
        self.step("advisories", || deny::check_advisories(place));
        self.step("documentation", || {
            let document = ["doc", "--workspace", "--no-deps"];
            run_command(cargo(place).args(document).env("RUSTDOCFLAGS", "-D warnings"))
        });
    }

    fn tests(&mut self) {
        let place = self.place;
        let mut tally = Tally::default();
        self.step("tests", || {
            // `--show-output`: a passing test that says SKIPPED must be heard.
            let test = ["test", "--workspace", "--no-fail-fast", "--", "--show-output"];
            // Tests that provoke a panic would fill pages with its backtrace.
            let mut command = cargo(place);
            let command = command.args(test).env("RUST_BACKTRACE", "0");
            let outcome = step::run_heard(command, |line| tally.hear(line));
            match outcome {
                Outcome::Passed if tally.passed == 0 => {
                    Outcome::Failed("no test ran at all".to_owned())
                }
                Outcome::Passed if !tally.skipped.is_empty() => {
                    Outcome::Skipped(format!("{} suites said SKIPPED", tally.skipped.len()))
                }
                other => other,
            }
        });
        self.tally = tally;
    }

    fn report(&self) -> bool {
        println!("\n{:<20} {:>8}  outcome", "step", "time");
        for (name, took, outcome) in &self.rows {
            println!("{name:<20} {:>6.1} s  {outcome}", took.as_secs_f64());
        }
        let all: Duration = self.rows.iter().map(|(_, took, _)| *took).sum();
        println!("{:<20} {:>6.1} s", "together", all.as_secs_f64());
        for (reason, count) in &self.tally.skipped {
            println!("skipped: {reason} ({count}×)");
        }
        for (reason, count) in &self.tally.left_out {
            println!("left out: {reason} ({count}×)");
        }
        if self.tally.ignored > 0 {
            println!("skipped: {} tests marked #[ignore]", self.tally.ignored);
        }
        println!("{}", self.tally);

        self.rows.iter().all(|(_, _, outcome)| match outcome {
            Outcome::Passed | Outcome::LeftOut(_) => true,
            Outcome::Skipped(_) => self.place == Place::Desk,
            Outcome::Failed(_) => false,
        })
    }
}
