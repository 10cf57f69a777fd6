//! Choices that can be repeated: SplitMix64 (Steele, Lea, Flood 2014). Nothing secret comes of it.

/// A sequence of choices.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that begins here.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut hash = self.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        low + (hash ^ (hash >> 31)) % (high - low + 1)
    }
}
