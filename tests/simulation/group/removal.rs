//! Nodes that the operator removes for good while the group runs. Their processes do not know: nobody tells them of rows any more, and
//! what they say goes on to arrive.
//!
//! The statement `removed_`: no row lists such a node or names it; and once a later reign is active than the last one for which it was
//! named, it acknowledges no update and answers no fresh read that began after that. In the volatile lane the second part does not hold: see
//! [`super::volatile`].

use steward_model::{Lane, Link, PartitionId};

use crate::group::Group;
use crate::group::system::site;
use crate::tasks::place;

impl Group {
    /// Removes a node, unless too few would be left of any row, or of the group.
    pub(crate) fn remove(&mut self, at: usize) {
        let is_too_much = self.system.removed.len() + 1 > self.sites.len() / 2;
        if self.system.is_away || is_too_much {
            return;
        }
        let drawn = self.random.below(self.sites.len());
        if !self.system.remove(at, drawn) {
            return;
        }
        self.say(|| format!("  node {} is removed", at + 1));
        self.seen.removed += 1;
        self.away = self.away.filter(|away| *away != at);
    }

    /// Removes a node in few groups: with fewer of them, less happens.
    pub(crate) fn remove_now_and_then(&mut self, at: usize) {
        if self.random.below(3) == 0 {
            self.remove(at);
        }
    }

    /// No row lists or names a node that was removed.
    pub(crate) fn judge_rows(&self) -> Result<(), String> {
        for partition in &self.partitions {
            let row = self.system.row(*partition);
            let members = row.in_sync.iter().chain([&row.primary]);
            if let Some(gone) = members.map(|member| site(member.node)).find(|at| self.system.removed.contains(at)) {
                return Err(format!("removed_ node {} was removed, and is still in {partition}: {row}", gone + 1));
            }
        }
        Ok(())
    }

    /// Takes note of whether what begins at a node now may still be answered there; `number` is that of a client or reader.
    pub(crate) fn begins(&mut self, number: usize, partition: PartitionId, at: usize) {
        let named = self.system.named.get(&(partition, at)).copied();
        let row = self.system.row(partition);
        let active = self.oracle.about(partition, row.epoch).and_then(|ledger| ledger.last_active());
        // What was in its memory alone is begun anew without anybody's promise: nobody could tell it.
        let is_told = partition.lane == Lane::Persisted;
        match is_told && self.system.removed.contains(&at) && active > named {
            true => self.in_vain.insert(number),
            false => self.in_vain.remove(&number),
        };
    }

    /// What was answered must not have begun in vain.
    pub(crate) fn judge_answered(&self, number: usize, what: &str, at: usize) -> Result<(), String> {
        match self.in_vain.contains(&number) {
            true => Err(format!("removed_ node {}, which was removed before, answers {what}", at + 1)),
            false => Ok(()),
        }
    }

    /// Has clients send updates to a node that was removed, and read documents of a partition there: also those in which nothing has
    /// changed since, unlike `changed`.
    pub(crate) fn ask_in_vain(&mut self, at: usize, partition: PartitionId, changed: &Link) {
        let links = self.clients.links().iter().filter(|link| place(link) == partition && *link != changed);
        for link in links.cloned().collect::<Vec<_>>() {
            self.read_at(at, link);
        }
        for client in 0..self.clients.len() {
            let Some(request) = self.clients.next_of(client, &mut self.random, false) else { continue };
            self.spawn_at(at, client, request);
        }
    }
}
