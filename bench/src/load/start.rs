//! The product's own program: from its start to its first 200, its memory when it idles, its size.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::child::memory;
use crate::clock;
use crate::load::client::{Caller, Connected, Connection, basic};
use crate::load::figure::{Figure, Goal};
use crate::statistics::{Spread, quartiles};

const STARTS: usize = 11;
/// Until the RSA key is made and the hashing threads have given their memory back.
const QUIET: Duration = Duration::from_secs(9);

/// A running program, ended with this value.
struct Running {
    process: Child,
    address: SocketAddr,
    ready: Value,
    took: f64,
}

impl Running {
    /// Starts `munjigi dev` on a directory and waits for its first 200.
    async fn start(program: &Path, data: &Path) -> Self {
        let mut command = Command::new(program);
        command.args(["dev", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let began = clock::now();
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let (_, address) = ready["issuer"].as_str().unwrap().split_once("://").unwrap();
        let address = address.parse().unwrap();
        let mut connection = Connection::open(address).await;
        connection.json(&Caller::get("/.well-known/jwks.json", None)).await;
        let took = began.elapsed().as_secs_f64() * 1e3;
        Self { process, address, ready, took }
    }

    fn secret(&self) -> String {
        let clients = self.ready["clients"].as_array().unwrap();
        let web = clients.iter().find(|it| it["client_id"] == "web").unwrap();
        basic("web", web["client_secret"].as_str().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // By its own id, as everybody would stop it.
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        drop(self.process.wait());
    }
}

/// Starts and memory.
pub async fn run(program: &Path) -> Vec<Figure> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let data = tempfile::tempdir().unwrap();
        first.push(Running::start(program, data.path()).await.took);
    }
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(program, data.path()).await;
    // So long that the RSA key is there, and is not made again.
    wait(QUIET).await;
    drop(running);
    for _ in 0..STARTS {
        again.push(Running::start(program, data.path()).await.took);
    }
    let first = Figure::plain("first start to first 200", quartiles(&first), "ms");
    let again = Figure::plain("start on an existing database", quartiles(&again), "ms");
    let mut figures = vec![first.goal(Goal::AtMost(150.0)), again.goal(Goal::AtMost(40.0))];
    figures.extend(resident(program, data.path()).await);
    figures
}

async fn resident(program: &Path, data: &Path) -> Vec<Figure> {
    let running = Running::start(program, data).await;
    wait(QUIET).await;
    let (idle, _) = memory(running.process.id());
    let body = "grant_type=client_credentials";
    let caller = Caller::form("/oauth2/token", Some(&running.secret()), body);
    let connected = Connected::open(running.address, vec![caller; 64]).await;
    let (window, _) = connected.run(Duration::from_secs(4)).await;
    assert_eq!(window.refused, 0);
    wait(QUIET).await;
    let (after, peak) = memory(running.process.id());
    let mib = |kib: u64| kib as f64 / 1_024.0;
    let value = Spread { median: mib(idle), low: mib(idle), high: mib(idle) };
    let note = format!(
        "after {} requests on 64 connections {:.1}, peak {:.1}",
        window.requests,
        mib(after),
        mib(peak)
    );
    let figure = Figure::plain("resident memory, idle", value, "MiB").note(note);
    vec![figure.goal(Goal::AtMost(24.0))]
}

/// Waits, as nothing tells when an idle program is done with being idle.
async fn wait(time: Duration) {
    drop(timeout(time, std::future::pending::<()>()).await);
}

/// The program, stripped by the tool that is there for it.
pub fn size(program: &Path) -> Vec<Figure> {
    let directory = tempfile::tempdir().unwrap();
    let stripped = directory.path().join("munjigi");
    let mut strip = Command::new("strip");
    strip.arg("-s").arg("-o").arg(&stripped).arg(program);
    if !strip.status().is_ok_and(|status| status.success()) {
        return Vec::new();
    }
    let mib = std::fs::metadata(stripped).unwrap().len() as f64 / 1_048_576.0;
    let value = Spread { median: mib, low: mib, high: mib };
    vec![Figure::plain("the program, stripped", value, "MiB")]
}
