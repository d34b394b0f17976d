//! The mailbox of a partition, and the step that takes what is in it.

use steward_model::Moment;
use steward_protocol::replica::Event;

use super::message::Message;
use super::{Partition, State};
use crate::observer::unpoisoned;

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
