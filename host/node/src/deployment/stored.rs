//! Which states a factory has stored, as far as a deployment depends on them.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_model::service::Descriptor;
use steward_model::{Lane, Link};
use steward_protocol::cluster::registry::Service;
use steward_storage::documents::{self, Across, Copies};

use super::deployments::Deployments;
use super::error::{Breaking, Error};
use crate::failure;
use crate::operation;
use crate::partition::{Partitions, flushed_lane};
use crate::service::revisions;

impl Deployments {
    /// Checks that a module with this descriptor could read every document of the factory at `path`.
    ///
    /// A stored state was written by some module that has answered at the path. If the new one reads what each of them wrote,
    /// nothing has to be counted; only otherwise are the documents themselves looked at.
    ///
    /// # Errors
    /// [`Error::Breaking`] says which not; or those of the state store.
    pub(super) async fn check_readable(&self, path: &Link, descriptor: &Descriptor) -> Result<(), Error> {
        let state = self.control.state();
        let Some(factory) = state.factory(path) else { return Ok(()) };
        let is_read = |former: &Descriptor| descriptor.reads(former.state_version);
        if revisions(&state, factory).is_some_and(|former| former.iter().all(is_read)) {
            return Ok(());
        }
        let mut stored = self.counted(path).await?;
        stored.retain(|version, _| !descriptor.reads(*version));
        if stored.is_empty() {
            return Ok(());
        }
        let reads = descriptor.readable_state_versions();
        Err(Error::Breaking(Box::new(Breaking { path: path.clone(), stored, reads })))
    }

    /// Returns how many documents each of these factories keeps, in their order.
    ///
    /// # Errors
    /// Those of the state store.
    pub(crate) async fn documents(&self, paths: &[&Link]) -> Result<Vec<u64>, Error> {
        let partitions = self.operations.partitions();
        for lane in [Lane::Persisted, Lane::Volatile] {
            flushed_lane(partitions, lane).await.map_err(crate::operation::Error::from)?;
        }
        Ok(self.kept(paths)?)
    }

    /// As [`Deployments::documents`], of what the state stores of this node hold at this moment. It takes a short look at each copy.
    ///
    /// # Errors
    /// Those of the state store.
    pub(crate) fn kept(&self, paths: &[&Link]) -> Result<Vec<u64>, documents::Error> {
        let partitions = self.operations.partitions();
        let mut counts = vec![0; paths.len()];
        for lane in [Lane::Persisted, Lane::Volatile] {
            let Some(first) = partitions.lane(lane).first() else { continue };
            let mut copies = Copies::none(lane);
            partitions.lane(lane).iter().for_each(|partition| copies.add(partition.store().copy()));
            let view = first.store().view()?;
            let across = Across::new(first.store().store().as_ref(), &*view, &copies);
            for (count, path) in counts.iter_mut().zip(paths) {
                *count += across.count(path)?;
            }
        }
        Ok(counts)
    }

    /// Returns how many documents the factory at `path` has in which shape, by the version of their state.
    ///
    /// # Errors
    /// Those of the state store, or [`operation::Error::Unavailable`] where this node does not hear what is committed.
    pub(crate) async fn counted(&self, path: &Link) -> Result<BTreeMap<u32, u64>, Error> {
        let partitions = Arc::clone(self.operations.partitions());
        let lanes = match self.control.state().factory(path).and_then(|factory| factory.mounted.as_ref()) {
            Some(mounted) => match mounted.service {
                Service::Stateful { lane } => vec![lane],
                Service::Stateless => Vec::new(),
            },
            None => vec![Lane::Persisted, Lane::Volatile],
        };
        // What is in the log and not committed yet counts, too; what the next reign takes back does not.
        for partition in lanes.iter().flat_map(|lane| partitions.lane(*lane)) {
            while let Err(error) = self.operations.settled(partition).await {
                match error {
                    operation::Error::Lost(_) => tokio::task::yield_now().await,
                    error => return Err(error.into()),
                }
            }
        }
        let path = path.clone();
        let count = move || failure::contain(|| count_versions(&partitions, &path, &lanes));
        tokio::task::spawn_blocking(count).await.map_err(|_| Error::Broken)?
    }
}

fn count_versions(partitions: &Partitions, path: &Link, lanes: &[Lane]) -> Result<BTreeMap<u32, u64>, Error> {
    let mut counts = BTreeMap::new();
    for partition in lanes.iter().flat_map(|lane| partitions.lane(*lane)) {
        let view = partition.store().view()?;
        for document in partition.store().documents(&*view, path, None) {
            let document = document?;
            if !document.is_tombstone() && document.link.parent().as_ref() == Some(path) {
                *counts.entry(document.state_version).or_default() += 1;
            }
        }
    }
    Ok(counts)
}
