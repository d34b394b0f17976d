//! The duties that no request starts: `handle-start` in a new reign, periodic maintenance, expiry.
//!
//! Each duty has a fixed number of places on this node, however many partitions there are, and every operation of a
//! duty has a deadline. So an operation that is stuck takes one of the places for a bounded time.

mod expiry;
mod periodic;
mod places;
mod starts;

use std::sync::Arc;

use crate::operation::Operations;
use crate::shutdown::Shutdown;

pub(crate) use periodic::Periodic;

use places::places;

/// Starts the duties of an owner on this node.
pub(crate) fn start(operations: &Arc<Operations>, shutdown: &Shutdown) {
    let periodic = Arc::new(Periodic::new(Arc::clone(operations)));
    periodic.watch();
    let starting = places();
    for partition in operations.table().all() {
        let (operations, partition, places) = (Arc::clone(operations), Arc::clone(partition), Arc::clone(&starting));
        let (periodic, stop) = (Arc::clone(&periodic), shutdown.clone());
        shutdown.spawn("starts", async move {
            tokio::select! {
                () = stop.stopping() => {}
                () = starts::follow(&operations, &partition, &periodic, &places) => {}
            }
        });
    }
    let (ticking, stop) = (Arc::clone(&periodic), shutdown.clone());
    shutdown.spawn("maintenance", async move { ticking.run(&stop).await });
    let (operations, stop) = (Arc::clone(operations), shutdown.clone());
    shutdown.spawn("expiry", async move { expiry::run(&operations, &stop).await });
}
