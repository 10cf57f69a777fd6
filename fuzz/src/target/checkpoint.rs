//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint): what opens was signed, to the
//! letter; and a key has one text.

use munjigi_audit::{Checkpoint, Signer, VerifierKey, leaf_hash};

use crate::entropy::Entropy;

const NAME: &str = "id.example/audit";

pub fn run(bytes: &[u8]) {
    let Ok(signer) = Signer::from_seed(NAME, &[7; 32]) else { panic!("a seed is a key") };
    let verifier = signer.verifier();
    let mut entropy = Entropy(bytes);
    match entropy.byte() % 4 {
        0 => entropy.text().into_iter().for_each(|note| foreign(&signer, note)),
        1 => entropy.text().into_iter().for_each(|text| signed(&signer, text)),
        2 => entropy.text().into_iter().for_each(key),
        _ => {
            let root = leaf_hash(&entropy.array::<4>());
            let checkpoint = Checkpoint::new(NAME, entropy.below(u64::MAX), root);
            let Ok(note) = signer.sign(&checkpoint.to_string()) else { panic!("not signed") };
            assert_eq!(Checkpoint::open(&note, &verifier).as_ref(), Ok(&checkpoint));
            let Some(changed) = entropy.tamper(&note) else { return };
            if let Ok(other) = Checkpoint::open(&changed, &verifier) {
                assert_eq!(other, checkpoint, "another checkpoint under the same signature");
            }
        }
    }
}

/// Whatever a stranger sends: if it opens, this key signs the same text to a note that opens too.
fn foreign(signer: &Signer, note: &str) {
    let Ok(text) = signer.verifier().open(note) else { return };
    let Ok(again) = signer.sign(text) else { panic!("opened, and no text of a note: {text:?}") };
    let signature = again.strip_prefix(text).unwrap_or_default().trim_start_matches('\n');
    assert!(note.contains(signature), "opened without our signature");
}

fn signed(signer: &Signer, text: &str) {
    let Ok(note) = signer.sign(text) else { return };
    assert_eq!(signer.verifier().open(&note), Ok(text), "signed, and does not open");
    if let Ok(checkpoint) = Checkpoint::open(&note, &signer.verifier()) {
        assert_eq!(checkpoint.to_string(), text, "two texts for one checkpoint");
    }
}

fn key(text: &str) {
    if let Ok(key) = text.parse::<VerifierKey>() {
        let written = key.to_string();
        assert_eq!(written, text.trim(), "two texts for one key");
        assert_eq!(written.parse().as_ref(), Ok(&key));
    }
}
