//! Mutations without a guide, for machines that have no engine: the same ones for the same seed.
//! It draws no randomness: a number that follows from the last is enough, and can be repeated.

/// Where mutations come from (xorshift64*).
#[derive(Clone, Debug)]
pub struct Mutator(u64);

impl Mutator {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let drawn = (self.next() >> 16).checked_rem(bound).unwrap_or(0);
        usize::try_from(drawn).unwrap_or(0)
    }

    /// One of these; nothing when there are none.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        from.get(self.below(from.len()))
    }

    /// A copy of `bytes` with one to eight changes; `other` lends pieces, `words` whole words.
    pub fn mutate(&mut self, bytes: &[u8], other: &[u8], words: &[Vec<u8>]) -> Vec<u8> {
        let mut mutated = bytes.to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut mutated, other, words);
        }
        mutated.truncate(16_384);
        mutated
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8], words: &[Vec<u8>]) {
        let from = self.below(bytes.len().saturating_add(1));
        let length = self.below(bytes.len().saturating_sub(from).min(32).saturating_add(1));
        let range = from..from.saturating_add(length);
        match self.below(6) {
            0 => drop(bytes.drain(range)),
            1 => {
                let copied: Vec<u8> = bytes.get(range).unwrap_or_default().to_vec();
                bytes.splice(from..from, copied);
            }
            2 => {
                let start = self.below(other.len());
                let end = start.saturating_add(self.below(32)).min(other.len());
                let piece = other.get(start..end).unwrap_or_default().to_vec();
                bytes.splice(range, piece);
            }
            3 => {
                let word = self.pick(words).cloned().unwrap_or_default();
                bytes.splice(from..from, word);
            }
            4 => {
                let drawn = u8::try_from(self.below(256)).unwrap_or(0);
                bytes.insert(from, drawn);
            }
            _ => {
                let bit = 1_u8 << self.below(8);
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= bit;
                }
            }
        }
    }
}
