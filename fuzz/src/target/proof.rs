//! Proofs of inclusion that travel (C2SP tlog-proof): one proof has one text, and a changed one
//! leads nowhere but to the same entry of the same tree.

use munjigi_audit::{Checkpoint, Edge, Error, Proof, Signer, inclusion, leaf_hash};

use crate::entropy::Entropy;

const NAME: &str = "id.example/audit";
const ENTRIES: [&[u8]; 2] = [b"first", b"second"];

pub fn run(bytes: &[u8]) {
    let mut entropy = Entropy(bytes);
    match entropy.byte() % 2 {
        0 => {
            let Some(text) = entropy.text() else { return };
            if let Ok(proof) = Proof::parse(text) {
                assert_eq!(proof.to_string(), text, "two texts for one proof");
            }
        }
        _ => tampered(entropy),
    }
}

fn tampered(entropy: Entropy<'_>) {
    let Ok((proof, key)) = sound() else { panic!("no proof") };
    let text = proof.to_string();
    let Some(changed) = entropy.tamper(&text) else { return };
    let Ok(other) = Proof::parse(&changed) else { return };
    if other.check(&key).is_ok() {
        assert_eq!((other.entry, other.index), (proof.entry, proof.index), "another entry holds");
    }
}

fn sound() -> Result<(Proof, munjigi_audit::VerifierKey), Error> {
    let signer = Signer::from_seed(NAME, &[7; 32])?;
    let mut edge = Edge::default();
    let leaves = ENTRIES.map(leaf_hash);
    leaves.iter().for_each(|leaf| drop(edge.push(*leaf)));
    let checkpoint = Checkpoint::new(NAME, edge.size(), edge.root());
    let note = signer.sign(&checkpoint.to_string())?;
    let leaf = |_, index: u64| {
        let at = usize::try_from(index).map_err(|_| Error::OutOfRange)?;
        leaves.get(at).copied().ok_or(Error::OutOfRange)
    };
    let path = inclusion(1, 2, leaf)?;
    let proof = Proof { entry: ENTRIES[1].to_vec(), index: 1, path, note };
    proof.check(&signer.verifier())?;
    Ok((proof, signer.verifier()))
}
