//! The documents of this node's partitions, as a query reads them.
//!
//! Documents are spread over partitions by the hash of their links, and each partition yields them in the order of links:
//! merging the partitions yields them all in that order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use steward_model::{Document, Lane, Link, PartitionId};
use steward_query::path::Path;
use steward_query::source::{Source, Stream};
use steward_query::value::ValueRange;
use steward_storage::documents::{Error, PartitionStore};
use steward_storage::state::{Order, ReadView};

use super::indexed;
use super::migration::Migration;
use crate::partition::{Partition, Partitions};
use crate::service::{Found, Service, ServiceTable};

/// Why the documents cannot be read.
pub type SourceError = Error;

/// The partitions of one lane at one instant.
struct LaneView {
    lane: Lane,
    partitions: Vec<Arc<Partition>>,
    view: Box<dyn ReadView>,
}

/// See the head of this module.
pub(super) struct Documents {
    lanes: Vec<LaneView>,
    services: Arc<ServiceTable>,
    /// The services whose documents may be found.
    concerned: Vec<Arc<Service>>,
    migration: Migration,
    owner: String,
}

impl Documents {
    /// Returns the lanes in which documents of `factory` lie; both if no factory is named.
    pub(super) fn lanes(services: &ServiceTable, factory: Option<&Link>) -> Vec<Lane> {
        match factory.and_then(|factory| services.at(factory)) {
            Some(service) => vec![service.lane()],
            None => vec![Lane::Persisted, Lane::Volatile],
        }
    }

    /// Returns what the partitions hold now.
    ///
    /// # Errors
    /// Those of the state store.
    ///
    /// # Panics
    /// Outside of a runtime: guests migrate documents of former shapes.
    pub(super) fn open(
        table: &Partitions,
        services: &Arc<ServiceTable>,
        factory: Option<&Link>,
        owner: String,
    ) -> Result<Documents, Error> {
        let lane_view = |lane| {
            let partitions = table.lane(lane).to_vec();
            let first = partitions.first().expect("a lane has partitions");
            let view = first.store().view()?;
            Ok(LaneView { lane, partitions, view })
        };
        let lanes = Documents::lanes(services, factory).into_iter().map(lane_view).collect::<Result<_, Error>>()?;
        let concerned = match factory {
            Some(factory) => services.at(factory).into_iter().collect(),
            None => services.all(),
        };
        let migration = Migration::of(&concerned);
        Ok(Documents { lanes, services: Arc::clone(services), concerned, migration, owner })
    }

    fn stores(&self) -> impl Iterator<Item = (&PartitionStore, &dyn ReadView)> {
        self.lanes.iter().flat_map(|lane_view| {
            lane_view.partitions.iter().map(|partition| (partition.store(), lane_view.view.as_ref()))
        })
    }

    /// Returns the partition in which the document lies, if it lies in one that is open here.
    fn store_of(&self, link: &Link) -> Option<&PartitionStore> {
        let lane = match self.services.find(link) {
            Some(Found::Child(service)) => service.lane(),
            Some(Found::Factory(_) | Found::Stateless(_)) | None => return None,
        };
        let lane_view = self.lanes.iter().find(|lane_view| lane_view.lane == lane)?;
        let place = usize::from(PartitionId::of(link, lane).index);
        lane_view.partitions.get(place).map(|partition| partition.store())
    }
}

impl Source for Documents {
    type Error = Error;

    fn documents<'a>(
        &'a self,
        below: Option<&Link>,
        after: Option<&Link>,
        deleted: bool,
    ) -> Stream<'a, Document, Error> {
        let root = Link::parse("/").expect("the root is a link");
        let below = below.unwrap_or(&root);
        let streams: Vec<_> = self.stores().map(|(store, view)| store.documents(view, below, after)).collect();
        let wanted = move |found: &Result<Document, Error>| match found {
            Ok(document) => deleted || !document.is_tombstone(),
            Err(_) => true,
        };
        let merged = Merge::new(streams).filter(wanted);
        Box::new(merged.map(|found| found.map(|document| self.migration.migrated(document))))
    }

    fn versions(&self, link: &Link) -> Result<Vec<Document>, Error> {
        self.store_of(link).map_or(Ok(Vec::new()), |store| store.versions(link, usize::MAX))
    }

    fn document(&self, link: &Link) -> Result<Option<Document>, Error> {
        let found = self.store_of(link).map_or(Ok(None), |store| store.document(link))?;
        Ok(found.map(|document| self.migration.migrated(document)))
    }

    fn indexed<'a>(&'a self, path: &Path, range: &ValueRange) -> Option<Stream<'a, Link, Error>> {
        let lookup = indexed::lookup(path, range, &self.concerned)?;
        let scans: Vec<_> = self
            .stores()
            .map(|(store, view)| store.index_scan(view, &lookup.path, &lookup.range, Order::Ascending))
            .collect();
        Some(Box::new(scans.into_iter().flatten().map(|found| found.map(|indexed| indexed.link))))
    }

    fn owner(&self, _link: &Link) -> &str {
        // The group has one node so far, which owns everything.
        &self.owner
    }
}

/// The next document of one stream, ordered by link.
struct Head {
    document: Document,
    stream: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.document.link == other.document.link
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        self.document.link.cmp(&other.document.link)
    }
}

/// Merges streams that are ordered by link.
struct Merge<S> {
    streams: Vec<S>,
    heads: BinaryHeap<Reverse<Head>>,
    failures: Vec<Error>,
}

impl<S: Iterator<Item = Result<Document, Error>>> Merge<S> {
    fn new(streams: Vec<S>) -> Merge<S> {
        let count = streams.len();
        let mut merge = Merge { streams, heads: BinaryHeap::with_capacity(count), failures: Vec::new() };
        (0..count).for_each(|stream| merge.advance(stream));
        merge
    }

    fn advance(&mut self, stream: usize) {
        match self.streams[stream].next() {
            Some(Ok(document)) => self.heads.push(Reverse(Head { document, stream })),
            Some(Err(error)) => self.failures.push(error),
            None => {}
        }
    }
}

impl<S: Iterator<Item = Result<Document, Error>>> Iterator for Merge<S> {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Result<Document, Error>> {
        if let Some(error) = self.failures.pop() {
            return Some(Err(error));
        }
        let Reverse(Head { document, stream }) = self.heads.pop()?;
        self.advance(stream);
        Some(Ok(document))
    }
}
