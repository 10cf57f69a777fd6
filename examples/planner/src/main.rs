//! An event planner: anyone lists events, only a signed-in user adds one. It trusts one issuer's
//! tokens and knows nothing else about the server behind them.

mod events;
mod problem;
mod routes;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum, value_parser};
use munjigi_verify::{BuildError, Revocations, Verifier};
use tokio::signal::unix::{SignalKind, signal};

use events::Events;

/// An event planner that trusts Munjigi's tokens.
#[derive(Parser)]
struct Options {
    /// Whose tokens to trust, exactly as in their `iss`.
    #[arg(long, env = "MUNJIGI_ISSUER", default_value = "http://localhost:8000")]
    issuer: String,
    /// This API's identifier: the `aud` of its tokens.
    #[arg(long, env = "MUNJIGI_AUDIENCE", default_value = "http://localhost:8001")]
    audience: String,
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// The SQLite file of the events, or `:memory:`.
    #[arg(long, default_value = "planner.db")]
    database: PathBuf,
    /// How far the issuer's clock and ours may be apart.
    #[arg(long, default_value_t = 30)]
    leeway_seconds: u64,
    /// The client that this API is to the issuer, to follow what is revoked; without it a token
    /// that was revoked passes until it expires.
    #[arg(long, env = "MUNJIGI_CLIENT_ID", requires = "client_secret_file")]
    client_id: Option<String>,
    /// The file with the secret of that client: on a command line everybody could read it.
    #[arg(long, env = "MUNJIGI_CLIENT_SECRET_FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// Whether a token that was revoked is refused; where there is a client, `best_effort` unless
    /// said otherwise.
    #[arg(
        long,
        env = "MUNJIGI_REVOCATIONS",
        requires_ifs = [("best_effort", "client_id"), ("strict", "client_id")]
    )]
    revocations: Option<Mode>,
    /// How old what is known of revocations may be before `strict` lets nobody in.
    #[arg(
        long,
        env = "MUNJIGI_MAX_STALENESS_SECONDS",
        default_value_t = 30,
        value_parser = value_parser!(u64).range(5..=3_600)
    )]
    max_staleness_seconds: u64,
}

/// The ways to follow what is revoked (docs/guide/revocation.md).
#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Mode {
    /// Not at all.
    Off,
    /// Goes by what it knows while the issuer is out of reach: it would rather be up than strict.
    BestEffort,
    /// Lets nobody in while what it knows is too old: it would rather be down than wrong.
    Strict,
}

impl Options {
    fn followed(&self) -> Revocations {
        match self.revocations {
            Some(Mode::Off) => Revocations::Off,
            None | Some(Mode::BestEffort) => Revocations::BestEffort,
            Some(Mode::Strict) => {
                let max_staleness = Duration::from_secs(self.max_staleness_seconds);
                Revocations::Strict { max_staleness }
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let secret = options.client_secret_file.as_ref().map(std::fs::read_to_string).transpose()?;
    let verifier = verifier(&options, secret.as_deref())?;
    let events = Events::open(&options.database)?;

    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    announce(listener.local_addr()?);
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    axum::serve(listener, routes::app(&verifier, events))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        })
        .await?;
    Ok(())
}

/// Trusts the issuer's tokens and, as one of its clients, follows what it revokes.
fn verifier(options: &Options, secret: Option<&str>) -> Result<Verifier, BuildError> {
    let metadata = format!("{}/.well-known/oauth-protected-resource", options.audience);
    let builder = Verifier::builder(&options.issuer, &options.audience)
        .leeway(Duration::from_secs(options.leeway_seconds))
        .resource_name("Event planner")
        .resource_metadata(&metadata);
    let builder = match (&options.client_id, secret) {
        (Some(id), Some(secret)) => {
            builder.client_credentials(id, secret.trim_end()).revocations(options.followed())
        }
        _ => builder,
    };
    builder.build()
}

/// Whoever started this process waits for the line and reads the port in it.
#[expect(clippy::print_stdout, reason = "a command speaks on standard output")]
fn announce(address: SocketAddr) {
    println!("planner listening on http://{address}");
}
