//! Periodic maintenance: every document of a service that wants it, once per interval, spread over the interval, never
//! twice at the same time.

use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::service::ServiceOption;
use steward_model::{Action, Link};
use tokio::sync::OwnedSemaphorePermit;

use super::schedule::Schedule;
use crate::operation::{Duty, Error, Operations, Purpose, Reply};
use crate::service::Found;
use crate::shutdown::Shutdown;

/// Longest sleep between two looks at the schedule.
const LOOK: Duration = Duration::from_millis(250);

/// Shortest sleep: maintenance cannot be more frequent than this allows.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// Runs the maintenance of the documents in the schedule.
pub(super) struct Periodic {
    operations: Arc<Operations>,
    schedule: Arc<Schedule>,
}

impl Periodic {
    /// Returns a runner that has nothing under way.
    pub(super) fn new(operations: Arc<Operations>, schedule: Arc<Schedule>) -> Periodic {
        Periodic { operations, schedule }
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
            let next = self.schedule.due(1 + self.operations.places(Duty::Maintain).free(), &mut due);
            let found = !due.is_empty();
            for link in due.drain(..) {
                let (periodic, place) = (Arc::clone(&self), place.take());
                shutdown.spawn("maintain", async move { periodic.maintain(link, place).await });
            }
            drop(place);
            let sleep = match next {
                _ if found => LOOK_MIN,
                Some(next) => next.clamp(LOOK_MIN, LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = shutdown.stopping() => return,
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        self.operations.places(Duty::Maintain).place().await
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
                Ok(Reply { document: None, .. }) => self.schedule.remove(&link),
                Ok(Reply { document: Some(_), .. }) => {}
                // Its owner has it in its own schedule.
                Err(Error::Elsewhere { .. } | Error::NotConfirmed(_)) => self.schedule.remove(&link),
                Err(error) => tracing::warn!(%link, %error, "handle-maintenance failed"),
            }
        } else {
            // A module that wants maintenance again adds its documents when it is mounted.
            self.schedule.remove(&link);
        }
        drop(place);
        self.schedule.finished(&link);
    }
}
