//! `munjigi serve`: the server, as its configuration says. It makes no demo data and no user.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use munjigi_server::serve::Doors;
use munjigi_server::tls::{self, Tls, Unusable};
use munjigi_server::{App, Clock, ConfigFile, Mode, jobs, router, serve};
use munjigi_store::users;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::stop::{Code, Stop};
use crate::{config, environment, listen, logs, metrics};

/// How long connections are still taken after `/readyz` has begun to refuse.
const LINGER: Duration = Duration::from_secs(2);

/// `munjigi serve …`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration [default: munjigi.toml, if there is one; the environment alone otherwise]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves until it is told to stop.
pub async fn run(args: ServeArgs) -> Result<(), Stop> {
    let text = config::read(args.config.as_deref())?.unwrap_or_default();
    let parsed = ConfigFile::parse(&text, &environment::read());
    let config = parsed.and_then(|file| file.check(Mode::Serve));
    let config = config.map_err(|mistakes| Stop::mistakes(Code::Usage, &mistakes))?;
    logs::start(logs::SERVER, config.log_format)?;

    let tls = config.tls.clone().map(Tls::open).transpose().map_err(unusable)?;
    let listener = listen::bind(config.listen).await?;
    let metrics = metrics::bind(config.metrics_listen).await?;
    let (stop, hangup) = (told_to_stop()?, told_to_look_again()?);
    let app = App::start(config, Clock::system()).await.map_err(Stop::unopened)?;
    jobs::start(&app);
    make_rsa_key(&app);
    if let Some(tls) = &tls {
        let (issuer, clock) = (app.config.issuer.clone(), app.clock.clone());
        tokio::spawn(tls::watch(tls.clone(), issuer, clock, hangup));
    }
    let (issuer, listen) = (&app.config.issuer, app.config.listen);
    let told_at = metrics.as_ref().map(|bound| tracing::field::display(bound.address));
    tracing::info!(%issuer, %listen, metrics = told_at, database = app.store.backend(), "ready");
    if let Some(bound) = metrics {
        metrics::start(&app, bound);
    }
    if !app.store.read(users::is_anybody).await? {
        tracing::info!("nobody has an account yet; `munjigi users create` makes the first one");
    }

    let proxies = app.config.trusted_proxies.clone();
    let connections = app.metrics.connections.clone();
    let doors = Doors { listeners: vec![listener], tls, proxies, connections };
    serve::serve_at(doors, router(&app), leaving(&app, stop), lingering(&app)).await;
    app.finish().await;

    tracing::info!("stopped");
    app.store.clone().close().await;
    Ok(())
}

/// What was wrong with the certificate or its key, which were right when the configuration was.
fn unusable(wrong: Vec<Unusable>) -> Stop {
    let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    Stop::new(Code::Failed, format!("the certificate cannot be used: {}", wrong.join("; ")))
}

/// The same end, at which `/readyz` refuses first of all.
async fn leaving(app: &App, stop: impl Future<Output = ()>) {
    stop.await;
    app.leave();
}

/// A moment in which whoever sends requests here hears that they should go elsewhere. After it,
/// whoever waits for revocations is let go; before it, they would come back at once.
#[expect(clippy::disallowed_methods, reason = "nobody says when they have heard of it")]
async fn lingering(app: &App) {
    tokio::time::sleep(LINGER).await;
    app.release_followers();
}

/// The end of a server that nobody sends requests to but people on this machine: at once.
pub fn letting_go(app: &App, stop: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let app = app.clone();
    async move {
        stop.await;
        app.leave();
        app.release_followers();
    }
}

/// Makes the key of ID tokens after the server answers already: it takes a while.
pub fn make_rsa_key(app: &App) {
    let app = app.downgrade();
    tokio::spawn(async move {
        let Some(app) = app.upgrade() else { return };
        if let Err(error) = app.ensure_rsa_key().await {
            tracing::error!(%error, "the RS256 key could not be made");
        }
    });
}

/// Notified whenever the process is told to read its certificate again: SIGHUP, which without a
/// certificate does nothing.
fn told_to_look_again() -> Result<Arc<Notify>, Stop> {
    let hangup = signal(SignalKind::hangup());
    let mut hangup = hangup.map_err(|error| Stop::file("signals", &error))?;
    let notify = Arc::new(Notify::new());
    let told = Arc::clone(&notify);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            told.notify_one();
        }
    });
    Ok(notify)
}

/// Ends when the process is told to stop: SIGINT or SIGTERM. A second signal ends the process
/// without waiting for requests under way.
pub fn told_to_stop() -> Result<impl Future<Output = ()>, Stop> {
    let listen = |kind| signal(kind).map_err(|error| Stop::file("signals", &error));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("stopping");
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            std::process::exit(130);
        });
    })
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
