//! The mailbox of a partition, and the step that takes what is in it.

use steward_model::{Lsn, Moment, Position};
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
        while let Some(message) = self.next_message(&state) {
            self.take(&mut state, now, message);
            taken += 1;
        }
        taken
    }

    /// Takes one message if there is one, for simulations that stop between two.
    pub fn step_once(&self, now: Moment) -> bool {
        let mut state = self.lock();
        match self.next_message(&state) {
            Some(message) => {
                self.take(&mut state, now, message);
                true
            }
            None => false,
        }
    }

    fn next_message(&self, state: &State) -> Option<Message> {
        // Where one copy takes the place of another, what comes meanwhile waits.
        if state.is_held {
            return None;
        }
        unpoisoned(self.mailbox.lock()).pop_front()
    }

    fn take(&self, state: &mut State, now: Moment, message: Message) {
        self.take_one(state, now, message);
        state.patient.release(&state.replica);
        let deadline = state.replica.deadline();
        if deadline != state.deadline {
            state.deadline = deadline;
            self.shared.mail.wake_at(self.id, deadline);
        }
    }

    fn take_one(&self, state: &mut State, now: Moment, message: Message) {
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
            Message::Persisted { end, through } => self.persisted(state, now, end, through),
            Message::PromisePersisted(epoch) => self.tell(state, now, Event::PromisePersisted(epoch)),
            Message::Settle { keys, at } => self.settle_now(state, now, keys, at),
            Message::Forget(horizons) => self.forget_now(state, now, horizons),
            Message::Confirm(confirmed) => self.confirm_now(state, now, confirmed),
            Message::Tick => {
                // Whoever woke it has forgotten the moment: also the same one has to be asked for anew.
                state.deadline = None;
                self.tell(state, now, Event::Tick);
            }
            Message::Core(event) => self.tell(state, now, *event),
            Message::SpaceInLog => self.send_outgoing(state),
        }
    }

    /// Tells the core what has become durable. A record that was cut meanwhile may stand in the log anew, further up, where it is
    /// not written yet: what counts is where the record that stands there now lies.
    fn persisted(&self, state: &mut State, now: Moment, end: Position, through: Lsn) {
        let durable = state.in_log.iter().rev().find(|(_, lsn)| *lsn <= through).map(|(offset, _)| *offset);
        let standing = durable.and_then(|offset| state.replica.position_at(offset));
        match standing {
            Some(standing) => {
                self.tell(state, now, Event::Persisted(standing));
                if std::mem::take(&mut state.is_held_back) {
                    self.shared.applying.committed(self.id, 0, 0, &*self.shared.observer);
                    self.shared.applying.hurry(&*self.shared.observer);
                }
            }
            // All of it is applied, and so was reported before, or was cut.
            None => tracing::trace!(partition = %self.id, %end, "nothing of what became durable stands in the log"),
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
