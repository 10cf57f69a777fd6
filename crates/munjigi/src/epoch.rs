//! `munjigi database`: which life of its rows a database is in, and what only an operator knows.

use clap::{Args, Subcommand};
use munjigi_server::accounts::rfc3339;
use munjigi_server::operate::epochs::Said;
use munjigi_store::epochs::Epoch;
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::{Code, Stop};

/// `munjigi database …`
#[derive(Debug, Args)]
pub struct EpochArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the epoch of the database: the life of its rows since they were last restored or moved
    Epoch,
    /// Say that a backup was restored: everything that was given before is ended, everybody signs
    /// in again. A server notices most restores by itself
    Restored {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Say that the database was moved, upgraded or promoted and lacks nothing: before a server is
    /// started on it, so that nobody has to sign in again
    Intact {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// The order in which people read an epoch.
const ORDER: &[&str] = &["number", "cause", "began_at", "everything_ended"];

/// Does it.
pub async fn run(args: EpochArgs, output: Output) -> Result<(), Stop> {
    let said = match args.verb {
        Verb::Epoch => None,
        Verb::Restored { yes } => {
            confirm("Everybody is signed out of everything.", yes)?;
            Some(Said::Restored)
        }
        Verb::Intact { yes } => {
            confirm("Were it a backup, what was ended after it would live again.", yes)?;
            Some(Said::Intact)
        }
    };
    let operator = args.database.open().await?;
    let found = match said {
        None => operator.epoch().await,
        Some(said) => operator.begin_epoch(said).await,
    };
    operator.close().await;
    let none = || Stop::new(Code::NotFound, "no server was started on this database yet");
    print::one(output, ORDER, &shown(&found?.ok_or_else(none)?))
}

fn shown(epoch: &Epoch) -> Value {
    json!({
        "number": epoch.number,
        "cause": epoch.cause,
        "began_at": rfc3339(epoch.began_at),
        "everything_ended": epoch.ended_before.is_some(),
    })
}
