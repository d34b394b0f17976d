//! Coming to rest: the faults stop, and everything must become active, be answered, and be the same everywhere.
//!
//! A copy that counts for nothing and lacks what the primary's log no longer has is made anew. One case is judged otherwise,
//! because the rules want it so: where every member must promise, or hold the marker, nobody can reign while one is down; there it
//! is judged that nobody does, and that all is well when it returns.

use std::time::Duration;

use anyhow::{Result, bail};
use steward_model::{Lane, PartitionId};
use steward_protocol::replica;
use steward_storage::state::Odds;

use crate::group::Group;

/// Rounds in which everything must have come to rest.
const ROUNDS_MAX: usize = 600;

/// In so much virtual time a member that was named must reign, if nothing is in its way.
const FAIL_OVER_MAX: Duration = Duration::from_millis(100);

/// So many rounds are given to a member that must not come to reign.
const ROUNDS_IN_VAIN: usize = 30;

impl Group {
    /// Ends all faults and waits until nothing is left to do.
    ///
    /// # Errors
    /// The statement that does not hold; L1 if there is no rest.
    pub(crate) fn come_to_rest(&mut self) -> Result<()> {
        self.network.heal();
        self.system.is_away = false;
        for at in 0..self.sites.len() {
            if self.system.removed.contains(&at) {
                self.crash(at, false)?;
                continue;
            }
            self.sites[at].is_paused = false;
            let machine = &self.sites[at].machine;
            machine.store.reopen();
            machine.store.refuse(0);
            machine.store.set_odds(Odds::default());
            if self.sites[at].life.is_none() {
                self.start(at)?;
            }
        }
        for round in 0..ROUNDS_MAX {
            if round % 16 == 0 {
                self.name_who_is_up();
            }
            for client in 0..self.clients.len() {
                if let Some(request) = self.clients.next_of(client, &mut self.random, true) {
                    self.spawn(client, request);
                }
            }
            self.flow()?;
            (0..self.sites.len()).for_each(|at| self.apply(at));
            self.pass(Duration::from_millis(if round % 4 == 0 { 60 } else { 2 }));
            if self.is_quiet() {
                return self.judge_stores();
            }
        }
        bail!("l1_ no rest: {}", self.unfinished())
    }

    /// Names somebody where nobody reigns: the boot that was named is over.
    fn name_who_is_up(&mut self) {
        for partition in self.partitions.clone() {
            let row = self.system.row(partition).clone();
            let is_up = row.in_sync.contains(&row.primary);
            let is_active = self.primary(partition).is_some();
            if !is_up || !is_active && self.random.below(8) == 0 {
                let members: Vec<usize> = row.in_sync.iter().map(|member| super::system::site(member.node)).collect();
                let at = members[self.random.below(members.len())];
                self.name(partition, at);
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let tasks: usize = self.sites.iter().filter_map(|site| site.life.as_ref()).map(|life| life.tasks.len()).sum();
        self.clients.waiting() == 0 && tasks == 0 && self.partitions.iter().all(|partition| self.is_whole(*partition))
    }

    /// Returns true if the primary knows the newest row, everybody counts, and all who count are the same.
    fn is_whole(&self, partition: PartitionId) -> bool {
        let row = self.system.row(partition);
        let Some(primary) = self.primary(partition).and_then(|at| self.sites[at].life.as_ref()) else { return false };
        let replica::Status { row: known, end, .. } = primary.status(partition);
        let last = end.map(|end| end.offset);
        let is_same = |at: usize| {
            if self.system.removed.contains(&at) {
                return true;
            }
            let Some(life) = &self.sites[at].life else { return false };
            let status = life.node.partitions.get(partition).status();
            let is_listed = row.in_sync.contains(&life.own);
            // Nobody is fed with what is in another's memory.
            if partition.lane == Lane::Volatile && !is_listed {
                return true;
            }
            let has_all = status.replica.end == end && status.replica.committed == last && status.applied == last;
            // One that does not know that all hold everything would keep its log for ever.
            is_listed && has_all && status.replica.low == last
        };
        // A hand-off that the system group never heard of ends after its patience.
        let admits = primary.node.partitions.get(partition).admits().is_ok();
        admits && known.as_ref() == Some(row) && (0..self.sites.len()).all(is_same)
    }

    pub(crate) fn unfinished(&self) -> String {
        let mut texts = vec![format!("{} clients wait", self.clients.waiting())];
        for partition in &self.partitions {
            texts.push(format!("{partition}: {}", self.system.row(*partition)));
            for site in &self.sites {
                if let Some(life) = &site.life {
                    let status = life.node.partitions.get(*partition).status();
                    let copies = &status.replica.copies;
                    texts.push(format!(
                        "{}: {}, applied {:?}, {copies:?}, {} tasks",
                        life.own,
                        status.replica,
                        status.applied,
                        life.tasks.len()
                    ));
                }
            }
        }
        texts.join("\n  ")
    }

    /// I13, I15: at rest every store holds what the ledger makes.
    fn judge_stores(&mut self) -> Result<()> {
        for site in &self.sites {
            let Some(life) = &site.life else { continue };
            for partition in &self.partitions {
                let row = self.system.row(*partition);
                let Some(ledger) = self.oracle.about(*partition, row.epoch) else { continue };
                if partition.lane == Lane::Volatile && !row.in_sync.contains(&life.own) {
                    continue;
                }
                let store = site.documents(*partition);
                let model = &ledger.known.model;
                for link in self.clients.links().iter().filter(|link| crate::tasks::place(link) == *partition) {
                    let found = site.machine.store.without_faults(|| store.document(link))?;
                    if found.as_ref() != model.document(link) {
                        bail!("i13_ {}: {link} is {found:?}, the log makes {:?}", life.own, model.document(link));
                    }
                }
                if life.node.partitions.get(*partition).digest_agrees()? == Some(false) {
                    bail!("i13_ {}: the digest of {partition} is not what its documents give", life.own);
                }
            }
        }
        Ok(())
    }

    /// Without the one that is gone nobody can reign: too few promise, or hold the marker, until it returns.
    fn wait_in_vain(&mut self, partition: PartitionId, next: usize) -> Result<()> {
        for _ in 0..ROUNDS_IN_VAIN {
            self.flow()?;
            if self.primary(partition) == Some(next) {
                bail!("l3_ node {} reigns without a member that it needs: {}", next + 1, self.unfinished());
            }
        }
        Ok(())
    }

    /// Returns true if all members must promise, or hold the marker, before a reign is active.
    pub(crate) fn needs_everybody(&self, partition: PartitionId) -> bool {
        let row = self.system.row(partition);
        row.recovery_quorum.max(row.write_quorum) as usize >= row.in_sync.len()
    }

    /// Returns a member of the in-sync set, not this one.
    pub(crate) fn member_after(&self, partition: PartitionId, at: usize) -> Option<usize> {
        let is_member = |other: &usize| self.system.row(partition).in_sync.contains(&self.system.member(*other));
        (1..self.sites.len()).map(|step| (at + step) % self.sites.len()).find(is_member)
    }

    /// L3: at rest, a primary that is gone is replaced, and one that hands over is, each within its budget of virtual time.
    ///
    /// # Errors
    /// If it takes longer.
    pub(crate) fn fail_over(&mut self) -> Result<()> {
        for partition in self.partitions.clone() {
            let Some(at) = self.primary(partition) else { bail!("l3_ nobody reigns at rest") };
            let Some(next) = self.member_after(partition, at) else { continue };
            let began = self.passed;
            let is_orderly = self.random.below(2) == 0;
            if !is_orderly {
                self.crash(at, false)?;
                self.name(partition, next);
            }
            if !is_orderly && self.needs_everybody(partition) {
                self.wait_in_vain(partition, next)?;
                self.come_to_rest()?;
                continue;
            }
            while self.primary(partition) != Some(next) {
                // Again and again: a primary that does not know yet that the other one is close enough lets it be.
                if is_orderly {
                    self.hand_off(partition, next);
                }
                self.flow()?;
                if self.passed - began > FAIL_OVER_MAX {
                    bail!(
                        "l3_ handed over in order: {is_orderly}, no reign after {:?}: {}",
                        self.passed - began,
                        self.unfinished()
                    );
                }
            }
            self.seen.fail_overs += 1;
            // The one that is gone may have reigned elsewhere, too.
            self.come_to_rest()?;
        }
        Ok(())
    }
}
