//! Documents that were read or written lately, as the state store holds them.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;
use steward_model::{Document, Lane, Link};

/// What a link, a document and their place in the cache cost besides their text, in bytes, by measurement.
const ENTRY_BYTES: usize = 400;

/// A document has another life in each lane: the same link may name one in both, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    lane: Lane,
    link: Link,
}

impl Key {
    fn of(lane: Lane, link: &Link) -> Key {
        Key { lane, link: link.clone() }
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Document>> for Bytes {
    fn weight(&self, key: &Key, document: &Arc<Document>) -> u64 {
        (ENTRY_BYTES + 2 * key.link.as_str().len() + document.kind.len() + document.body.len()) as u64
    }
}

/// Documents that were read or written lately, by lane and link, up to so many bytes.
pub struct Cache {
    documents: QuickCache<Key, Arc<Document>, Bytes>,
}

impl Cache {
    /// Returns an empty cache of about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Cache {
        let expected = usize::try_from(bytes_max / 512).unwrap_or(usize::MAX).max(16);
        Cache { documents: QuickCache::with_weighter(expected, bytes_max, Bytes) }
    }

    pub(crate) fn get(&self, lane: Lane, link: &Link) -> Option<Arc<Document>> {
        self.documents.get(&Key::of(lane, link))
    }

    pub(crate) fn insert(&self, lane: Lane, document: &Arc<Document>) {
        self.documents.insert(Key::of(lane, &document.link), Arc::clone(document));
    }

    /// Removes what stands for documents that were deleted.
    pub(crate) fn remove_tombstones(&self, lane: Lane) {
        self.documents.retain(|key, document| key.lane != lane || !document.is_tombstone());
    }

    pub(crate) fn remove(&self, lane: Lane, link: &Link) {
        self.documents.remove(&Key::of(lane, link));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use steward_model::document::UpdateAction;
    use steward_model::{Epoch, Offset, Timestamp, Version};

    use super::*;

    #[test]
    fn each_lane_has_its_own_documents() {
        let link = Link::parse("/core/a/b").expect("a valid link");
        let document = Arc::new(Document {
            link: link.clone(),
            kind: String::new(),
            version: Version(0),
            epoch: Epoch::ZERO,
            offset: Offset(0),
            updated: Timestamp(0),
            action: UpdateAction::Post,
            expires: Timestamp(0),
            principal: String::new(),
            source: String::new(),
            state_version: 1,
            body: Bytes::from_static(b"{}"),
        });
        let cache = Cache::new(1 << 20);
        cache.insert(Lane::Persisted, &document);
        assert_eq!(cache.get(Lane::Volatile, &link), None);
        cache.remove(Lane::Volatile, &link);
        assert_eq!(cache.get(Lane::Persisted, &link), Some(document));
    }
}
