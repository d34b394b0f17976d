//! The start of a reign: the outbox is loaded, every document whose service has `handle-start` is started, and every
//! document whose service wants maintenance gets its place in the schedule. The same happens to the documents of a factory
//! that is mounted, or moves to another module, during a reign: what has been started in it is not started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::service::{Handler, ServiceOption};
use steward_model::{Action, Epoch, Link};
use steward_storage::documents::Error;
use tokio::sync::Semaphore;

use super::Periodic;
use crate::operation::{Operations, Purpose};
use crate::partition::Partition;
use crate::service::Service;

/// Pause before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Follows the reigns of one partition, and the services during each, for ever.
pub(super) async fn follow(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
) {
    let mut services = operations.services().watch();
    let mut reign = None;
    // Which revision of each factory has been swept in this reign.
    let mut swept = BTreeMap::new();
    loop {
        // Registered before the look: a change between the two must not be missed.
        let reign_changed = partition.serving().changed();
        let now = partition.serving().get();
        services.borrow_and_update();
        if now != reign {
            reign = now;
            swept.clear();
            if reign.is_some() {
                load_outbox(partition).await;
            }
        }
        if let Some(epoch) = reign {
            begin(operations, partition, periodic, places, epoch, &mut swept).await;
        }
        tokio::select! {
            () = reign_changed => {}
            changed = services.changed() => if changed.is_err() { return },
        }
    }
}

async fn load_outbox(partition: &Arc<Partition>) {
    while partition.admits().is_ok() {
        match crate::partition::load_outbox(partition).await {
            Ok(Some((epoch, effects))) => {
                tracing::debug!(partition = %partition.id(), %epoch, effects, "pending effects found");
                return;
            }
            // Known already, or the store is behind and is asked again.
            Ok(None) if partition.unloaded_outbox().is_none() => return,
            Ok(None) => {}
            Err(error) => tracing::error!(partition = %partition.id(), %error, "pending effects cannot be read"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn begin(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
    epoch: Epoch,
    swept: &mut BTreeMap<Link, u64>,
) {
    let services = operations.services().all();
    swept.retain(|path, _| services.iter().any(|service| service.path == *path));
    for service in services {
        let concerns = service.lane() == partition.id().lane && !service.is_stateless();
        if concerns && swept.get(&service.path) != Some(&service.revision) {
            // A document that could not be started, for want of space perhaps, must be before its other handlers run.
            while !sweep(operations, partition, periodic, places, &service).await && partition.admits().is_ok() {
                tokio::time::sleep(AGAIN).await;
            }
            swept.insert(service.path.clone(), service.revision);
            if service.handles(Handler::HandleStart) {
                operations.starts().swept(partition.id(), epoch, &service.path);
            }
        }
    }
}

/// Returns false if a document could not be started.
async fn sweep(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
    service: &Arc<Service>,
) -> bool {
    let starts = service.handles(Handler::HandleStart);
    let maintains = service.has(ServiceOption::PeriodicMaintenance);
    if !starts && !maintains {
        return true;
    }
    let links = match links_of(partition, service) {
        Ok(links) => links,
        Err(error) => {
            tracing::error!(partition = %partition.id(), %error, "documents to start cannot be read");
            return false;
        }
    };
    let mut under_way = tokio::task::JoinSet::new();
    for link in links {
        if maintains {
            periodic.add(service, &link);
        }
        if !starts {
            continue;
        }
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return false };
        let operations = Arc::clone(operations);
        under_way.spawn(async move {
            let id = format!("start-{}", link.name());
            let start = operations.own(id, Action::Patch, link, Cause::Maintenance, Purpose::Start);
            let link = start.link.clone();
            let started = operations.perform(start).await;
            drop(place);
            started.inspect_err(|error| tracing::warn!(%link, %error, "document could not be started")).is_ok()
        });
    }
    let mut complete = true;
    while let Some(ended) = under_way.join_next().await {
        complete &= ended.unwrap_or(false);
    }
    complete
}

fn links_of(partition: &Partition, service: &Service) -> Result<Vec<Link>, Error> {
    let view = partition.store().view()?;
    partition.store().links(view.as_ref(), &service.path, None).collect()
}
