//! `cargo xtask fuzz`: every target of `fuzz/` under libFuzzer, one after the other on one core.
//! What is found goes to `target/fuzz-found`; what is new and worth keeping, to the corpus.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clock::timed;

/// An input that takes longer than this, in seconds, is a finding.
const SLOWEST: u32 = 5;
/// The longest input, in bytes: half of the largest token.
const LONGEST: u32 = 4_096;
/// What a kept input is called behind its hash: it is nobody's text.
const ENDING: &str = "input";
/// How many inputs of a target are kept, and how long one may be.
const KEPT: usize = 80;
const KEPT_BYTES: u64 = 1_024;

/// What is fuzzed, and for how long.
struct Campaign {
    minutes: f64,
    targets: Vec<String>,
}

/// Builds the targets and runs each that is named, or all of them: `--minutes N` for each. Whether
/// nothing was found.
pub fn run(words: &[&str]) -> bool {
    let campaign = match Campaign::parse(words) {
        Ok(campaign) => campaign,
        Err(why) => {
            println!("{why}");
            return false;
        }
    };
    let Some(program) = build() else { return false };
    let mut rows = Vec::new();
    for target in &campaign.targets {
        println!("\n== {target}");
        let (ended, took) = timed(|| fuzz(&program, target, campaign.minutes));
        match ended {
            Ok(found) => rows.push((target, took, found)),
            Err(error) => {
                println!("{target} did not run: {error}");
                return false;
            }
        }
    }

    println!("\n{:<16} {:>8}  outcome", "target", "minutes");
    for (target, took, found) in &rows {
        let outcome = if *found { "FOUND: see target/fuzz-found" } else { "nothing found" };
        println!("{target:<16} {:>8.1}  {outcome}", took.as_secs_f64() / 60.0);
    }
    rows.iter().all(|(_, _, found)| !found)
}

impl Campaign {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let (minutes, named) = match words {
            ["--minutes", minutes, rest @ ..] => {
                let minutes: f64 = minutes.parse().map_err(|_| "--minutes takes a number")?;
                (minutes, rest)
            }
            rest => (1.0, rest),
        };
        let known = targets().map_err(|error| format!("fuzz/corpus cannot be read: {error}"))?;
        if let Some(unknown) = named.iter().find(|name| !known.iter().any(|it| it == *name)) {
            return Err(format!("there is no target {unknown}; there are {}", known.join(", ")));
        }
        let chosen = named.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self { minutes, targets: if named.is_empty() { known } else { chosen } })
    }
}

/// The names of the targets: those of their corpora.
fn targets() -> io::Result<Vec<String>> {
    let entries = fs::read_dir(corpus(""))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<String>>>()?;
    names.sort();
    Ok(names)
}

fn corpus(target: &str) -> PathBuf {
    crate::root().join("fuzz/corpus").join(target)
}

/// Builds the one program, instrumented. Where it is.
fn build() -> Option<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(crate::root());
    cargo.args(["build", "-p", "munjigi-fuzz", "--features", "libfuzzer"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    let wrapper = crate::root().join("xtask/wrappers/fuzz.sh");
    cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper).env("CARGO_INCREMENTAL", "0");
    crate::built::executables(&mut cargo)?.into_iter().next().map(|(_, path)| path)
}

/// One target for some minutes. Whether something was found.
fn fuzz(program: &Path, target: &str, minutes: f64) -> io::Result<bool> {
    let work = crate::root().join("target/fuzz-work").join(target);
    let found = crate::root().join("target/fuzz-found");
    fs::create_dir_all(&work)?;
    fs::create_dir_all(&found)?;
    let engine = |work: &Path| {
        let mut command = Command::new(program);
        command.env("MUNJIGI_FUZZ_TARGET", target).env("RUST_BACKTRACE", "1");
        command.arg(work).arg(corpus(target));
        command.args([format!("-timeout={SLOWEST}"), format!("-max_len={LONGEST}")]);
        command.arg("-rss_limit_mb=2048").arg("-verbosity=0");
        command
    };
    let mut long = engine(&work);
    long.arg(format!("-max_total_time={:.0}", minutes * 60.0));
    long.arg("-print_final_stats=1");
    long.arg(format!("-artifact_prefix={}/{target}-", found.display()));
    let dictionary = crate::root().join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.exists() {
        long.arg(format!("-dict={}", dictionary.display()));
    }
    let is_found = !long.status()?.success();

    // The smallest set of inputs that reaches everything that was reached.
    let merged = crate::root().join("target/fuzz-work").join(format!("{target}.merged"));
    drop(fs::remove_dir_all(&merged));
    fs::create_dir_all(&merged)?;
    let mut merge = engine(&merged);
    merge.arg(&work).arg("-set_cover_merge=1");
    if merge.status()?.success() {
        keep(target, &merged)?;
    }
    Ok(is_found)
}

/// Takes the shortest of what is new into the corpus, as far as there is room.
fn keep(target: &str, merged: &Path) -> io::Result<()> {
    let kept = fs::read_dir(corpus(target))?.count();
    let mut inputs = Vec::new();
    for entry in fs::read_dir(merged)? {
        let entry = entry?;
        inputs.push((entry.metadata()?.len(), entry.file_name(), entry.path()));
    }
    inputs.retain(|(length, ..)| *length <= KEPT_BYTES);
    inputs.sort();
    for (_, name, path) in inputs.into_iter().take(KEPT.saturating_sub(kept)) {
        let name = format!("{}.{ENDING}", name.to_string_lossy());
        fs::copy(path, corpus(target).join(name))?;
    }
    Ok(())
}
