//! The random choices of one world: the same seed gives the same choices.

use steward_model::splitmix::SplitMix;

#[derive(Debug, Clone)]
pub(crate) struct Random(SplitMix);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        // Seeds are small numbers; mixing them once keeps neighbours apart.
        Random(SplitMix::new(SplitMix::new(seed ^ 0x5741_5244_5345_4544).draw()))
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0.draw()
    }

    /// Returns a number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound as u64) as usize
    }

    /// Returns one of `choices`, each with its weight.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(usize, T)]) -> T {
        let mut at = self.below(choices.iter().map(|(weight, _)| weight).sum());
        for (weight, choice) in choices {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return *choice,
            }
        }
        unreachable!("the weights sum up to more than what was drawn")
    }
}
