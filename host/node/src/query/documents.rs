//! The documents of this node's partitions, as a query reads them.
//!
//! Indexes, lists and counts of a factory are one range each for all partitions. Documents themselves are spread over partitions by
//! the hash of their links, and each partition yields them in the order of links: merging the partitions yields them all in that
//! order.

use std::sync::Arc;

use steward_model::{Document, Lane, Link, PartitionId};
use steward_query::path::Path;
use steward_query::source::{Candidate, Certainty, Listed, Ranked, Source, Stream};
use steward_query::value::{Value, ValueRange};
use steward_storage::documents::{Across, Certain, Copies, Error, Indexed, PartitionStore};
use steward_storage::state::{Order, ReadView};

use super::aim::Aim;
use super::indexed;
use super::merge::Merge;
use super::migration::{Migration, SourceError};
use crate::partition::Partitions;
use crate::service::{Found, Service, ServiceTable};

/// The partitions of one lane at one instant.
struct LaneView {
    lane: Lane,
    copies: Arc<Copies>,
    view: Box<dyn ReadView>,
}

pub(super) struct Documents {
    partitions: Arc<Partitions>,
    lanes: Vec<LaneView>,
    services: Arc<ServiceTable>,
    /// The services whose documents may be found.
    concerned: Vec<Arc<Service>>,
    migration: Migration,
    owner: String,
}

impl Documents {
    /// Returns what the partitions hold now, as far as a query is concerned; `copies` are those that count, by lane.
    ///
    /// # Errors
    /// Those of the state store.
    ///
    /// # Panics
    /// Outside of a runtime: guests migrate documents of former shapes.
    pub(super) fn open(
        partitions: &Arc<Partitions>,
        services: &Arc<ServiceTable>,
        aim: &Aim,
        copies: Vec<(Lane, Arc<Copies>)>,
        owner: String,
    ) -> Result<Documents, Error> {
        let lane_view = |(lane, copies): (Lane, Arc<Copies>)| {
            let view = partitions.lane(lane).first().expect("a lane has partitions").store().view()?;
            Ok(LaneView { lane, copies, view })
        };
        let lanes = copies.into_iter().map(lane_view).collect::<Result<_, Error>>()?;
        let (concerned, migration) = (aim.concerned.clone(), Migration::of(&aim.concerned));
        Ok(Documents {
            partitions: Arc::clone(partitions),
            lanes,
            services: Arc::clone(services),
            concerned,
            migration,
            owner,
        })
    }

    fn stores(&self) -> impl Iterator<Item = (&PartitionStore, &dyn ReadView)> {
        self.lanes.iter().flat_map(|lane_view| {
            let partitions = self.partitions.lane(lane_view.lane).iter().map(|partition| partition.store());
            let counting = partitions.filter(|store| lane_view.copies.hold(store.copy()));
            counting.map(|store| (store, lane_view.view.as_ref()))
        })
    }

    /// Returns all partitions of a lane, if the query is about it.
    fn across(&self, lane: Lane) -> Option<Across<'_>> {
        let lane_view = self.lanes.iter().find(|lane_view| lane_view.lane == lane)?;
        let store = self.partitions.lane(lane).first()?.store().store();
        Some(Across::new(store.as_ref(), lane_view.view.as_ref(), &lane_view.copies))
    }

    /// Returns the only service that the query is about, and all partitions in which its documents lie.
    fn only(&self) -> Option<(&Service, Across<'_>)> {
        match &self.concerned[..] {
            [service] => Some((service.as_ref(), self.across(service.lane())?)),
            [] | [_, ..] => None,
        }
    }

    /// Returns the lane and the partition in which the document lies, if it lies in one that counts.
    fn place_of(&self, link: &Link) -> Option<(&PartitionStore, &dyn ReadView)> {
        let lane = match self.services.find(link) {
            Some(Found::Child(service)) => service.lane(),
            Some(Found::Factory(_) | Found::Stateless(_)) | None => return None,
        };
        let lane_view = self.lanes.iter().find(|lane_view| lane_view.lane == lane)?;
        let store = self.partitions.get(PartitionId::of(link, lane)).store();
        lane_view.copies.hold(store.copy()).then_some((store, lane_view.view.as_ref()))
    }
}

impl Source for Documents {
    type Error = SourceError;

    fn documents<'a>(
        &'a self,
        below: Option<&Link>,
        after: Option<&Link>,
        deleted: bool,
    ) -> Stream<'a, Document, SourceError> {
        let root = Link::parse("/").expect("the root is a link");
        let below = below.unwrap_or(&root);
        let streams: Vec<_> = self.stores().map(|(store, view)| store.documents(view, below, after)).collect();
        let wanted = move |found: &Result<Document, Error>| match found {
            Ok(document) => deleted || !document.is_tombstone(),
            Err(_) => true,
        };
        let merged = Merge::new(streams).filter(wanted);
        Box::new(merged.map(|found| self.migration.migrated(found?)))
    }

    fn versions(&self, link: &Link) -> Result<Vec<Document>, SourceError> {
        Ok(self.place_of(link).map_or(Ok(Vec::new()), |(store, _)| store.versions(link, usize::MAX))?)
    }

    fn document(&self, link: &Link) -> Result<Option<Document>, SourceError> {
        let found = self.place_of(link).map_or(Ok(None), |(store, view)| store.document_in(view, link))?;
        found.map(|document| self.migration.migrated(document)).transpose()
    }

    fn indexed<'a>(
        &'a self,
        path: &Path,
        range: &ValueRange,
    ) -> Result<Option<Stream<'a, Candidate, SourceError>>, SourceError> {
        let Some(lookup) = indexed::lookup(path, Some(range), &self.concerned) else { return Ok(None) };
        let mut scans: Vec<Stream<'a, Candidate, SourceError>> = Vec::with_capacity(self.concerned.len());
        for service in &self.concerned {
            let Some(across) = self.across(service.lane()) else { continue };
            // A document found in two places would count twice.
            let is_doubtful = lookup.only_path().is_none() || across.is_expiring(&service.path)?;
            for path in &lookup.paths {
                let found = across.indexed(&service.path, path, &lookup.range)?;
                scans.push(Box::new(found.map(move |found| Ok(candidate(found?, is_doubtful)))));
            }
        }
        Ok(Some(Box::new(scans.into_iter().flatten())))
    }

    fn ranked<'a>(
        &'a self,
        path: &Path,
        range: Option<&ValueRange>,
        descending: bool,
        after: Option<(&Value, &Link)>,
    ) -> Result<Option<Ranked<'a, SourceError>>, SourceError> {
        let Some((service, across)) = self.only() else { return Ok(None) };
        let Some(lookup) = indexed::lookup(path, range, &self.concerned) else { return Ok(None) };
        let Some(path) = lookup.only_path() else { return Ok(None) };
        // What is not indexed in full may have its place anywhere.
        if across.is_partial(&service.path)? {
            return Ok(None);
        }
        let may_expire = across.is_expiring(&service.path)?;
        let order = if descending { Order::Descending } else { Order::Ascending };
        let after = after.map(|(value, link)| (indexed::stored_value(value), link));
        let after = after.as_ref().map(|(value, link)| (value, link.name()));
        let found = across.ranked(&service.path, path, (&lookup.range, order), after);
        let candidates: Stream<'a, Candidate, SourceError> =
            Box::new(found.map(move |found| Ok(candidate(found?, may_expire))));
        // Only whoever begins with the least value has to know: documents without one stand before it, and behind the largest.
        let may_ask = order == Order::Ascending && range.is_none() && after.is_none();
        let is_whole =
            service.fields.always.contains(path) || (may_ask && across.is_everywhere(&service.path, path)?);
        let is_single = service.fields.single.contains(path);
        Ok(Some(Ranked { candidates, is_whole, is_single }))
    }

    fn listed<'a>(&'a self, after: Option<&Link>) -> Result<Option<Stream<'a, Listed, SourceError>>, SourceError> {
        let Some((service, across)) = self.only() else { return Ok(None) };
        let list = across.listed(&service.path, after.map(Link::name));
        Ok(Some(Box::new(list.map(|found| {
            let found = found?;
            Ok(Listed { link: found.link, expires: found.expires })
        }))))
    }

    fn counted(&self) -> Result<Option<u64>, SourceError> {
        let Some((service, across)) = self.only() else { return Ok(None) };
        match across.is_expiring(&service.path)? {
            true => Ok(None),
            false => Ok(Some(across.count(&service.path)?)),
        }
    }

    fn owner(&self, _link: &Link) -> &str {
        // The group has one node so far, which owns everything.
        &self.owner
    }
}

/// Returns what an entry of the index is for the query.
fn candidate(found: Indexed, is_doubtful: bool) -> Candidate {
    let Indexed { value, link, certainty } = found;
    let certainty = match certainty {
        Certain::Beginning => Certainty::Beginning,
        Certain::Only if !is_doubtful => Certainty::Whole,
        Certain::Only | Certain::OneOfSeveral => Certainty::Value,
    };
    Candidate { link, value: indexed::query_value(value), certainty }
}
