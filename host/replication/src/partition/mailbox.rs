//! What a partition can be told, and the step that takes it.

use steward_model::operation::EffectKey;
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
        /// When.
        at: Timestamp,
    },
    /// What is below is old enough to be forgotten, says the state store of the primary.
    Forget(Horizons),
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// Who said it.
        from: Member,
        /// What was said.
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
            Message::Row(row) => write!(f, "row epoch={} primary={} version={}", row.epoch, row.primary, row.version),
            Message::Propose(proposal) => write!(f, "propose {}", proposal.link()),
            Message::Persisted(position) => write!(f, "persisted through={position}"),
            Message::PromisePersisted(epoch) => write!(f, "promise-persisted epoch={epoch}"),
            Message::Settle { keys, .. } => write!(f, "settle {} effects", keys.len()),
            Message::Forget(Horizons { tombstones_below, answers_below }) => {
                write!(f, "forget tombstones below {tombstones_below} and answers below {answers_below}")
            }
            Message::Received { from, message } => write!(f, "received from={from} {message}"),
            Message::SpaceInLog => f.write_str("space in log"),
            Message::Truncated { after: Some(after) } => write!(f, "truncated after={after}"),
            Message::Truncated { after: None } => f.write_str("truncated all"),
        }
    }
}

impl Partition {
    /// Leaves a message. It is taken by the next [`Partition::step`], whoever makes it.
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
        if self.shared.has_failed() {
            return;
        }
        match message {
            Message::Row(row) => {
                self.tell(state, now, Event::TableChanged(*row));
                // The same reign may admit again, or no longer: whoever waits for that looks.
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
        state.replica.handle(now, event, &mut state.effects);
        self.carry_out(state, now);
    }
}
