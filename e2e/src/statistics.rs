//! Whether two series of measurements differ: medians, and the rank test of Mann and Whitney.

#![allow(clippy::as_conversions, reason = "counts of measurements, far below 2^52")]

/// The middle of some figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        many if many % 2 == 1 => sorted[many / 2],
        many => f64::midpoint(sorted[many / 2 - 1], sorted[many / 2]),
    }
}

/// How likely two series are at least as far apart as these although they come from the same
/// source: Mann-Whitney U, two-sided, by the normal approximation with ties averaged, which is good
/// from about 20 figures each on.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = first.iter().map(|it| (*it, true)).collect();
    all.extend(second.iter().map(|it| (*it, false)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let equal = all[at..].iter().take_while(|it| it.0 == all[at].0).count();
        // Equal figures share the mean of their ranks, which begin at 1.
        let rank = at as f64 + (equal as f64 + 1.0) / 2.0;
        ranks += rank * all[at..at + equal].iter().filter(|it| it.1).count() as f64;
        ties += (equal as f64).powi(3) - equal as f64;
        at += equal;
    }
    let (n, m) = (first.len() as f64, second.len() as f64);
    let total = n + m;
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    (2.0 * beyond(distance)).min(1.0)
}

/// The share of a normal distribution beyond so many standard deviations, to within 1e-7
/// (Abramowitz and Stegun 26.2.17).
fn beyond(deviations: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * deviations);
    let series = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = series.iter().rev().fold(0.0, |sum, factor| (sum + factor) * t);
    (-deviations * deviations / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures as scattered as those of a busy machine, from a fixed source.
    fn scattered(seed: u64, many: usize, middle: f64) -> Vec<f64> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        (0..many).map(|_| middle * (0.9 + 0.1 * (next() + next() + next()) / 1.5)).collect()
    }

    #[test]
    fn the_known_cases_of_tables_come_out() {
        assert!((beyond(1.959_964) - 0.025).abs() < 1e-6);
        assert!((beyond(0.0) - 0.5).abs() < 1e-6);
        // 1 to 10 against 6 to 15: U is 12.5, p 0.0051 with the correction for continuity.
        let first: Vec<f64> = (1..=10).map(f64::from).collect();
        let second: Vec<f64> = (6..=15).map(f64::from).collect();
        assert!((mann_whitney(&first, &second) - 0.0051).abs() < 0.0006);
        assert!((mann_whitney(&second, &first) - mann_whitney(&first, &second)).abs() < 1e-12);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn one_source_passes_and_a_difference_of_three_percent_does_not() {
        let base = scattered(1, 400, 20.0);
        assert!(mann_whitney(&base, &scattered(2, 400, 20.0)) > 0.01);
        assert!(mann_whitney(&base, &scattered(3, 400, 20.6)) < 0.01);
        assert!(mann_whitney(&[5.0; 50], &[5.0; 50]) > 0.99, "ties tell nothing");
    }
}
