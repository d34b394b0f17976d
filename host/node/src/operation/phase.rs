//! Updates go through the same phase together: first all are read and parsed, then all are carried out, then all are answered.
//!
//! Problem: an update that does everything at once pulls the code of sockets, HTTP, guest and partition through the processor's caches,
//! and the next update pulls it through again. Each answer, too, wakes its client alone, and the client takes the processor from the next
//! update. Promise: at the end of a phase an update stands back until the others that are ready have come as far, and then goes on. With
//! one client that costs a look at the runtime's queues.
//!
//! Where an update waits for the disk anyhow, that wait does the same.

/// Returns once the other requests that are ready have had their turn.
pub(super) async fn ends() {
    tokio::task::yield_now().await;
}
