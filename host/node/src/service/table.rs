//! The mounted services by path, and the factories that should be mounted and cannot be.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use steward_model::link::UTILITY_SUFFIXES;
use steward_model::service::IndexField;
use steward_model::{Action, Link};
use tokio::sync::watch;

use super::{Closed, Doors, Service, ServiceStats};

/// What a path means.
#[derive(Clone)]
pub(crate) enum Found {
    /// The factory itself.
    Factory(Arc<Service>),
    /// A child of a factory, whether it exists or not.
    Child(Arc<Service>),
    /// A stateless service, which answers everything at and below its path.
    Stateless(Arc<Service>),
}

impl Found {
    /// Returns what can be asked there.
    pub(crate) fn actions(&self) -> Vec<Action> {
        match self {
            Found::Factory(_) => vec![Action::Get, Action::Post],
            Found::Stateless(service) | Found::Child(service) => service.actions(),
        }
    }
}

/// A factory that the system group knows and this node cannot serve now. It has documents, whether anybody can see them
/// or not, so requests to it wait or are told to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Absent {
    pub path: Link,
    /// Why it is not served.
    pub reason: String,
    /// It is about to be served: requests wait, instead of being told to come back.
    pub is_loading: bool,
    /// The fields of its documents that its module lists, if it lists any: what is applied meanwhile is indexed by them.
    pub index: Option<Vec<IndexField>>,
}

type Mounted = BTreeMap<Link, Arc<Service>>;

/// What answers at which path, and what should.
#[derive(Default)]
struct Paths {
    mounted: Mounted,
    absent: BTreeMap<Link, Absent>,
    /// Those of the mounted ones that are HTTP components.
    http: Vec<Arc<Service>>,
}

impl Paths {
    /// Returns the nearest factory at or above `path` that should be served and is not.
    fn absent_at(&self, path: &Link) -> Option<&Absent> {
        let mut places = std::iter::once(path.as_str()).chain(path.above());
        if self.absent.is_empty() { None } else { places.find_map(|place| self.absent.get(place)) }
    }
}

/// A look at it is short and holds up nobody but whoever replaces it.
#[derive(Default)]
pub(crate) struct ServiceTable {
    paths: RwLock<Arc<Paths>>,
    /// Who may write where.
    doors: Doors,
    /// How often it was replaced.
    changes: watch::Sender<u64>,
}

impl ServiceTable {
    /// For looks that end at once: every request makes several, and copying the pointer costs as much as the look.
    fn now(&self) -> RwLockReadGuard<'_, Arc<Paths>> {
        self.paths.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whoever waits meanwhile, or replaces what stands here.
    fn snapshot(&self) -> Arc<Paths> {
        Arc::clone(&self.now())
    }

    fn set(&self, mounted: Mounted, absent: BTreeMap<Link, Absent>) {
        let http = mounted.values().filter(|service| service.module.is_http()).cloned().collect();
        let paths = Paths { mounted, absent, http };
        *self.paths.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(paths);
    }

    /// Returns the doors of the factories.
    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    /// Notes factories that are about to be served: until they are, requests to them wait.
    pub(crate) fn expect(&self, more: Vec<Absent>) {
        let now = self.snapshot();
        let mut absent = now.absent.clone();
        absent.extend(more.into_iter().map(|absent| (absent.path.clone(), absent)));
        self.set(now.mounted.clone(), absent);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Replaces the mounted services, and what should be mounted and is not, by those of a cluster state, which tells the
    /// revision of each factory. Nobody writes at a factory in the moment in which it changes; calls under way finish on the
    /// services they began with.
    pub(crate) async fn replace(
        &self,
        services: Vec<Arc<Service>>,
        absent: Vec<Absent>,
        revision_of: impl Fn(&Link) -> u64,
    ) {
        let mounted: Mounted = services.into_iter().map(|service| (service.path.clone(), service)).collect();
        let absent = absent.into_iter().map(|absent| (absent.path.clone(), absent)).collect();
        let shut = self.shut(&mounted).await;
        self.set(mounted, absent);
        drop(shut);
        self.doors.decided(revision_of);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Closes the doors of all factories that are others in `mounted`.
    async fn shut(&self, mounted: &Mounted) -> Vec<Arc<Closed>> {
        let now = &self.snapshot().mounted;
        let revision = |services: &Mounted, path: &Link| services.get(path).map(|service| service.revision);
        let mut shut = Vec::new();
        for path in now.keys().chain(mounted.keys().filter(|path| !now.contains_key(*path))) {
            if revision(now, path) != revision(mounted, path) {
                shut.push(self.doors.shut(path).await);
            }
        }
        shut
    }

    /// Returns what changes whenever the mounted services have changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns how often the mounted services have changed.
    pub(crate) fn mounts(&self) -> u64 {
        *self.changes.borrow()
    }

    /// Returns the service mounted exactly at `path`.
    pub(crate) fn at(&self, path: &Link) -> Option<Arc<Service>> {
        self.now().mounted.get(path).cloned()
    }

    /// Returns what answers at `path`.
    pub(crate) fn find(&self, path: &Link) -> Option<Found> {
        let paths = self.now();
        let mounted = &paths.mounted;
        if let Some(service) = mounted.get(path) {
            let service = Arc::clone(service);
            return Some(if service.is_stateless() { Found::Stateless(service) } else { Found::Factory(service) });
        }
        let mut above = path.above();
        if let Some(service) = mounted.get(above.clone().next()?)
            && !service.is_stateless()
        {
            return Some(Found::Child(Arc::clone(service)));
        }
        let nearest = above.find_map(|place| mounted.get(place).filter(|service| service.is_stateless()))?;
        // What stands around a factory that is not served now does not answer for it.
        let depth = |link: &Link| link.as_str().len();
        let hidden = paths.absent_at(path).is_some_and(|absent| depth(&absent.path) > depth(&nearest.path));
        (!hidden).then(|| Found::Stateless(Arc::clone(nearest)))
    }

    /// Returns the HTTP component at or above a path as the request line has it, which need not be one of a self-link; none if the
    /// path is one of its utility endpoints.
    pub(crate) fn http_above(&self, path: &str) -> Option<Arc<Service>> {
        let paths = self.now();
        if paths.http.is_empty() {
            return None;
        }
        let below = |link: &Link| {
            let below = path.strip_prefix(link.as_str())?;
            (below.is_empty() || below.starts_with('/')).then_some(below)
        };
        let depth = |link: &Link| link.as_str().len();
        let within = paths.http.iter().filter(|service| below(&service.path).is_some());
        let service = within.max_by_key(|service| depth(&service.path))?;
        // What else is mounted below it stands nearer to what is asked for.
        let nearer = |link: &Link| depth(link) > depth(&service.path) && below(link).is_some();
        let hidden = paths.mounted.keys().chain(paths.absent.keys()).any(nearer);
        let utility = below(&service.path)?.trim_matches('/');
        (!hidden && !UTILITY_SUFFIXES.contains(&utility)).then(|| Arc::clone(service))
    }

    /// Returns the factory at or above `path` that should be served here and is not.
    pub(crate) fn absent(&self, path: &Link) -> Option<Absent> {
        self.now().absent_at(path).cloned()
    }

    /// Returns once the factory at or above `path` is served, or it is known why not; at once if it is not about to be.
    pub(crate) async fn loaded(&self, path: &Link) {
        let is_loading = || self.absent(path).is_some_and(|absent| absent.is_loading);
        if is_loading() {
            // The table outlives whoever waits for it.
            let _ = self.watch().wait_for(|_| !is_loading()).await;
        }
    }

    /// Returns once this revision of a factory, or a later one, is served at `path`; none: once nothing is.
    pub(crate) async fn shown(&self, path: &Link, revision: Option<u64>) {
        let shows = || match (self.at(path), revision) {
            (Some(service), Some(revision)) => service.revision >= revision,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // The table outlives whoever waits for it.
        let _ = self.watch().wait_for(|_| shows()).await;
    }

    /// Returns true if every factory that should be served here is.
    pub(crate) fn is_whole(&self) -> bool {
        self.now().absent.is_empty()
    }

    /// Returns the factories that should be served here and are not, by path.
    pub(crate) fn all_absent(&self) -> Vec<Absent> {
        self.now().absent.values().cloned().collect()
    }

    /// Returns every mounted service, by path.
    pub(crate) fn all(&self) -> Vec<Arc<Service>> {
        self.now().mounted.values().cloned().collect()
    }

    /// Returns the statistics kept for a path, or fresh ones.
    pub(crate) fn stats_of(&self, path: &Link) -> Arc<ServiceStats> {
        self.at(path).map(|service| Arc::clone(&service.stats)).unwrap_or_default()
    }

    /// Returns the mounted path that shares the longest beginning with `path`, as a hint for people.
    pub(crate) fn nearest(&self, path: &Link) -> Option<Link> {
        let paths = self.now();
        let shared = |other: &Link| {
            let pairs = path.as_str().bytes().zip(other.as_str().bytes());
            pairs.take_while(|(one, other)| one == other).count()
        };
        // Sharing only "/core/" says nothing.
        paths.mounted.keys().filter(|other| shared(other) > "/core/x".len()).max_by_key(|other| shared(other)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_an_absent_factory_is_absent_with_it() {
        let link = |text| Link::parse(text).expect("a valid link");
        let table = ServiceTable::default();
        let counters = Absent {
            path: link("/core/counters"),
            reason: "its module is gone".to_owned(),
            is_loading: false,
            index: None,
        };
        table.expect(vec![counters.clone()]);
        for path in ["/core/counters", "/core/counters/a"] {
            assert_eq!(table.absent(&link(path)).as_ref(), Some(&counters), "{path}");
        }
        assert_eq!(table.absent(&link("/core/others/a")), None);
        assert!(table.find(&link("/core/counters/a")).is_none());
    }

    #[tokio::test]
    async fn whoever_asks_while_a_factory_is_loaded_waits_for_what_becomes_of_it() {
        let link = |text| Link::parse(text).expect("a valid link");
        let table = ServiceTable::default();
        let path = link("/core/counters");
        let loading = Absent { path: path.clone(), reason: "it is loaded".to_owned(), is_loading: true, index: None };
        table.expect(vec![loading.clone()]);
        let child = link("/core/counters/a");
        let mut waits = std::pin::pin!(table.loaded(&child));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        let other = link("/core/others/a");
        assert!(futures_util::poll!(std::pin::pin!(table.loaded(&other))).is_ready(), "nothing is expected there");
        let gone = Absent { reason: "its module is gone".to_owned(), is_loading: false, ..loading };
        table.replace(Vec::new(), vec![gone], |_| 1).await;
        waits.await;
        table.loaded(&child).await;
    }
}
