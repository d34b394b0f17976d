//! Which documents have been started in the current reign of their partition.
//!
//! `handle-start` runs before any other handler of a document on its new owner: for most documents by a sweep over the
//! partition, factory by factory, for those that are asked for earlier on demand. Until a factory has been swept its
//! started documents are remembered one by one; after it, all are. A factory that is mounted later is swept then.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use steward_model::{Epoch, Link, PartitionId};

#[derive(Debug, Default)]
struct Reign {
    epoch: Epoch,
    /// The factories whose documents have all been started.
    swept: BTreeSet<Link>,
    started: HashSet<Link>,
}

impl Reign {
    fn is_swept(&self, link: &Link) -> bool {
        link.parent().is_some_and(|factory| self.swept.contains(&factory))
    }
}

/// See the head of this module.
#[derive(Debug, Default)]
pub struct Starts {
    partitions: Mutex<HashMap<PartitionId, Reign>>,
}

impl Starts {
    fn with<T>(&self, partition: PartitionId, epoch: Epoch, work: impl FnOnce(&mut Reign) -> T) -> T {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let reign = partitions.entry(partition).or_default();
        if reign.epoch != epoch {
            *reign = Reign { epoch, ..Reign::default() };
        }
        work(reign)
    }

    /// Returns true if the document must be started before another handler of it runs.
    pub fn needs_start(&self, partition: PartitionId, epoch: Epoch, link: &Link) -> bool {
        self.with(partition, epoch, |reign| !reign.started.contains(link) && !reign.is_swept(link))
    }

    /// Takes note that a document has been started or created.
    pub fn started(&self, partition: PartitionId, epoch: Epoch, link: &Link) {
        self.with(partition, epoch, |reign| {
            if !reign.is_swept(link) {
                reign.started.insert(link.clone());
            }
        });
    }

    /// Takes note that every document of a factory in the partition has been started.
    pub fn swept(&self, partition: PartitionId, epoch: Epoch, factory: &Link) {
        self.with(partition, epoch, |reign| {
            reign.swept.insert(factory.clone());
            reign.started.retain(|link| link.parent().as_ref() != Some(factory));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::Lane;

    #[test]
    fn a_new_reign_starts_every_document_again() {
        let starts = Starts::default();
        let link = Link::parse("/a/b").expect("a valid link");
        let partition = PartitionId::of(&link, Lane::Persisted);
        let first = Epoch::ZERO.next_ownership();
        assert!(starts.needs_start(partition, first, &link));
        starts.started(partition, first, &link);
        assert!(!starts.needs_start(partition, first, &link));
        starts.swept(partition, first, &link.parent().expect("a link below a factory"));
        let other = |text| Link::parse(text).expect("a valid link");
        assert!(!starts.needs_start(partition, first, &link));
        assert!(!starts.needs_start(partition, first, &other("/a/c")));
        assert!(starts.needs_start(partition, first, &other("/b/c")), "its factory has not been swept");
        assert!(starts.needs_start(partition, first.next_ownership(), &link));
    }
}
