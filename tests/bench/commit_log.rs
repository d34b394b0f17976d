//! The commit log's own rate: records appended and waited for, with nothing of a host around it.
//!
//! One thread appends a group of records, writes it, has it fsynced, and goes on with the next: no time is spent on waking
//! threads, and every group has as many records as was asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Epoch, Lane, Lsn, Moment, Offset, PartitionId, Position};
use steward_storage::log::{FolderDisk, Frame, Listener, Log, Options};
use steward_tests::client::Client;
use steward_tests::host::Host;

use crate::service::waited;

/// What the log reached.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    /// Records per second.
    pub(crate) per_second: f64,
    /// Records of a group, on average.
    pub(crate) per_group: f64,
    /// Duration of an fsync, on average.
    pub(crate) sync: Duration,
}

/// What the log of a running node has written so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    groups: u64,
    frames: u64,
}

impl Written {
    /// Asks the node.
    ///
    /// # Errors
    /// Those of the runtime.
    ///
    /// # Panics
    /// If the node does not answer.
    pub(crate) fn of(host: &Host) -> anyhow::Result<Written> {
        let client = Client::new(host.client().base());
        let metrics = waited(async move { client.get("/metrics").await.expect(200) })?;
        let groups = metrics.counted("steward_log_groups_total");
        Ok(Written { groups, frames: metrics.counted("steward_log_frames_total") })
    }

    /// Returns how many records the groups since `before` had on average.
    pub(crate) fn per_group_since(self, before: Written) -> f64 {
        (self.frames - before.frames) as f64 / (self.groups - before.groups).max(1) as f64
    }
}

/// Nobody waits here.
struct Nobody;

impl Listener for Nobody {
    fn persisted(&self, _through: Lsn, _ends: &[(PartitionId, Position)]) {}
}

/// Returns the n-th record, spread over the partitions as documents are.
fn frame(number: u64, payload: &Bytes) -> Frame {
    let partitions = u64::from(PARTITIONS_PER_LANE);
    let index = u16::try_from(number % partitions).unwrap_or_default();
    let partition = PartitionId { selector: Default::default(), lane: Lane::Persisted, index };
    let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(number / partitions) };
    Frame::record(partition, position, payload.clone())
}

/// Appends groups of `group` records with this payload for `span`, in a fresh log in a folder below `place`.
///
/// # Errors
/// Those of the disk.
pub(crate) fn rate(place: &Path, payload: &Bytes, group: u64, span: Duration) -> anyhow::Result<Reached> {
    let folder = tempfile::Builder::new().prefix("steward-bench-log-").tempdir_in(place)?;
    let disk = Arc::new(FolderDisk::new(folder.path())?);
    let began = Instant::now();
    let clock = Arc::new(move || Moment::default().plus(began.elapsed()));
    let options = Options { clock, ..Options::default() };
    let log = Log::open(disk, options, &mut |_, _| Ok(())).context("open the log")?.log;
    let mut appended = 0;
    let began = Instant::now();
    while began.elapsed() < span {
        let records: Vec<Frame> = (appended..appended + group).map(|number| frame(number, payload)).collect();
        let lsn = log.append(&records)?;
        appended += group;
        ensure!(lsn == Lsn(appended), "record {appended} of a fresh log is frame {}", lsn.0);
        ensure!(log.drive(&Nobody)? == 1, "the records up to {appended} are not one group");
    }
    let took = began.elapsed();
    let stats = log.stats();
    let groups = stats.groups.max(1);
    Ok(Reached {
        per_second: appended as f64 / took.as_secs_f64(),
        per_group: stats.frames as f64 / groups as f64,
        sync: Duration::from_micros(stats.sync_micros_total / groups),
    })
}
