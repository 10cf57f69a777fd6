//! `cargo xtask planted`: errors put in on purpose, one at a time, and the tests that have to
//! notice. A suite that finds nothing counts only if it would have found these.
//!
//! One build with `--cfg planted` holds all of them (`crates/token/src/planted.rs`); the variable
//! `MUNJIGI_PLANTED` chooses one at run time.

mod bugs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::clock::timed;
pub use bugs::{BUGS, Bug};

const CRATES: [&str; 5] = ["token", "core", "store", "verify", "server"];

/// How a run of the tests of a bug ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// So many tests, and all of them passed.
    Passed(u32),
    /// At least one test failed.
    Failed,
    /// No test ran to its end: what happened says nothing about the bug.
    Nothing,
}

/// Builds once; runs the tests of each bug that is named, or of all, with and without it. Whether
/// every one was noticed.
pub fn run(names: &[&str]) -> bool {
    if let Some(unknown) = names.iter().find(|name| !BUGS.iter().any(|bug| bug.name == **name)) {
        println!("there is no planted error of the name {unknown}");
        return false;
    }
    let Some(programs) = build() else { return false };
    let chosen = |bug: &&Bug| names.is_empty() || names.contains(&bug.name);
    let (mut all, mut noticed) = (0_u32, 0_u32);
    for bug in BUGS.iter().filter(chosen) {
        all = all.saturating_add(1);
        let ((sound, planted), took) = timed(|| judge(&programs, bug));
        let verdict = match (sound, planted) {
            (Run::Passed(_), Run::Failed) => {
                noticed = noticed.saturating_add(1);
                "noticed"
            }
            (Run::Passed(_), Run::Passed(_)) => "SURVIVED",
            (Run::Failed, _) => "FAILS WITHOUT THE ERROR",
            (Run::Nothing, _) | (_, Run::Nothing) => "NO TEST RAN",
        };
        println!("{verdict:<10} {:<32} {:>5.1} s  {}", bug.name, took.as_secs_f64(), bug.tests);
    }
    println!("planted: {noticed}/{all} noticed");
    noticed == all && all > 0
}

fn build() -> Option<Vec<(String, PathBuf)>> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(crate::root()).args(["test", "--no-run", "--lib", "--test", "it"]);
    for name in CRATES {
        cargo.args(["-p", &format!("munjigi-{name}")]);
    }
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let wrapper = crate::root().join("xtask/wrappers/planted.sh");
    cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper).env("CARGO_INCREMENTAL", "0");
    crate::built::executables(&mut cargo)
}

/// The tests of a bug without it and with it.
fn judge(programs: &[(String, PathBuf)], bug: &Bug) -> (Run, Run) {
    let Some((_, program)) = programs.iter().find(|(name, _)| name == bug.program) else {
        return (Run::Nothing, Run::Nothing);
    };
    let home = bug.program.split('/').next().unwrap_or_default();
    let home = crate::root().join("crates").join(home);
    (test(program, &home, bug, None), test(program, &home, bug, Some(bug.name)))
}

fn test(program: &Path, home: &Path, bug: &Bug, planted: Option<&str>) -> Run {
    let mut command = Command::new(program);
    command.current_dir(home).env("CARGO_MANIFEST_DIR", home);
    command.args(bug.tests.split(' ')).env("RUST_BACKTRACE", "0").env("INSTA_UPDATE", "no");
    match planted {
        Some(name) => command.env("MUNJIGI_PLANTED", name),
        None => command.env_remove("MUNJIGI_PLANTED"),
    };
    command.output().map_or(Run::Nothing, |output| read(&output))
}

/// Reads what the test program said of itself: that it failed is not enough, it may have crashed
/// before the first test.
fn read(output: &Output) -> Run {
    let said = String::from_utf8_lossy(&output.stdout);
    let result = said.lines().find_map(|line| line.strip_prefix("test result: "));
    match result.and_then(|line| line.split_once(". ")) {
        Some(("ok", counts)) => {
            let passed = counts.split(' ').next().and_then(|count| count.parse().ok());
            passed.filter(|count| *count > 0).map_or(Run::Nothing, Run::Passed)
        }
        Some(("FAILED", _)) => Run::Failed,
        _ => Run::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn only_a_test_that_ran_and_failed_has_noticed_anything() {
        let said = |text: &str| {
            let stdout = format!("\nrunning 1 test\n{text}\n").into_bytes();
            read(&Output { status: ExitStatus::from_raw(0), stdout, stderr: Vec::new() })
        };
        assert_eq!(said("test result: ok. 2 passed; 0 failed; 0 ignored"), Run::Passed(2));
        assert_eq!(said("test result: ok. 0 passed; 0 failed; 9 filtered out"), Run::Nothing);
        assert_eq!(said("test result: FAILED. 1 passed; 1 failed; 0 ignored"), Run::Failed);
        assert_eq!(said("fatal runtime error"), Run::Nothing);
    }
}
