//! Measures spans; the one file of this example that reads a clock.

use std::hint::black_box;
use std::time::Instant;

const ROUNDS: usize = 301;
const CALLS: u32 = 64;

/// What one call takes: the median of many short rounds.
#[expect(clippy::disallowed_methods, reason = "this file is the one place that measures spans")]
pub fn median_nanos<T>(mut call: impl FnMut() -> T) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap_or_default()
}
