//! Checkpoints: make the state store durable, say so in the log, and let go of the log below.
//!
//! A restart reads the log from the last checkpoint on. The checkpoint frame also carries what older frames said and would
//! be lost with them: the promises.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::{Epoch, Lane, Lsn, PartitionId, Position};
use steward_storage::documents::Error;
use steward_storage::log::{Frame, FrameKind, Trimmed};
use steward_storage::state::StateStore;

use super::{Partition, Table};
use crate::telemetry::metrics as telemetry;

/// Time between two checkpoints.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often the size of the log is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Bytes of log that make a checkpoint before its time.
const BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Bytes of log that are kept for replicas that were away, although the state store holds them.
const BACKLOG_BYTES: u64 = 256 * 1024 * 1024;

/// What a checkpoint says about one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Which partition.
    pub(super) partition: PartitionId,
    /// The highest epoch it has promised.
    pub(super) promised: Epoch,
    /// Everything through here is durable in the state store.
    pub(super) applied: Option<Position>,
}

impl Format for Row {
    const NAME: &'static str = "row of a checkpoint";
}

impl Partition {
    fn checkpoint_row(&self) -> Result<(Row, Option<Lsn>), Error> {
        let applied = self.store.meta()?.applied;
        let state = self.lock();
        let row = Row { partition: self.id, promised: state.promised, applied };
        Ok((row, state.oldest_unapplied.front().map(|(_, lsn)| *lsn)))
    }
}

/// Makes checkpoints at their times, in a thread of its own.
pub struct Checkpointer {
    stop: SyncSender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread.
    ///
    /// # Errors
    /// Those of the system when it has no thread to give.
    pub fn start(table: Arc<Table>, store: Arc<dyn StateStore>) -> std::io::Result<Checkpointer> {
        let (stop, stopped) = sync_channel(1);
        let work = move || {
            let mut waited = Duration::ZERO;
            let mut bytes = table.shared().log.stats().bytes;
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                waited += LOOK;
                let now = table.shared().log.stats().bytes;
                let due = waited >= INTERVAL && now != bytes;
                if due || now.saturating_sub(bytes) >= BYTES_MAX {
                    checkpoint(&table, &*store);
                    waited = Duration::ZERO;
                    bytes = table.shared().log.stats().bytes;
                }
            }
            checkpoint(&table, &*store);
        };
        let thread = std::thread::Builder::new().name("checkpoint".into()).spawn(work)?;
        Ok(Checkpointer { stop, thread })
    }

    /// Makes a last checkpoint and ends.
    pub fn stop(self) {
        // The thread also ends when the channel is closed; a failed send means that it has.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("checkpoint thread panicked");
        }
    }
}

fn checkpoint(table: &Table, store: &dyn StateStore) {
    let log = &table.shared().log;
    // What is appended from here on is not in the rows below, so it must stay in the log whatever they say.
    let Ok(horizon) = log.append(&[]) else { return };
    let rows: Result<Vec<_>, Error> =
        table.lane(Lane::Persisted).iter().map(|partition| partition.checkpoint_row()).collect();
    let rows = match rows.and_then(|rows| Ok(store.checkpoint().map(|()| rows)?)) {
        Ok(rows) => rows,
        Err(error) => {
            telemetry::checkpoint_failed();
            tracing::warn!(%error, "state store could not be made durable, the log keeps everything");
            return;
        }
    };
    let oldest = rows.iter().filter_map(|(_, lsn)| *lsn).min();
    let payload: Vec<&Row> = rows.iter().map(|(row, _)| row).collect();
    let frame = Frame {
        partition: None,
        position: None,
        kind: FrameKind::Checkpoint,
        payload: codec::encode_as::<Vec<Row>, _>(&payload).into(),
    };
    let made = log.append(&[frame]).map_err(|error| error.to_string()).and_then(|lsn| {
        if !log.wait(lsn) {
            return Err("the commit log has failed or was closed".to_owned());
        }
        if log.bytes() <= BACKLOG_BYTES {
            return Ok(Trimmed::default());
        }
        log.trim(oldest.map_or(horizon, |oldest| oldest.min(horizon))).map_err(|error| error.to_string())
    });
    match made {
        Ok(trimmed) => tracing::debug!(?trimmed, "checkpoint made"),
        Err(error) => tracing::warn!(%error, "checkpoint could not be logged, the log keeps everything"),
    }
}
