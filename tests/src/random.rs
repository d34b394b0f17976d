//! Random numbers that a seed repeats. Source: Marsaglia, "Xorshift RNGs", 2003.

/// The state of such a row of numbers: what a clone draws next, the original draws too.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Returns the numbers of `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Returns true in one of `of` cases.
    ///
    /// # Panics
    /// If `of` is zero.
    pub fn one_in(&mut self, of: u64) -> bool {
        // The low bits of an xorshift are its worst.
        (self.below(u64::MAX) >> 17).is_multiple_of(of)
    }
}
