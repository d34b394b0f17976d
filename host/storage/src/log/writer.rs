//! The writer: takes a group, writes it, has it fsynced, tells everybody; the next group fills meanwhile.
//!
//! There are no timers: a group holds what came while the one before it was on its way to the disk, so it grows with
//! the load. A second thread takes the space of the next segment and zeroes it, because that takes long and would
//! otherwise stand between two groups; it does so in small portions, because a large fsync would stand beside them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steward_model::mutation::{self, Mutation};
use steward_model::{Lsn, PartitionId, Position};

use super::append::Group;
use super::disk::File;
use super::group::{self, Header};
pub use super::listener::Error;
use super::listener::Listener;
use super::segment::{self, Segment};
use super::segment_index::Indexed;
use super::shared::{Shared, Stats};
use super::trail::Span;

use crate::background;
use crate::space::is_shortage;

/// How long the log waits before it tries again to take space on a full disk.
const SHORTAGE_RETRY: Duration = Duration::from_secs(1);

/// Time between two portions of a segment that is prepared. A segment of 64 MiB takes two seconds so: with half of the one before
/// it left, updates of a quarter of a kilobyte could come at sixty thousand a second.
const PORTION_PAUSE: Duration = Duration::from_millis(8);

/// Is called after each portion of a segment.
type Between<'a> = &'a mut dyn FnMut(&dyn File) -> std::io::Result<()>;

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
            let Some(group) = next_group(shared) else { return Ok(()) };
            if group.opens_segment {
                // None: failed, or closed while the disk has no room for another segment. What waits was never persisted, and
                // nobody was told so.
                let Some(spare) = next_segment(shared) else { return Ok(()) };
                self.turn_to(spare, shared);
            }
            self.write(shared, listener, group)?;
            // A thread that has just heard of this group, or waits for a processor with a record in hand, gets into the
            // next one.
            std::thread::yield_now();
        }
    }

    /// Writes the group that waits longest, without threads. Returns false if there is none that can be written.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn step(&mut self, shared: &Shared, listener: &dyn Listener) -> Result<bool, Error> {
        prepare_spare(shared, &mut |_| Ok(()))?;
        let group = shared.change_queue(|queue| {
            // A spare that could not be made leaves its group waiting.
            let waits = queue.groups.front().is_some_and(|group| group.opens_segment) && queue.spare.segment.is_none();
            if waits { None } else { queue.take() }
        });
        let Some(group) = group else { return Ok(false) };
        let spare = if group.opens_segment { shared.queue().spare.take() } else { None };
        if let Some(spare) = spare {
            self.turn_to(spare, shared);
        }
        self.write(shared, listener, group)?;
        Ok(true)
    }

    /// Goes on in the segment that was the spare one, and lets the next be made.
    fn turn_to(&mut self, spare: Segment, shared: &Shared) {
        shared.spare_wanted.notify_all();
        shared.index().segments.push_back(Indexed::empty(spare.clone()));
        self.segment = spare;
        self.at = group::BLOCK_BYTES;
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
        if mutation::is(Mutation::PersistedBeforeSync) {
            listener.persisted(header.first_lsn, &ends(&group.spans));
        }
        let before = shared.now();
        if !mutation::is(Mutation::SyncWithoutSync) {
            self.segment.file.sync().map_err(failed("sync"))?;
        }
        let sync_micros = shared.now().since(before).as_micros() as u64;
        // Only now: after a failed write or sync the process ends, so it gives no place and no number to two groups.
        let at = self.at;
        self.at += header.disk_bytes();
        self.next_group += 1;
        publish(shared, listener, group, (at, sync_micros));
        Ok(())
    }
}

/// Tells everybody of a group that is on the disk, at `at` of the newest segment.
fn publish(shared: &Shared, listener: &dyn Listener, group: Group, (at, sync_micros): (u64, u64)) {
    let through = Lsn(group.first_lsn.0 + u64::from(group.frames) - 1);
    let ends = ends(&group.spans);
    // Before `persisted` rises: a reader that sees it must find the records.
    shared.index().note(group.first_lsn, through, &group.spans, at);
    shared.stats().count(&group, sync_micros);
    let is_last = {
        // Under the lock of those who wait, so that none of them misses it.
        let mut queue = shared.queue();
        shared.persisted.store(through.0, Ordering::Release);
        queue.give_back(group.bytes);
        queue.groups.is_empty()
    };
    shared.progress.notify_all();
    match is_last {
        true => listener.persisted_last(through, &ends),
        false => listener.persisted(through, &ends),
    }
}

/// Waits for a group; none once the log is closed and empty.
fn next_group(shared: &Shared) -> Option<Group> {
    loop {
        let mut queue = shared.queue();
        while queue.groups.is_empty() {
            if queue.closed {
                return None;
            }
            queue = shared.wait_for_work(queue);
        }
        drop(queue);
        // This thread is the only one that takes.
        if let Some(group) = shared.change_queue(super::append::Queue::take) {
            return Some(group);
        }
    }
}

/// Waits for the spare segment and takes it; none if the log failed, or was closed and the disk has no room for another one.
fn next_segment(shared: &Shared) -> Option<Segment> {
    let mut queue = shared.queue();
    loop {
        if let Some(segment) = queue.spare.take() {
            return Some(segment);
        }
        if queue.failed || (queue.closed && queue.spare.shortage) {
            return None;
        }
        queue = shared.wait_for_work(queue);
    }
}

/// Returns where runs of records end, in the order in which they were appended. What follows an end without a gap moves it;
/// a record further down stands by itself, because the log of its partition was truncated before it.
fn ends(spans: &[(PartitionId, Span)]) -> Vec<(PartitionId, Position)> {
    let mut ends: Vec<(PartitionId, Position)> = Vec::new();
    let mut newest: BTreeMap<PartitionId, usize> = BTreeMap::new();
    for (partition, span) in spans {
        match newest.get(partition) {
            Some(place) if ends[*place].1.offset.next() == span.first.offset => ends[*place].1 = span.last,
            Some(_) | None => {
                newest.insert(*partition, ends.len());
                ends.push((*partition, span.last));
            }
        }
    }
    ends
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

/// Makes the next segment if there is none, and returns true if there is one now. `between` is called after each portion of it,
/// see [`segment::finish`].
///
/// # Errors
/// Those of the disk, except that it is full, or that the system gives no more open files: that is noted, and appends
/// that need the segment are refused.
pub(crate) fn prepare_spare(shared: &Shared, between: Between<'_>) -> Result<bool, Error> {
    if shared.queue().spare.segment.is_some() {
        return Ok(true);
    }
    let made = segment::reserve(shared.disk.as_ref(), shared.segment_bytes).and_then(|file| {
        // The space is taken, and that is what admitting depends on; zeroing it takes long, and nobody need wait for
        // that.
        shared.change_queue(|queue| {
            queue.spare.room = Some(queue.capacity);
            queue.spare.shortage = false;
            queue.grant();
        });
        let number = shared.next_segment.load(Ordering::Relaxed);
        let header = segment::Header {
            format: segment::FORMAT_VERSION,
            identity: shared.identity,
            segment: number,
            bytes: shared.segment_bytes,
        };
        let segment = segment::finish(shared.disk.as_ref(), file, header, between)?;
        // Before anything is written to it: a segment that is gone must be missed.
        shared.note_segments(|noted| noted.newest = number)?;
        Ok(segment)
    });
    match made {
        Ok(segment) => {
            shared.next_segment.fetch_add(1, Ordering::Relaxed);
            shared.change_queue(|queue| {
                queue.spare.segment = Some(segment);
                queue.grant();
            });
            shared.work.notify_all();
            Ok(true)
        }
        Err(source) if is_shortage(&source) => {
            shared.change_queue(|queue| {
                if !queue.spare.shortage {
                    tracing::warn!(needed = shared.segment_bytes, error = %source, "no next segment, commit log refuses appends soon");
                }
                queue.spare.shortage = true;
                // A file system that cannot take space ahead may run out while zeros are written. What has a place
                // there, or is promised one, waits for it.
                if !queue.spare.claimed && queue.reservations.promised() == 0 {
                    queue.spare.room = None;
                }
                queue.grant();
            });
            shared.work.notify_all();
            Ok(false)
        }
        Err(source) => Err(Error { what: "create a segment of", source }),
    }
}

/// Sees to it that the groups of the log find the disk free while a segment is prepared: each portion reaches the disk before
/// the next is written, and there is a pause between two, unless the segment is wanted soon.
///
/// # Errors
/// Those of the disk.
fn leave_the_disk(shared: &Shared, file: &dyn File) -> std::io::Result<()> {
    file.sync()?;
    let queue = shared.queue();
    let is_wanted = queue.closed || queue.spare.claimed || queue.room < queue.capacity / 2;
    if !is_wanted {
        shared.wait_for_spare_wanted(queue, Some(PORTION_PAUSE));
    }
    Ok(())
}

/// Keeps a spare segment ready until the log is closed.
///
/// # Errors
/// Those of the disk, except that it is full.
pub(crate) fn keep_spare(shared: &Arc<Shared>) -> Result<(), Error> {
    background::enter();
    loop {
        let ready = prepare_spare(shared, &mut |file| leave_the_disk(shared, file))?;
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
