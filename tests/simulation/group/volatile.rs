//! What is only in memory: in some groups one partition of the volatile lane, as production has it.
//!
//! ```text
//!  row:     the node that began the group, alone ─ restarts ──► itself, empty, loss + 1
//!                                                ─ is removed ► another, empty, loss + 1
//!  others:  have no copy, serve nothing, and are fed nothing
//! ```
//!
//! Everything that is said of partitions holds within one loss number: what was acknowledged is kept, is read, and takes effect once;
//! what follows a loss begins with nothing. The statement `volatile_`: nothing is lost while the process lives that has it, unless
//! that was removed; nobody else serves it meanwhile; and one that holds nothing stores nothing.
//!
//! Left out, for production does not promise it: that a holder which was removed, and cannot be told, stops. It goes on with what it
//! has, under its own loss number.

use anyhow::{Result, bail};
use steward_model::{Epoch, Lane, PartitionId};

use crate::group::Group;
use crate::random::Random;
use crate::tasks::place;

/// Rounds in which somebody would come to serve what a process has taken with it.
const ROUNDS_IN_VAIN: usize = 20;

/// One of so many groups has a volatile partition.
const GROUPS_PER_VOLATILE: usize = 4;

/// Returns true if the group of a seed keeps something in memory only. Drawn apart, so that the other groups are what they would be
/// without it.
pub(crate) fn has_some(seed: u64) -> bool {
    Random::new(seed ^ 0x766f_6c61_7469_6c65).below(GROUPS_PER_VOLATILE) == 0
}

impl Group {
    /// Returns the epoch that a node knows of a partition.
    pub(crate) fn epoch_at(&self, at: usize, partition: PartitionId) -> Epoch {
        let row = self.sites[at].life.as_ref().and_then(|life| life.status(partition).row);
        row.map_or(Epoch::ZERO, |row| row.epoch)
    }

    fn volatile(&self) -> impl Iterator<Item = PartitionId> {
        self.partitions.iter().copied().filter(|partition| partition.lane == Lane::Volatile)
    }

    /// Returns the node that the row of a volatile partition names, if its process runs.
    fn holder(&self, partition: PartitionId) -> Option<usize> {
        let primary = self.system.row(partition).primary;
        (0..self.sites.len()).find(|at| self.sites[*at].life.as_ref().is_some_and(|life| life.own == primary))
    }

    /// The statement `volatile_`, of the nodes as they are.
    pub(crate) fn judge_memory(&self) -> Result<(), String> {
        for partition in self.volatile() {
            let row = self.system.row(partition);
            let lives = (0..self.sites.len()).filter(|at| !self.system.removed.contains(at));
            for (at, life) in lives.filter_map(|at| self.sites[at].life.as_ref().map(|life| (at, life))) {
                let status = life.status(partition);
                let is_held_here = life.own == row.primary;
                if let Some(end) = status.end.filter(|end| !is_held_here || end.epoch.loss != row.epoch.loss) {
                    return Err(format!("volatile_ node {} holds {partition} through {end}, lost by {row}", at + 1));
                }
                if !is_held_here && life.node.partitions.get(partition).admits().is_ok() {
                    return Err(format!("volatile_ node {} serves {partition}, which is of {row}", at + 1));
                }
            }
        }
        Ok(())
    }

    /// At rest: the process ends that has a volatile partition. Nobody serves that until it starts again, and then it is empty.
    ///
    /// # Errors
    /// The statement that does not hold.
    pub(crate) fn lose_memory(&mut self) -> Result<()> {
        for partition in self.volatile().collect::<Vec<_>>() {
            let Some(at) = self.holder(partition) else { bail!("volatile_ nobody holds {partition} at rest") };
            let before = self.system.row(partition).epoch;
            self.crash(at, false)?;
            for _ in 0..ROUNDS_IN_VAIN {
                self.flow()?;
            }
            if self.primary(partition).is_some() {
                bail!("volatile_ {partition} is served without node {}: {}", at + 1, self.unfinished());
            }
            self.come_to_rest()?;
            let after = self.system.row(partition).epoch;
            if after.loss <= before.loss {
                bail!("volatile_ {partition} was lost, and goes on from {before} to {after}");
            }
            self.read_nothing(at, partition)?;
            self.seen.lost_memories += 1;
        }
        Ok(())
    }

    /// Reads what was lost at the node that has begun anew; it shows nothing, but what clients have sent since.
    fn read_nothing(&mut self, at: usize, partition: PartitionId) -> Result<()> {
        let links = self.clients.links().iter().filter(|link| place(link) == partition);
        let (links, reads) = (links.cloned().collect::<Vec<_>>(), self.seen.reads);
        for link in &links {
            self.read_at(at, link.clone());
        }
        self.flow()?;
        match self.seen.reads - reads == links.len() {
            true => Ok(()),
            false => bail!("l1_ node {} does not answer reads of {partition}", at + 1),
        }
    }
}
