//! Which documents have been started in the current reign of their partition, under the revision that answers now.
//!
//! `handle-start` runs before any other handler of a document, on a new owner and under a new module. It runs on
//! demand, before the first operation on the document; for services that ask for it, a sweep over the partition runs it
//! for all documents of a factory. Started documents are remembered one by one, by a fingerprint of 16 bytes; after a
//! sweep, all documents count as started.
//!
//! A later revision begins anew: which documents an earlier module has started says nothing about this one.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use steward_model::{Epoch, Link, PartitionId};

/// What stands for a link: two links share one as seldom as two files share a digest.
type Fingerprint = [u8; 16];

/// What is known about the documents of one factory.
#[derive(Debug, Default)]
struct Started {
    revision: u64,
    /// All of them have been started.
    all: bool,
    documents: HashSet<Fingerprint>,
}

#[derive(Debug, Default)]
struct Reign {
    epoch: Epoch,
    factories: HashMap<Link, Started>,
}

#[derive(Debug, Default)]
pub(crate) struct Starts {
    partitions: Mutex<HashMap<PartitionId, Reign>>,
}

fn fingerprint(link: &Link) -> Fingerprint {
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&blake3::hash(link.as_str().as_bytes()).as_bytes()[..16]);
    fingerprint
}

impl Starts {
    /// Lets `work` see the factory under `revision`; none if a later revision answers by now.
    fn with<T>(
        &self,
        (partition, epoch): (PartitionId, Epoch),
        (factory, revision): (&Link, u64),
        work: impl FnOnce(&mut Started) -> T,
    ) -> Option<T> {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let reign = partitions.entry(partition).or_default();
        if reign.epoch != epoch {
            *reign = Reign { epoch, ..Reign::default() };
        }
        if !reign.factories.contains_key(factory) {
            reign.factories.insert(factory.clone(), Started::default());
        }
        let started = reign.factories.get_mut(factory).expect("it was there or has just been inserted");
        if started.revision < revision {
            *started = Started { revision, ..Started::default() };
        }
        (started.revision == revision).then(|| work(started))
    }

    /// Returns true if a document of the factory must be started before another handler of it runs. An operation of an
    /// earlier revision starts nothing: it will begin anew, or end as it began.
    pub(crate) fn needs_start(&self, reign: (PartitionId, Epoch), factory: (&Link, u64), link: &Link) -> bool {
        let needs =
            self.with(reign, factory, |started| !started.all && !started.documents.contains(&fingerprint(link)));
        needs.unwrap_or(false)
    }

    /// Takes note that a document has been started or created.
    pub(crate) fn started(&self, reign: (PartitionId, Epoch), factory: (&Link, u64), link: &Link) {
        self.with(reign, factory, |started| started.all || started.documents.insert(fingerprint(link)));
    }

    /// Takes note that every document of a factory in the partition has been started, whoever is created later included.
    pub(crate) fn all_started(&self, reign: (PartitionId, Epoch), factory: (&Link, u64)) {
        self.with(reign, factory, |started| {
            started.all = true;
            started.documents = HashSet::new();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::Lane;

    struct Place {
        link: Link,
        factory: Link,
        partition: PartitionId,
    }

    fn place(text: &str) -> Place {
        let link = Link::parse(text).expect("a valid link");
        let factory = link.parent().expect("a link below a factory");
        Place { partition: PartitionId::of(&link, Lane::Persisted), link, factory }
    }

    const FIRST: Epoch = Epoch::ZERO;

    #[test]
    fn a_new_reign_starts_every_document_again() {
        let starts = Starts::default();
        let Place { link, factory, partition } = place("/a/b");
        let (first, second) = ((partition, FIRST), (partition, FIRST.next_ownership()));
        assert!(starts.needs_start(first, (&factory, 1), &link));
        starts.started(first, (&factory, 1), &link);
        assert!(!starts.needs_start(first, (&factory, 1), &link));
        starts.all_started(first, (&factory, 1));
        let other = place("/a/c");
        assert!(!starts.needs_start(first, (&factory, 1), &other.link));
        let foreign = place("/b/c");
        assert!(starts.needs_start(first, (&foreign.factory, 1), &foreign.link), "its factory has not been swept");
        assert!(starts.needs_start(second, (&factory, 1), &link));
    }

    #[test]
    fn a_new_module_starts_what_an_earlier_one_has_started_or_passed_over() {
        let starts = Starts::default();
        let Place { link, factory, partition } = place("/a/b");
        let reign = (partition, FIRST);
        starts.all_started(reign, (&factory, 1));
        assert!(starts.needs_start(reign, (&factory, 2), &link));
        assert!(!starts.needs_start(reign, (&factory, 1), &link), "an operation of the old module starts nothing");
        starts.started(reign, (&factory, 1), &link);
        starts.all_started(reign, (&factory, 1));
        assert!(starts.needs_start(reign, (&factory, 2), &link), "what the old module does late changes nothing");
    }
}
