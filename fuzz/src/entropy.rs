//! Decisions of a target, read off the front of its bytes. When they end, every decision is zero.

/// Bytes that were not used yet.
pub struct Entropy<'b>(pub &'b [u8]);

impl<'b> Entropy<'b> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::from_be_bytes(self.array()).checked_rem(bound).unwrap_or(0)
    }

    /// So many bytes.
    pub fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        let mut taken = [0; LEN];
        for place in &mut taken {
            if let Some((first, rest)) = self.0.split_first() {
                (*place, self.0) = (*first, rest);
            }
        }
        taken
    }

    /// Everything else, if it is text.
    pub fn text(self) -> Option<&'b str> {
        std::str::from_utf8(self.0).ok()
    }

    /// A text with some of its bytes changed, as far as it stays text.
    pub fn tamper(mut self, text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        while let [_, _, _, ..] = self.0 {
            let [high, low, byte] = self.array();
            let at = usize::from(u16::from_be_bytes([high, low])).checked_rem(bytes.len())?;
            match byte {
                // Not every change keeps the length.
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, b'A'),
                byte => *bytes.get_mut(at)? = byte,
            }
        }
        String::from_utf8(bytes).ok()
    }
}

/// Both sides of the first newline.
pub fn two_lines(bytes: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(bytes).ok()?.split_once('\n')
}
