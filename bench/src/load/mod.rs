//! `load`: scenarios against real servers in processes of their own, on loopback. Each prints what
//! it measured beside its bound of the same run.

mod client;
mod figure;
mod flow;
mod growth;
mod http;
mod isolation;
mod measure;
pub mod population;
mod revocation;
mod rows;
mod sign_in;
mod start;
mod storm;

use std::path::PathBuf;
use std::time::Duration;

use munjigi_store::DatabaseUrl;
use munjigi_store::testing::Database;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Builder;

use self::figure::Figure;
use self::measure::{Cores, Measure};
use crate::Arguments;
use crate::child::stay_on_core;

const EVERY_RUN: [&str; 14] = [
    "http",
    "client-credentials",
    "introspection",
    "userinfo",
    "refresh",
    "flow",
    "sign-in",
    "isolation",
    "storm",
    "memory",
    "start",
    "size",
    "refresh-postgres",
    "sign-in-postgres",
];

/// What takes longer, and is asked for by name.
const LONGER: [&str; 4] = ["growth", "growth-postgres", "revocation", "revocation-nodes"];

/// What is about both cores, or about a program that is left alone.
const UNPINNED: [&str; 9] = [
    "sign-in",
    "sign-in-postgres",
    "memory",
    "start",
    "size",
    "growth",
    "growth-postgres",
    "revocation",
    "revocation-nodes",
];

/// Whether something is measured by this name.
pub fn is_scenario(name: &str) -> bool {
    EVERY_RUN.contains(&name) || LONGER.contains(&name)
}

/// Runs what was asked for.
pub fn run(arguments: &Arguments) {
    let names = arguments.names();
    let names = if names.is_empty() { EVERY_RUN.to_vec() } else { names };
    let mut figures = Vec::new();
    for name in names {
        let found = scenario(name, arguments);
        if !arguments.has("--json") {
            for figure in &found {
                println!("{}", figure.text());
            }
        }
        figures.extend(found);
    }
    if arguments.has("--json") {
        let all: Vec<_> = figures.iter().map(Figure::json).collect();
        println!("{}", json!(all));
        return;
    }
    println!("\n{}", figure::HEAD);
    for figure in figures {
        println!("{}", figure.row());
    }
}

fn scenario(name: &str, arguments: &Arguments) -> Vec<Figure> {
    let (mut measure, name) = (measure(arguments), name.to_owned());
    let program = || program(arguments);
    let many = Many {
        rows: arguments.number("--rows", 1_000_000),
        trials: arguments.number("--trials", 1_000),
    };
    std::thread::scope(|scope| {
        // A thread of its own, so that the core it is kept on is not that of the next scenario.
        scope.spawn(|| run_scenario(&name, &mut measure, &program, many)).join().unwrap()
    })
}

/// How much of something.
#[derive(Clone, Copy)]
struct Many {
    rows: usize,
    trials: usize,
}

fn run_scenario(
    name: &str,
    measure: &mut Measure,
    program: &(dyn Fn() -> PathBuf + Sync),
    many: Many,
) -> Vec<Figure> {
    let is_apart = measure.cores == Cores::Apart && !UNPINNED.contains(&name);
    let runtime = if is_apart || ["isolation", "storm"].contains(&name) {
        stay_on_core(1);
        Builder::new_current_thread().enable_all().build().unwrap()
    } else {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };
    runtime.block_on(async {
        match name {
            "http" => http::documents(measure).await,
            "client-credentials" => http::client_credentials(measure).await,
            "introspection" => http::introspection(measure).await,
            "userinfo" => http::userinfo(measure).await,
            "refresh" => http::refresh(measure, Place::sqlite()).await,
            "flow" => flow::run(measure, Place::sqlite()).await,
            "isolation" => isolation::run().await,
            "storm" => storm::run().await,
            "sign-in" => sign_in::rate(measure, Place::sqlite()).await,
            "memory" => sign_in::waiting().await,
            "start" => start::run(&program()).await,
            "size" => start::size(&program()),
            "refresh-postgres" => match Place::postgres().await {
                Some(place) => http::refresh(measure, place).await,
                None => Vec::new(),
            },
            "sign-in-postgres" => match Place::postgres().await {
                Some(place) => sign_in::rate(measure, place).await,
                None => Vec::new(),
            },
            "revocation" => revocation::one_node(many.trials).await,
            "revocation-nodes" => match Place::postgres().await {
                Some(place) => revocation::two_nodes(place, many.trials).await,
                None => Vec::new(),
            },
            "growth" => growth::run(&[Place::sqlite(), Place::sqlite()], many.rows).await,
            "growth-postgres" => match (Place::postgres().await, Place::postgres().await) {
                (Some(small), Some(large)) => growth::run(&[small, large], many.rows).await,
                _ => Vec::new(),
            },
            other => panic!("there is no scenario `{other}`"),
        }
    })
}

fn measure(arguments: &Arguments) -> Measure {
    let connections = arguments.find("--connections").unwrap_or("16,64");
    let connections = connections.split(',').map(|text| text.parse().unwrap()).collect();
    let window = Duration::from_millis(arguments.number("--window", 400) as u64);
    let cores = if arguments.has("--together") { Cores::Together } else { Cores::Apart };
    Measure::new(arguments.number("--pairs", 12), window, (connections, cores))
}

/// The product's own program: the one beside this one, unless another is named.
fn program(arguments: &Arguments) -> PathBuf {
    let beside = || std::env::current_exe().unwrap().with_file_name("munjigi");
    let program = arguments.find("--munjigi").map_or_else(beside, PathBuf::from);
    assert!(program.is_file(), "{} is not there: build it, or name it", program.display());
    program
}

/// A fresh database of either kind; it goes with this value.
pub struct Place {
    url: String,
    kind: &'static str,
    _directory: Option<TempDir>,
    _database: Option<Database>,
}

impl Place {
    fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = directory.path().join("munjigi.db").display().to_string();
        Self { url, kind: "sqlite", _directory: Some(directory), _database: None }
    }

    async fn postgres() -> Option<Self> {
        let database = Database::postgres().await?;
        let DatabaseUrl::Postgres(url) = database.url().clone() else { return None };
        Some(Self { url, kind: "postgres", _directory: None, _database: Some(database) })
    }
}
