//! Waiting until state stores hold what is committed, with deadlines.

use std::time::Duration;

use steward_model::{Epoch, Lane, Offset, PartitionId};
use steward_storage::documents::Error;

use super::{Partition, Partitions};
use crate::clock::Clock;

/// How long somebody waits for the state store to catch up with the log.
const FLUSHED_WITHIN: Duration = Duration::from_secs(10);

/// The state store of a partition does not catch up with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state store of partition {0} is behind its log; the disk may be full or slow")]
pub(crate) struct Behind(pub PartitionId);

/// Returns once the state store holds everything that is committed now.
///
/// # Errors
/// [`Behind`] if the state store takes nothing for a while; the caller may try again later.
pub(crate) async fn flushed(partition: &Partition) -> Result<(), Behind> {
    flushed_through(partition, partition.committed_end()).await
}

async fn flushed_through(partition: &Partition, end: Option<Offset>) -> Result<(), Behind> {
    let caught_up = partition.applied_through(end);
    tokio::time::timeout(FLUSHED_WITHIN, caught_up).await.map_err(|_| Behind(partition.id()))
}

/// Returns once the state stores hold everything that is committed now in `lane`.
///
/// # Errors
/// [`Behind`] names a partition whose state store takes nothing for a while.
pub(crate) async fn flushed_lane(partitions: &Partitions, lane: Lane) -> Result<(), Behind> {
    // Whatever was acknowledged is counted there until a store holds it: usually nothing is, and no partition need be asked.
    if partitions.shared().applying.backlog().bytes == 0 {
        return Ok(());
    }
    // All ends are noted before the first is waited for: under load each partition would otherwise wait for a run of its own.
    let ends: Vec<_> = partitions.lane(lane).iter().map(|partition| partition.committed_end()).collect();
    for (partition, end) in partitions.lane(lane).iter().zip(ends) {
        flushed_through(partition, end).await?;
    }
    Ok(())
}

/// Returns whether the digest kept with the documents is what they give when it is computed anew.
///
/// # Errors
/// [`Error`] of the state store.
pub(crate) async fn digests_agree(partition: &Partition) -> Result<bool, Error> {
    loop {
        if flushed(partition).await.is_err() {
            return Ok(false);
        }
        if let Some(agrees) = partition.digest_agrees()? {
            return Ok(agrees);
        }
    }
}

/// Fills the pending effects of a reign that has begun from the state store, and returns how many there were; none if the
/// store is behind or the reign is over, and whoever asked comes again.
///
/// # Errors
/// [`Error`] of the state store.
pub(crate) async fn load_outbox(partition: &Partition, clock: &Clock) -> Result<Option<(Epoch, usize)>, Error> {
    let Some((epoch, committed)) = partition.unloaded_outbox() else { return Ok(None) };
    if flushed_through(partition, committed).await.is_err() {
        return Ok(None);
    }
    Ok(Some((epoch, partition.load_outbox(epoch, clock.steady_time())?)))
}
