//! Appending: where a group of frames will stand is decided here, under one short lock, before anything is written.
//!
//! Frames wait in memory until the writer takes them. Each waiting group already has its place on the disk, either in
//! the segment that the group before it goes to or at the start of the spare one, whose space has been taken. So an
//! admitted append cannot fail for want of space, and one that finds no room is refused while nothing has happened yet.
//! A caller that must not be refused once a record exists reserves its bytes before, see `reserve.rs`.

use std::cell::RefCell;
use std::collections::VecDeque;

use steward_model::mutation::{self, Mutation};
use steward_model::{Lsn, PartitionId};

use super::frame::{Frame, PAYLOAD_BYTES_MAX};
use super::group::{self, HEADER_BYTES, aligned};
pub use super::refusal::Error;
use super::reservations::Reservations;
use super::segment::Segment;
use super::trail::Span;

/// A group grows up to here; an append that is larger gets a group of its own.
const GROUP_BYTES_MAX: u64 = 8 << 20;

/// Buffers up to this size are used again.
const KEPT_BUFFER_BYTES: usize = 4 << 20;
const KEPT_BUFFERS: usize = 2;

/// Frames that are written together.
#[derive(Default)]
pub(crate) struct Group {
    /// Room for the header, then the frames.
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: u32,
    pub(crate) first_lsn: Lsn,
    /// In the order of the appends; a partition may stand here several times.
    pub(crate) spans: Vec<(PartitionId, Span)>,
    /// True: the group is the first one of the spare segment.
    pub(crate) opens_segment: bool,
    /// Bytes of reservations that were used for it; they are free again once it is taken.
    pub(crate) reserved: u64,
}

/// The spare segment on its way.
#[derive(Default)]
pub(crate) struct Spare {
    /// How many bytes of groups fit, once the space is taken.
    pub(crate) room: Option<u64>,
    /// The segment, once it is ready.
    pub(crate) segment: Option<Segment>,
    /// A waiting group has its place there.
    pub(crate) claimed: bool,
    /// The last try to take space failed.
    pub(crate) shortage: bool,
}

impl Spare {
    /// Takes the segment if it is ready; nothing waits for it any more, and the next one has no room yet.
    pub(crate) fn take(&mut self) -> Option<Segment> {
        let segment = self.segment.take()?;
        (self.room, self.claimed) = (None, false);
        Some(segment)
    }
}

/// What waits for the writer.
pub(crate) struct Queue {
    pub(crate) groups: VecDeque<Group>,
    pub(crate) next_lsn: Lsn,
    /// Bytes left behind the closed groups in the segment where the last of them stands.
    pub(crate) room: u64,
    pub(crate) spare: Spare,
    /// Bytes of groups that fit into a fresh segment.
    pub(crate) capacity: u64,
    pub(crate) pending: u64,
    pub(crate) closed: bool,
    pub(crate) failed: bool,
    /// Who has reserved what, and who waits for it.
    pub(crate) reservations: Reservations,
    idle_buffers: Vec<Vec<u8>>,
}

/// Encoded frames on their way into the queue.
#[derive(Default)]
struct Encoded {
    bytes: Vec<u8>,
    spans: Vec<(PartitionId, Span)>,
}

thread_local! {
    static ENCODED: RefCell<Encoded> = RefCell::default();
}

impl Encoded {
    fn fill(&mut self, frames: &[Frame]) {
        self.bytes.clear();
        self.spans.clear();
        for frame in frames {
            frame.encode(&mut self.bytes);
            let Some((partition, place)) = frame.place() else { continue };
            match self.spans.last_mut() {
                // Only what follows without a gap: a record further down says that the log was truncated between.
                Some((last, span)) if *last == partition && span.last.offset.next() == place.offset => {
                    span.last = place;
                }
                Some(_) | None => self.spans.push((partition, Span { first: place, last: place })),
            }
        }
    }
}

impl Queue {
    /// Returns an empty queue before a segment with `room` bytes left.
    pub(crate) fn new(next_lsn: Lsn, room: u64, capacity: u64, spare: Spare) -> Queue {
        Queue {
            groups: VecDeque::new(),
            next_lsn,
            room,
            spare,
            capacity,
            pending: 0,
            closed: false,
            failed: false,
            reservations: Reservations::default(),
            idle_buffers: Vec::new(),
        }
    }

    /// Refuses everything once the log is closed or has failed.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Closed`]
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match (self.failed, self.closed) {
            (true, _) => Err(Error::Failed),
            (false, true) => Err(Error::Closed),
            (false, false) => Ok(()),
        }
    }

    /// Gives encoded frames a place, and returns the number of the last one. `reserved` bytes were reserved for them; frames
    /// without a reservation leave alone what others have reserved.
    fn admit(&mut self, encoded: &Encoded, frames: usize, reserved: Option<u64>) -> Result<Lsn, Error> {
        self.check_open()?;
        let needed = encoded.bytes.len() as u64;
        if let Some(bytes) = reserved {
            self.reservations.use_up(bytes);
        } else if !self.holds_reserved(needed) {
            return Err(self.refusal(needed));
        }
        if !self.fits_open_group(needed) {
            self.open_group(needed)?;
        }
        let group = self.groups.back_mut().expect("a group is open: it was there or has just been opened");
        group.bytes.extend_from_slice(&encoded.bytes);
        group.spans.extend_from_slice(&encoded.spans);
        group.frames += frames as u32;
        group.reserved += reserved.unwrap_or(0);
        self.pending += needed;
        self.next_lsn = Lsn(self.next_lsn.0 + frames as u64);
        Ok(Lsn(self.next_lsn.0 - 1))
    }

    fn fits_open_group(&self, needed: u64) -> bool {
        self.groups.back().is_some_and(|open| {
            let bytes = open.bytes.len() as u64 + needed;
            bytes <= GROUP_BYTES_MAX && aligned(bytes) <= self.room
        })
    }

    /// Returns how much fits behind the groups that wait, in their segment.
    fn room_left(&self) -> u64 {
        self.room - self.groups.back().map_or(0, |open| aligned(open.bytes.len() as u64))
    }

    /// Returns how much fits into the spare segment; none if there is none, or groups have their places there already.
    fn spare_left(&self) -> Option<u64> {
        self.spare.room.filter(|_| !self.spare.claimed)
    }

    /// Returns true if everything that is reserved finds a place, in whatever order it comes, after `needed` bytes have
    /// been given one.
    pub(crate) fn holds_reserved(&self, needed: u64) -> bool {
        let cost = group::cost(needed);
        let (room, spare) = (self.room_left(), self.spare_left());
        let promised = self.reservations.promised();
        // What does not fit into this segment goes to the next as a whole, so either must be able to take all of it.
        let (room, spare) = match needed {
            0 => (Some(room), spare),
            _ if cost <= room => (Some(room - cost), spare),
            _ => (spare.and_then(|spare| spare.checked_sub(cost)), None),
        };
        let holds = |left: Option<u64>| left.is_some_and(|left| promised <= left);
        match promised {
            // Whether there is a place for the bytes themselves is seen when they are given one.
            0 => true,
            _ => holds(room) || holds(spare),
        }
    }

    /// Says why `needed` bytes find no place.
    pub(crate) fn refusal(&self, needed: u64) -> Error {
        match self.spare.shortage {
            true => Error::Full { free: self.room_left().max(self.spare_left().unwrap_or(0)), needed },
            false => Error::Busy { pending: self.pending },
        }
    }

    fn open_group(&mut self, needed: u64) -> Result<(), Error> {
        let (room, spare_room) = (self.room_left(), self.spare_left());
        let wanted = group::cost(needed);
        let opens_segment = wanted > room;
        if opens_segment {
            match spare_room {
                Some(spare_room) if wanted <= spare_room => {
                    self.spare.claimed = true;
                    self.room = spare_room;
                }
                Some(_) | None => return Err(self.refusal(needed)),
            }
        } else {
            self.room = room;
        }
        let mut bytes = self.idle_buffers.pop().unwrap_or_default();
        bytes.resize(HEADER_BYTES, 0);
        let first_lsn = self.next_lsn;
        self.groups.push_back(Group { bytes, first_lsn, opens_segment, ..Group::default() });
        Ok(())
    }

    /// Takes the oldest group off the queue; it gets no more frames.
    pub(crate) fn take(&mut self) -> Option<Group> {
        let group = self.groups.pop_front()?;
        if self.groups.is_empty() {
            self.room -= aligned(group.bytes.len() as u64);
        }
        self.pending -= (group.bytes.len() - HEADER_BYTES) as u64;
        if !mutation::is(Mutation::SpaceNotReleased) {
            self.reservations.release(group.reserved);
        }
        self.grant();
        Some(group)
    }

    /// Keeps the buffer of a written group for the next one.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= KEPT_BUFFER_BYTES && self.idle_buffers.len() < KEPT_BUFFERS {
            buffer.clear();
            self.idle_buffers.push(buffer);
        }
    }
}

/// Returns how many bytes of frames one append to segments of `capacity` bytes may have.
pub(crate) fn bytes_max(capacity: u64) -> u64 {
    capacity - HEADER_BYTES as u64
}

/// Encodes `frames`, and has `with_queue` put them into the locked queue.
///
/// # Errors
/// See [`Error`].
pub(crate) fn append(
    frames: &[Frame],
    capacity: u64,
    reserved: Option<u64>,
    with_queue: impl FnOnce(&mut dyn FnMut(&mut Queue) -> Result<Lsn, Error>) -> Result<Lsn, Error>,
) -> Result<Lsn, Error> {
    let most = reserved.unwrap_or(u64::MAX).min(bytes_max(capacity));
    let largest = frames.iter().map(|frame| frame.payload.len()).max().unwrap_or(0);
    if largest > PAYLOAD_BYTES_MAX {
        return Err(Error::TooLarge { bytes: largest as u64, most: PAYLOAD_BYTES_MAX as u64 });
    }
    let bytes: u64 = frames.iter().map(|frame| frame.encoded_bytes() as u64).sum();
    if bytes > most {
        return Err(Error::TooLarge { bytes, most });
    }
    ENCODED.with_borrow_mut(|encoded| {
        encoded.fill(frames);
        let answer = with_queue(&mut |queue| match frames.is_empty() {
            true => Ok(Lsn(queue.next_lsn.0 - 1)),
            false => queue.admit(encoded, frames.len(), reserved),
        });
        if encoded.bytes.capacity() > KEPT_BUFFER_BYTES {
            *encoded = Encoded::default();
        }
        answer
    })
}
