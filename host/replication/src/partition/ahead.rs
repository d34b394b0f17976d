//! Readers that have seen more elsewhere than this copy has committed. They wait until it has come as far.

use std::collections::BTreeMap;

use futures_channel::oneshot;
use steward_model::Offset;

use super::giving_up::Sweep;

/// Readers that wait, by the offset that they have seen.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    waiting: BTreeMap<Offset, Vec<oneshot::Sender<()>>>,
    sweep: Sweep,
}

impl Ahead {
    /// Enters a reader, who is told once the offset is committed.
    pub(super) fn enter(&mut self, offset: Offset) -> oneshot::Receiver<()> {
        let (reached, waits) = oneshot::channel();
        // Whoever asks names the offset, so there may be as many as there were readers.
        self.sweep.among(self.waiting.len(), || {
            self.waiting.retain(|_, waiting| waiting.iter().any(|other| !other.is_canceled()));
            self.waiting.len()
        });
        let waiting = self.waiting.entry(offset).or_default();
        waiting.retain(|other| !other.is_canceled());
        waiting.push(reached);
        waits
    }

    /// Wakes those whose offset is committed by now.
    pub(super) fn committed(&mut self, through: Offset) {
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() <= through) {
            for reached in first.remove() {
                // The reader may have given up.
                let _ = reached.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_woken_when_their_offset_is_committed_and_not_before() {
        let mut ahead = Ahead::default();
        let (mut early, mut late) = (ahead.enter(Offset(3)), ahead.enter(Offset(5)));
        ahead.committed(Offset(2));
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(None), Ok(None)));
        ahead.committed(Offset(4));
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(Some(())), Ok(None)));
    }

    #[test]
    fn readers_that_have_given_up_leave_nothing_behind() {
        let mut ahead = Ahead::default();
        for _ in 0..3 {
            drop(ahead.enter(Offset(9)));
        }
        assert_eq!(ahead.waiting[&Offset(9)].len(), 1);
        for offset in 0..1_000 {
            drop(ahead.enter(Offset(offset)));
        }
        assert!(ahead.waiting.len() < 100, "{} offsets are left", ahead.waiting.len());
    }
}
