//! `munjigi keys`: signing keys. Listing them needs the database alone; making one needs the
//! key-encryption key, too.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use munjigi_core::audit::{Actor, Kind};
use munjigi_server::keys::{State, show_key};
use munjigi_server::operate::operator_event;
use munjigi_server::{
    App, Clock, Config, ConfigFile, Failure, Mode, Resealed, Rotation, Withdrawn,
};
use munjigi_store::keys::StoredKey;
use munjigi_token::Algorithm;
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::{Code, Stop};
use crate::{config, environment};

/// `munjigi keys …`
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List keys with their states and times
    List,
    /// Make the next signing key: published at once, signing in a day, the present one retires then
    Rotate(Rotate),
    /// Withdraw a signing key that somebody else may have: no token of it is taken any more
    Withdraw(Withdraw),
    /// Seal every key anew under the present key-encryption key, while servers run
    Reseal(Sealing),
}

#[derive(Debug, Args)]
struct Rotate {
    /// For which algorithm
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256", value_parser = algorithm())]
    algorithm: Algorithm,

    /// Sign with it at once: with the key that waits, if one does
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    sealing: Sealing,
}

#[derive(Debug, Args)]
struct Withdraw {
    /// The name of the key
    kid: String,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    sealing: Sealing,
}

/// Where the key-encryption keys are.
#[derive(Debug, Args)]
pub struct Sealing {
    /// The file with the key-encryption key [default: the one that the configuration names]
    #[arg(long, value_name = "FILE")]
    encryption_key_file: Option<PathBuf>,

    /// The file with the one before it, while it is replaced [default: as the configuration says]
    #[arg(long, value_name = "FILE")]
    previous_encryption_key_file: Option<PathBuf>,
}

fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let names = ["ES256", "RS256", "PS256", "EdDSA"];
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Algorithm>())
}

const ORDER: &[&str] = &[
    "kid",
    "algorithm",
    "purpose",
    "state",
    "created_at",
    "activates_at",
    "retires_at",
    "destroyed_at",
    "withdrawn_at",
    "last_used_at",
];

/// Does it.
pub async fn run(args: KeysArgs, output: Output) -> Result<(), Stop> {
    match args.verb {
        Verb::List => {
            let operator = args.database.open().await?;
            let keys = operator.list_keys().await?;
            operator.close().await;
            let items = keys.iter().map(|(key, state)| show_key(key, *state)).collect();
            print::list(output, ORDER, items, None)
        }
        Verb::Rotate(rotate) => {
            let app = opened(&args.database, &rotate.sealing).await?;
            let rotated = rotated(&app, &rotate).await;
            // Afterwards: a key that was told to sign at once does so by now.
            let now = app.clock.now();
            app.store.clone().close().await;
            let key = rotated?;
            let state = if key.activates_at > now { State::Pending } else { State::Active };
            print::one(output, ORDER, &show_key(&key, state))
        }
        Verb::Withdraw(withdraw) => {
            confirm(
                &format!("No token that {} signed is taken any more.", withdraw.kid),
                withdraw.yes,
            )?;
            let app = opened(&args.database, &withdraw.sealing).await?;
            let withdrawn = withdrawn(&app, &withdraw.kid).await;
            app.store.clone().close().await;
            let shown = show_withdrawn(&withdraw.kid, withdrawn?)?;
            print::one(output, &["kid", "was_withdrawn", "successor"], &shown)
        }
        Verb::Reseal(sealing) => {
            let app = opened(&args.database, &sealing).await?;
            let resealed = app.reseal(Actor::Operator).await;
            app.store.clone().close().await;
            let Resealed { anew, before } = resealed?;
            let shown = json!({ "sealed_anew": anew, "sealed_before": before });
            print::one(output, &["sealed_anew", "sealed_before"], &shown)
        }
    }
}

async fn rotated(app: &App, rotate: &Rotate) -> Result<StoredKey, Failure> {
    let rotation = if rotate.now { Rotation::AtOnce } else { Rotation::Scheduled };
    let event = operator_event(&app.clock, Kind::KeyCreated)?;
    app.rotate_key(rotate.algorithm, rotation, event).await
}

async fn withdrawn(app: &App, kid: &str) -> Result<Withdrawn, Failure> {
    let event = |kind| operator_event(&app.clock, kind);
    app.withdraw_key(kid, (event(Kind::KeyWithdrawn)?, event(Kind::KeyCreated)?)).await
}

fn show_withdrawn(kid: &str, withdrawn: Withdrawn) -> Result<Value, Stop> {
    let successor = match withdrawn {
        Withdrawn::Unknown => {
            return Err(Stop::new(Code::Failed, format!("there is no signing key `{kid}`")));
        }
        Withdrawn::Before => {
            return Ok(json!({ "kid": kid, "was_withdrawn": false, "successor": null }));
        }
        Withdrawn::Now { successor, .. } => successor.map(|key| key.kid),
    };
    Ok(json!({ "kid": kid, "was_withdrawn": true, "successor": successor }))
}

/// A server that serves nobody: what needs the key-encryption key is done by it.
pub async fn opened(database: &DatabaseArgs, sealing: &Sealing) -> Result<App, Stop> {
    let config = configured(database, sealing)?;
    App::start(config, Clock::system()).await.map_err(Stop::unopened)
}

/// What a server would run on, with the database and the keys that the command line names.
fn configured(database: &DatabaseArgs, sealing: &Sealing) -> Result<Config, Stop> {
    let url = database.url()?;
    let text = config::read(database.config.as_deref())?;
    let mut environment = environment::read();
    for (name, path) in [
        ("MUNJIGI_KEYS_ENCRYPTION_KEY_FILE", &sealing.encryption_key_file),
        ("MUNJIGI_KEYS_PREVIOUS_ENCRYPTION_KEY_FILE", &sealing.previous_encryption_key_file),
    ] {
        if let Some(path) = path {
            environment.insert(name.to_owned(), path.display().to_string());
        }
    }
    if text.is_none() {
        // No URL is made of it here; without a file there is nobody to ask for the real one.
        let issuer = || "http://localhost".to_owned();
        environment.entry("MUNJIGI_ISSUER".to_owned()).or_insert_with(issuer);
    }
    let parsed = ConfigFile::parse(&text.unwrap_or_default(), &environment);
    let config = parsed.and_then(|file| file.check(Mode::Serve));
    let config = config.map_err(|mistakes| Stop::mistakes(Code::Usage, &mistakes))?;
    Ok(Config { database: url, hashing_threads: 1, ..config })
}
