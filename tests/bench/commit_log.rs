//! The commit log's own rate: records appended and waited for, with nothing of a host around it.
//!
//! As many appenders as a host has clients each append one record, wait until it is on the disk, and append the next. One thread
//! plays them all: a thread for each would spend the time of the log on waking threads. So groups form as
//! they do under a host: what is appended while one group is on its way goes into the next.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Epoch, Lane, Lsn, Moment, Offset, PartitionId, Position};
use steward_storage::log::{FolderDisk, Frame, Listener, Log, Options};

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

/// Wakes the appenders.
struct Waker {
    through: AtomicU64,
    appenders: Thread,
}

impl Listener for Waker {
    fn persisted(&self, through: Lsn, _ends: &[(PartitionId, Position)]) {
        self.through.store(through.0, Ordering::Release);
        self.appenders.unpark();
    }
}

fn moment() -> Moment {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment(u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// Returns the n-th record, spread over the partitions as documents are.
fn frame(number: u64, payload: &Bytes) -> Frame {
    let partitions = u64::from(PARTITIONS_PER_LANE);
    let index = u16::try_from(number % partitions).unwrap_or_default();
    let partition = PartitionId { selector: Default::default(), lane: Lane::Persisted, index };
    let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(number / partitions) };
    Frame::record(partition, position, payload.clone())
}

/// Appends records with this payload for `span`, in a fresh log in a folder below `place`.
///
/// # Errors
/// Those of the disk.
pub(crate) fn rate(place: &Path, payload: &Bytes, appenders: u64, span: Duration) -> anyhow::Result<Reached> {
    let folder = tempfile::Builder::new().prefix("steward-bench-log-").tempdir_in(place)?;
    let disk = Arc::new(FolderDisk::new(folder.path())?);
    let options = Options { clock: moment, ..Options::default() };
    let log = Log::open(disk, options, &mut |_, _| Ok(())).context("open the log")?.log;
    let waker = Arc::new(Waker { through: AtomicU64::new(0), appenders: std::thread::current() });
    log.start(Arc::<Waker>::clone(&waker))?;
    let (mut appended, mut persisted) = (0, 0);
    let began = Instant::now();
    while began.elapsed() < span {
        while appended - persisted < appenders {
            let lsn = log.append(&[frame(appended, payload)])?;
            appended += 1;
            ensure!(lsn == Lsn(appended), "record {appended} of a fresh log is frame {}", lsn.0);
        }
        while waker.through.load(Ordering::Acquire) == persisted {
            std::thread::park_timeout(Duration::from_secs(1));
        }
        persisted = waker.through.load(Ordering::Acquire);
    }
    let took = began.elapsed();
    log.close();
    let stats = log.stats();
    let groups = stats.groups.max(1);
    Ok(Reached {
        per_second: persisted as f64 / took.as_secs_f64(),
        per_group: stats.frames as f64 / groups as f64,
        sync: Duration::from_micros(stats.sync_micros_total / groups),
    })
}
