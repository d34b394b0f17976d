//! Updates go through the same phase together: first they are read and parsed, then they are carried out, then answered.
//!
//! Problem: an update that goes through all of it at once takes all of its code through the processor's caches, and the next one
//! takes it through again: sockets, HTTP, the guest, the partition. Each answer wakes its client alone, which takes the processor
//! from the next update. Promise: at the end of a phase an update stands back until those that are ready have come as far, and then goes on.
//! With one client that costs a look at the runtime's queues.
//!
//! Where an update waits for the disk anyhow, the wait does the same.

/// Returns once the other requests that are ready have had their turn.
pub(super) async fn ends() {
    tokio::task::yield_now().await;
}
