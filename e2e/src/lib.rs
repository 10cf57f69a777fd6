//! Starts the real programs as processes on loopback, and calls them with the real `curl`. A
//! process ends with the value that holds it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a harness of tests: whatever is not as it should be ends the test"
)]

mod caller;
pub mod contention;
pub mod crash;
pub mod edge;
pub mod failover;
pub mod flood;
pub mod nodes;
pub mod postbox;
pub mod production;
mod random;
pub mod statistics;
pub mod storm;
pub mod timings;
mod witness;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long a program may take to say its first line.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the programs were built: beside this one, and above the tests.
pub fn built(name: &str) -> PathBuf {
    let beside = || {
        let directory = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        if directory.ends_with("deps") { directory.parent().unwrap().to_owned() } else { directory }
    };
    let directory = std::env::var_os("MUNJIGI_BIN_DIR").map_or_else(beside, PathBuf::from);
    let program = directory.join(name);
    if !program.exists() {
        let package = if name == "munjigi" { "munjigi" } else { name };
        let built = Command::new("cargo").args(["build", "-p", package]).status().unwrap();
        assert!(built.success(), "{name} does not build");
    }
    program
}

/// The top of the repository.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program that runs until this value is dropped.
pub struct Running {
    child: Child,
    /// The first line that it wrote to standard output.
    pub first_line: String,
}

impl Running {
    /// Starts a program and waits for its first line.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("does not start");
        let output = child.stdout.take().unwrap();
        let (told, hears) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody listens after the first line; reading on keeps the pipe empty.
                drop(told.send(line));
            }
        });
        match hears.recv_timeout(PATIENCE) {
            Ok(first_line) => Self { child, first_line },
            Err(error) => {
                drop(child.kill());
                panic!("{command:?} said nothing: {error}");
            }
        }
    }

    /// The URL at the end of a line such as `planner listening on http://…`.
    pub fn url(&self) -> String {
        self.first_line.rsplit(' ').next().unwrap().to_owned()
    }
}

impl Running {
    /// Tells it to stop, and waits until it has; its exit code.
    fn stop(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `munjigi dev`, in a directory of its own.
pub struct Dev {
    /// What it printed with `--json`.
    pub there: Value,
    /// The issuer.
    pub issuer: String,
    /// Where its data is.
    pub data: tempfile::TempDir,
    running: Running,
}

impl Dev {
    /// Starts it on any free port.
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(built("munjigi"));
        command.args(["dev", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
        let running = Running::start(&mut command);
        let there: Value = serde_json::from_str(&running.first_line).expect("one JSON object");
        let issuer = there["issuer"].as_str().unwrap().to_owned();
        Self { there, issuer, data, running }
    }

    /// Tells it to stop, and waits until it has; its exit code. Its data stays.
    pub fn stop(&mut self) -> Option<i32> {
        self.running.stop()
    }

    /// A command line of `munjigi` on the same database.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let database = format!("sqlite:{}", self.data.path().join("munjigi.db").display());
        let mut command = Command::new(built("munjigi"));
        let output = command.args(arguments).args(["--database", &database]).output().unwrap();
        let problem = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {problem}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The demo client of this id.
    pub fn client(&self, id: &str) -> &Value {
        let clients = self.there["clients"].as_array().unwrap();
        clients.iter().find(|client| client["client_id"] == id).unwrap()
    }
}

/// The planner, for an audience.
pub fn planner(issuer: &str, audience: &str, leeway_seconds: u32) -> Running {
    let mut command = Command::new(built("planner"));
    command.args(["--issuer", issuer, "--audience", audience, "--listen", "127.0.0.1:0"]);
    command.args(["--database", ":memory:", "--leeway-seconds", &leeway_seconds.to_string()]);
    Running::start(&mut command)
}

/// The planner as a client of a server, that follows what is revoked there.
pub fn planner_following(dev: &Dev, audience: &str) -> Running {
    let secret = dev.data.path().join("planner.secret");
    let client = dev.client("planner");
    std::fs::write(&secret, client["client_secret"].as_str().unwrap()).unwrap();
    let mut command = Command::new(built("planner"));
    command.args(["--issuer", &dev.issuer, "--audience", audience, "--listen", "127.0.0.1:0"]);
    command.args(["--database", ":memory:", "--client-id", "planner", "--client-secret-file"]);
    Running::start(command.arg(&secret))
}

/// What `curl` brought back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// A text member of the body.
    pub fn text(&self, name: &str) -> String {
        let found = self.json()[name].as_str().map(str::to_owned);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    /// Fails unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// Runs the real `curl`.
pub fn curl(arguments: &[&str]) -> Answer {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "--http1.1", "--max-time", "30", "--noproxy", "*"]).args(arguments);
    let output = command.output().expect("curl is installed");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {problem}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// Posts JSON with `curl`, with a token or without.
pub fn post(url: &str, body: &Value, token: Option<&str>) -> Answer {
    let body = body.to_string();
    let bearer = format!("Authorization: Bearer {}", token.unwrap_or_default());
    let mut arguments =
        vec!["-X", "POST", url, "-H", "Content-Type: application/json", "-d", &body];
    if token.is_some() {
        arguments.extend(["-H", &bearer]);
    }
    curl(&arguments)
}

/// Gets with `curl`, with a token or without.
pub fn get(url: &str, token: Option<&str>) -> Answer {
    let bearer = format!("Authorization: Bearer {}", token.unwrap_or_default());
    match token {
        Some(_) => curl(&[url, "-H", &bearer]),
        None => curl(&[url]),
    }
}

/// Sends a form with `curl`.
pub fn form(url: &str, parameters: &[(&str, &str)]) -> Answer {
    let encoded: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments = vec!["-X", "POST", url];
    for parameter in &encoded {
        arguments.extend(["--data-urlencode", parameter]);
    }
    curl(&arguments)
}

/// Says loudly that something could not be tested; that is a failure where `CI` is set.
pub fn skipped(why: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "SKIPPED: {why}").unwrap();
    assert!(std::env::var_os("CI").is_none(), "skipped in CI: {why}");
}

/// Says that something was left out because this machine lacks a program that the tests do not
/// install. It is read in the summary, and fails nothing.
pub fn left_out(why: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "LEFT OUT: {why}").unwrap();
}
