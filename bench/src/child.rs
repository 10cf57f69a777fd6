//! The servers that are measured, each in a process of its own, so that its processor time is
//! its own: a bare axum hello, ours, and resource servers that follow it. A line on standard input
//! is answered with a line of figures; the end of it ends the process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG,
};
use axum::routing::get;
use axum::{Json, Router};
use munjigi_server::{App, Clock, Config, EncryptionKey, Mode, demo, jobs, router, serve};
use munjigi_store::{DatabaseUrl, Statistics};
use munjigi_verify::{Revocations, Verifier};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::load::population::{self, Population};
use crate::{Arguments, clock};

/// The issuer of the measured server, whatever its port.
pub const ISSUER: &str = "http://localhost:8000";

/// How long the hello's document is: about as long as discovery is.
const DOCUMENT: usize = 1_300;

/// A server in a process of its own, as its parent sees it. It ends with this value.
pub struct Child {
    process: std::process::Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub ready: Value,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What a server has used and done since it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub cpu: Duration,
    pub writes: u64,
    pub commits: u64,
    pub retries: u64,
}

impl Child {
    /// Starts this program again as `child-hello` or `child-server`.
    pub fn start(words: &[&str]) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let questions = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let ready = read_line(&mut answers);
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { process, questions, answers, ready, address }
    }

    /// What it has used and done until now.
    pub fn report(&mut self) -> Report {
        self.questions.as_mut().unwrap().write_all(b"report\n").unwrap();
        let said = read_line(&mut self.answers);
        let number = |name: &str| said[name].as_u64().unwrap_or_default();
        Report {
            cpu: Duration::from_nanos(number("cpu_ns")),
            writes: number("writes"),
            commits: number("commits"),
            retries: number("retries"),
        }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.questions.take());
        drop(self.process.wait());
    }
}

fn read_line(from: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    serde_json::from_str(&line).expect("the measured server ended")
}

/// Resident memory of a process in KiB: now, and at its peak.
pub fn memory(id: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Keeps the calling thread, and those that it starts, on one core.
pub fn stay_on_core(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).unwrap();
}

fn runtime(arguments: &Arguments) -> Runtime {
    if let Some(core) = arguments.find("--core") {
        stay_on_core(core.parse().unwrap());
    }
    let workers = arguments.number("--workers", 2);
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// H: the least that an HTTP server does. GET answers, also with a document as long as ours;
/// POST reads the body and answers. It is served by axum's own loop, or by ours with its deadlines,
/// to tell the price of those.
pub fn hello(arguments: &Arguments) {
    runtime(arguments).block_on(async {
        let greet = async || Json(json!({"hello": "world"}));
        let read = async |body: Bytes| Json(json!({"hello": body.len()}));
        let headers = [
            (ETAG, "\"0123456789abcdef\""),
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        let document = Bytes::from(vec![b' '; DOCUMENT]);
        let show = async move || (headers, document.clone());
        let router = Router::new().route("/", get(greet).post(read)).route("/document", get(show));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        say(&json!({"port": listener.local_addr().unwrap().port()}));
        let stop = answer(Statistics::default);
        if arguments.has("--served-as-ours") {
            serve::serve(vec![listener], router, stop).await;
            return;
        }
        let served = axum::serve(listener, router).into_future();
        tokio::select! { _ = served => {}, () = stop => {} }
    });
}

/// The product: its router, its way of serving, its jobs.
pub fn server(arguments: &Arguments) {
    runtime(arguments).block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = App::start(config(arguments, address), Clock::system()).await.unwrap();
        demo::ensure(&app).await.unwrap();
        if arguments.has("--id-tokens") {
            // The product makes this key beside everything else, in its first second.
            app.ensure_rsa_key().await.unwrap();
        }
        jobs::start(&app);
        let size = arguments.number("--users", 0)..arguments.number("--grants", 0);
        let people = Population { users: size.start, grants: size.end };
        let refresh_tokens = population::fill(&app, people).await;
        let demo = demo::demo_clients(&app).unwrap();
        let secret = |id: &str| {
            let of = demo.iter().find(|it| it.client.id.as_str() == id);
            of.and_then(|it| it.secret.as_ref()).unwrap().reveal().to_owned()
        };
        say(&json!({
            "port": address.port(), "refresh_tokens": refresh_tokens,
            "secret": secret("web"), "planner_secret": secret(demo::PLANNER_CLIENT),
        }));
        let stop = answer(|| app.store.statistics());
        tokio::select! {
            () = serve::serve(vec![listener], router(&app), std::future::pending()) => {}
            () = stop => {}
        }
    });
    // What is under way is of no interest any more.
    std::process::exit(0);
}

/// Many resource servers that follow one issuer, each as if it were alone: they share nothing but
/// the process. `GET /` tells at how many of them a token passes.
pub fn followers(arguments: &Arguments) {
    let (issuer, secret) =
        (arguments.find("--issuer").unwrap(), arguments.find("--secret").unwrap());
    let many = arguments.number("--followers", 1);
    runtime(arguments).block_on(async {
        let follower = || {
            let builder = Verifier::builder(issuer, demo::PLANNER_AUDIENCE);
            let builder = builder.client_credentials(demo::PLANNER_CLIENT, secret);
            builder.revocations(Revocations::BestEffort).build().unwrap()
        };
        let all: Arc<[Verifier]> = (0..many).map(|_| follower()).collect();
        let mut looks = tokio::time::interval(Duration::from_millis(10));
        while all.iter().any(|one| one.status().revocation_staleness.is_none()) {
            looks.tick().await;
        }
        let count = async move |headers: HeaderMap| {
            let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let token = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            let mut passed = 0;
            for one in all.iter() {
                passed += usize::from(one.verify(token).await.is_ok());
            }
            Json(json!({"passed": passed}))
        };
        let router = Router::new().route("/", get(count));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        say(&json!({"port": listener.local_addr().unwrap().port()}));
        let served = axum::serve(listener, router).into_future();
        tokio::select! { _ = served => {}, () = answer(Statistics::default) => {} }
    });
}

fn config(arguments: &Arguments, listen: SocketAddr) -> Config {
    let issuer = match arguments.find("--issuer") {
        Some(issuer) => issuer.to_owned(),
        None if arguments.has("--issuer-here") => format!("http://{listen}"),
        None => ISSUER.to_owned(),
    };
    let database = match arguments.find("--database") {
        None => DatabaseUrl::SqliteMemory,
        Some(text) if text.starts_with("postgres") => DatabaseUrl::Postgres(text.to_owned()),
        Some(path) => DatabaseUrl::SqliteFile(Path::new(path).to_owned()),
    };
    Config {
        mode: Mode::Serve,
        issuer,
        listen,
        database,
        encryption_key: Arc::new(EncryptionKey::from_bytes(&[7; 32]).unwrap()),
        trusted_proxies: vec![],
        access_ttl: None,
        hashing_threads: arguments.number("--hashing", 1),
        log_format: munjigi_server::config::LogFormat::Text,
        anchors: vec![],
        metrics_listen: Default::default(),
        mail: None,
        outbound: Default::default(),
        tls: None,
        mcp: false,
    }
}

fn say(value: &Value) {
    println!("{value}");
    std::io::stdout().flush().unwrap();
}

/// Answers every line with a report, until there are no more.
async fn answer(statistics: impl Fn() -> Statistics) {
    let (sender, mut lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while lines.recv().await.is_some() {
        let Statistics { writes, commits, retries, .. } = statistics();
        let cpu = u64::try_from(clock::of_process().as_nanos()).unwrap();
        say(&json!({
            "cpu_ns": cpu, "writes": writes, "commits": commits, "retries": retries,
        }));
    }
}
