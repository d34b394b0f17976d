//! How many effects may be on their way at the same time, in all and to one host outside.
//!
//! A host outside may take long to answer, or never answer. It holds the places that it was given, and only those: other
//! hosts, and the documents of this cluster, have their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Effects on their way to documents of this cluster.
const INSIDE_MAX: usize = 256;

/// Effects on their way to hosts outside, each with a connection.
const OUTSIDE_MAX: usize = 512;

/// Effects on their way to one host outside.
const HOST_MAX: usize = 32;

pub(super) struct Places {
    inside: Arc<Semaphore>,
    outside: Arc<Semaphore>,
    /// By authority; those that nobody uses are forgotten.
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// The right to send one effect; dropping it gives the place to the next.
pub(super) struct Place {
    _all: OwnedSemaphorePermit,
    _host: Option<OwnedSemaphorePermit>,
}

impl Default for Places {
    fn default() -> Places {
        let (inside, outside) = (Semaphore::new(INSIDE_MAX), Semaphore::new(OUTSIDE_MAX));
        Places { inside: Arc::new(inside), outside: Arc::new(outside), hosts: Mutex::default() }
    }
}

impl Places {
    /// Returns a place for an effect to `target`, a path or an absolute URL, once there is one.
    pub(super) async fn take(&self, target: &str) -> Place {
        if target.starts_with('/') {
            return Place { _all: acquire(&self.inside).await, _host: None };
        }
        // The host's place first: whoever waits for a slow host must not hold a place of all.
        let host = acquire(&self.host(target)).await;
        Place { _all: acquire(&self.outside).await, _host: Some(host) }
    }

    fn host(&self, url: &str) -> Arc<Semaphore> {
        let uri = url.parse::<http::Uri>().ok();
        let authority = uri.and_then(|uri| uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()));
        let authority = authority.unwrap_or_default();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = hosts.get(&authority).and_then(Weak::upgrade) {
            return places;
        }
        hosts.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(HOST_MAX));
        hosts.insert(authority, Arc::downgrade(&places));
        places
    }
}

async fn acquire(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_host_has_no_more_than_its_places_and_leaves_nothing_behind() {
        let places = Places::default();
        let mut held = Vec::new();
        for _ in 0..HOST_MAX {
            held.push(places.take("http://slow:1/a").await);
        }
        {
            let mut next = std::pin::pin!(places.take("http://SLOW:1/b"));
            assert!(poll!(&mut next).is_pending());
            drop(places.take("http://slow:2/").await);
            drop(places.take("/core/notes/n").await);
            assert!(poll!(&mut next).is_pending());
            held.pop();
            assert!(poll!(&mut next).is_ready());
        }
        held.clear();
        drop(places.take("http://quick/").await);
        assert_eq!(places.hosts.lock().expect("no panic").len(), 1);
    }

    #[tokio::test]
    async fn slow_hosts_leave_places_to_others() {
        let places = Places::default();
        let mut held = Vec::new();
        for host in 0..OUTSIDE_MAX / HOST_MAX - 1 {
            for _ in 0..HOST_MAX {
                held.push(places.take(&format!("http://slow-{host}/")).await);
            }
            let url = format!("http://slow-{host}/");
            let mut waiting = std::pin::pin!(places.take(&url));
            assert!(poll!(&mut waiting).is_pending());
        }
        let mut quick = std::pin::pin!(places.take("http://quick/"));
        assert!(poll!(&mut quick).is_ready());
    }
}
