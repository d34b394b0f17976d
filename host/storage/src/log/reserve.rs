//! Reservations: space in the log that is taken before a record exists.
//!
//! A partition gives its records their places before they are written, so none of them may be refused afterwards. So the
//! bytes of a record are reserved before it is made. That is where a slow disk is waited for, with nothing held. At most
//! [`RESERVED_BYTES_MAX`] are reserved and not yet taken by the writer: that bounds what waits in memory for the disk.
//! A reservation ends when the writer has taken the group that it was used for, or when it is dropped unused, whether the
//! client of the record still waits or not. Those who wait get theirs in the order in which they came.
//!
//! The future of [`Log::reserve_or_wait`] needs no runtime: it is woken by the thread that sets space free.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use steward_model::Lsn;

use super::append::{self, Error, Queue};
use super::frame::Frame;
use super::reservations::{Reservations, Waiting};
use super::shared::Shared;
use super::{Log, group, segment};

/// So many bytes are reserved at the most, or have been used and are not yet taken by the writer.
pub const RESERVED_BYTES_MAX: u64 = 32 << 20;

/// Returns how many bytes a reservation in segments of `capacity` bytes may have.
fn reservable_max(capacity: u64) -> u64 {
    append::bytes_max(capacity).min(RESERVED_BYTES_MAX)
}

impl Queue {
    /// Reserves bytes, if there is room now.
    fn try_reserve(&mut self, bytes: u64) -> Result<(), Error> {
        self.check_open()?;
        let most = reservable_max(self.capacity);
        if bytes > most {
            return Err(Error::TooLarge { bytes, most });
        }
        let Reservations { outstanding, promised, .. } = &mut self.reservations;
        if *outstanding + bytes > RESERVED_BYTES_MAX {
            return Err(Error::Busy { pending: self.pending });
        }
        // Counted first, then asked, because the question is whether everything promised has room, this one included.
        // Each is reckoned as a group of its own, the dearest way to come: nobody knows yet which of them will share
        // one.
        *outstanding += bytes;
        *promised += group::cost(bytes);
        if self.holds_reserved(0) {
            return Ok(());
        }
        self.reservations.give_back(bytes);
        Err(self.refusal(bytes))
    }

    /// Answers those who wait, as far as there is room.
    pub(crate) fn grant(&mut self) {
        let mut answered = self.reservations.waiting.iter().take_while(|waiting| waiting.answer.is_some()).count();
        while let Some(waiting) = self.reservations.waiting.get(answered) {
            let answer = match self.try_reserve(waiting.bytes) {
                // Nobody overtakes, also not those who would find room: else a large record would wait as long as small
                // ones come.
                Err(Error::Busy { .. }) => return,
                answer
                @ (Ok(()) | Err(Error::Full { .. } | Error::TooLarge { .. } | Error::Closed | Error::Failed)) => answer,
            };
            let waiting = &mut self.reservations.waiting[answered];
            waiting.answer = Some(answer);
            let waker = waiting.waker.clone();
            self.reservations.woken.push(waker);
            answered += 1;
        }
    }

    /// Looks after the one who holds `ticket`.
    fn fetch(&mut self, ticket: u64, waker: &Waker) -> Poll<Result<(), Error>> {
        let waiting = &mut self.reservations.waiting;
        let place = waiting.iter().position(|waiting| waiting.ticket == ticket);
        let place = place.expect("who waits is in the queue until the answer was fetched");
        match waiting[place].answer.take() {
            Some(answer) => {
                waiting.remove(place);
                Poll::Ready(answer)
            }
            None => {
                waiting[place].waker.clone_from(waker);
                Poll::Pending
            }
        }
    }

    /// Takes the one who holds `ticket` out of the queue.
    fn leave(&mut self, ticket: u64) {
        let waiting = &mut self.reservations.waiting;
        let Some(place) = waiting.iter().position(|waiting| waiting.ticket == ticket) else { return };
        // Granted and never fetched: nobody else could give the bytes back.
        if let Some(Waiting { bytes, answer: Some(Ok(())), .. }) = waiting.remove(place) {
            self.reservations.give_back(bytes);
        }
        self.grant();
    }
}

/// Space in the log for frames that are not made yet. Dropping it gives the space back.
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
    is_used: bool,
}

impl Reservation {
    /// Returns for how many bytes of frames it is, see [`Frame::encoded_bytes`].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reservation({} bytes)", self.bytes)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.is_used {
            self.shared.change_queue(|queue| {
                queue.reservations.give_back(self.bytes);
                queue.grant();
            });
        }
    }
}

/// Waits for a reservation, see [`Log::reserve_or_wait`]. Dropping it leaves the queue.
pub struct Reserving {
    shared: Arc<Shared>,
    bytes: u64,
    ticket: Option<u64>,
}

impl Future for Reserving {
    type Output = Result<Reservation, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (bytes, ticket) = (self.bytes, self.ticket);
        let shared = Arc::clone(&self.shared);
        let answer = shared.change_queue(|queue| match ticket {
            Some(ticket) => queue.fetch(ticket, context.waker()),
            None => {
                let ticket = queue.reservations.next_ticket;
                queue.reservations.next_ticket += 1;
                let waker = context.waker().clone();
                queue.reservations.waiting.push_back(Waiting { ticket, bytes, waker, answer: None });
                self.ticket = Some(ticket);
                queue.grant();
                queue.fetch(ticket, context.waker())
            }
        });
        answer.map(|answer| {
            self.ticket = None;
            answer.map(|()| Reservation { shared, bytes, is_used: false })
        })
    }
}

impl Drop for Reserving {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.change_queue(|queue| queue.leave(ticket));
        }
    }
}

impl Log {
    /// Reserves space for frames of `bytes` bytes together, see [`Frame::encoded_bytes`].
    ///
    /// # Errors
    /// [`Error::Busy`]: the writer is behind, or others wait, see [`Log::reserve_or_wait`]. [`Error::Full`], and those that do
    /// not pass by waiting.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, Error> {
        let bytes = bytes as u64;
        self.shared.change_queue(|queue| match queue.reservations.waiting.is_empty() {
            true => queue.try_reserve(bytes),
            false => Err(Error::Busy { pending: queue.pending }),
        })?;
        Ok(Reservation { shared: Arc::clone(&self.shared), bytes, is_used: false })
    }

    /// Reserves space for frames of `bytes` bytes together, once the writer has caught up so far. Those who wait are
    /// served in their order. The future answers [`Error::Full`] at once, and never [`Error::Busy`].
    pub fn reserve_or_wait(&self, bytes: usize) -> Reserving {
        Reserving { shared: Arc::clone(&self.shared), bytes: bytes as u64, ticket: None }
    }

    /// Takes `frames` as [`Log::append`] does, with space that was reserved for them; more may have been reserved than they
    /// need.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if they need more than was reserved, [`Error::Closed`], [`Error::Failed`]. The reservation is given
    /// back then.
    pub fn append_reserved(&self, frames: &[Frame], mut reservation: Reservation) -> Result<Lsn, Error> {
        let lsn = self.append_with(frames, Some(reservation.bytes))?;
        // Without frames nothing was used.
        reservation.is_used = !frames.is_empty();
        Ok(lsn)
    }

    /// Returns how many bytes one append, and so one reservation, may have: with the headers of its frames.
    pub fn append_bytes_max(&self) -> u64 {
        reservable_max(segment::capacity(self.shared.segment_bytes))
    }

    /// Returns how many bytes are reserved, or were used and are not yet taken by the writer: what tests hold against those who wait.
    pub fn reserved_bytes(&self) -> u64 {
        self.shared.queue().reservations.outstanding
    }
}
