//! Which documents of this node have periodic maintenance, and when each is due next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_model::Link;
use steward_model::service::ServiceOption;
use steward_protocol::schedule::Maintenance;

use crate::clock::Clock;
use crate::operation::{Existence, Watcher};
use crate::service::Service;

/// See the rules in `steward_protocol::schedule`; here they meet the clock.
pub(crate) struct Schedule {
    clock: Arc<Clock>,
    documents: Mutex<Maintenance>,
}

impl Schedule {
    /// Returns an empty schedule.
    pub(crate) fn new(clock: Arc<Clock>) -> Arc<Schedule> {
        Arc::new(Schedule { clock, documents: Mutex::default() })
    }

    /// Returns who keeps the schedule up to date with documents that begin and cease to exist.
    pub(crate) fn watcher(self: &Arc<Schedule>) -> Box<Watcher> {
        let schedule = Arc::clone(self);
        Box::new(move |service, link, existence| {
            if service.has(ServiceOption::PeriodicMaintenance) {
                match existence {
                    Existence::Begins => schedule.add(service, link),
                    Existence::Ends => schedule.remove(link),
                }
            }
        })
    }

    /// Adds a document, with the interval that its service has now; adding it again changes nothing.
    pub(super) fn add(&self, service: &Service, link: &Link) {
        let interval = Duration::from_micros(service.descriptor().maintenance_interval_micros);
        let now = self.clock.lived();
        self.lock().add(now, interval, link.clone());
    }

    /// Takes a document out.
    pub(super) fn remove(&self, link: &Link) {
        self.lock().remove(link);
    }

    /// Appends documents whose time has come to `due`, about `limit` of them: see [`Maintenance::due`]. None of them is due again
    /// before [`Schedule::finished`]. Returns how long it is until the next one, zero if it is due already; none if there is none.
    pub(super) fn due(&self, limit: usize, due: &mut Vec<Link>) -> Option<Duration> {
        let now = self.clock.lived();
        let mut documents = self.lock();
        documents.due(now, limit, due);
        documents.next_due().map(|next| next.since(now))
    }

    /// Notes that the maintenance of a document has ended, so that it may run again.
    pub(super) fn finished(&self, link: &Link) {
        self.lock().finished(link);
    }

    fn lock(&self) -> MutexGuard<'_, Maintenance> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
