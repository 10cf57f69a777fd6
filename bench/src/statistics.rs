//! Medians and percentiles.

/// The middle of some figures, and how far they are apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of all, with the quartiles around it.
pub fn quartiles(figures: &[f64]) -> Spread {
    Spread { low: at(figures, 0.25), median: at(figures, 0.5), high: at(figures, 0.75) }
}

/// The median.
pub fn median(figures: &[f64]) -> f64 {
    at(figures, 0.5)
}

/// The figure below which this share of all lies.
pub fn at(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = ((sorted.len().max(1) - 1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
