//! What the clock starts: documents of a new reign, periodic maintenance, expiry.

mod expiry;
mod periodic;
mod starts;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::operation::Operations;
use crate::shutdown::Shutdown;

pub use periodic::Periodic;

/// Operations that the clock has under way at one time, per duty.
const UNDER_WAY_MAX: usize = 64;

/// Starts the duties of an owner on this node.
pub fn start(operations: &Arc<Operations>, shutdown: &Shutdown) {
    let periodic = Arc::new(Periodic::new(Arc::clone(operations)));
    periodic.watch();
    for partition in operations.table().all() {
        let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        let (operations, partition) = (Arc::clone(operations), Arc::clone(partition));
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
