//! Ids for requests to which the client has given none.

use std::sync::atomic::{AtomicU64, Ordering};

use steward_model::Timestamp;
use uuid::{Builder, Uuid};

/// Makes names of requests: UUIDs of version 7, of the time, randomness drawn once per process start, and a counter.
///
/// Drawing randomness for each request would cost more than reading a small document.
pub(super) struct RequestIds {
    seed: [u8; 16],
    made: AtomicU64,
}

impl RequestIds {
    /// Returns a maker whose names differ from those of makers with another `seed`.
    pub(super) fn new(seed: Uuid) -> RequestIds {
        RequestIds { seed: seed.into_bytes(), made: AtomicU64::new(0) }
    }

    /// Returns the next name.
    pub(super) fn next(&self, now: Timestamp) -> String {
        let count = self.made.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut rest = [0; 10];
        rest[..5].copy_from_slice(&self.seed[..5]);
        rest[5..].copy_from_slice(&count[3..]);
        let millis = u64::try_from(now.0 / 1000).unwrap_or(0);
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let uuid = Builder::from_unix_timestamp_millis(millis, &rest).into_uuid();
        uuid.hyphenated().encode_lower(&mut text).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_sort_by_time() {
        let ids = RequestIds::new(Uuid::from_u128(7));
        let names = [ids.next(Timestamp(1_000)), ids.next(Timestamp(1_000)), ids.next(Timestamp(9_000))];
        assert!(names.is_sorted() && names[0] != names[1], "{names:?}");
        assert_eq!(Uuid::parse_str(&names[0]).expect("a UUID").get_version_num(), 7);
        let other = RequestIds::new(Uuid::from_u128(u128::MAX));
        assert_ne!(other.next(Timestamp(1_000)), names[0]);
    }
}
