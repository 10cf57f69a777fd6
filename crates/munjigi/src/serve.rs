//! `munjigi serve`: the server, as its configuration says. It makes no demo data and no user.

use std::future::Future;
use std::path::PathBuf;

use clap::Args;
use munjigi_server::{App, Clock, ConfigFile, Mode, jobs, router, serve};
use munjigi_store::users;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::stop::{Code, Stop};
use crate::{config, environment, listen, logs};

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

    let listener = listen::bind(config.listen).await?;
    let stop = told_to_stop()?;
    let app = App::start(config, Clock::system()).await.map_err(Stop::unopened)?;
    jobs::start(&app);
    make_rsa_key(&app);
    let (issuer, listen) = (&app.config.issuer, app.config.listen);
    tracing::info!(%issuer, %listen, database = app.store.backend(), "ready");
    if !app.store.read(users::is_anybody).await? {
        tracing::info!("nobody has an account yet; `munjigi users create` makes the first one");
    }

    serve::serve(vec![listener], router(&app), letting_go(&app, stop)).await;

    tracing::info!("stopped");
    app.store.clone().close().await;
    Ok(())
}

/// The same end, at which whoever waits for revocations is let go, so that nobody waits for them.
pub fn letting_go(app: &App, stop: impl Future<Output = ()>) -> impl Future<Output = ()> {
    let app = app.clone();
    async move {
        stop.await;
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
