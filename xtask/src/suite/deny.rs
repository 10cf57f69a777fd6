//! Licences, bans, duplicates and sources by cargo-deny; advisories where their database can be
//! reached. It must not wait for the workspace's build lock: the tool is built in its own folder.

use std::fs;
use std::path::PathBuf;

use super::Place;
use super::step::{Outcome, cargo, command, run, succeeds};

/// Raised by hand, together with `deny.toml`.
const VERSION: &str = "0.20.2";
/// Seconds after which a database that does not answer counts as out of reach.
const PATIENCE: &str = "120";

/// Everything that needs no network beyond the packages themselves.
pub(super) fn check_licences(place: Place) -> Outcome {
    match install(place) {
        Outcome::Passed => {
            let checks = ["check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
            run(command(program()).args(checks))
        }
        other => other,
    }
}

/// Known vulnerabilities of what we depend on.
pub(super) fn check_advisories(place: Place) -> Outcome {
    let installed = install(place);
    if installed != Outcome::Passed {
        return installed;
    }
    let fetched = succeeds(command("timeout").arg(PATIENCE).arg(program()).args(["fetch", "db"]));
    if !fetched {
        return Outcome::LeftOut("the advisory database cannot be reached from here".to_owned());
    }
    run(command(program()).args(["--offline", "check", "advisories"]))
}

fn program() -> PathBuf {
    folder().join("bin/cargo-deny")
}

fn folder() -> PathBuf {
    crate::root().join("target/tools")
}

/// Unoptimised: it builds in half the time and runs for a second either way.
fn install(place: Place) -> Outcome {
    let version = command(program()).arg("--version").output();
    let is_there = version.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == VERSION)
    });
    if is_there {
        return Outcome::Passed;
    }
    let build = folder().join("build");
    let mut install = cargo(place);
    install.args(["install", "cargo-deny", "--locked", "--debug", "--force"]);
    install.args(["--version", VERSION, "--root"]).arg(folder());
    install.env("CARGO_TARGET_DIR", &build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    let outcome = run(&mut install);
    match fs::remove_dir_all(&build) {
        Err(error) if build.exists() => println!("{} stays behind: {error}", build.display()),
        _ => {}
    }
    outcome
}
