//! Confirmed reads: a question to the members before a read is answered.
//!
//! Problem: an owner that was paused, cut off or is merely late may have been replaced. What it has committed is then old,
//! and nothing on its own node says so; clocks are not to be trusted.
//!
//! Promise: a read is confirmed only by what was *asked after it came*. Either as many members that, with this one, they are
//! `#S − r + 1` say that they have promised nothing above this epoch; or the system group says that the row still has this
//! epoch. A later reign needs `r` promises, which would include one of those members, and a naming. So whatever a later
//! owner acknowledged came after the read began, and the committed state of this one is the newest. While a change of `S` is
//! undecided, under both configurations: the later reign may be recovered from either.
//!
//! ```text
//!  read 1 ─┐                                  read 2, 3 ─┐
//!          ▼                                             ▼
//!  round 1 ─► members ─► confirmed: 1 may be answered    round 2 covers 2 and 3: it is asked when round 1 has ended
//! ```
//!
//! One question is under way at a time, and covers every read that came before it was first asked. Numbers of reads are the
//! driver's; they rise, also across reigns.
//!
//! Source: ReadIndex of Raft (thesis, 6.4); host/docs/protocol.md, "Reads".

use std::collections::BTreeMap;

use steward_model::mutation::{self, Mutation};
use steward_model::{Boot, Epoch, Moment, NodeId};

use super::alter::configurations;
use super::reads::Round;
use super::role::Reign;
use super::{Effect, Member, Message, Replica, Role, Row, is_counted};

impl Replica {
    pub(super) fn reads_asked(&mut self, now: Moment, through: u64, effects: &mut Vec<Effect>) {
        let Role::Primary(reign) = &mut self.role else {
            effects.push(Effect::ReadsRefused { through });
            return;
        };
        reign.reads.asked = reign.reads.asked.max(through);
        if reign.reads.round.is_none() {
            self.begin_round(now, effects);
        }
    }

    fn begin_round(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let again = now.plus(self.settings.confirm_patience);
        let Role::Primary(reign) = &mut self.role else { return };
        let reads = &mut reign.reads;
        let Some(covers) = reads.waiting() else { return };
        reads.rounds += 1;
        reads.round = Some(Round { number: reads.rounds, covers, answers: BTreeMap::new(), asked_at: now, again });
        // Alone, or where nobody can recover without this member, the own word is enough.
        if !self.settle_round(effects) {
            self.ask_members(effects);
        }
    }

    /// Asks the members that have not answered.
    fn ask_members(&self, effects: &mut Vec<Effect>) {
        let (Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return };
        let Some(round) = &reign.reads.round else { return };
        let lane = self.partition.lane;
        let counts = |member| configurations(row, reign).any(|it| is_counted(it.in_sync, lane, member));
        let silent = reign.feeds.values().filter(|feed| !round.answers.contains_key(&feed.member.node));
        for feed in silent.filter(|feed| counts(feed.member)) {
            let message = Message::Confirm { epoch: reign.epoch, round: round.number };
            effects.push(Effect::Send { to: feed.member, message });
        }
    }

    pub(super) fn confirm_asked(&mut self, from: Member, epoch: Epoch, round: u64, effects: &mut Vec<Effect>) {
        // Also a promise that is not durable yet is kept: whoever asked for it may have it in a moment.
        if self.promising > epoch && !mutation::is(Mutation::ConfirmedInSpiteOfPromise) {
            return self.refuse_as_promised(from, epoch, effects);
        }
        effects.push(Effect::Send { to: from, message: Message::Confirmed { epoch, round } });
    }

    pub(super) fn confirmed_by(
        &mut self,
        now: Moment,
        from: Member,
        epoch: Epoch,
        number: u64,
        effects: &mut Vec<Effect>,
    ) {
        let Role::Primary(reign) = &mut self.role else { return };
        let is_of_this_reign = reign.epoch == epoch;
        let Some(round) = reign.reads.round.as_mut().filter(|_| is_of_this_reign) else { return };
        // An answer to an earlier question was given before the reads of this one came.
        if round.number != number && !mutation::is(Mutation::ConfirmedByEarlierQuestion) {
            return;
        }
        round.answers.insert(from.node, from.boot);
        if self.settle_round(effects) {
            self.begin_round(now, effects);
        }
    }

    /// Returns true if a read that is asked for now is confirmed already: this member orders the updates, and no later reign can
    /// begin without its promise. What [`super::Event::ReadsAsked`] would settle at once, for callers to whom each read counts.
    pub fn confirms_alone(&self) -> bool {
        let (Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return false };
        self.is_confirmed(reign, row, &BTreeMap::new())
    }

    /// Confirms the reads of the round if enough have answered it.
    fn settle_round(&mut self, effects: &mut Vec<Effect>) -> bool {
        let (Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return false };
        let Some(round) = &reign.reads.round else { return false };
        let is_enough = self.is_confirmed(reign, row, &round.answers);
        let covers = round.covers;
        if is_enough {
            self.reads_confirmed(covers, effects);
        }
        is_enough
    }

    /// Returns true if those that have answered are, with this member, enough under each configuration.
    fn is_confirmed(&self, reign: &Reign, row: &Row, answers: &BTreeMap<NodeId, Boot>) -> bool {
        let (own, lane) = (self.own, self.partition.lane);
        configurations(row, reign).all(|configuration| {
            let answered = answers.iter().map(|(node, boot)| Member { node: *node, boot: *boot });
            let members =
                answered.filter(|member| is_counted(configuration.in_sync, lane, *member) && member.node != own.node);
            let needed = configuration.confirmers() - usize::from(mutation::is(Mutation::OneConfirmationLess));
            members.count() + 1 >= needed
        })
    }

    fn reads_confirmed(&mut self, through: u64, effects: &mut Vec<Effect>) {
        let Role::Primary(reign) = &mut self.role else { return };
        if through > reign.reads.confirmed {
            reign.reads.confirmed = through;
            effects.push(Effect::ReadsConfirmed { through });
        }
        if reign.reads.round.as_ref().is_some_and(|round| round.covers <= reign.reads.confirmed) {
            reign.reads.round = None;
        }
    }

    /// Takes the word of the system group: nobody was named for a later reign before the read came.
    pub(super) fn row_confirmed(&mut self, now: Moment, epoch: Epoch, through: u64, effects: &mut Vec<Effect>) {
        let Role::Primary(reign) = &self.role else { return };
        if reign.epoch != epoch {
            return;
        }
        let through = through.min(reign.reads.asked);
        self.reads_confirmed(through, effects);
        let is_idle = matches!(&self.role, Role::Primary(reign) if reign.reads.round.is_none());
        if is_idle {
            self.begin_round(now, effects);
        }
    }

    /// Asks again, and the system group too: it may answer where members are away.
    pub(super) fn tick_reads(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (resend, patience) = (self.settings.resend, self.settings.confirm_patience);
        let Role::Primary(reign) = &mut self.role else { return };
        let (epoch, asked) = (reign.epoch, reign.reads.asked);
        let Some(round) = reign.reads.round.as_mut().filter(|round| round.again <= now) else { return };
        round.again = now.plus(resend);
        if now.since(round.asked_at) >= patience {
            effects.push(Effect::ConfirmRow { epoch, through: asked });
        }
        self.ask_members(effects);
    }
}
