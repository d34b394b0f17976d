//! Measures the free space on the disk, and has updates refused before it runs out.
//!
//! A reserve is kept for the updates under way, so that none fails half-way because a write found no room. Reads go on.
//! When space is freed, updates are taken again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steward_replication::Shared;
use steward_storage::space::free_bytes;

use crate::shutdown::Shutdown;

/// Free space that is kept in reserve for what is under way when the disk gets full.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// How often the free space is looked at.
const LOOK_AT_SPACE: Duration = Duration::from_millis(100);

/// Looks at the file system of `folder`, and has updates refused if less than `reserve_bytes` are free there or the log has
/// no room for another segment.
fn look(shared: &Shared, folder: &Path, reserve_bytes: u64) {
    let reason = match free_bytes(folder) {
        Ok(free) if free < reserve_bytes => {
            let (free, reserve) = (free >> 20, reserve_bytes >> 20);
            Some(format!("{free} MiB are free, {reserve} MiB are kept in reserve; free some space and try again"))
        }
        Ok(_) if shared.log.is_short_of_space() => {
            Some("the commit log has no room for another segment; free some space and try again".to_owned())
        }
        Ok(_) => None,
        Err(error) => Some(format!("the free space cannot be read: {error}")),
    };
    if shared.space.set(reason.clone()) {
        match reason {
            Some(reason) => tracing::warn!(%reason, "disk full, updates are refused"),
            None => tracing::info!("disk has room again, updates are taken"),
        }
    }
}

/// Keeps an eye on the free space, so that updates are refused before a write fails.
pub(crate) fn watch_space(shared: &Arc<Shared>, folder: &Path, shutdown: &Shutdown) {
    look(shared, folder, RESERVE_BYTES);
    let (shared, folder, stop) = (Arc::clone(shared), folder.to_owned(), shutdown.clone());
    shutdown.spawn("space", async move {
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                () = tokio::time::sleep(LOOK_AT_SPACE) => {}
            }
            look(&shared, &folder, RESERVE_BYTES);
        }
    });
}
