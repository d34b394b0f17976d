//! Opening what the node's disk holds: the state stores first, then the log beyond them.

use std::sync::Arc;

use anyhow::Context;
use steward_model::{Lane, PartitionId};
use steward_replication::recovery;
use steward_storage::documents::PartitionStore;
use steward_storage::log::{self, FileLedger, FolderDisk, Ledger, Log, Options as LogOptions};
use steward_storage::state::{MemoryStore, Options as StateOptions, StateStore, open_or_reset};

use super::folder::Folder;
use crate::clock::Clock;
use crate::partition::Recovery;

/// Free space below which the state store takes no batch. Less than what makes the node refuse updates: what was committed
/// before that is still applied, so that listings and queries go on.
const STATE_RESERVE_BYTES: u64 = 4 * 1024 * 1024;

/// What was found.
pub(super) struct Found {
    pub(super) log: Arc<Log>,
    pub(super) persisted: Arc<dyn StateStore>,
    pub(super) volatile: Arc<dyn StateStore>,
    pub(super) recovery: Recovery,
}

/// Opens state store and log. A state store that is damaged is put aside and made anew out of the log, if that reaches
/// back far enough.
///
/// # Errors
/// If the disk holds less than was acknowledged, or cannot be read.
pub(super) async fn open(folder: &Folder, clock: &Arc<Clock>) -> anyhow::Result<Found> {
    let (state_path, log_path, ledger_path) = (folder.state_path(), folder.log_path(), folder.ledger_path());
    let (identity, clock) = (folder.log_identity(), Arc::clone(clock));
    // Before anything is made anew in its place.
    folder.check_log()?;
    let work = move || -> anyhow::Result<Found> {
        let options = StateOptions { reserve_bytes: STATE_RESERVE_BYTES, ..StateOptions::default() };
        let state = open_or_reset(&state_path, &options).context("open the state store")?;
        if let Some(reset) = &state.was_reset {
            let moved_to = reset.moved_to.display();
            tracing::warn!(%moved_to, reason = reset.reason, "state store was damaged, it is made anew out of the log");
        }
        let persisted: Arc<dyn StateStore> = Arc::new(state.store);
        let disk = Arc::new(FolderDisk::new(&log_path).context("open the folder of the commit log")?);
        let ledger: Arc<dyn Ledger> = Arc::new(FileLedger::new(ledger_path));
        let clock: Arc<log::Clock> = Arc::new(move || clock.now());
        let options = LogOptions { identity, clock, ledger: Some(ledger), ..LogOptions::default() };
        let find = |partition| PartitionStore::find(Arc::clone(&persisted), partition);
        let stores: Vec<_> = PartitionId::all(Lane::Persisted).map(find).collect::<Result<_, _>>()?;
        let opened = recovery::open(stores.into_iter(), disk, options);
        let recovery::Opened { log, found: log::Recovery { segments, groups, frames, cut_bytes }, recovery } =
            opened.with_context(|| format!("open the commit log in {}", log_path.display()))?;
        let records = recovery.records();
        tracing::info!(segments, groups, frames, cut_bytes, records, "commit log read");
        let volatile: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        Ok(Found { log: Arc::new(log), persisted, volatile, recovery })
    };
    let found = tokio::task::spawn_blocking(work).await.context("open the stores")??;
    folder.note_log()?;
    Ok(found)
}
