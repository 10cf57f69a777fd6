//! The slice: every kept input again, and a bounded number of mutations of each.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use munjigi_fuzz::mutation::Mutator;
use munjigi_fuzz::{TARGETS, Target};

/// Mutations of each target: some seconds together, unoptimised.
const MUTATIONS: u64 = 1_500;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let listed =
        fs::read_dir(folder("corpus").join(target.name)).expect("a corpus for each target");
    let mut inputs: Vec<(String, Vec<u8>)> = listed
        .map(|entry| {
            let entry = entry.expect("a file of the corpus");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("a file of the corpus"))
        })
        .collect();
    inputs.sort();
    inputs
}

/// The words of a dictionary of libFuzzer: in quotation marks, `\xHH` for a byte.
fn words(target: &Target) -> Vec<Vec<u8>> {
    let path = folder("dictionaries").join(format!("{}.dict", target.name));
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(word).collect()
}

fn word(quoted: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = quoted.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                after
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    bytes
}

fn failure_of(target: &Target, input: &[u8]) -> Option<String> {
    let run = target.run;
    let caught = catch_unwind(|| run(input)).err()?;
    let message = caught.downcast_ref::<String>().cloned();
    let message = message.or_else(|| caught.downcast_ref::<&str>().map(|it| (*it).to_owned()));
    let shown = String::from_utf8_lossy(input).into_owned();
    Some(format!("{}: {} on {shown:?}", target.name, message.unwrap_or_default()))
}

#[test]
fn every_kept_input_is_answered_as_it_has_to_be() {
    for target in &TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 3, "{} has hardly any corpus", target.name);
        for (name, input) in inputs {
            let failure = failure_of(target, &input);
            assert!(failure.is_none(), "corpus/{}/{name}: {}", target.name, failure.unwrap());
        }
    }
}

#[test]
fn so_are_mutations_of_what_is_kept() {
    for (target, seed) in TARGETS.iter().zip(1..) {
        let inputs: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
        let words = words(target);
        let mut mutator = Mutator::new(seed);
        for _ in 0..MUTATIONS {
            let (base, other) = (mutator.pick(&inputs).unwrap(), mutator.pick(&inputs).unwrap());
            let input = mutator.mutate(base, other, &words);
            let failure = failure_of(target, &input);
            assert!(failure.is_none(), "{}", failure.unwrap());
        }
    }
}

/// A corpus nobody replays would rot, and so would a target without one.
#[test]
fn corpora_and_dictionaries_are_those_of_the_targets() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let kept = |path: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder(path)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(kept("corpus"), names);
    assert!(kept("dictionaries").is_subset(&names));
}

/// A slice that notices nothing proves nothing.
#[test]
fn a_target_that_is_wrong_is_noticed() {
    let wrong = |bytes: &[u8]| assert!(!bytes.starts_with(b"https://app.test/cbx"));
    let target = Target { name: "redirect", run: wrong };
    let mut mutator = Mutator::new(7);
    let words = [b"x".to_vec(), b"https://app.test/cb".to_vec()];
    let noticed = (0..20_000).any(|_| {
        let input = mutator.mutate(b"https://app.test/cb", b"x", &words);
        failure_of(&target, &input).is_some()
    });
    assert!(noticed, "twenty thousand mutations found nothing");
}
