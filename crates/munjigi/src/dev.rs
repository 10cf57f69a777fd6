//! `munjigi dev`: a server to try things with, on this machine alone. People and clients are
//! there; their passwords are public, and so no other machine may reach it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use munjigi_server::config::{LogFormat, MetricsListen, Network, Outbound, exposed, is_exposed};
use munjigi_server::serve::{Doors, serve_at};
use munjigi_server::{App, Clock, Config, EncryptionKey, Failure, Mode, demo, jobs, router};
use munjigi_store::DatabaseUrl;

use crate::banner;
use crate::config::hashing_threads;
use crate::listen::{self, Listening, Loopback};
use crate::metrics;
use crate::print::{self, Output};
use crate::serve::{letting_go, make_rsa_key, told_to_stop};
use crate::stop::{Code, Stop};

/// Where data is kept.
pub const DATA: &str = "munjigi-dev";
/// The database there.
pub const DATABASE: &str = "munjigi.db";
/// The key-encryption key there.
const KEY: &str = "encryption.key";

/// `munjigi dev …`
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Where to listen, on this machine alone; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "localhost:8000")]
    listen: Loopback,

    /// Keep nothing: the database is in memory
    #[arg(long, conflicts_with = "data")]
    memory: bool,

    /// Print what there is as one JSON object on the first line
    #[arg(long)]
    json: bool,

    /// Let clients that nobody here knows make themselves known, as MCP asks
    #[arg(long)]
    mcp: bool,

    /// Where the metrics are told, on this machine alone: nowhere unless this says so
    #[arg(long, value_name = "ADDR:PORT")]
    metrics: Option<Loopback>,

    /// Where data is kept
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
}

/// Serves until it is told to stop.
pub async fn run(args: DevArgs, output: Output) -> Result<(), Stop> {
    // First, so that nothing is made for a server that cannot listen.
    let listening = listen::on_loopback(args.listen).await?;
    let stop = told_to_stop()?;
    let config = configure(&args, &listening)?;
    let metrics = metrics::bind(config.metrics_listen).await?;
    let app = App::start(config, Clock::system()).await.map_err(|error| explain(error, &args))?;
    demo::ensure(&app).await?;
    let metrics_at = metrics.as_ref().map(|bound| bound.address);
    if let Some(bound) = metrics {
        metrics::start(&app, bound);
    }
    jobs::start(&app);
    let router = router(&app);

    // Whoever reads it may call at once: the sockets are open.
    let there = banner::what_is_there(&app, metrics_at).await?;
    if args.json || output == Output::Json {
        print::json_line(&there.json())?;
    } else {
        let data = if args.memory { None } else { Some(args.data.as_path()) };
        print::text(&there.text(data))?;
    }
    make_rsa_key(&app);

    let (listeners, connections) = (listening.listeners, app.metrics.connections.clone());
    let doors = Doors { listeners, tls: None, proxies: Vec::new(), connections };
    serve_at(doors, router, letting_go(&app, stop), async {}).await;
    app.finish().await;

    app.store.clone().close().await;
    Ok(())
}

fn configure(args: &DevArgs, listening: &Listening) -> Result<Config, Stop> {
    let (database, key) = if args.memory {
        let key = EncryptionKey::generate().map_err(Failure::from)?;
        (DatabaseUrl::SqliteMemory, key.to_string())
    } else {
        let key = kept_key(&args.data)?;
        let file = args.data.join(KEY);
        if is_exposed(&file) {
            tracing::warn!(why = exposed(&file), "others can read the key");
        }
        (DatabaseUrl::SqliteFile(args.data.join(DATABASE)), key)
    };
    let key = EncryptionKey::parse(&key).map_err(|error| {
        let file = args.data.join(KEY);
        Stop::new(Code::Failed, format!("{}: {error}", file.display()))
    })?;
    Ok(Config {
        mode: Mode::Dev,
        issuer: listening.url.clone(),
        listen: listening.address,
        database,
        encryption_key: Arc::new(key),
        trusted_proxies: Vec::new(),
        access_ttl: None,
        hashing_threads: hashing_threads(),
        log_format: LogFormat::Text,
        metrics_listen: args.metrics.map_or(MetricsListen::Off, |it| MetricsListen::At(it.first())),
        anchors: Vec::new(),
        mail: None,
        // Applications that are tried out here publish their keys here.
        outbound: Outbound { allowed: Network::LOOPBACK.to_vec(), ..Outbound::default() },
        tls: None,
        mcp: args.mcp,
    })
}

/// The key-encryption key of a data directory; both are made on the first start.
fn kept_key(data: &Path) -> Result<String, Stop> {
    let failed =
        |path: &Path, error: &std::io::Error| Stop::file(&path.display().to_string(), error);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| failed(data, &error))?;
    // Keys and accounts are nothing for a repository.
    write_new(&data.join(".gitignore"), b"*\n").map_err(|error| failed(data, &error))?;

    let file = data.join(KEY);
    if let Ok(key) = std::fs::read_to_string(&file) {
        return Ok(key);
    }
    let key = EncryptionKey::generate().map_err(Failure::from)?;
    write_new(&file, key.as_bytes()).map_err(|error| failed(&file, &error))?;
    std::fs::read_to_string(&file).map_err(|error| failed(&file, &error))
}

/// Writes a file that only its owner reads, unless it is there already.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match opened {
        Ok(mut file) => {
            file.write_all(content)?;
            file.sync_all()
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn explain(failure: Failure, args: &DevArgs) -> Stop {
    match failure {
        Failure::Keys(error) => {
            let data = args.data.display();
            let advice = format!("delete {data} to begin anew, or bring its {KEY} back");
            Stop::new(Code::Failed, format!("{error}; {advice}"))
        }
        other => Stop::unopened(other),
    }
}
