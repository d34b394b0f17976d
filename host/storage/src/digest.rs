//! Digests of partitions: equal sums mean equal documents.
//!
//! Problem: two copies of a partition must be compared without sending all their documents, and an update must keep the
//! digest current at a cost that does not grow with the partition.
//!
//! Promise: two copies that applied the same records have the same root; if their roots differ, their buckets tell
//! where.
//!
//! Each document falls into one of 256 buckets, by the hash of its self-link. A bucket holds the sum of the digests of
//! all rows of its documents: the newest version with everything that is kept beside it and a hash over its history,
//! effects that wait, answers that are remembered. An update subtracts and adds one digest for each row that changes.
//! The root is a hash over all buckets. A tombstone counts as no document, so copies that forget it at different times
//! stay equal.

use steward_model::Link;

/// The digest of one row, or a sum of such digests; 16 bytes.
pub type Digest = [u8; BUCKET_BYTES];

/// Which rows are counted. The numbers are frozen: replicas compare what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The newest version of a document, with all that is kept beside it.
    Document = 1,
    /// The older versions of a document; counted as a part of the newest.
    History = 2,
    /// An effect in the outbox.
    Effect = 3,
    /// A remembered answer to a request.
    Answer = 4,
}

/// Returns the digest of a row.
pub(crate) fn of_row(kind: Kind, link: &Link, row: &[u8]) -> Digest {
    of_parts(kind, link, &[row])
}

/// Returns the digest of a row that lies in parts, one behind the other.
pub(crate) fn of_parts(kind: Kind, link: &Link, parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]);
    hasher.update(&(link.as_str().len() as u32).to_be_bytes());
    hasher.update(link.as_str().as_bytes());
    for part in parts {
        hasher.update(part);
    }
    let mut digest = [0; BUCKET_BYTES];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..BUCKET_BYTES]);
    digest
}

/// Returns the sum of two digests, as buckets add them.
pub fn sum(one: Digest, other: Digest) -> Digest {
    let ([high, low], [other_high, other_low]) = (lanes(&one), lanes(&other));
    joined([high.wrapping_add(other_high), low.wrapping_add(other_low)])
}

/// How many buckets a partition has. Frozen: copies compare bucket by bucket.
pub const BUCKETS: usize = 256;

/// How many bytes the sum of one bucket has, and every digest.
pub const BUCKET_BYTES: usize = 16;

/// The sums of all buckets of one partition.
#[derive(Clone, PartialEq, Eq)]
pub struct Buckets([[u64; 2]; BUCKETS]);

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets([[0; 2]; BUCKETS])
    }
}

impl std::fmt::Debug for Buckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buckets({})", u128::from_be_bytes(self.root()))
    }
}

/// Splits a digest into the two lanes that are summed.
fn lanes(bytes: &[u8; BUCKET_BYTES]) -> [u64; 2] {
    let number = u128::from_be_bytes(*bytes);
    [(number >> 64) as u64, number as u64]
}

fn joined([high, low]: [u64; 2]) -> Digest {
    ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
}

impl Buckets {
    /// Adds the digest of a row to a bucket.
    pub fn add(&mut self, bucket: u8, digest: &Digest) {
        for (sum, lane) in self.0[usize::from(bucket)].iter_mut().zip(lanes(digest)) {
            *sum = sum.wrapping_add(lane);
        }
    }

    /// Takes the digest of a row away from a bucket to which it was added before.
    pub fn subtract(&mut self, bucket: u8, digest: &Digest) {
        for (sum, lane) in self.0[usize::from(bucket)].iter_mut().zip(lanes(digest)) {
            *sum = sum.wrapping_sub(lane);
        }
    }

    /// Returns the sum of one bucket.
    pub fn bucket(&self, bucket: u8) -> [u8; BUCKET_BYTES] {
        joined(self.0[usize::from(bucket)])
    }

    /// Sets the sum of one bucket.
    pub fn set_bucket(&mut self, bucket: u8, sum: &[u8; BUCKET_BYTES]) {
        self.0[usize::from(bucket)] = lanes(sum);
    }

    /// Returns the hash over all buckets.
    pub fn root(&self) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        for sums in &self.0 {
            sums.iter().for_each(|lane| {
                hasher.update(&lane.to_be_bytes());
            });
        }
        let mut root = [0; 16];
        root.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        root
    }
}

/// Returns the bucket of a document.
pub fn bucket_of(link: &Link) -> u8 {
    // The first two bytes choose the partition; the third is as good as random among documents of one.
    blake3::hash(link.as_str().as_bytes()).as_bytes()[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_order_and_can_be_taken_back() {
        let digests = [[1; 16], [0xff; 16], [7; 16]];
        let mut one = Buckets::default();
        digests.iter().for_each(|digest| one.add(3, digest));
        let mut other = Buckets::default();
        digests.iter().rev().for_each(|digest| other.add(3, digest));
        assert_eq!(one, other);
        assert_eq!(one.root(), other.root());
        other.subtract(3, &digests[1]);
        assert_ne!(one.bucket(3), other.bucket(3));
        other.add(3, &digests[1]);
        assert_eq!(one, other);
        let mut copied = Buckets::default();
        copied.set_bucket(3, &one.bucket(3));
        assert_eq!(copied, one);
    }

    #[test]
    fn sums_of_rows_are_sums_of_buckets_and_kinds_are_apart() {
        let link = Link::parse("/a").expect("a valid link");
        let (one, other) = (of_row(Kind::Document, &link, b"x"), of_row(Kind::Answer, &link, b"x"));
        assert_ne!(one, other);
        let mut buckets = Buckets::default();
        buckets.add(3, &one);
        buckets.add(3, &other);
        assert_eq!(buckets.bucket(3), sum(one, other));
    }

    #[test]
    fn places_and_roots_are_frozen() {
        let link = Link::parse("/core/examples/one").expect("a valid link");
        assert_eq!(bucket_of(&link), blake3::hash(b"/core/examples/one").as_bytes()[2]);
        let mut buckets = Buckets::default();
        buckets.add(0, &[1; 16]);
        let mut bytes = [0; BUCKETS * BUCKET_BYTES];
        bytes[..16].fill(1);
        assert_eq!(buckets.root(), blake3::hash(&bytes).as_bytes()[..16]);
    }
}
