//! What a factory has stored, as far as a deployment depends on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_model::service::Descriptor;
use steward_model::{Lane, Link};
use steward_protocol::cluster::registry::{Factory, Service};

use super::Breaking;
use crate::failure;
use crate::http::Http;
use crate::http::error::Error;
use crate::partition::{Partitions, flushed_lane};

/// Returns which documents of the factory at `path` a module with this descriptor could not read.
///
/// A stored state was written by some module that has answered at the path. If the new one reads what each of them wrote,
/// nothing has to be counted; only otherwise are the documents themselves looked at.
///
/// # Errors
/// Those of the state store.
pub(in crate::http) async fn unreadable(
    http: &Arc<Http>,
    path: &Link,
    descriptor: &Descriptor,
) -> Result<Option<Breaking>, Error> {
    let state = http.parts.control.state();
    let Some(factory) = state.factory(path) else { return Ok(None) };
    let written = |factory: &Factory| {
        factory.history.iter().filter_map(|revision| revision.module).all(|digest| {
            let descriptor_of = state.module(&digest).and_then(|module| module.descriptor().ok());
            descriptor_of.is_some_and(|former| descriptor.reads(former.state_version))
        })
    };
    let remembers_all = factory.history.first().is_none_or(|revision| revision.number == 1);
    if remembers_all && written(factory) {
        return Ok(None);
    }
    let mut stored = counted(http, path).await?;
    stored.retain(|version, _| !descriptor.reads(*version));
    if stored.is_empty() {
        return Ok(None);
    }
    let mut reads = descriptor.reads_state_versions.clone();
    reads.push(descriptor.state_version);
    reads.sort_unstable();
    reads.dedup();
    Ok(Some(Breaking { path: path.clone(), stored, reads }))
}

/// Returns how many documents the factory at `path` keeps.
///
/// # Errors
/// Those of the state store.
pub(in crate::http) async fn documents(http: &Arc<Http>, path: &Link) -> Result<u64, Error> {
    let table = http.operations().table();
    for lane in [Lane::Persisted, Lane::Volatile] {
        flushed_lane(table, lane).await.map_err(crate::operation::Error::from)?;
    }
    let mut count = 0;
    for partition in table.all() {
        count += partition.store().meta()?.counts.get(path).copied().unwrap_or(0);
    }
    Ok(count)
}

async fn counted(http: &Arc<Http>, path: &Link) -> Result<BTreeMap<u32, u64>, Error> {
    let table = Arc::clone(http.operations().table());
    let lanes = match http.parts.control.state().factory(path).and_then(|factory| factory.mounted.as_ref()) {
        Some(mounted) => match mounted.service {
            Service::Stateful { lane } => vec![lane],
            Service::Stateless => Vec::new(),
        },
        None => vec![Lane::Persisted, Lane::Volatile],
    };
    // What is in the log and not committed yet counts, too.
    for partition in lanes.iter().flat_map(|lane| table.lane(*lane)) {
        http.operations().settled(partition).await?;
    }
    let path = path.clone();
    let count = move || failure::contain(|| count_versions(&table, &path, &lanes));
    let counting = tokio::task::spawn_blocking(count).await;
    counting.map_err(|_| Error::Panicked)?
}

fn count_versions(table: &Partitions, path: &Link, lanes: &[Lane]) -> Result<BTreeMap<u32, u64>, Error> {
    let mut counts = BTreeMap::new();
    for partition in lanes.iter().flat_map(|lane| table.lane(*lane)) {
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
