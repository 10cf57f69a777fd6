//! Which database a command works on, said by `--database`, `--config` or the environment.

use std::path::PathBuf;

use clap::Args;
use munjigi_server::Clock;
use munjigi_server::config::ConfigFile;
use munjigi_server::operate::{OperateError, Operator};
use munjigi_store::DatabaseUrl;

use crate::config;
use crate::stop::{Code, Stop};
use crate::{dev, environment};

/// Names the database.
#[derive(Debug, Args)]
pub struct DatabaseArgs {
    /// The configuration that names the database [default: munjigi.toml, if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// The database itself: sqlite:PATH or postgres://HOST/NAME; with a password in it, better as
    /// MUNJIGI_DATABASE, since everybody on this machine can read arguments
    #[arg(long, value_name = "URL", global = true)]
    pub database: Option<String>,
}

impl DatabaseArgs {
    /// The database that is meant. `--database` wins over everything else.
    pub fn url(&self) -> Result<DatabaseUrl, Stop> {
        let url = match &self.database {
            // The text is not repeated: it may hold a password.
            Some(text) => text.parse().map_err(|error| Stop::usage(format!("--database: {error}"))),
            None => self.configured(),
        }?;
        if url == DatabaseUrl::SqliteMemory {
            let why = "a database in memory belongs to the server that made it, and to nobody else";
            return Err(Stop::usage(why));
        }
        Ok(url)
    }

    fn configured(&self) -> Result<DatabaseUrl, Stop> {
        let environment = environment::read();
        let text = config::read(self.config.as_deref())?;
        let named = ["MUNJIGI_DATABASE", "MUNJIGI_DATABASE_FILE"];
        if text.is_none() && !named.iter().any(|name| environment.contains_key(*name)) {
            return Err(Stop::usage(format!(
                "which database? Say --config FILE, --database URL, or set MUNJIGI_DATABASE; \
                 there is no {} here. (`munjigi dev` keeps its own in sqlite:{}/{}.)",
                config::DEFAULT_FILE,
                dev::DATA,
                dev::DATABASE
            )));
        }
        let file = ConfigFile::parse(&text.unwrap_or_default(), &environment);
        let file = file.map_err(|mistakes| Stop::mistakes(Code::Usage, &mistakes))?;
        file.check_database().map_err(|mistake| Stop::mistakes(Code::Usage, &[mistake]))
    }

    /// Opens it.
    pub async fn open(&self) -> Result<Operator, Stop> {
        let opened = Operator::open(self.url()?, Clock::system()).await;
        opened.map_err(|error| match error {
            OperateError::Failure(failure) => Stop::unopened(failure),
            other => other.into(),
        })
    }
}
