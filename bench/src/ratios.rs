//! `ratios`: ours and the bare thing in short alternating windows of one thread, by its processor
//! time, so that a neighbour that comes and goes meets both. What counts is the median of the
//! ratios of neighbouring windows.

use std::hint::black_box;
use std::time::Duration;

use munjigi_token::Algorithm;

use crate::bare::{ALGORITHMS, Subject};
use crate::statistics::{Spread, median, quartiles};
use crate::{Arguments, clock};

const WINDOW: Duration = Duration::from_millis(4);

/// Prints every ratio, some times over.
pub fn run(arguments: &Arguments) {
    let (rounds, pairs) = (arguments.number("--rounds", 3), arguments.number("--pairs", 200));
    println!(
        "{:8} {:10} {:>10} {:>10}  rate of ours / bare: median [quartiles] of {pairs} pairs",
        "", "", "bare µs", "ours µs"
    );
    for algorithm in ALGORITHMS {
        let subject = Subject::new(algorithm);
        for _ in 0..rounds {
            let sign = compare(pairs, || subject.bare_sign(), || subject.sign());
            print(algorithm, "sign", &sign, 0.93);
        }
        for _ in 0..rounds {
            let verify = compare(pairs, || subject.bare_verify(), || subject.verify());
            let is_rsa = matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256);
            print(algorithm, "verify", &verify, if is_rsa { 0.90 } else { 0.95 });
        }
        for _ in 0..rounds {
            let again = compare(pairs, || subject.bare_verify(), || subject.verify_again());
            let met = if again.ours.median <= 1.5 { "met" } else { "MISSED" };
            let (name, ours) = (algorithm.as_str(), again.ours);
            println!(
                "{name:8} seen again {:>10.2} {:>10.3}  [{:.3}–{:.3}] µs, goal ≤ 1.5 µs: {met}",
                again.bare.median, ours.median, ours.low, ours.high
            );
        }
    }
}

fn print(algorithm: Algorithm, what: &str, compared: &Compared, goal: f64) {
    let Spread { median, low, high } = compared.ratio;
    let met = if median >= goal { "met" } else { "MISSED" };
    println!(
        "{:8} {what:10} {:>10.2} {:>10.2}  {median:.3} [{low:.3}–{high:.3}], goal ≥ {goal}: {met}",
        algorithm.as_str(),
        compared.bare.median,
        compared.ours.median
    );
}

/// Two things, measured beside each other, in µs of processor time.
pub struct Compared {
    pub bare: Spread,
    pub ours: Spread,
    /// The rate of ours by the rate of the bare thing.
    pub ratio: Spread,
}

/// Measures two things in alternating windows.
pub fn compare(
    pairs: usize,
    mut bare: impl FnMut() -> usize,
    mut ours: impl FnMut() -> usize,
) -> Compared {
    let (bare_calls, our_calls) = (calls_in_window(&mut bare), calls_in_window(&mut ours));
    let (mut of_bare, mut of_ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        // In turns: neither always comes first.
        let (one, other) = if pair % 2 == 0 {
            let one = micros_per_call(bare_calls, &mut bare);
            (one, micros_per_call(our_calls, &mut ours))
        } else {
            let other = micros_per_call(our_calls, &mut ours);
            (micros_per_call(bare_calls, &mut bare), other)
        };
        of_bare.push(one);
        of_ours.push(other);
        ratios.push(one / other);
    }
    let (bare, ours) = (quartiles(&of_bare), quartiles(&of_ours));
    Compared { bare, ours, ratio: quartiles(&ratios) }
}

/// What one call costs the calling thread, in µs.
pub fn micros_per_call(calls: u32, work: &mut impl FnMut() -> usize) -> f64 {
    let before = clock::of_thread();
    for _ in 0..calls {
        black_box(work());
    }
    (clock::of_thread() - before).as_secs_f64() * 1e6 / f64::from(calls)
}

fn calls_in_window(work: &mut impl FnMut() -> usize) -> u32 {
    let costs: Vec<f64> = (0..5).map(|_| micros_per_call(8, work)).collect();
    ((WINDOW.as_secs_f64() * 1e6 / median(&costs)) as u32).max(4)
}
