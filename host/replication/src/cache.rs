//! Documents that were read or written lately, as the state store holds them.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;
use steward_model::{Document, Link, PartitionId};

/// What a link, a document and their place in the cache cost besides their text, in bytes, by measurement.
const ENTRY_BYTES: usize = 400;

/// A document has another life in each lane: the same link may name one in both, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    partition: PartitionId,
    link: Link,
}

impl Key {
    fn of(partition: PartitionId, link: &Link) -> Key {
        Key { partition, link: link.clone() }
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Document>> for Bytes {
    fn weight(&self, key: &Key, document: &Arc<Document>) -> u64 {
        (ENTRY_BYTES
            + 2 * key.link.as_str().len()
            + document.kind.len()
            + document.body.len()
            + document.recording.len()) as u64
    }
}

/// Documents that were read or written lately, by partition and link, up to so many bytes.
pub struct Cache {
    documents: QuickCache<Key, Arc<Document>, Bytes>,
}

impl Cache {
    /// Returns an empty cache of about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Cache {
        let expected = usize::try_from(bytes_max / 512).unwrap_or(usize::MAX).max(16);
        Cache { documents: QuickCache::with_weighter(expected, bytes_max, Bytes) }
    }

    pub(crate) fn get(&self, partition: PartitionId, link: &Link) -> Option<Arc<Document>> {
        self.documents.get(&Key::of(partition, link))
    }

    pub(crate) fn insert(&self, partition: PartitionId, document: &Arc<Document>) {
        self.documents.insert(Key::of(partition, &document.link), Arc::clone(document));
    }

    /// Removes what stands for documents of a partition that were deleted.
    pub(crate) fn remove_tombstones(&self, partition: PartitionId) {
        self.documents.retain(|key, document| key.partition != partition || !document.is_tombstone());
    }

    /// Removes the documents of a partition.
    pub(crate) fn remove_partition(&self, partition: PartitionId) {
        self.documents.retain(|key, _| key.partition != partition);
    }

    pub(crate) fn remove(&self, partition: PartitionId, link: &Link) {
        self.documents.remove(&Key::of(partition, link));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use steward_model::{Lane, Timestamp};

    use super::*;

    #[test]
    fn each_partition_has_its_own_documents() {
        let link = Link::parse("/core/a/b").expect("a valid link");
        let document =
            Arc::new(Document { body: Bytes::from_static(b"{}"), ..Document::bare(link.clone(), Timestamp(0)) });
        let cache = Cache::new(1 << 20);
        let [persisted, volatile] = [Lane::Persisted, Lane::Volatile].map(|lane| PartitionId::of(&link, lane));
        cache.insert(persisted, &document);
        assert_eq!(cache.get(volatile, &link), None);
        cache.remove(volatile, &link);
        cache.remove_partition(volatile);
        assert_eq!(cache.get(persisted, &link), Some(document));
        cache.remove_partition(persisted);
        assert_eq!(cache.get(persisted, &link), None);
    }
}
