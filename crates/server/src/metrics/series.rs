//! What is counted: numbers that any thread adds to without waiting for another one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are at this moment. Clones count the same things.
#[derive(Clone, Debug, Default)]
pub struct Present(Arc<AtomicU64>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Counted(Arc<AtomicU64>);

impl Present {
    /// One more, as long as the answer is kept.
    pub fn enter(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&self.0))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The upper bounds of the buckets of every histogram, in microseconds: from a signature to the
/// longest that anybody waits.
pub const BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// How long something took, counted in buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound.
    buckets: [Counter; BOUNDS.len()],
    /// What was longer than all of them.
    longer: Counter,
    sum_micros: AtomicU64,
}

/// A histogram as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// A bound in microseconds, and how many were at most as long.
    pub at_most: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long all of them took together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// One more, which took so long.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let index = BOUNDS.partition_point(|bound| *bound < micros);
        self.buckets.get(index).unwrap_or(&self.longer).add();
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// As it stands.
    pub fn distribution(&self) -> Distribution {
        let mut count = 0_u64;
        let at_most = BOUNDS.iter().zip(&self.buckets).map(|(bound, bucket)| {
            count = count.saturating_add(bucket.value());
            (*bound, count)
        });
        let at_most = at_most.collect();
        let count = count.saturating_add(self.longer.value());
        Distribution { at_most, count, sum_micros: self.sum_micros.load(Ordering::Relaxed) }
    }
}

/// Counts by word, of which there are few, all known beforehand.
#[derive(Debug)]
pub struct Tally<const N: usize> {
    words: [&'static str; N],
    counters: [Counter; N],
}

impl<const N: usize> Tally<N> {
    /// A count for each word.
    pub fn new(words: [&'static str; N]) -> Self {
        Self { words, counters: std::array::from_fn(|_| Counter::default()) }
    }

    /// One more of a word; of one that is not known, none.
    pub fn add(&self, word: &str) {
        let index = self.words.iter().position(|known| *known == word);
        if let Some(counter) = index.and_then(|index| self.counters.get(index)) {
            counter.add();
        }
    }

    /// Every word and how many there were.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.words.iter().copied().zip(self.counters.iter().map(Counter::value))
    }
}

/// Counts by word of the program itself, such as the code of an error: for what is seldom.
#[derive(Debug, Default)]
pub struct Words(Mutex<BTreeMap<&'static str, u64>>);

impl Words {
    /// One more of a word.
    pub fn add(&self, word: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(word).or_default();
        *count = count.saturating_add(1);
    }

    /// Every word that there was, and how often.
    pub fn values(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(word, count)| (*word, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_at_most_its_bound_and_the_count_all() {
        let histogram = Histogram::default();
        for micros in [500, 501, 20_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let Distribution { at_most, count, sum_micros } = histogram.distribution();
        assert_eq!(at_most[..2], [(500, 1), (1_000, 2)]);
        assert_eq!(at_most.last(), Some(&(10_000_000, 2)));
        assert_eq!((count, sum_micros), (3, 20_001_001));
    }

    #[test]
    fn what_left_is_not_present() {
        let present = Present::default();
        let (one, two) = (present.enter(), present.clone().enter());
        assert_eq!(present.count(), 2);
        drop(one);
        assert_eq!(present.count(), 1);
        drop(two);
        assert_eq!(present.count(), 0);
    }

    #[test]
    fn a_tally_counts_the_words_that_it_knows_alone() {
        let tally = Tally::new(["a", "b"]);
        ["a", "b", "b", "c"].into_iter().for_each(|word| tally.add(word));
        assert_eq!(tally.values().collect::<Vec<_>>(), [("a", 1), ("b", 2)]);
    }
}
