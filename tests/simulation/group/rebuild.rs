//! Copies that are made anew: what production does over links, done here a portion at a time.

use anyhow::Result;
use steward_model::PartitionId;
use steward_protocol::replica::Member;
use steward_replication::partition::{Rebuild, RebuildError, Snapshot};
use steward_storage::documents::{Error, Head, Sweep};
use steward_storage::index::EveryScalar;
use steward_storage::keys::Space;
use steward_storage::state::StateStore;

use crate::group::Group;
use crate::group::system::site;

/// Rows that a sweep looks at in one step.
const SWEPT: usize = 64;

/// A copy on its way from one node to another.
pub(crate) struct Rebuilding {
    from: usize,
    to: usize,
    /// Until all of it was taken.
    snapshot: Option<Snapshot>,
    head: Head,
    rebuild: Rebuild,
}

impl Group {
    /// Lets copies that are made anew go on, or begins with one that is lost.
    ///
    /// # Errors
    /// The statement that does not hold.
    pub(crate) fn rebuild_some(&mut self) -> Result<()> {
        if self.random.below(2) == 0
            && let Some((from, partition, member)) = self.lost.pop()
        {
            self.begin_rebuild(from, partition, member);
        } else if !self.rebuilding.is_empty() {
            let index = self.random.below(self.rebuilding.len());
            let to = self.rebuilding[index].to;
            // The moment at which what is not lasting would be missed.
            if self.rebuild_one(index) && self.random.below(4) == 0 {
                self.crash(to, false)?;
            }
        }
        Ok(())
    }

    /// Lets all of them go on.
    pub(crate) fn rebuild_all(&mut self) {
        for (from, partition, member) in std::mem::take(&mut self.lost) {
            self.begin_rebuild(from, partition, member);
        }
        let mut index = 0;
        while index < self.rebuilding.len() {
            index += usize::from(!self.rebuild_one(index));
        }
    }

    /// Gives up what a node that loses its power takes part in.
    pub(crate) fn give_up_rebuilds(&mut self, at: usize) {
        self.rebuilding.retain(|rebuilding| rebuilding.from != at && rebuilding.to != at);
        self.lost.retain(|(from, ..)| *from != at);
    }

    fn begin_rebuild(&mut self, from: usize, partition: PartitionId, member: Member) {
        let to = site(member.node);
        if !self.sites[from].is_awake() || !self.sites[to].is_awake() || to == from {
            return;
        }
        let snapshot = self.sites[from].life.as_ref().map(|life| life.node.partitions.get(partition).snapshot());
        let Some(Ok(snapshot)) = snapshot else { return };
        let Some(life) = self.sites[to].life.as_ref().filter(|life| life.own == member) else { return };
        match life.node.partitions.get(partition).begin_rebuild() {
            Ok(rebuild) => {
                self.say(|| format!("  node {} begins to make {partition} anew out of node {}", to + 1, from + 1));
                let head = snapshot.head().clone();
                self.rebuilding.push(Rebuilding { from, to, snapshot: Some(snapshot), head, rebuild });
            }
            Err(RebuildError::Occupied(_)) => self.sweep(to),
            // It is said again.
            Err(_) => {}
        }
    }

    /// Removes what is left of copies that do not count, as far as the store takes it.
    fn sweep(&mut self, at: usize) {
        let Some(life) = &self.sites[at].life else { return };
        let partitions = &life.node.partitions;
        let is_kept = |copy: Space| !partitions.has(copy.partition) || partitions.get(copy.partition).keeps(copy);
        let store: &dyn StateStore = &self.sites[at].machine.store;
        let mut sweep = Sweep::default();
        while !sweep.is_done() && sweep.step(store, &is_kept, SWEPT).is_ok() {}
    }

    /// Returns true if it came to its end.
    fn rebuild_one(&mut self, index: usize) -> bool {
        let (from, to) = (self.rebuilding[index].from, self.rebuilding[index].to);
        if !self.sites[to].is_awake() || !self.sites[from].is_awake() {
            return false;
        }
        let bytes_max = 1 + self.random.below(2_000);
        let now = self.sites[to].now.get();
        let Rebuilding { snapshot, head, rebuild, .. } = &mut self.rebuilding[index];
        let partition = rebuild.partition();
        let ended = match snapshot {
            Some(taken) => {
                let portion = taken.next(bytes_max);
                let taken = portion.and_then(|portion| {
                    rebuild.take(&portion.pages, &EveryScalar)?;
                    Ok(portion.is_last)
                });
                if let Ok(true) = taken {
                    *snapshot = None;
                }
                taken.err().map(|error| error.to_string())
            }
            None => match rebuild.finish(now, head, &EveryScalar) {
                Ok(true) => Some("made anew".to_owned()),
                Ok(false) => Some("overtaken".to_owned()),
                Err(error @ Error::Differs { .. }) => {
                    self.broken.get_or_insert(format!("i13_ node {}: {error}", to + 1));
                    Some(error.to_string())
                }
                // It is not known what the store did.
                Err(_) => None,
            },
        };
        let Some(outcome) = ended else { return false };
        self.say(|| format!("  node {}: {partition}: {outcome}", to + 1));
        self.rebuilding.swap_remove(index);
        true
    }
}
