//! The mounted services, by path.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use steward_model::Link;
use tokio::sync::watch;

use super::{Closed, Doors, Service, ServiceStats};

/// What a path means.
#[derive(Clone)]
pub enum Found {
    /// The factory itself.
    Factory(Arc<Service>),
    /// A child of a factory, whether it exists or not.
    Child(Arc<Service>),
    /// A stateless service, which answers everything at and below its path.
    Stateless(Arc<Service>),
}

type Mounted = BTreeMap<Link, Arc<Service>>;

/// See the head of this module. Reading takes no longer than copying a pointer.
#[derive(Default)]
pub struct ServiceTable {
    mounted: RwLock<Arc<Mounted>>,
    /// Who may write where.
    doors: Doors,
    /// How often it was replaced.
    changes: watch::Sender<u64>,
}

impl ServiceTable {
    fn snapshot(&self) -> Arc<Mounted> {
        Arc::clone(&self.mounted.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the doors of the factories.
    pub fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Replaces the mounted services by those of a cluster state, which tells the revision of each factory. Nobody writes at a
    /// factory in the moment in which it changes; calls under way finish on the services they began with.
    pub async fn replace(&self, services: Vec<Arc<Service>>, revision_of: impl Fn(&Link) -> u64) {
        let mounted: Mounted = services.into_iter().map(|service| (service.path.clone(), service)).collect();
        let shut = self.shut(&mounted).await;
        *self.mounted.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(mounted);
        drop(shut);
        self.doors.decided(revision_of);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Closes the doors of all factories that are others in `mounted`.
    async fn shut(&self, mounted: &Mounted) -> Vec<Arc<Closed>> {
        let now = self.snapshot();
        let revision = |services: &Mounted, path: &Link| services.get(path).map(|service| service.revision);
        let mut shut = Vec::new();
        for path in now.keys().chain(mounted.keys().filter(|path| !now.contains_key(*path))) {
            if revision(&now, path) != revision(mounted, path) {
                shut.push(self.doors.shut(path).await);
            }
        }
        shut
    }

    /// Returns what changes whenever the mounted services have changed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns the service mounted exactly at `path`.
    pub fn at(&self, path: &Link) -> Option<Arc<Service>> {
        self.snapshot().get(path).cloned()
    }

    /// Returns what answers at `path`.
    pub fn find(&self, path: &Link) -> Option<Found> {
        let mounted = self.snapshot();
        if let Some(service) = mounted.get(path) {
            let service = Arc::clone(service);
            return Some(if service.is_stateless() { Found::Stateless(service) } else { Found::Factory(service) });
        }
        let parent = path.parent()?;
        if let Some(service) = mounted.get(&parent)
            && !service.is_stateless()
        {
            return Some(Found::Child(Arc::clone(service)));
        }
        let mut above = Some(parent);
        while let Some(place) = above {
            if let Some(service) = mounted.get(&place)
                && service.is_stateless()
            {
                return Some(Found::Stateless(Arc::clone(service)));
            }
            above = place.parent();
        }
        None
    }

    /// Returns every mounted service, by path.
    pub fn all(&self) -> Vec<Arc<Service>> {
        self.snapshot().values().cloned().collect()
    }

    /// Returns the statistics kept for a path, or fresh ones.
    pub fn stats_of(&self, path: &Link) -> Arc<ServiceStats> {
        self.at(path).map(|service| Arc::clone(&service.stats)).unwrap_or_default()
    }

    /// Returns the mounted path that shares the longest beginning with `path`, as a hint for people.
    pub fn nearest(&self, path: &Link) -> Option<Link> {
        let mounted = self.snapshot();
        let shared = |other: &Link| {
            let pairs = path.as_str().bytes().zip(other.as_str().bytes());
            pairs.take_while(|(one, other)| one == other).count()
        };
        // Sharing only "/core/" says nothing.
        mounted.keys().filter(|other| shared(other) > "/core/x".len()).max_by_key(|other| shared(other)).cloned()
    }
}
