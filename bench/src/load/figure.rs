//! One measured figure, beside its bound and its goal.

use serde_json::{Value, json};

use crate::statistics::{Spread, at};

/// What has to hold.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Nothing has to: it is there to be read.
    None,
}

/// A figure.
pub struct Figure {
    pub scenario: String,
    /// What is compared with the goal, and its unit.
    pub value: Spread,
    pub unit: &'static str,
    pub goal: Goal,
    /// Requests a second; 0 where that means nothing.
    pub rate: f64,
    /// In µs.
    pub p50: f64,
    pub p99: f64,
    /// The server's processor time of a request in µs, and what bounds it.
    pub cpu: f64,
    pub bound: f64,
    pub note: String,
}

/// The head of the table.
pub const HEAD: &str = "\
| scenario | figure | goal | | rate/s | p50 µs | p99 µs | CPU µs | bound µs | |
|---|---:|---|---|---:|---:|---:|---:|---:|---|";

impl Figure {
    /// A figure about nothing but itself.
    pub fn plain(scenario: impl Into<String>, value: Spread, unit: &'static str) -> Self {
        Self {
            scenario: scenario.into(),
            value,
            unit,
            goal: Goal::None,
            rate: 0.0,
            p50: 0.0,
            p99: 0.0,
            cpu: 0.0,
            bound: 0.0,
            note: String::new(),
        }
    }

    /// The same with a goal.
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// The same with a remark.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The same with the latencies of these requests, in µs.
    pub fn latencies(self, latencies: &[f64]) -> Self {
        Self { p50: at(latencies, 0.5), p99: at(latencies, 0.99), ..self }
    }

    fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMost(most) => Some(self.value.median <= most),
            Goal::AtLeast(least) => Some(self.value.median >= least),
            Goal::None => None,
        }
    }

    fn judged(&self) -> (String, &'static str) {
        let goal = match self.goal {
            Goal::AtMost(most) => format!("≤ {most}"),
            Goal::AtLeast(least) => format!("≥ {least}"),
            Goal::None => String::new(),
        };
        (goal, self.met().map_or("", |met| if met { "met" } else { "MISSED" }))
    }

    fn shown(&self) -> String {
        let Spread { median, low, high } = self.value;
        let places = if median >= 20.0 { 1 } else { 3 };
        if low == high {
            return format!("{median:.places$} {}", self.unit);
        }
        format!("{median:.places$} [{low:.places$}–{high:.places$}] {}", self.unit)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let (goal, met) = self.judged();
        let mut text = format!("{:34} {:28} {goal:8} {met:6}", self.scenario, self.shown());
        if self.rate > 0.0 {
            text += &format!(" {:.0}/s p50 {:.0} p99 {:.0} µs", self.rate, self.p50, self.p99);
        }
        if self.cpu > 0.0 {
            text += &format!(" CPU {:.1} µs", self.cpu);
        }
        if self.bound > 0.0 {
            text += &format!(" beside {:.1}", self.bound);
        }
        format!("{text} {}", self.note)
    }

    /// For a table.
    pub fn row(&self) -> String {
        let (goal, met) = self.judged();
        let number = |value: f64, places: usize| match value {
            0.0 => String::new(),
            value => format!("{value:.places$}"),
        };
        format!(
            "| {} | {} | {goal} | {met} | {} | {} | {} | {} | {} | {} |",
            self.scenario,
            self.shown(),
            number(self.rate, 0),
            number(self.p50, 0),
            number(self.p99, 0),
            number(self.cpu, 1),
            number(self.bound, 1),
            self.note
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let (goal, _) = self.judged();
        json!({
            "scenario": self.scenario,
            "value": self.value.median,
            "low": self.value.low,
            "high": self.value.high,
            "unit": self.unit,
            "goal": goal,
            "met": self.met(),
            "rate": self.rate,
            "p50_us": self.p50,
            "p99_us": self.p99,
            "cpu_us": self.cpu,
            "bound_us": self.bound,
            "note": self.note,
        })
    }
}
