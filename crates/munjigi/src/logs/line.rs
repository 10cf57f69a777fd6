//! Writes the lines: fields that are listed, as text for people or as JSON, each event whole and at
//! once. What a library says of itself is not written: nobody here has read what it may hold.

use std::fmt::{self, Write as _};
use std::io::Write;

use jiff::Timestamp as Shown;
use munjigi_server::config::LogFormat;
use munjigi_server::{Clock, current};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::fields::{ALLOWED, harmless};

/// Where our own events come from.
const OURS: &str = "munjigi";

/// The layer.
pub(super) struct Lines<W> {
    format: LogFormat,
    /// Gives what a line is written to.
    out: W,
    clock: Clock,
}

impl<W> Lines<W> {
    pub(super) fn new(format: LogFormat, out: W) -> Self {
        Self { format, out, clock: Clock::system() }
    }
}

impl<S, W, O> Layer<S> for Lines<W>
where
    S: Subscriber,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (level, target) = (event.metadata().level().as_str(), event.metadata().target());
        if !target.starts_with(OURS) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields.add_request();
        let at = self.clock.now();
        let at = Shown::from_millisecond(at.as_millis()).unwrap_or(Shown::UNIX_EPOCH);
        let at = format!("{at:.3}");
        let line = match self.format {
            LogFormat::Text => fields.text(&format!("{at} {level:>5} {target}:")),
            LogFormat::Json => {
                fields.json([("timestamp", &at), ("level", level), ("target", target)])
            }
        };
        // Whoever reads the log may be gone; there is nobody else to tell.
        drop((self.out)().write_all(line.as_bytes()));
    }
}

/// What of an event may be written.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if !ALLOWED.contains(&field.name()) {
            return;
        }
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }

    /// At which request the thread is: what the answer calls `x-request-id` finds the line.
    fn add_request(&mut self) {
        let Some(current) = current() else { return };
        let mut add = |name: &str, value: &str| {
            self.others.entry(name).or_insert_with(|| Value::from(value));
        };
        add("request_id", &current.request_id.to_string());
        add("method", current.route.method);
        add("route", current.route.path);
    }

    fn text(self, head: &str) -> String {
        let mut line = format!("{head} {}", self.message);
        for (name, value) in self.others {
            // A value that has a space or a quote in it stands in quotes: it cannot look like the
            // field that follows.
            let written = match &value {
                Value::String(text) if is_one_word(text) => write!(line, " {name}={text}"),
                other => write!(line, " {name}={other}"),
            };
            debug_assert!(written.is_ok());
        }
        line.push('\n');
        line
    }

    /// The head first, which is what people look for.
    fn json(self, head: [(&str, &str); 3]) -> String {
        let head = head.map(|(name, value)| (name.to_owned(), Value::from(value)));
        let message = ("message".to_owned(), Value::from(self.message));
        let members = head.into_iter().chain([message]).chain(self.others);
        let members = members.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
    }
}

fn is_one_word(text: &str) -> bool {
    let is_odd = |character: char| character.is_whitespace() || "\"'=\\".contains(character);
    !text.is_empty() && !text.contains(is_odd)
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, harmless(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, harmless(&format!("{value:?}")).into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        let memory = Memory::default();
        let out = memory.clone();
        let lines = Lines::new(format, move || out.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        let bytes = memory.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_field_that_is_not_listed_is_not_written() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, || {
                let (password, status) = ("hunter2", 200);
                tracing::info!(password, status, ?password, "answered");
            });
            assert!(text.contains("answered") && text.contains("200"), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("password"), "{text}");
        }
    }

    #[test]
    fn what_a_library_says_of_itself_is_not_written() {
        let text = logged(LogFormat::Json, || {
            tracing::error!(target: "h2::client", error = "header: cookie", "sending");
        });
        assert_eq!(text, "");
    }

    /// WB-04 of the attack kit.
    #[test]
    fn one_event_is_one_line_whatever_is_in_it() {
        let evil = "a\r\n{\"level\":\"INFO\"}\u{1b}[2J\" status=200 b";
        let json = logged(LogFormat::Json, || tracing::warn!(reason = evil, "not sent"));
        assert_eq!(json.lines().count(), 1, "{json}");
        let event: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(event["level"], "WARN");
        assert_eq!(event["reason"], "a  {\"level\":\"INFO\"} [2J\" status=200 b");

        let text = logged(LogFormat::Text, || tracing::warn!(reason = evil, "not sent"));
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with(
            "not sent reason=\"a  {\\\"level\\\":\\\"INFO\\\"} [2J\\\" status=200 b\"\n"
        ));
    }
}
