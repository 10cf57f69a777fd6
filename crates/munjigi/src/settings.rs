//! `munjigi settings`: what may change while a server runs.

use clap::{Args, Subcommand};
use munjigi_server::operate::settings::{SettingShown, SettingSource};
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::stop::Stop;

/// `munjigi settings …`
#[derive(Debug, Args)]
pub struct SettingsArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List every setting, its value, and whether somebody set it
    List,
    /// Change a setting; servers follow within a moment
    Set {
        /// Which one, as `settings list` names it
        name: String,
        /// Its new value, for example `15m`, or `open`
        value: String,
    },
    /// Let the default of a setting hold again; servers follow within a moment
    Reset {
        /// Which one, as `settings list` names it
        name: String,
    },
}

/// Does it.
pub async fn run(args: SettingsArgs, output: Output) -> Result<(), Stop> {
    let operator = args.database.open().await?;
    let shown = match &args.verb {
        Verb::List => {
            let items = operator.list_settings().await?.iter().map(show).collect();
            print::list(output, &["name", "value", "source", "expected"], items, None)
        }
        Verb::Set { name, value } => {
            let before = operator.set_setting(name, value).await?;
            let answer = json!({ "name": name, "value": value, "before": before });
            print::one(output, &["name", "value", "before"], &answer)
        }
        Verb::Reset { name } => {
            let (before, value) = operator.reset_setting(name).await?;
            let answer = json!({ "name": name, "value": value, "before": before });
            print::one(output, &["name", "value", "before"], &answer)
        }
    };
    operator.close().await;
    shown
}

fn show(setting: &SettingShown) -> Value {
    let source = match setting.source {
        SettingSource::Default => "default",
        SettingSource::Database => "database",
    };
    json!({
        "name": setting.name,
        "value": setting.value,
        "source": source,
        "expected": setting.expected,
    })
}
