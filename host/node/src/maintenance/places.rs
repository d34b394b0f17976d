//! Places: how many operations of one duty may be under way at once.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Operations that one duty has under way on this node at one time.
const UNDER_WAY_MAX: usize = 64;

/// The places of one duty.
pub(super) type Places = Arc<Semaphore>;

pub(super) fn places() -> Places {
    Arc::new(Semaphore::new(UNDER_WAY_MAX))
}
