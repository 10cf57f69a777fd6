//! Running one command and saying how it ended. It must not decide what its end means for CI.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::Place;

/// How many lines of complaint an outcome repeats.
const MAX_REPEATED: usize = 20;

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It ran and passed.
    Passed,
    /// It could not run although it should have: a failure where nobody watches.
    Skipped(String),
    /// It was not asked for, or lies outside this machine's reach.
    LeftOut(String),
    /// It ran and failed.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => write!(f, "passed"),
            Self::Skipped(why) => write!(f, "SKIPPED: {why}"),
            Self::LeftOut(why) => write!(f, "left out: {why}"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

/// A command that starts at the top of the repository.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(crate::root());
    command
}

/// Cargo. Incremental builds cost time and space where nothing is built twice, and so do line
/// tables where nobody debugs.
pub(super) fn cargo(place: Place) -> Command {
    let mut cargo = command("cargo");
    if place == Place::Ci {
        cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    }
    cargo
}

/// Runs a command in the open.
pub(super) fn run(command: &mut Command) -> Outcome {
    run_heard(command, |_| {})
}

/// Runs a command; each line of its output is printed and heard. What it called an error is said
/// again in the outcome: the end of a long output is all that some people see of it.
pub(super) fn run_heard(command: &mut Command, mut hear: impl FnMut(&str)) -> Outcome {
    let mut errors = Vec::new();
    let outcome = ended(command, |line| {
        if errors.len() < MAX_REPEATED && is_complaint(line) {
            errors.push(line.to_owned());
        }
        hear(line);
    });
    match outcome {
        Outcome::Failed(why) if !errors.is_empty() => {
            Outcome::Failed(format!("{why}\n    {}", errors.join("\n    ")))
        }
        other => other,
    }
}

/// Whether a line of cargo's, rustc's or a test harness's says what went wrong.
fn is_complaint(line: &str) -> bool {
    line.starts_with("error") || line.ends_with(" ... FAILED")
}

/// Whether a command runs and succeeds; nobody sees what it prints.
pub(super) fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

fn command_name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args()).take(2);
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn ended(command: &mut Command, mut hear: impl FnMut(&str)) -> Outcome {
    let name = command_name(command);
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("`{name}` did not start: {error}")),
    };
    let (sender, lines) = channel();
    spawn_reader(child.stdout.take(), &sender);
    spawn_reader(child.stderr.take(), &sender);
    drop(sender);
    for line in lines {
        println!("{line}");
        hear(&line);
    }
    match child.wait() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("`{name}`: {status}")),
        Err(error) => Outcome::Failed(format!("`{name}`: {error}")),
    }
}

fn spawn_reader(stream: Option<impl Read + Send + 'static>, sender: &Sender<String>) {
    if let Some(stream) = stream {
        let sender = sender.clone();
        thread::spawn(move || send_lines(stream, &sender));
    }
}

/// A test may print what is not UTF-8; it is still to be heard.
fn send_lines(stream: impl Read, sender: &Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if sender.send(text).is_err() {
            return;
        }
    }
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    reader.read_until(b'\n', line)
}
