//! The log: one line an event, on standard error; standard output belongs to answers. What stands
//! in a line is written by our own layer, which knows every field that may be logged and drops the
//! others: a token, a password or a secret cannot get there under a name that nobody thought of.

mod fields;
mod line;

use std::panic::PanicHookInfo;

use munjigi_server::config::LogFormat;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::environment;
use crate::stop::{Code, Stop};
use line::Lines;

/// What a server logs unless `MUNJIGI_LOG` says otherwise.
pub const SERVER: &str = "info";
/// What every other command logs: its answer says the rest, and how long the database took for it
/// concerns nobody.
pub const VERB: &str = "warn,munjigi_store::sql::statistics=error";

/// The variable that filters the log.
const VARIABLE: &str = "MUNJIGI_LOG";

/// Begins to log.
pub fn start(default: &str, format: LogFormat) -> Result<(), Stop> {
    let written = environment::read().remove(VARIABLE).filter(|text| !text.trim().is_empty());
    let text = written.as_deref().unwrap_or(default);
    let targets: Targets = text.parse().map_err(|error| {
        Stop::usage(format!("{VARIABLE}: {error}; for example `info,munjigi_store=debug`"))
    })?;
    let lines = Lines::new(format, std::io::stderr).with_filter(targets);
    let started = tracing_subscriber::registry().with(lines).try_init();
    started.map_err(|error| Stop::new(Code::Failed, format!("cannot log: {error}")))?;
    std::panic::set_hook(Box::new(note_panic));
    Ok(())
}

/// What a panic says may be put together from what somebody sent: only a text that stands in the
/// program is repeated.
fn note_panic(panic: &PanicHookInfo<'_>) {
    let why = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("not repeated");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(at, why, "a thread panicked");
}
