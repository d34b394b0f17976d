//! How much patience the earlier beats of a node have earned it.

use std::collections::VecDeque;
use std::time::Duration;

use super::timing::{BEAT, PATIENCE_MAX, PATIENCE_MIN};

/// How many gaps between beats are remembered: those of about 13 s.
const GAPS: usize = 128;

/// The newest gaps between the beats of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Jitter {
    gaps: VecDeque<Duration>,
}

impl Jitter {
    /// Takes a gap in. One beyond the longest patience was no jitter: the node was away.
    pub(super) fn observe(&mut self, gap: Duration) {
        if gap > PATIENCE_MAX {
            self.gaps.clear();
            return;
        }
        if self.gaps.len() == GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back(gap);
    }

    /// Returns how long the node may be silent.
    pub(super) fn patience(&self) -> Duration {
        let (mut worst, mut second) = (Duration::ZERO, Duration::ZERO);
        for gap in &self.gaps {
            if *gap > worst {
                (worst, second) = (*gap, worst);
            } else if *gap > second {
                second = *gap;
            }
        }
        (second * 2 + BEAT).clamp(PATIENCE_MIN, PATIENCE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(gaps: &[u64]) -> Duration {
        let mut jitter = Jitter::default();
        gaps.iter().for_each(|millis| jitter.observe(Duration::from_millis(*millis)));
        jitter.patience()
    }

    #[test]
    fn calm_beats_earn_the_floor_and_one_outlier_changes_nothing() {
        assert_eq!(after(&[]), PATIENCE_MIN);
        assert_eq!(after(&[100, 110, 95]), PATIENCE_MIN);
        assert_eq!(after(&[100, 1_400, 95]), PATIENCE_MIN);
    }

    #[test]
    fn two_outliers_raise_patience_up_to_the_ceiling() {
        assert_eq!(after(&[500, 100, 500]), Duration::from_millis(1_100));
        assert_eq!(after(&[2_000, 2_900]), PATIENCE_MAX);
    }

    #[test]
    fn calm_returns_with_calm_beats_and_with_an_absence() {
        let mut gaps = vec![900, 900];
        gaps.resize(GAPS + 1, 100);
        assert_eq!(after(&gaps), PATIENCE_MIN);
        assert_eq!(after(&[900, 900, 3_001]), PATIENCE_MIN);
    }
}
