//! Checkpoints as they are kept elsewhere, one in each line: by an anchor file, by syslog, and in
//! the list of those that introduced a key. And the keys that follow one from the other.

use serde_json::{Value, json};

use crate::{Checkpoint, Error, Finding, VerifierKey};

/// A checkpoint in one line, with the time at which it was kept.
pub fn kept_line(at: &str, note: &str) -> String {
    let line = json!({ "at": at, "checkpoint": note });
    format!("{line}\n")
}

/// The notes in a text: the whole of it, if it is one, else one in each line that has one. Syslog
/// puts words before them, and other lines between.
pub fn kept_notes(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let object = line.get(line.find('{')?..)?;
        let value: Value = serde_json::from_str(object).ok()?;
        Some(value.get("checkpoint")?.as_str()?.to_owned())
    };
    let notes: Vec<String> = text.lines().filter_map(of_line).collect();
    if notes.is_empty() { vec![text.to_owned()] } else { notes }
}

/// The keys of a log from one that is trusted on, and the checkpoints at which they changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The one that signs.
    last: VerifierKey,
    /// Those before it, the trusted one first.
    before: Vec<VerifierKey>,
    /// Where one followed another.
    pub changes: Vec<Checkpoint>,
}

impl Keys {
    /// Follows the introductions from a key on. Whoever has that key alone can tell that each next
    /// one was named by the one before it, and that it was there.
    ///
    /// # Errors
    /// [`Finding::Tampered`] when an introduction by a trusted key is none.
    pub fn follow(trusted: &VerifierKey, introductions: &str) -> Result<Self, Finding> {
        let (last, before, changes) = (trusted.clone(), Vec::new(), Vec::new());
        let mut found = Self { last, before, changes };
        let notes = match introductions.is_empty() {
            true => Vec::new(),
            false => kept_notes(introductions),
        };
        let wrong = || Finding::tampered(None, "keys.ndjson: a key is introduced wrongly");
        for note in notes {
            let checkpoint = match Checkpoint::open(&note, &found.last) {
                Ok(checkpoint) => checkpoint,
                // It is about keys before the trusted one.
                Err(Error::Unsigned) => continue,
                Err(_) => return Err(wrong()),
            };
            let next = checkpoint.next.clone().ok_or_else(wrong)?;
            // Without its signature, a key could be named that nobody has.
            next.open(&note).map_err(|_| wrong())?;
            if next != found.last {
                found.before.push(std::mem::replace(&mut found.last, next));
            }
            found.changes.push(checkpoint);
        }
        Ok(found)
    }

    /// The key that signs.
    pub const fn last(&self) -> &VerifierKey {
        &self.last
    }

    /// The checkpoint of a note that one of these keys signed.
    ///
    /// # Errors
    /// What is wrong with it, by the last of them that it is a note for.
    pub fn open(&self, note: &str) -> Result<Checkpoint, Error> {
        let all = std::iter::once(&self.last).chain(self.before.iter().rev());
        let mut opened = all.map(|key| Checkpoint::open(note, key));
        opened.find(|it| *it != Err(Error::Unsigned)).unwrap_or(Err(Error::Unsigned))
    }

    /// The checkpoints in a text that somebody kept, and how many in it are of other keys.
    ///
    /// # Errors
    /// What is wrong with one of them; [`Error::Unsigned`] when none is of these keys.
    pub fn kept(&self, text: &str) -> Result<(Vec<Checkpoint>, usize), Error> {
        let (mut kept, mut others) = (Vec::new(), 0);
        for note in kept_notes(text) {
            match self.open(&note) {
                Ok(checkpoint) => kept.push(checkpoint),
                Err(Error::Unsigned) => others += 1,
                Err(error) => return Err(error),
            }
        }
        if kept.is_empty() { Err(Error::Unsigned) } else { Ok((kept, others)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signer;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("id.example/audit", &[seed; 32]).unwrap()
    }

    fn introduction(size: u64, old: u8, new: u8) -> String {
        let next = signer(new).verifier();
        let text = Checkpoint::new("id.example/audit", size, [7; 32]).introducing(next).to_string();
        signer(new).countersign(&signer(old).sign(&text).unwrap()).unwrap()
    }

    #[test]
    fn keys_are_followed_from_any_of_them_on() {
        let (one, two) = (introduction(5, 1, 2), introduction(9, 2, 3));
        let text = [kept_line("t", &one), kept_line("t", &two)].concat();
        for (trusted, changes) in [(1, 2), (2, 2), (3, 1)] {
            let keys = Keys::follow(&signer(trusted).verifier(), &text).unwrap();
            assert_eq!(*keys.last(), signer(3).verifier(), "from {trusted}");
            assert_eq!(keys.changes.len(), changes);
        }
        let keys = Keys::follow(&signer(4).verifier(), &text).unwrap();
        assert_eq!(*keys.last(), signer(4).verifier(), "a stranger follows nobody");
        assert_eq!(keys.open(&one), Err(Error::Unsigned));
    }

    /// Whoever has only the new key puts their signature below an old checkpoint.
    #[test]
    fn a_key_that_the_one_before_did_not_name_is_not_followed() {
        let plain = Checkpoint::new("id.example/audit", 5, [7; 32]).to_string();
        let plain = signer(2).countersign(&signer(1).sign(&plain).unwrap()).unwrap();
        let unproved = {
            let next = signer(2).verifier();
            let text = Checkpoint::new("id.example/audit", 5, [7; 32]).introducing(next);
            signer(1).sign(&text.to_string()).unwrap()
        };
        let changed = introduction(5, 1, 2).replace("\n5\n", "\n6\n");
        let elsewhere = {
            let next = Signer::from_seed("other.example/audit", &[2; 32]).unwrap();
            let text = Checkpoint::new("id.example/audit", 5, [7; 32]);
            let text = text.introducing(next.verifier()).to_string();
            next.countersign(&signer(1).sign(&text).unwrap()).unwrap()
        };
        for wrong in [plain, unproved, changed, elsewhere] {
            let found = Keys::follow(&signer(1).verifier(), &kept_line("t", &wrong)).unwrap_err();
            assert_eq!(found.exit_code(), 1, "{wrong}");
        }
        // Not named by the trusted key at all.
        let by_thief = introduction(5, 9, 2);
        let keys = Keys::follow(&signer(1).verifier(), &kept_line("t", &by_thief)).unwrap();
        assert_eq!(*keys.last(), signer(1).verifier());
    }

    #[test]
    fn checkpoints_are_found_in_files_of_every_kind() {
        let key = signer(1);
        let note = |size| {
            key.sign(&Checkpoint::new("id.example/audit", size, [7; 32]).to_string()).unwrap()
        };
        let keys = Keys::follow(&key.verifier(), "").unwrap();
        let sizes = |text: &str| {
            let (kept, others) = keys.kept(text)?;
            Ok((kept.iter().map(|it| it.size).collect::<Vec<_>>(), others))
        };
        assert_eq!(sizes(&note(4)), Ok((vec![4], 0)));
        let file = [kept_line("t", &note(4)), kept_line("t", &note(8))].concat();
        assert_eq!(sizes(&file), Ok((vec![4, 8], 0)));
        let log = format!(
            "Aug  1 host cron: nothing {{}}\nAug  1 host munjigi 7 audit-checkpoint - {}{{\"torn",
            kept_line("t", &note(8))
        );
        assert_eq!(sizes(&log), Ok((vec![8], 0)));
        let other = signer(2).sign("id.example/audit\n1\nAA==\n").unwrap();
        let mixed = [kept_line("t", &note(4)), kept_line("t", &other)].concat();
        assert_eq!(sizes(&mixed), Ok((vec![4], 1)));
        assert_eq!(sizes(&kept_line("t", &other)), Err(Error::Unsigned));
        let changed = note(4).replace("\n4\n", "\n5\n");
        assert_eq!(sizes(&kept_line("t", &changed)), Err(Error::BadSignature));
        assert_eq!(sizes("nothing of the kind"), Err(Error::BadNote));
    }
}
