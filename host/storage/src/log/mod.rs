//! The commit log: what every acknowledged update of a node is kept in until the state store has it for good.
//!
//! Problem: hundreds of partitions on one node must each be able to say "persisted", and a disk gives away a few
//! hundred fsyncs per second. Promise: one log for all partitions; frames appended while a group is on its way to the
//! disk go together into the next one, with one `fdatasync` (*group commit*). [`Listener::persisted`] is called in
//! order, after the data is on the disk and never before. [`Log::open`] finds again what was told persisted,
//! or fails with [`open::Error::Corrupt`]. What was appended and not told persisted it finds or not, whole groups at a time;
//! what was never appended it never finds.
//!
//! ```text
//!   appenders ──append──▶ queue ──take──▶ writer ──write, fdatasync──▶ 000…1.log 000…2.log
//!      ▲                  groups with       │                              │        ▲
//!      │                  a place on disk   └──persisted(through)──▶ listener       │
//!      └── Full, nothing happened                            keeper of the spare ───┘ 000…3.log, zeroed ahead
//! ```
//!
//! Every frame gets a log sequence number ([`Lsn`]), counted from 1 without gaps; 0 stands before the first.
//! Layouts are drawn in `frame.rs`, `group.rs` and `segment.rs`; how a torn end is told from damage, in [`open`].
//!
//! Three decisions explain most of the code:
//!
//! - *Everything is decided at the append.* A frame gets its number and its place in a group under one short lock; the
//!   writer then only writes. So a frame that was admitted has a place on the disk, and nothing is refused later.
//! - *One group is on its way at a time.* When a group is written, all before it are durable, and its header says so. By
//!   that number recovery proves a loss: a group that a later one calls durable must be there.
//! - *Nothing is changed in place.* A partition that is truncated appends at an offset that it has used before; reading
//!   the log again, the later record replaces everything from there on. What is old goes by whole segments, oldest first.
//!
//! The life of a frame: `append` (a place in a group), `writer` (write, fsync, tell), `segment_index` and `trail` (where it is found),
//! `read` (given back), `trim` (gone). [`open`] is the first thing that happens after a crash, and the one place where a
//! mistake loses data without a word; read it with `reader`, which judges single groups.
//!
//! Full disk: the space of the next segment is taken ahead, so what is admitted can be written. If it cannot be taken,
//! appends that would need it are refused ([`append::Error::Full`]); the log tries again every second, and at once
//! after [`Log::trim`]. A system that gives no more open files is met in the same way.
//!
//! Slow disk: an append may be refused ([`append::Error::Busy`]). A caller that cannot be refused once it has made a record
//! reserves its bytes before, see [`Log::reserve`] and [`Log::append_reserved`].
//!
//! Missing files: a log with a [`Ledger`] refuses to open if any of its segments is gone.
//!
//! Failed fsync: nobody knows what the disk holds, and asking again may answer "fine" for data that is gone. The
//! listener is told and, unless it decides otherwise, aborts the process. It is told of a thread of the log that panicked in
//! the same way.
//!
//! Left out: a file system that copies on write may run out of space although it was taken ahead. That is a failed write,
//! and the process stops.

pub mod append;
pub mod disk;
mod faulty_disk;
mod folder_disk;
pub mod frame;
mod group;
pub mod inspect;
pub mod ledger;
mod listener;
pub mod open;
pub mod read;
mod reader;
mod refusal;
mod reservations;
pub mod reserve;
mod segment;
mod segment_index;
mod shared;
mod trail;
mod trim;
pub mod writer;

#[cfg(test)]
mod fsync_tests;
#[cfg(test)]
mod missing_tests;
#[cfg(test)]
mod mutilation_tests;
#[cfg(test)]
mod reserve_tests;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use steward_model::{Lsn, Moment};

pub use disk::{Disk, File};
pub use faulty_disk::FaultyDisk;
pub use folder_disk::FolderDisk;
pub use frame::{Frame, FrameKind};
pub use ledger::{FileLedger, Ledger, MemoryLedger};
pub use listener::Listener;
pub use open::Recovery;
pub use reserve::{RESERVED_BYTES_MAX, Reservation, Reserving};
pub use shared::{Clock, Stats};
pub use trim::{Pinned, Trimmed};

use append::{Queue, Spare};
use group::Identity;
use shared::{Shared, locked};
use writer::Writer;

/// How a log is opened.
#[derive(Clone)]
pub struct Options {
    /// Size of new segments: a multiple of 4 KiB, at least 64 KiB.
    pub segment_bytes: u64,
    /// Names the log: taken from the store id, so that a segment of another node is not taken for one of this.
    pub identity: u64,
    /// Tells the time for the durations in [`Stats`].
    pub clock: Arc<Clock>,
    /// Where the log notes which segments it has; none: nobody notices if files are gone.
    pub ledger: Option<Arc<dyn Ledger>>,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, identity: 0, clock: Arc::new(Moment::default), ledger: None }
    }
}

/// A log that was opened, and what was found.
pub struct Opened {
    /// The log, not started.
    pub log: Log,
    /// How much was read, and what of a torn end was cut.
    pub recovery: Recovery,
}

/// The commit log of a node.
pub struct Log {
    shared: Arc<Shared>,
    /// Taken away by [`Log::start`].
    writer: Mutex<Option<Writer>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Log {
    /// Opens the log in `disk`, and creates it if there is none. `replay` gets every frame that is kept, in order.
    ///
    /// Nothing can be persisted before [`Log::start`], but appended.
    ///
    /// # Errors
    /// See [`open::Error`]. After [`open::Error::Corrupt`] everything before the damage has been replayed, and the
    /// files are as they were.
    ///
    /// # Panics
    /// If `options.segment_bytes` is no multiple of 4 KiB or below 64 KiB.
    pub fn open(disk: Arc<dyn Disk>, options: Options, replay: open::Replay<'_>) -> Result<Opened, open::Error> {
        let Options { segment_bytes, identity, clock, ledger } = options;
        let usable = segment_bytes.is_multiple_of(group::BLOCK_BYTES) && (64 << 10..=1 << 30).contains(&segment_bytes);
        assert!(usable, "segments of {segment_bytes} bytes are no multiple of 4 KiB from 64 KiB to 1 GiB");
        let identity = Identity(identity);
        let recovered = open::recover(&disk, identity, segment_bytes, ledger.as_deref(), replay)?;
        let segment = recovered.index.segments.back().expect("the index holds one segment at least").segment.clone();
        let newest = recovered.spare.as_ref().map_or(segment.number, |spare| spare.number);
        let spare = Spare {
            room: recovered.spare.as_ref().map(|spare| segment::capacity(spare.bytes)),
            segment: recovered.spare,
            ..Spare::default()
        };
        let room = segment.bytes - recovered.end;
        let queue = Queue::new(recovered.next_lsn, room, segment::capacity(segment_bytes), spare);
        let shared = Arc::new(Shared {
            disk,
            identity,
            segment_bytes,
            clock,
            queue: Mutex::new(queue),
            work: Condvar::new(),
            spare_wanted: Condvar::new(),
            progress: Condvar::new(),
            persisted: AtomicU64::new(recovered.next_lsn.0 - 1),
            next_segment: AtomicU64::new(newest + 1),
            index: Mutex::new(recovered.index),
            trimming: Mutex::default(),
            ledger,
            noted: Mutex::new(recovered.noted),
            stats: Mutex::default(),
        });
        let writer = Writer { segment, at: recovered.end, next_group: recovered.next_group };
        let log = Log { shared, writer: Mutex::new(Some(writer)), threads: Mutex::default() };
        Ok(Opened { log, recovery: recovered.recovery })
    }

    /// Starts the writer and the keeper of the spare segment.
    ///
    /// # Errors
    /// Those of the operating system if it gives no thread.
    ///
    /// # Panics
    /// If the log was started before.
    pub fn start(&self, listener: Arc<dyn Listener>) -> std::io::Result<()> {
        let mut writer = locked(&self.writer).take().expect("a log is started once");
        let (shared, told) = (Arc::clone(&self.shared), Arc::clone(&listener));
        self.spawn("log-writer", &listener, move || writer.run(&shared, told.as_ref()))?;
        let shared = Arc::clone(&self.shared);
        self.spawn("log-spare", &listener, move || writer::keep_spare(&shared))
    }

    /// Starts a thread. However it fails, the log has failed and the listener is told.
    fn spawn(
        &self,
        name: &'static str,
        listener: &Arc<dyn Listener>,
        work: impl FnOnce() -> Result<(), writer::Error> + Send + 'static,
    ) -> std::io::Result<()> {
        let (shared, listener) = (Arc::clone(&self.shared), Arc::clone(listener));
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let done = std::panic::catch_unwind(AssertUnwindSafe(work));
            if let Err(error) = done.unwrap_or_else(|panic| Err(listener::panicked(name, panic.as_ref()))) {
                shared.fail(listener.as_ref(), &error);
            }
        })?;
        locked(&self.threads).push(thread);
        Ok(())
    }

    /// Writes what waits, on the thread of the caller, and returns how many groups that were; instead of
    /// [`Log::start`], where threads would spoil a simulation.
    ///
    /// # Errors
    /// Those of the disk; the log has failed then, and the listener was told.
    ///
    /// # Panics
    /// If the log was started.
    pub fn drive(&self, listener: &dyn Listener) -> Result<usize, writer::Error> {
        let mut groups = 0;
        while self.drive_one(listener)? {
            groups += 1;
        }
        Ok(groups)
    }

    /// Writes the group that waits longest, and returns false if there is none, or no segment for it: one step of
    /// [`Log::drive`].
    ///
    /// # Errors
    /// Those of the disk; the log has failed then, and the listener was told.
    ///
    /// # Panics
    /// If the log was started.
    pub fn drive_one(&self, listener: &dyn Listener) -> Result<bool, writer::Error> {
        let mut writer = locked(&self.writer);
        let writer = writer.as_mut().expect("a log is either started or driven");
        if self.shared.queue().failed {
            return Ok(false);
        }
        writer.step(&self.shared, listener).inspect_err(|error| self.shared.fail(listener, error))
    }

    /// Takes `frames` to be written in one group, in this order, and returns the number of the last one; without frames
    /// that of the newest. Returns at once: they are persisted when the listener says so.
    ///
    /// # Errors
    /// See [`append::Error`]; nothing has happened then.
    pub fn append(&self, frames: &[Frame]) -> Result<Lsn, append::Error> {
        self.append_with(frames, None)
    }

    fn append_with(&self, frames: &[Frame], reserved: Option<u64>) -> Result<Lsn, append::Error> {
        let shared = &self.shared;
        // The writer waits only while nothing else does, and waking it costs a system call.
        let mut wake = false;
        let lsn = append::append(frames, segment::capacity(shared.segment_bytes), reserved, |admit| {
            let mut queue = shared.queue();
            wake = queue.groups.is_empty();
            admit(&mut queue)
        })?;
        if wake {
            shared.work.notify_one();
        }
        Ok(lsn)
    }

    /// Returns the last frame that is on the disk.
    pub fn persisted(&self) -> Lsn {
        Lsn(self.shared.persisted.load(Ordering::Acquire))
    }

    /// Blocks until `lsn` is on the disk. Returns false if that will not be: the log failed, or was closed.
    pub fn wait(&self, lsn: Lsn) -> bool {
        let mut queue = self.shared.queue();
        while self.persisted() < lsn {
            if queue.failed || (queue.closed && queue.groups.is_empty() && locked(&self.threads).is_empty()) {
                return false;
            }
            queue = self.shared.progress.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Returns how many bytes the segments take, without the spare one.
    pub fn bytes(&self) -> u64 {
        self.shared.index().bytes()
    }

    /// Returns true if the disk is so full that there is no spare segment.
    pub fn is_short_of_space(&self) -> bool {
        self.shared.queue().spare.shortage
    }

    /// Returns what the log has done since it was opened.
    pub fn stats(&self) -> Stats {
        *self.shared.stats()
    }

    /// Writes what waits and stops the threads. Appends are refused from now on.
    pub fn close(&self) {
        self.shared.change_queue(|queue| {
            queue.closed = true;
            queue.grant();
        });
        self.shared.wake_all();
        let threads = std::mem::take(&mut *locked(&self.threads));
        for thread in threads {
            // Its panics were caught, and the listener was told.
            let _ = thread.join();
        }
        self.shared.wake_all();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}
