//! Time: what is done when nothing happens. No decision about what is true depends on it.

use steward_model::Moment;

use super::{Effect, Replica, Role, feed};

impl Replica {
    pub(super) fn tick(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        self.tick_candidate(now, effects);
        self.tick_feeds(now, effects);
        self.tick_reads(now, effects);
        self.tick_hand_off(now, effects);
        self.tick_alterations(now, effects);
        debug_assert!(
            self.deadline().is_none_or(|deadline| deadline > now),
            "{} is told that it is {now:?}, and wants to be told so at {:?}",
            self.partition,
            self.deadline()
        );
    }

    /// Returns when [`super::Event::Tick`] has something to do next; none: not before another event.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.role {
            Role::Tailing | Role::InSync => None,
            Role::Candidate(candidate) => {
                let source = candidate.source.map(|source| source.ask_again);
                Some(source.map_or(candidate.ask_again, |at| at.min(candidate.ask_again)))
            }
            Role::Activating(reign) | Role::Primary(reign) => {
                let undecided = reign.undecided.as_ref().map(|undecided| undecided.again);
                let hand_off = reign.hand_off.map(|hand_off| hand_off.until);
                let all = [feed::deadline(&reign.feeds), reign.reads.deadline(), reign.review, undecided, hand_off];
                all.into_iter().flatten().min()
            }
        }
    }
}
