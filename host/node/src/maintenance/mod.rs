//! The duties that no request starts: `handle-start` in a new reign, periodic maintenance, expiry.
//!
//! Each duty has a fixed number of places on this node, however many partitions there are, and every operation of a
//! duty has a deadline. So an operation that is stuck takes one of the places for a bounded time.

mod expiry;
mod periodic;
mod schedule;
mod starts;

use std::sync::Arc;

use crate::operation::Operations;
use crate::shutdown::Shutdown;

pub(crate) use schedule::Schedule;

use periodic::Periodic;

/// Starts the duties of an owner on this node; `schedule` is the one that the operations tell of documents.
pub(crate) fn start(operations: &Arc<Operations>, schedule: &Arc<Schedule>, shutdown: &Shutdown) {
    for partition in operations.partitions().all() {
        let (operations, partition) = (Arc::clone(operations), Arc::clone(partition));
        let (schedule, stop) = (Arc::clone(schedule), shutdown.clone());
        shutdown.spawn("starts", async move {
            tokio::select! {
                () = stop.stopping() => {}
                () = starts::follow(&operations, &partition, &schedule) => {}
            }
        });
    }
    let periodic = Arc::new(Periodic::new(Arc::clone(operations), Arc::clone(schedule)));
    let stop = shutdown.clone();
    shutdown.spawn("maintenance", async move { periodic.run(&stop).await });
    let (operations, stop) = (Arc::clone(operations), shutdown.clone());
    shutdown.spawn("expiry", async move { expiry::run(&operations, &stop).await });
}
