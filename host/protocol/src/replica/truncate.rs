//! Cutting the end of the own log off.
//!
//! A record that `W` members hold is never cut: a primary that orders something else in its place has heard of it from one of the
//! `r` members that promised. What is cut was never acknowledged to anybody, and never applied. Source:
//! host/docs/protocol.md, "Truncation" and "Rules of a member for `Append`".

use steward_model::Position;
use steward_model::mutation::{self, Mutation};

use super::message::shown;
use super::{Effect, Replica, Role};

impl Replica {
    /// Cuts everything behind `after` off the own log.
    pub(super) fn cut(&mut self, after: Option<Position>, effects: &mut Vec<Effect>) {
        match &self.role {
            // A candidate cuts its log when it adopts a greater one of another member.
            Role::Tailing | Role::InSync | Role::Candidate(_) => {}
            Role::Activating(reign) | Role::Primary(reign) => {
                panic!("{} cuts its log in its own reign {}: nobody else orders updates", self.partition, reign.epoch)
            }
        }
        // I9: what is committed was answered, perhaps applied. A reign that orders something else there has missed it.
        let keep = after.map(|after| after.offset);
        assert!(
            keep >= self.committed,
            "{} cuts its log after {}, but {} is committed",
            self.partition,
            shown(&after),
            shown(&self.committed)
        );
        // The common point of two logs is a record of both; with another one as the end the lineage would name records
        // that were never here (I8).
        assert!(
            after.is_none_or(|after| self.holds(after)),
            "{} cuts its log after {}, which it does not hold",
            self.partition,
            shown(&after)
        );
        if !mutation::is(Mutation::LineageNeverCut) {
            self.lineage.cut_after(keep);
        }
        self.end = after;
        self.durable = self.durable.min(keep);
        self.was_cut = true;
        effects.push(Effect::Truncate { after });
    }
}
