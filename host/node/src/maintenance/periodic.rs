//! Periodic maintenance: every document of a service that wants it, once per interval, spread over the interval, never
//! twice at the same time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::service::ServiceOption;
use steward_model::{Action, Link};
use steward_protocol::schedule::Maintenance;
use tokio::sync::OwnedSemaphorePermit;

use super::places::{Places, places};
use crate::operation::{Error, Existence, Operations, Purpose, Reply};
use crate::service::{Found, Service};
use crate::shutdown::Shutdown;

/// Longest sleep between two looks at the schedule.
const LOOK: Duration = Duration::from_millis(250);

/// Shortest sleep: maintenance cannot be more frequent than this allows.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// The schedule of this node's documents.
pub(crate) struct Periodic {
    operations: Arc<Operations>,
    schedule: Mutex<Maintenance>,
    places: Places,
}

fn interval(service: &Service) -> Duration {
    Duration::from_micros(service.descriptor().maintenance_interval_micros)
}

impl Periodic {
    /// Returns an empty schedule.
    pub(crate) fn new(operations: Arc<Operations>) -> Periodic {
        Periodic { operations, schedule: Mutex::new(Maintenance::default()), places: places() }
    }

    /// Keeps the schedule up to date with documents that are created and deleted from now on.
    pub(super) fn watch(self: &Arc<Periodic>) {
        let periodic = Arc::downgrade(self);
        self.operations.watch(Box::new(move |service, link, existence| {
            if let Some(periodic) = periodic.upgrade()
                && service.has(ServiceOption::PeriodicMaintenance)
            {
                match existence {
                    Existence::Begins => periodic.add(service, link),
                    Existence::Ends => periodic.remove(link),
                }
            }
        }));
    }

    /// Adds a document, with the interval that its service has now; adding it again changes nothing.
    pub(crate) fn add(&self, service: &Service, link: &Link) {
        let now = self.operations.clock().lived();
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        schedule.add(now, interval(service), link.clone());
    }

    fn remove(&self, link: &Link) {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner).remove(link);
    }

    /// Runs maintenance when it is due, until the host stops.
    pub(super) async fn run(self: Arc<Periodic>, shutdown: &Shutdown) {
        let mut due = Vec::new();
        loop {
            // What is due stays in the schedule as long as there is no place for it.
            let mut place = tokio::select! {
                () = shutdown.stopping() => return,
                place = self.place() => Some(place),
            };
            let now = self.operations.clock().lived();
            let next = {
                let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
                schedule.due(now, 1 + self.places.available_permits(), &mut due);
                schedule.next_due()
            };
            let found = !due.is_empty();
            for link in due.drain(..) {
                let (periodic, place) = (Arc::clone(&self), place.take());
                shutdown.spawn("maintain", async move { periodic.maintain(link, place).await });
            }
            drop(place);
            let sleep = match next {
                _ if found => LOOK_MIN,
                Some(next) => next.since(now).clamp(LOOK_MIN, LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = shutdown.stopping() => return,
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed")
    }

    async fn maintain(&self, link: Link, place: Option<OwnedSemaphorePermit>) {
        // More than were asked for may be due at the same instant; those wait for a place here.
        let place = match place {
            Some(place) => place,
            None => self.place().await,
        };
        let mounted = match self.operations.services().find(&link) {
            Some(Found::Child(service)) => service.has(ServiceOption::PeriodicMaintenance),
            Some(Found::Factory(_) | Found::Stateless(_)) | None => false,
        };
        if mounted {
            let id = format!("maintenance-{}", link.name());
            let maintain = self.operations.own(id, Action::Patch, link.clone(), Cause::Maintenance, Purpose::Maintain);
            match self.operations.perform(maintain).await {
                Ok(Reply { document: None, .. }) => self.remove(&link),
                Ok(Reply { document: Some(_), .. }) => {}
                // Its owner has it in its own schedule.
                Err(Error::Elsewhere { .. } | Error::NotConfirmed(_)) => self.remove(&link),
                Err(error) => tracing::warn!(%link, %error, "handle-maintenance failed"),
            }
        } else {
            // A module that wants maintenance again adds its documents when it is mounted.
            self.remove(&link);
        }
        drop(place);
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner).finished(&link);
    }
}
