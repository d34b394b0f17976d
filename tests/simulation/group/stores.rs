//! What must be true of the stores of all copies while a group runs.
//!
//! I15: stores that have applied the same are the same: equal position, equal lineage, equal root. I17: no store shows a document as it
//! was before it was deleted.

use steward_model::{Link, PartitionId, Position};
use steward_storage::documents::{Error, Meta};

use crate::group::Group;
use crate::tasks::place;

impl Group {
    /// I15, I17: looks at the store of one copy, as it is.
    ///
    /// # Errors
    /// The statement that does not hold.
    pub(crate) fn judge_store(&mut self, at: usize, partition: PartitionId) -> Result<(), String> {
        // What cannot be read says nothing.
        let Ok((meta, shown)) = self.look_at_store(at, partition) else { return Ok(()) };
        let Some(applied) = meta.applied else { return Ok(()) };
        let ledger = self.oracle.of(partition, applied.epoch);
        for (link, live) in shown {
            let removed = ledger.removed(&link, applied.offset.0 as usize + 1);
            if removed.is_some_and(|removed| live < removed) {
                let node = at + 1;
                return Err(format!(
                    "i17_ node {node} stores {link} as of {live} at {applied}, deleted at {removed:?}"
                ));
            }
        }
        let found = (meta.lineage, meta.buckets.root());
        let first = ledger.states.entry(applied).or_insert_with(|| found.clone());
        match *first == found {
            true => Ok(()),
            false => Err(format!("i15_ node {} at {applied} has {found:?}, another copy had {first:?} there", at + 1)),
        }
    }

    /// Returns what the store of a copy says of itself, and the documents that it shows as living.
    fn look_at_store(&self, at: usize, partition: PartitionId) -> Result<(Meta, Vec<(Link, Position)>), Error> {
        let site = &self.sites[at];
        let store = site.documents(partition);
        site.machine.store.without_faults(|| {
            let mut shown = Vec::new();
            for link in self.clients.links().iter().filter(|link| place(link) == partition) {
                let living = store.document(link)?.filter(|document| !document.is_tombstone());
                shown.extend(living.map(|found| (link.clone(), Position { epoch: found.epoch, offset: found.offset })));
            }
            Ok((store.meta()?, shown))
        })
    }
}
