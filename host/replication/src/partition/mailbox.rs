//! What a partition can be told, and the step that takes it.

use steward_model::operation::EffectKey;
use steward_model::update::Entry;
use steward_model::{Epoch, Moment, Position, Timestamp};
use steward_protocol::replica::{self, Event, Member, Row};
use steward_storage::documents::Horizons;

use super::propose::Proposal;
use super::{Partition, State};
use crate::observer::unpoisoned;

/// Something that a partition is told. Messages of one sender are taken in their order.
#[derive(Debug)]
pub enum Message {
    /// What the system group says about the partition.
    Row(Box<Row>),
    /// Somebody wants an update in the log.
    Propose(Box<Proposal>),
    /// The log is on disk through this record.
    Persisted(Position),
    /// The promise is on disk.
    PromisePersisted(Epoch),
    /// Effects were carried out and are no longer pending.
    Settle {
        /// Which; all of one document.
        keys: Vec<EffectKey>,
        /// The time of the record that says so.
        at: Timestamp,
    },
    /// What is below is old enough to be forgotten, says the state store of the primary.
    Forget(Horizons),
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// The member at the other end of the connection.
        from: Member,
        /// A promise or an acknowledgement.
        message: replica::Message,
    },
    /// The log may have room again for what it refused.
    SpaceInLog,
    /// Another reign ordered something else behind this record; nothing of it was committed.
    Truncated {
        /// The last record that stays.
        after: Option<Position>,
    },
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Row(row) => write!(f, "table changed to {row}"),
            Message::Propose(proposal) => write!(f, "proposed {proposal}"),
            Message::Persisted(position) => write!(f, "{}", Event::Persisted(*position)),
            Message::PromisePersisted(epoch) => write!(f, "{}", Event::PromisePersisted(*epoch)),
            Message::Settle { keys, .. } => write!(f, "carried out effects: {}", keys.len()),
            Message::Forget(Horizons { tombstones_below, answers_below }) => {
                let (tombstones_below, answers_below) = (*tombstones_below, *answers_below);
                write!(f, "proposed {}", Entry::Forget { tombstones_below, answers_below })
            }
            Message::Received { from, message } => {
                write!(f, "{}", Event::Received { from: *from, message: *message })
            }
            Message::SpaceInLog => f.write_str("found space in the log"),
            Message::Truncated { after } => write!(f, "{}", Event::Truncated { after: *after }),
        }
    }
}

impl Partition {
    /// Leaves a message. It is taken by the next [`Partition::step`], on whatever thread.
    pub fn post(&self, message: Message) {
        unpoisoned(self.mailbox.lock()).push_back(message);
    }

    /// Takes all messages, in their order. Returns how many those were.
    pub fn step(&self, now: Moment) -> usize {
        let mut state = self.lock();
        let mut taken = 0;
        // Looked for under the lock: what is posted before this step ends is taken by it or by the poster's own step.
        while let Some(message) = self.next_message() {
            self.take(&mut state, now, message);
            taken += 1;
        }
        taken
    }

    /// Takes one message if there is one, for simulations that stop between two.
    pub fn step_once(&self, now: Moment) -> bool {
        let mut state = self.lock();
        match self.next_message() {
            Some(message) => {
                self.take(&mut state, now, message);
                true
            }
            None => false,
        }
    }

    fn next_message(&self) -> Option<Message> {
        unpoisoned(self.mailbox.lock()).pop_front()
    }

    fn take(&self, state: &mut State, now: Moment, message: Message) {
        // What the core believes and what the disk holds may differ by now: whatever is decided could contradict a
        // promise.
        if self.shared.has_failed() {
            return;
        }
        match message {
            Message::Row(row) => {
                self.tell(state, now, Event::TableChanged(*row));
                // The same reign may admit again, or no longer: those who wait for that look again.
                self.serving.set(self.serving.get());
            }
            Message::Propose(proposal) => self.propose_now(state, now, *proposal),
            Message::Persisted(end) => self.tell(state, now, Event::Persisted(end)),
            Message::PromisePersisted(epoch) => self.tell(state, now, Event::PromisePersisted(epoch)),
            Message::Settle { keys, at } => self.settle_now(state, now, keys, at),
            Message::Forget(horizons) => self.forget_now(state, now, horizons),
            Message::Received { from, message } => self.tell(state, now, Event::Received { from, message }),
            Message::SpaceInLog => self.send_outgoing(state),
            Message::Truncated { after } => self.truncate(state, now, after),
        }
    }

    /// Tells the core of an event, and carries out everything that follows from it.
    pub(super) fn tell(&self, state: &mut State, now: Moment, event: Event) {
        self.hand(state, now, event);
        self.carry_out(state, now);
    }

    /// Hands the core an event. What it asks for is carried out by the loop that runs already, or by [`Partition::tell`].
    pub(super) fn hand(&self, state: &mut State, now: Moment, event: Event) {
        self.shared.observer.told(self.id, &event);
        state.replica.handle(now, event, &mut state.effects);
    }
}
