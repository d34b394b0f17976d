//! The start of a reign: the outbox is loaded, and every document whose service wants maintenance gets its place in the
//! schedule. The documents of a factory get theirs also when it is mounted, or moves to another module, during a reign.
//!
//! `handle-start` runs before the first operation on a document, whatever that is, see `service::Starts`. If the
//! descriptor of the service says `start: eager`, it runs here for every document.
//!
//! A sweep over a factory begins when everything that the former module has written is in the state store. A document
//! that is created later is created by the new module, which starts it at once; its creation also puts it into the
//! schedule. If a document could not be started, it is tried again. It holds up neither other services nor other
//! partitions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_model::service::{Handler, ServiceOption, Start};
use steward_model::{Epoch, Link};
use steward_storage::documents;

use super::schedule::Schedule;
use crate::operation::{Duty, Operations};
use crate::partition::Partition;
use crate::service::Service;

/// Pause before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Follows the reigns of one partition, and the services during each, for ever.
pub(super) async fn follow(operations: &Arc<Operations>, partition: &Arc<Partition>, schedule: &Schedule) {
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
                load_outbox(operations, partition).await;
            }
        }
        let complete = match reign {
            Some(epoch) => begin(operations, partition, schedule, epoch, &mut swept).await,
            None => true,
        };
        tokio::select! {
            () = reign_changed => {}
            changed = services.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if !complete => {}
        }
    }
}

async fn load_outbox(operations: &Operations, partition: &Partition) {
    while partition.admits().is_ok() {
        match crate::partition::load_outbox(partition, operations.clock()).await {
            Ok(Some((epoch, effects))) => {
                tracing::debug!(partition = %partition.id(), %epoch, effects, "pending effects found");
                return;
            }
            // Known already, or the store is behind and is asked again.
            Ok(None) if partition.unloaded_outbox().is_none() => return,
            Ok(None) => {}
            Err(error) => tracing::warn!(partition = %partition.id(), %error, "pending effects cannot be read"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Sweeps the factories that have not been swept; returns false if one of them has to be swept again.
async fn begin(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    schedule: &Schedule,
    epoch: Epoch,
    swept: &mut BTreeMap<Link, u64>,
) -> bool {
    let services = operations.services().all();
    swept.retain(|path, _| services.iter().any(|service| service.path == *path));
    let mut complete = true;
    for service in services {
        let concerns = service.lane() == partition.id().lane && !service.is_stateless();
        if !concerns || swept.get(&service.path) == Some(&service.revision) {
            continue;
        }
        if !sweep(operations, partition, schedule, &service).await {
            complete = false;
            continue;
        }
        swept.insert(service.path.clone(), service.revision);
        if starts_eagerly(&service) {
            operations.starts().all_started((partition.id(), epoch), (&service.path, service.revision));
        }
    }
    complete
}

fn starts_eagerly(service: &Service) -> bool {
    service.descriptor().start == Start::Eager && service.handles(Handler::HandleStart)
}

/// Returns false if a document could not be started.
async fn sweep(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    schedule: &Schedule,
    service: &Arc<Service>,
) -> bool {
    let starts = starts_eagerly(service);
    let maintains = service.has(ServiceOption::PeriodicMaintenance);
    if !starts && !maintains {
        return true;
    }
    if let Err(error) = operations.settled(partition).await {
        tracing::debug!(partition = %partition.id(), %error, "documents to start are not known yet");
        return false;
    }
    let links = match links_of(partition, service) {
        Ok(links) => links,
        Err(error) => {
            tracing::warn!(partition = %partition.id(), %error, "documents to start cannot be read");
            return false;
        }
    };
    if maintains {
        links.iter().for_each(|link| schedule.add(service, link));
    }
    !starts || start_all(operations, partition, links).await
}

async fn start_all(operations: &Arc<Operations>, partition: &Arc<Partition>, links: Vec<Link>) -> bool {
    let start = |link: Link| {
        let operations = Arc::clone(operations);
        async move {
            let started = operations.begin(&link).await;
            started.inspect_err(|error| tracing::warn!(%link, %error, "document could not be started")).is_ok()
        }
    };
    operations.places(Duty::Start).each(links, || partition.admits().is_ok(), start).await
}

fn links_of(partition: &Partition, service: &Service) -> Result<Vec<Link>, documents::Error> {
    let view = partition.store().view()?;
    partition.store().links(view.as_ref(), &service.path, None).collect()
}
