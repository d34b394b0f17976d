//! The writer: takes a group, writes it, has it fsynced, tells everybody; the next group fills meanwhile.
//!
//! There are no timers: a group holds what came while the one before it was on its way to the disk, so it grows with
//! the load. A second thread takes the space of the next segment and zeroes it, because that takes long and would
//! otherwise stand between two groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steward_model::{Lsn, PartitionId, Position};

use super::append::Group;
use super::group::{self, Header};
use super::segment::{self, Segment};
use super::shelf::{Span, Volume};
use super::{Listener, Shared, Stats};
use crate::space::is_full;

/// How long the log waits before it tries again to take space on a full disk.
const SHORTAGE_RETRY: Duration = Duration::from_secs(1);

/// The disk failed under the log. What is lasting is unknown: the process has to stop.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the commit log: {source}")]
pub struct Error {
    /// What was tried.
    pub what: &'static str,
    /// What the operating system says.
    pub source: std::io::Error,
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error { what, source }
}

/// Where the next group goes.
pub(crate) struct Writer {
    pub(crate) segment: Segment,
    pub(crate) at: u64,
    pub(crate) next_group: u64,
}

impl Writer {
    /// Writes groups until the log is closed and empty.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn run(&mut self, shared: &Shared, listener: &dyn Listener) -> Result<(), Error> {
        loop {
            let group = {
                let mut queue = shared.queue();
                loop {
                    match queue.take() {
                        Some(group) => break group,
                        None if queue.closed => return Ok(()),
                        None => queue = shared.wait_for_work(queue),
                    }
                }
            };
            if group.opens_segment && !self.turn_to_spare(shared, true) {
                return Ok(());
            }
            self.write(shared, listener, group)?;
            // Whoever has just heard of this group, or waits for a processor with a record in hand, gets into the next one.
            std::thread::yield_now();
        }
    }

    /// Writes what waits now, without threads, and returns how many groups that were.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn drain(&mut self, shared: &Shared, listener: &dyn Listener) -> Result<usize, Error> {
        let mut groups = 0;
        loop {
            prepare_spare(shared)?;
            let group = {
                let mut queue = shared.queue();
                // A spare that could not be made leaves its group waiting.
                if queue.groups.front().is_some_and(|group| group.opens_segment) && queue.spare.segment.is_none() {
                    return Ok(groups);
                }
                queue.take()
            };
            let Some(group) = group else { return Ok(groups) };
            if group.opens_segment {
                self.turn_to_spare(shared, false);
            }
            self.write(shared, listener, group)?;
            groups += 1;
        }
    }

    /// Goes on in the spare segment. Returns false if the log was closed before there was one.
    fn turn_to_spare(&mut self, shared: &Shared, wait: bool) -> bool {
        let mut queue = shared.queue();
        let segment = loop {
            if let Some(segment) = queue.spare.segment.take() {
                break segment;
            }
            if !wait || queue.failed || (queue.closed && queue.spare.shortage) {
                return false;
            }
            queue = shared.wait_for_work(queue);
        };
        queue.spare.room = None;
        queue.spare.claimed = false;
        drop(queue);
        shared.spare_wanted.notify_all();
        shared.shelf().volumes.push_back(Volume::empty(segment.clone()));
        self.segment = segment;
        self.at = group::BLOCK_BYTES;
        true
    }

    fn write(&mut self, shared: &Shared, listener: &dyn Listener, mut group: Group) -> Result<(), Error> {
        let header = Header {
            identity: shared.identity,
            segment: self.segment.number,
            group: self.next_group,
            // One group is on its way at a time, so the one before is lasting.
            durable: self.next_group - 1,
            first_lsn: group.first_lsn,
            frames: group.frames,
            body_bytes: (group.bytes.len() - group::HEADER_BYTES) as u32,
            blank_sectors: group::blank_sectors(&group.bytes),
            block: (self.at / group::BLOCK_BYTES) as u32,
        };
        group.bytes[..group::HEADER_BYTES].copy_from_slice(&header.encode());
        group.bytes.resize(header.disk_bytes() as usize, 0);
        self.segment.file.write_at(self.at, &group.bytes).map_err(failed("write to"))?;
        let before = shared.now();
        self.segment.file.sync().map_err(failed("sync"))?;
        let sync_micros = shared.now().since(before).as_micros() as u64;
        self.at += header.disk_bytes();
        self.next_group += 1;
        self.publish(shared, listener, group, sync_micros);
        Ok(())
    }

    fn publish(&self, shared: &Shared, listener: &dyn Listener, group: Group, sync_micros: u64) {
        let through = Lsn(group.first_lsn.0 + u64::from(group.frames) - 1);
        let ends = newest(&group.spans);
        if let Some(volume) = shared.shelf().volumes.back_mut() {
            volume.note(group.first_lsn, through, group.spans.iter().copied());
        }
        shared.stats().count(&group, sync_micros);
        {
            // Under the lock of those who wait, so that none of them misses it.
            let _queue = shared.queue();
            shared.persisted.store(through.0, Ordering::Release);
        }
        shared.progress.notify_all();
        listener.persisted(through, &ends);
        shared.queue().give_back(group.bytes);
    }
}

/// Returns the last record of each partition. Not the one with the highest offset: after a truncation the log of a
/// partition goes on further down.
fn newest(spans: &[(PartitionId, Span)]) -> Vec<(PartitionId, Position)> {
    let ends: BTreeMap<_, _> = spans.iter().map(|(partition, span)| (*partition, span.last)).collect();
    ends.into_iter().collect()
}

impl Stats {
    fn count(&mut self, group: &Group, sync_micros: u64) {
        self.groups += 1;
        self.frames += u64::from(group.frames);
        self.bytes += group.bytes.len() as u64;
        self.sync_micros_total += sync_micros;
        self.sync_micros_max = self.sync_micros_max.max(sync_micros);
    }
}

/// Makes the next segment if there is none, and returns true if there is one now.
///
/// # Errors
/// Those of the disk, except that it is full: that is noted, and appends that need the segment are refused.
pub(crate) fn prepare_spare(shared: &Shared) -> Result<bool, Error> {
    if shared.queue().spare.segment.is_some() {
        return Ok(true);
    }
    let made = segment::reserve(shared.disk.as_ref(), shared.segment_bytes).and_then(|file| {
        let mut queue = shared.queue();
        queue.spare.room = Some(queue.capacity);
        queue.spare.shortage = false;
        drop(queue);
        let number = shared.next_segment.load(Ordering::Relaxed);
        segment::finish(shared.disk.as_ref(), file, shared.identity, number, shared.segment_bytes)
    });
    let mut queue = shared.queue();
    match made {
        Ok(segment) => {
            shared.next_segment.fetch_add(1, Ordering::Relaxed);
            queue.spare.segment = Some(segment);
            drop(queue);
            shared.work.notify_all();
            Ok(true)
        }
        Err(source) if is_full(&source) => {
            if !queue.spare.shortage {
                tracing::warn!(needed = shared.segment_bytes, "disk is full, commit log refuses appends soon");
            }
            queue.spare.shortage = true;
            // A file system that cannot take space ahead may run out while zeros are written.
            if !queue.spare.claimed {
                queue.spare.room = None;
            }
            drop(queue);
            shared.work.notify_all();
            Ok(false)
        }
        Err(source) => Err(Error { what: "create a segment of", source }),
    }
}

/// Keeps a spare segment ready until the log is closed.
///
/// # Errors
/// Those of the disk, except that it is full.
pub(crate) fn keep_spare(shared: &Arc<Shared>) -> Result<(), Error> {
    loop {
        let ready = prepare_spare(shared)?;
        let queue = shared.queue();
        // A group that waits for the spare is still written when the log is closed.
        if queue.closed && (ready || queue.spare.shortage || !queue.spare.claimed) {
            return Ok(());
        }
        if ready && queue.spare.segment.is_some() {
            shared.wait_for_spare_wanted(queue, None);
        } else if !ready {
            shared.wait_for_spare_wanted(queue, Some(SHORTAGE_RETRY));
        }
    }
}
