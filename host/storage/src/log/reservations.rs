//! What is reserved in the queue of the log, and who waits; `reserve.rs` says what for.

use std::collections::VecDeque;
use std::task::Waker;

use super::group;
use super::refusal::Error;

/// What is reserved, and who waits.
#[derive(Default)]
pub(crate) struct Reservations {
    /// Bytes reserved or used, and not taken by the writer.
    pub(super) outstanding: u64,
    /// What unused reservations may cost on the disk, if each came in a group of its own.
    pub(super) promised: u64,
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) next_ticket: u64,
    /// To be woken once the queue is unlocked.
    pub(super) woken: Vec<Waker>,
}

pub(super) struct Waiting {
    pub(super) ticket: u64,
    pub(super) bytes: u64,
    pub(super) waker: Waker,
    /// The answer, until it is fetched.
    pub(super) answer: Option<Result<(), Error>>,
}

impl Reservations {
    /// Returns what may still be used, with its cost on the disk.
    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    /// A reservation is used: its bytes have a place now.
    pub(crate) fn use_up(&mut self, bytes: u64) {
        self.promised -= group::cost(bytes);
    }

    /// The writer has taken `bytes` that were reserved.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.outstanding -= bytes;
    }

    pub(super) fn give_back(&mut self, bytes: u64) {
        self.use_up(bytes);
        self.release(bytes);
    }

    /// Returns those who are to be woken.
    pub(crate) fn take_woken(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.woken)
    }
}
