//! Histories of counters, and the judge of them.
//!
//! Each writer adds one to a counter and is told the sum; each reader is told the sum. A history is linearizable exactly if
//! there is an order of all operations that respects real time and gives these answers. For a counter that is quickly told: no two
//! additions are told the same sum, and nobody who begins after somebody else was told a sum is told a smaller one (or the same,
//! if it is an addition). Additions without an answer may have happened, once each, at any time: they may fill gaps, and no more gaps
//! than there are such additions may be left below the greatest sum.
//!
//! Source: Herlihy, Wing, "Linearizability", 1990; the special case of a fetch-and-add object.

use std::time::Instant;

/// One operation that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    /// The sum that was told.
    pub(crate) sum: u64,
    /// True if the operation added one.
    pub(crate) adds: bool,
    /// Which node was asked, and who answered in which epoch: for whoever has to find out what happened.
    pub(crate) by: String,
}

/// What happened to one counter.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Where the counter is.
    pub(crate) path: String,
    pub(crate) told: Vec<Told>,
    /// Additions of which nobody knows whether they happened: what their clients were told.
    pub(crate) unknown: Vec<String>,
    /// What clients were told who were refused for the time being.
    pub(crate) refused: Vec<String>,
}

impl History {
    /// Judges the history; `last` is the sum that was read after everything had ended.
    ///
    /// # Errors
    /// Says what cannot be.
    pub(crate) fn judge(&self, last: u64) -> Result<(), String> {
        let mut sums: Vec<&Told> = self.told.iter().filter(|told| told.adds).collect();
        sums.sort_unstable_by_key(|told| told.sum);
        if let Some(at) = sums.windows(2).position(|pair| pair[0].sum == pair[1].sum) {
            let around = sums[at.saturating_sub(3)..sums.len().min(at + 5)].iter();
            let around: Vec<String> = around.map(|told| format!("{}: {}", told.sum, told.by)).collect();
            return Err(format!("two additions were told the sum {}:\n{}", sums[at].sum, around.join("\n")));
        }
        let acknowledged = sums.len() as u64;
        if last < acknowledged || last > acknowledged + self.unknown.len() as u64 {
            return Err(format!(
                "{acknowledged} additions were acknowledged, {} are unknown, the sum is {last}",
                self.unknown.len()
            ));
        }
        let mut by_end = self.told.clone();
        by_end.sort_unstable_by_key(|told| told.ended);
        let mut by_begin = self.told.clone();
        by_begin.sort_unstable_by_key(|told| told.began);
        let (mut ended, mut greatest) = (by_end.iter().peekable(), 0);
        for told in &by_begin {
            while let Some(before) = ended.next_if(|before| before.ended < told.began) {
                greatest = greatest.max(before.sum);
            }
            let least = greatest + u64::from(told.adds);
            if told.sum < least {
                return Err(format!("{told:?} began after the sum {greatest} had been told"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(began: u64, ended: u64, sum: u64, adds: bool) -> Told {
        static ZERO: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        let at = |millis| *ZERO + Duration::from_millis(millis);
        Told { began: at(began), ended: at(ended), sum, adds, by: String::new() }
    }

    #[test]
    fn histories_that_cannot_be_are_refused() {
        let judge = |told: Vec<Told>, unknown, last| {
            let unknown = vec!["no answer".to_owned(); unknown];
            History { told, unknown, ..History::default() }.judge(last)
        };
        assert_eq!(judge(vec![told(0, 2, 1, true), told(1, 3, 2, true), told(4, 5, 2, false)], 0, 2), Ok(()));
        assert!(judge(vec![told(0, 2, 1, true), told(1, 3, 1, true)], 0, 2).is_err(), "a sum was told twice");
        assert!(judge(vec![told(0, 2, 1, true)], 0, 0).is_err(), "an addition is lost");
        assert!(judge(vec![told(0, 2, 1, true)], 0, 2).is_err(), "an addition happened twice");
        assert_eq!(judge(vec![told(0, 2, 1, true)], 1, 2), Ok(()), "an unknown one may have happened");
        let stale = vec![told(0, 2, 1, true), told(1, 3, 2, true), told(4, 5, 1, false)];
        assert!(judge(stale, 0, 2).is_err(), "a read is old");
        let reordered = vec![told(0, 2, 2, true), told(3, 4, 1, true)];
        assert!(judge(reordered, 0, 2).is_err(), "a later addition was told less");
    }
}
