//! Coming to rest: the faults stop, and everything must become active, be answered, and be the same everywhere.

use std::time::Duration;

use anyhow::{Result, bail};
use steward_model::PartitionId;
use steward_protocol::replica::RoleName;
use steward_storage::index::EveryScalar;
use steward_storage::state::Odds;

use crate::group::Group;

/// Rounds in which everything must have come to rest.
const ROUNDS_MAX: usize = 600;

/// In so much virtual time a member that was named must reign, if nothing is in its way.
const FAIL_OVER_MAX: Duration = Duration::from_millis(100);

impl Group {
    /// Ends all faults and waits until nothing is left to do.
    ///
    /// # Errors
    /// The statement that does not hold; L1 if there is no rest.
    pub(crate) fn come_to_rest(&mut self) -> Result<()> {
        self.network.heal();
        self.system.is_away = false;
        for at in 0..self.sites.len() {
            self.sites[at].is_paused = false;
            let machine = &self.sites[at].machine;
            machine.store.reopen();
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
        let is_done = |partition: &PartitionId| {
            let row = self.system.row(*partition);
            let Some(at) = self.primary(*partition) else { return false };
            let copies = self.sites.iter().filter_map(|site| site.life.as_ref());
            let mut statuses = copies.map(|life| life.node.partitions.get(*partition).status());
            let primary = self.sites[at].life.as_ref().map(|life| life.status(*partition));
            let end = primary.and_then(|primary| primary.end);
            row.in_sync.len() == self.sites.len()
                && statuses.all(|status| {
                    let last = end.map(|end| end.offset);
                    status.replica.end == end && status.replica.committed == last && status.applied == last
                })
        };
        let tasks: usize = self.sites.iter().filter_map(|site| site.life.as_ref()).map(|life| life.tasks.len()).sum();
        self.clients.waiting() == 0 && tasks == 0 && self.partitions.iter().all(is_done)
    }

    fn unfinished(&self) -> String {
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
                let Some(ledger) = self.oracle.about(*partition) else { continue };
                let model = &ledger.known.model;
                let store = site.machine.documents(*partition);
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

    /// Returns true if all members must promise, or hold the marker, before a reign is active.
    fn needs_everybody(&self, partition: PartitionId) -> bool {
        let row = self.system.row(partition);
        row.recovery_quorum.max(row.write_quorum) as usize >= row.in_sync.len()
    }

    /// L3: at rest, a primary that is gone is replaced, and one that hands over is, each within its budget of virtual time.
    ///
    /// # Errors
    /// If it takes longer.
    pub(crate) fn fail_over(&mut self) -> Result<()> {
        for partition in self.partitions.clone() {
            let Some(at) = self.primary(partition) else { bail!("l3_ nobody reigns at rest") };
            let next = (at + 1) % self.sites.len();
            let began = self.passed;
            let is_orderly = self.random.below(2) == 0;
            if is_orderly {
                self.hand_off(partition, next);
                self.work(at);
            } else if self.needs_everybody(partition) {
                // Without the one that is gone nobody can reign before it returns, or the quorum is lowered.
                continue;
            } else {
                self.crash(at, false)?;
                self.name(partition, next);
            }
            while self.primary(partition) != Some(next) {
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
            if self.sites[at].life.is_none() {
                self.start(at)?;
            }
        }
        let roles =
            self.sites.iter().filter_map(|site| site.life.as_ref()).map(|life| life.status(self.partitions[0]).role);
        let count = roles.filter(|role| *role == RoleName::Primary).count();
        match count {
            0 | 1 => Ok(()),
            // A primary that has not heard of its successor yet confirms nothing and commits nothing.
            _ => self.flow(),
        }?;
        self.sites.iter().filter_map(|site| site.life.as_ref()).for_each(|life| {
            life.node.partitions.apply(&EveryScalar);
        });
        Ok(())
    }
}
