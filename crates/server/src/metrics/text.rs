//! The text that Prometheus reads (its exposition format, version 0.0.4).

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::series::Distribution;

/// What kind of number a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How long something took.
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label and its value.
pub type Label<'l> = (&'l str, &'l str);

/// The text while it is written.
#[derive(Debug, Default)]
pub struct Text(String);

/// The samples of one name.
pub struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
}

impl Text {
    /// Begins the samples of a name.
    pub fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        let text = &mut self.0;
        put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
        Family { text, name }
    }

    /// A name with one sample and no label.
    pub fn single(&mut self, kind: Kind, name: &'static str, (help, value): (&str, impl Display)) {
        self.family(kind, name, help).sample(&[], value);
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, value);
    }

    /// The samples of a histogram, in seconds.
    pub fn histogram(&mut self, labels: &[Label<'_>], distribution: &Distribution) {
        let Distribution { at_most, count, sum_micros } = distribution;
        for (bound, count) in at_most {
            let bound = Seconds(Duration::from_micros(*bound)).to_string();
            self.line("_bucket", &[labels, &[("le", &bound)]].concat(), count);
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), count);
        self.line("_sum", labels, Seconds(Duration::from_micros(*sum_micros)));
        self.line("_count", labels, count);
    }

    fn line(&mut self, ending: &str, labels: &[Label<'_>], value: impl Display) {
        put(self.text, format_args!("{}{ending}", self.name));
        for (index, (label, value)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            put(self.text, format_args!("{before}{label}=\"{}\"", Escaped(value)));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        put(self.text, format_args!("{after} {value}\n"));
    }
}

/// Writes to memory, which does not fail.
fn put(text: &mut String, what: fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "memory takes everything");
}

/// A span of time as a number of seconds.
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0.as_secs(), self.0.subsec_micros());
        let text = format!("{seconds}.{micros:06}");
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// The value of a label, in which a quote ends nothing.
struct Escaped<'v>(&'v str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Histogram;
    use super::*;

    #[test]
    fn a_family_is_told_with_its_kind_and_its_labels_are_escaped() {
        let mut text = Text::default();
        let mut family = text.family(Kind::Counter, "things_total", "Things.");
        family.sample(&[("kind", "a\"b\\c\nd"), ("other", "e")], 7);
        text.single(Kind::Gauge, "age_seconds", ("Age.", Seconds(Duration::from_millis(1_500))));
        assert_eq!(
            text.finish(),
            "# HELP things_total Things.\n# TYPE things_total counter\n\
             things_total{kind=\"a\\\"b\\\\c\\nd\",other=\"e\"} 7\n\
             # HELP age_seconds Age.\n# TYPE age_seconds gauge\nage_seconds 1.5\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_everything() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3));
        let mut text = Text::default();
        let mut family = text.family(Kind::Histogram, "took_seconds", "How long.");
        family.histogram(&[("route", "/a")], &histogram.distribution());
        let text = text.finish();
        for line in [
            "took_seconds_bucket{route=\"/a\",le=\"0.0025\"} 0",
            "took_seconds_bucket{route=\"/a\",le=\"0.005\"} 1",
            "took_seconds_bucket{route=\"/a\",le=\"+Inf\"} 1",
            "took_seconds_sum{route=\"/a\"} 0.003",
            "took_seconds_count{route=\"/a\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn seconds_are_written_without_what_says_nothing() {
        for (millis, shown) in [(0, "0"), (10_000, "10"), (250, "0.25"), (60_500, "60.5")] {
            assert_eq!(Seconds(Duration::from_millis(millis)).to_string(), shown);
        }
    }
}
