//! What `cargo test` said, in numbers. Pure: it hears lines and adds up.

use std::collections::BTreeMap;
use std::fmt;

/// The sum over all test binaries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests marked `#[ignore]`.
    pub ignored: u64,
    /// What was said after `SKIPPED:`, and how often.
    pub skipped: BTreeMap<String, u64>,
    /// What was said after `LEFT OUT:`, and how often: what this machine cannot run.
    pub left_out: BTreeMap<String, u64>,
}

impl Tally {
    /// Takes in one line of output.
    pub fn hear(&mut self, line: &str) {
        let said = line.trim_start();
        if let Some(reason) = said.strip_prefix("SKIPPED:") {
            *self.skipped.entry(reason.trim().to_owned()).or_default() += 1;
        }
        if let Some(reason) = said.strip_prefix("LEFT OUT:") {
            *self.left_out.entry(reason.trim().to_owned()).or_default() += 1;
        }
        let Some(result) = line.strip_prefix("test result: ") else { return };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (count, what) =
                (words.next().and_then(|word| word.parse::<u64>().ok()), words.next());
            match (count, what) {
                (Some(count), Some("passed")) => self.passed += count,
                (Some(count), Some("failed")) => self.failed += count,
                (Some(count), Some("ignored")) => self.ignored += count,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unheard = self.skipped.values().chain(self.left_out.values()).sum::<u64>();
        let skipped = self.ignored + unheard;
        write!(f, "{} passed, {} failed, {skipped} skipped", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.hear(line));
        tally
    }

    #[test]
    fn the_results_of_all_binaries_are_summed() {
        let tally = heard(&[
            "running 15 tests",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; finished in 0.04s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 7 filtered out; finished in 1.2s",
        ]);

        assert_eq!(tally.to_string(), "15 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_suite_that_says_skipped_is_counted_with_its_reason() {
        let tally =
            heard(&["SKIPPED: no PostgreSQL", "  SKIPPED: no PostgreSQL", "not SKIPPED: x"]);

        assert_eq!(tally.skipped, BTreeMap::from([("no PostgreSQL".to_owned(), 2)]));
        assert_eq!(tally.to_string(), "0 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn what_a_test_prints_about_results_is_no_result() {
        let tally = heard(&["he said: test result: ok. 9 passed; 0 failed"]);

        assert_eq!(tally, Tally::default());
    }
}
