//! The log: one line an event, on standard error; standard output belongs to answers. It never
//! holds a token, a password or a secret.

use munjigi_server::config::LogFormat;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment;
use crate::stop::{Code, Stop};

/// What a server logs unless `MUNJIGI_LOG` says otherwise.
pub const SERVER: &str = "info";
/// What every other command logs: its answer says the rest.
pub const VERB: &str = "warn";

/// The variable that filters the log.
const VARIABLE: &str = "MUNJIGI_LOG";

/// Begins to log.
pub fn start(default: &str, format: LogFormat) -> Result<(), Stop> {
    let written = environment::read().remove(VARIABLE).filter(|text| !text.trim().is_empty());
    let text = written.as_deref().unwrap_or(default);
    let targets: Targets = text.parse().map_err(|error| {
        Stop::usage(format!("{VARIABLE}: {error}; for example `info,munjigi_store=debug`"))
    })?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let layer = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let started = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
    started.map_err(|error| Stop::new(Code::Failed, format!("cannot log: {error}")))
}
