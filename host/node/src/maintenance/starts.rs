//! The start of a reign: the outbox is loaded, and every document whose service has `handle-start` is started.

use std::sync::Arc;

use steward_model::operation::Cause;
use steward_model::service::{Handler, ServiceOption};
use steward_model::{Action, Epoch, Link};
use steward_storage::documents::Error;
use tokio::sync::Semaphore;

use super::Periodic;
use crate::operation::{Operations, Purpose};
use crate::partition::Partition;
use crate::service::Service;

/// Follows the reigns of one partition for ever.
pub(super) async fn follow(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
) {
    let mut serving = partition.watch_serving();
    loop {
        let Ok(reign) = serving.wait_for(Option::is_some).await.map(|reign| *reign) else { return };
        if let Some(epoch) = reign {
            begin(operations, partition, periodic, places, epoch).await;
        }
        if serving.changed().await.is_err() {
            return;
        }
    }
}

async fn begin(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
    epoch: Epoch,
) {
    match partition.load_outbox().await {
        Ok(0) => {}
        Ok(effects) => {
            tracing::debug!(partition = %partition.id(), effects, "pending effects found");
            operations.table().shared().outbox_changed.notify_one();
        }
        Err(error) => tracing::error!(partition = %partition.id(), %error, "pending effects cannot be read"),
    }
    for service in operations.services().all() {
        if service.lane() == partition.id().lane && !service.is_stateless() {
            sweep(operations, partition, periodic, places, &service).await;
        }
    }
    operations.starts().swept(partition.id(), epoch);
}

async fn sweep(
    operations: &Arc<Operations>,
    partition: &Arc<Partition>,
    periodic: &Periodic,
    places: &Arc<Semaphore>,
    service: &Arc<Service>,
) {
    let starts = service.handles(Handler::HandleStart);
    let maintains = service.has(ServiceOption::PeriodicMaintenance);
    if !starts && !maintains {
        return;
    }
    let links = match links_of(partition, service) {
        Ok(links) => links,
        Err(error) => {
            tracing::error!(partition = %partition.id(), %error, "documents to start cannot be read");
            return;
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
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return };
        let operations = Arc::clone(operations);
        under_way.spawn(async move {
            let id = format!("start-{}", link.name());
            let start = operations.own(id, Action::Patch, link, Cause::Maintenance, Purpose::Start);
            let link = start.link.clone();
            if let Err(error) = operations.perform(start).await {
                tracing::warn!(%link, %error, "document could not be started");
            }
            drop(place);
        });
    }
    while under_way.join_next().await.is_some() {}
}

fn links_of(partition: &Partition, service: &Service) -> Result<Vec<Link>, Error> {
    let view = partition.store().view()?;
    partition.store().links(view.as_ref(), &service.path, None).collect()
}
