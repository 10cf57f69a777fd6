//! What a verifier says of itself to Prometheus, for the metrics of the program that it is in: text
//! of the exposition format (version 0.0.4), without a library of metrics. It holds no token and no
//! name of anybody.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::verifier::Status;

impl Status {
    /// The lines to put beside the program's own metrics, each name beginning with
    /// `munjigi_verify_`. A program with several verifiers tells them apart by `labels`, such as
    /// `api="orders"`, which it writes as they stand; an empty text is none.
    ///
    /// How old what is known of the issuer's revocations is,
    /// `munjigi_verify_revocation_staleness_seconds`, is left out while nothing is known:
    /// `munjigi_verify_ready` says whether anything passes.
    pub fn prometheus(&self, labels: &str) -> String {
        let mut text = Text { out: String::new(), labels };
        let seconds = |age: Duration| format!("{}.{:03}", age.as_secs(), age.subsec_millis());
        text.gauge("ready", "Whether good tokens pass.", u8::from(self.is_ready));
        text.gauge("keys", "Keys of the issuer.", self.keys);
        if let Some(age) = self.key_age {
            text.gauge("key_age_seconds", "How long ago they were fetched.", seconds(age));
        }
        if let Some(age) = self.revocation_staleness {
            let help = "How old what is known of the issuer's revocations is, at most.";
            text.gauge("revocation_staleness_seconds", help, seconds(age));
        }
        text.gauge("revocations", "Revocations that are held.", self.revocations);
        text.gauge("cached_tokens", "Verified tokens that are remembered.", self.cached_tokens);
        for (name, help, value) in [
            ("fetches_total", "Fetches of keys that were started.", self.fetches),
            ("fetch_failures_total", "Those of them that failed.", self.fetch_failures),
            ("cache_hits_total", "Tokens that were remembered.", self.cache_hits),
            ("cache_misses_total", "Tokens that were not.", self.cache_misses),
            ("feed_answers_total", "Answers of the revocation feed.", self.feed_answers),
            ("feed_failures_total", "Requests to it that failed.", self.feed_failures),
            (
                "dropped_revocations_total",
                "Revocations that were left out for want of room.",
                self.dropped_revocations,
            ),
        ] {
            text.line("counter", name, (help, value));
        }
        text.out
    }
}

struct Text<'l> {
    out: String,
    labels: &'l str,
}

impl Text<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.line("gauge", name, (help, value));
    }

    fn line(&mut self, kind: &str, name: &str, (help, value): (&str, impl Display)) {
        let name = format!("munjigi_verify_{name}");
        let labels = match self.labels {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        let written = write!(
            self.out,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name}{labels} {value}\n"
        );
        debug_assert!(written.is_ok(), "memory takes everything");
    }
}
