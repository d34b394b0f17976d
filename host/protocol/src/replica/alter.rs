//! Changing the in-sync set: who leaves it, who enters, how many make a commit.
//!
//! Problem: the system group writes the row, the primary decides what it needs, and between its proposal and the answer
//! nobody knows which of the two configurations counts. A candidate is judged by the row, so a commit must be found by the
//! `r` members of either.
//!
//! Promise: from the moment of the proposal until the row is seen to change, or the reign ends, commits and confirmations
//! satisfy both configurations; and a proposal is made only when everything committed is held by `W′` members of `S′`
//! already (the *barrier*), for a candidate of the new row hears only members of `S′`.
//!
//! | change | when |
//! |---|---|
//! | a member leaves | it has not acknowledged what is older than `in_sync_lag`, and `#S − 1 ≥ W` |
//! | a copy enters | it is wanted, it holds everything committed, it answers, its log has everything behind `low` |
//! | `W` rises | the group wants more, and there are as many members. It falls by the system group's own command only |
//! | `r` falls | amnesia has left it higher than `S` and `W` need |
//!
//! A refusal decides nothing about another copy of the same proposal that is still on its way. So a refused proposal is
//! *withdrawn*: the row as it is is proposed with the same version, and whichever wins raises the version, after which the
//! other can do nothing.
//!
//! Departures: a member is taken out for its lag alone, never because the system group calls it unavailable; an idle member
//! that is gone stays until there is something that it does not acknowledge. Source: AlterPartition of Kafka (KIP-497);
//! host/docs/protocol.md, "Changing the in-sync set".

use std::collections::BTreeSet;

use steward_model::Moment;
use steward_model::mutation::{self, Mutation};

use super::commit::Configuration;
use super::feed::Feed;
use super::role::Reign;
use super::undecided::Undecided;
use super::{Effect, Member, Replica, Role, Row, is_listed};
use crate::cluster::row::Alteration;

/// Returns the configurations that a commit and a confirmation must satisfy.
pub(super) fn configurations<'a>(row: &'a Row, reign: &'a Reign) -> impl Iterator<Item = Configuration<'a>> {
    let proposed = reign.undecided.as_ref().map(Undecided::configuration);
    let row = Some(Configuration::of(row)).filter(|_| proposed.is_none() || !mutation::is(Mutation::NewRuleAlone));
    row.into_iter().chain(proposed)
}

impl Replica {
    /// Takes the row of the same reign into account: an alteration is decided by any change of the row.
    pub(super) fn row_altered(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if let (Role::Primary(reign), Some(row)) = (&mut self.role, &self.row)
            && reign.undecided.as_ref().is_some_and(|undecided| undecided.version < row.version)
        {
            reign.undecided = None;
        }
        // Whoever has left the set, or was never in it, may have everything and nothing more to hear: nobody else would look.
        let soon = now.plus(self.settings.in_sync_lag / 2);
        if let Role::Activating(reign) | Role::Primary(reign) = &mut self.role
            && !reign.feeds.is_empty()
        {
            reign.review.get_or_insert(soon);
        }
        let next = self.next_offset();
        self.sync_feeds(now, next);
        self.advance(now, effects);
        self.feed(now, effects);
    }

    /// Proposes what the row should be, if it is not that and nothing is undecided.
    pub(super) fn review(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return };
        if reign.undecided.is_some() || reign.hand_off.is_some() || now < reign.quiet_until {
            return;
        }
        // Nobody to take in, nobody to leave out: looked at with every commit, so at no cost.
        if reign.feeds.is_empty() && row.in_sync.len() == 1 && row.recovery_quorum == 1 {
            return;
        }
        let (in_sync, write_quorum) = self.wanted(now, reign, row);
        let wanted = Configuration::new(&in_sync, write_quorum);
        let is_same = in_sync == row.in_sync && write_quorum == row.write_quorum;
        let is_settled = is_same && row.recovery_quorum <= wanted.recovery_quorum;
        if is_settled || !self.holds_barrier(reign, wanted) {
            return;
        }
        let again = now.plus(self.settings.propose_again);
        let undecided = Undecided { in_sync, write_quorum, version: row.version, withdrawn: false, again };
        let next = self.next_offset();
        if let Role::Primary(reign) = &mut self.role {
            reign.undecided = Some(undecided);
        }
        self.sync_feeds(now, next);
        self.propose_undecided(now, effects);
    }

    /// Returns true if everything committed is held by the write quorum of `wanted`: any candidate of its row finds it.
    fn holds_barrier(&self, reign: &Reign, wanted: Configuration<'_>) -> bool {
        wanted.held(&reign.progress) >= self.committed || mutation::is(Mutation::AlterationWithoutBarrier)
    }

    /// Returns the members and the write quorum that the row should have.
    fn wanted(&self, now: Moment, reign: &Reign, row: &Row) -> (BTreeSet<Member>, u32) {
        let mut in_sync = row.in_sync.clone();
        for feed in reign.feeds.values().filter(|feed| self.targets.contains(&feed.member)) {
            if !is_listed(row, self.partition.lane, feed.member) && self.is_ready(now, reign, feed) {
                in_sync.insert(feed.member);
            }
        }
        let members = u32::try_from(in_sync.len()).unwrap_or(u32::MAX);
        let write_quorum = row.write_quorum.max(self.quorum.min(members));
        for feed in reign.feeds.values() {
            let lags = feed.lags(now, reign.progress.proven(feed.member), self.settings.in_sync_lag);
            let member = in_sync.iter().find(|member| member.node == feed.member.node).copied();
            if let Some(member) = member.filter(|_| lags && in_sync.len() > write_quorum as usize) {
                in_sync.remove(&member);
            }
        }
        (in_sync, write_quorum)
    }

    /// Returns true if a copy may enter the in-sync set.
    fn is_ready(&self, now: Moment, reign: &Reign, feed: &Feed) -> bool {
        let proven = reign.progress.proven(feed.member);
        let answers = now.since(feed.heard) <= self.settings.in_sync_lag;
        // I22: once it counts it may be elected, and must then be able to feed every member: the end of each is at or above
        // `low`. Itself it can be fed by every member, because they keep their logs from `low` on, and it has more.
        let reaches_low = feed.start.is_some_and(|start| start <= self.keeps_from());
        answers && proven >= self.committed && (reaches_low || mutation::is(Mutation::LowWaterIgnored))
    }

    /// Tells the system group what is undecided, or what the row is if that was refused.
    fn propose_undecided(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Primary(reign), Some(row)) = (&mut self.role, &self.row) else { return };
        let (epoch, partition) = (reign.epoch, self.partition);
        let Some(undecided) = &mut reign.undecided else { return };
        undecided.again = now.plus(self.settings.propose_again);
        let (in_sync, write_quorum) = match undecided.withdrawn {
            true => (row.in_sync.clone(), row.write_quorum),
            false => (undecided.in_sync.clone(), undecided.write_quorum),
        };
        let version = undecided.version;
        // `r` follows from what is proposed; after amnesia the row's own members may not hold everything yet.
        if self.may_propose(&in_sync, write_quorum) {
            effects.push(Effect::Alter(Alteration { partition, epoch, version, in_sync, write_quorum }));
        }
    }

    fn may_propose(&self, in_sync: &BTreeSet<Member>, write_quorum: u32) -> bool {
        let Role::Primary(reign) = &self.role else { return false };
        self.holds_barrier(reign, Configuration::new(in_sync, write_quorum))
    }

    pub(super) fn alteration_refused(&mut self, now: Moment, version: u64, effects: &mut Vec<Effect>) {
        let lag = self.settings.in_sync_lag;
        let Role::Primary(reign) = &mut self.role else { return };
        let Some(undecided) = reign.undecided.as_mut().filter(|undecided| undecided.version == version) else { return };
        // What was refused once would be refused again: the next proposal comes when more is known.
        reign.quiet_until = now.plus(lag);
        reign.review = Some(now.plus(lag));
        if !std::mem::replace(&mut undecided.withdrawn, true) {
            self.propose_undecided(now, effects);
        }
    }

    /// Proposes again what is undecided, and looks at the in-sync set again as time passes.
    pub(super) fn tick_alterations(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if let Role::Activating(reign) | Role::Primary(reign) = &self.role
            && reign.undecided.as_ref().is_some_and(|undecided| undecided.again <= now)
        {
            self.propose_undecided(now, effects);
        }
        self.tick_review(now, effects);
    }

    /// Looks at the in-sync set again. While a change is undecided nothing comes of it, but the moment goes on: one that stays
    /// in the past would have the replica woken for ever.
    fn tick_review(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let lag = self.settings.in_sync_lag;
        let end = self.end.map(|end| end.offset);
        let (Role::Activating(reign) | Role::Primary(reign)) = &mut self.role else { return };
        if reign.review.is_none_or(|at| at > now) {
            return;
        }
        let is_behind = |feed: &Feed| reign.progress.proven(feed.member) < end;
        let is_wanted = |feed: &Feed| self.targets.contains(&feed.member);
        let is_member =
            |feed: &Feed| self.row.as_ref().is_some_and(|row| is_listed(row, self.partition.lane, feed.member));
        let goes_on = reign.feeds.values().any(|feed| is_behind(feed) || is_wanted(feed) && !is_member(feed));
        reign.review = goes_on.then(|| now.plus(lag / 2));
        self.ask_joining(now, effects);
        self.review(now, effects);
    }
}
