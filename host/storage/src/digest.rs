//! Digests of partitions: equal sums mean equal documents.
//!
//! Every document falls into one of 256 buckets, by the hash of its self-link. A bucket holds the sum of the digests of
//! its documents, so that an update costs one subtraction and one addition, whatever the partition holds; the root is a
//! hash over all buckets. State is a function of the log, so two replicas that applied the same records have the same
//! root, and where the roots differ, the buckets say where to look.

use steward_model::Link;
use steward_model::document::ContentDigest;

/// Number of buckets.
pub const BUCKETS: usize = 256;

/// Bytes of one bucket.
pub const BUCKET_BYTES: usize = 16;

/// The sums of a partition.
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

impl Buckets {
    /// Adds the digest of a document.
    pub fn add(&mut self, bucket: u8, digest: &ContentDigest) {
        for (sum, lane) in self.0[usize::from(bucket)].iter_mut().zip(lanes(digest)) {
            *sum = sum.wrapping_add(lane);
        }
    }

    /// Takes away the digest of a document that was added before.
    pub fn subtract(&mut self, bucket: u8, digest: &ContentDigest) {
        for (sum, lane) in self.0[usize::from(bucket)].iter_mut().zip(lanes(digest)) {
            *sum = sum.wrapping_sub(lane);
        }
    }

    /// Returns the sum of one bucket.
    pub fn bucket(&self, bucket: u8) -> [u8; BUCKET_BYTES] {
        let [high, low] = self.0[usize::from(bucket)];
        ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
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

    /// Returns the buckets that differ from those of another replica.
    pub fn differing(&self, other: &Buckets) -> Vec<u8> {
        (0..=u8::MAX).filter(|bucket| self.bucket(*bucket) != other.bucket(*bucket)).collect()
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
        assert_eq!(one.differing(&other), [3]);
        other.add(3, &digests[1]);
        assert_eq!(one.differing(&other), [0_u8; 0]);
        let mut copied = Buckets::default();
        copied.set_bucket(3, &one.bucket(3));
        assert_eq!(copied, one);
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
