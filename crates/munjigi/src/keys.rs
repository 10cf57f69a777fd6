//! `munjigi keys`: signing keys. Listing them needs the database alone; making one needs the
//! key-encryption key, too.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use munjigi_core::audit::Kind;
use munjigi_server::accounts::rfc3339;
use munjigi_server::keys::State;
use munjigi_server::operate::operator_event;
use munjigi_server::{App, Clock, Config, ConfigFile, Failure, Mode, Rotation};
use munjigi_store::keys::StoredKey;
use munjigi_token::Algorithm;
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
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
}

#[derive(Debug, Args)]
struct Rotate {
    /// For which algorithm
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256", value_parser = algorithm())]
    algorithm: Algorithm,

    /// Sign with it at once: the present key is not to be trusted any more
    #[arg(long)]
    now: bool,

    /// The file with the key-encryption key [default: the one that the configuration names]
    #[arg(long, value_name = "FILE")]
    encryption_key_file: Option<PathBuf>,
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
];

/// Does it.
pub async fn run(args: KeysArgs, output: Output) -> Result<(), Stop> {
    match args.verb {
        Verb::List => {
            let operator = args.database.open().await?;
            let keys = operator.list_keys().await?;
            operator.close().await;
            let items = keys.iter().map(|(key, state)| show(key, *state)).collect();
            print::list(output, ORDER, items, None)
        }
        Verb::Rotate(rotate) => {
            let config = configured(&args.database, &rotate)?;
            let key = rotated(config, &rotate).await?;
            let is_active = key.activates_at <= key.created_at;
            let state = if is_active { State::Active } else { State::Pending };
            print::one(output, ORDER, &show(&key, state))
        }
    }
}

async fn rotated(config: Config, rotate: &Rotate) -> Result<StoredKey, Stop> {
    let clock = Clock::system();
    let app = App::start(config, clock.clone()).await.map_err(Stop::unopened)?;
    let rotation = if rotate.now { Rotation::AtOnce } else { Rotation::Scheduled };
    let event = operator_event(&clock, Kind::KeyCreated).map_err(Failure::from)?;
    let event = event.with("algorithm", rotate.algorithm.as_str());
    let made = app.rotate_key(rotate.algorithm, rotation, event).await;
    app.store.clone().close().await;
    Ok(made?)
}

/// What a server would run on, with the database and the key that the command line names.
fn configured(database: &DatabaseArgs, rotate: &Rotate) -> Result<Config, Stop> {
    let url = database.url()?;
    let text = config::read(database.config.as_deref())?;
    let mut environment = environment::read();
    if let Some(path) = &rotate.encryption_key_file {
        let name = "MUNJIGI_KEYS_ENCRYPTION_KEY_FILE".to_owned();
        environment.insert(name, path.display().to_string());
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

fn show(key: &StoredKey, state: State) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "purpose": key.purpose.as_str(),
        "state": state.as_str(),
        "created_at": rfc3339(key.created_at),
        "activates_at": rfc3339(key.activates_at),
        "retires_at": key.retires_at.map(rfc3339),
        "destroyed_at": key.destroyed_at.map(rfc3339),
    })
}
