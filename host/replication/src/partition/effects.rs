//! Carries out what a replica core asks for. Nothing else does.

use std::sync::Arc;

use steward_model::mutation::{self, Mutation};
use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lane, Moment, Offset};
use steward_protocol::replica::{Effect, Event};
use steward_storage::log::append;

use super::outgoing::About;
use super::{Partition, State};
use crate::mail::{Letter, Request};
use crate::observer::{Fact, Fatal, Left};

impl Partition {
    /// Carries out the effects that wait in `state`, and those that they cause.
    pub(super) fn carry_out(&self, state: &mut State, now: Moment) {
        let mut carried = std::mem::take(&mut state.carried);
        while !state.effects.is_empty() {
            // Carrying out may tell the core more at once (in memory everything is durable when it is written); what it
            // then asks for comes after what it asked before.
            std::mem::swap(&mut state.effects, &mut carried);
            for effect in carried.drain(..) {
                self.carry_out_one(state, now, effect);
            }
        }
        state.carried = carried;
    }

    fn carry_out_one(&self, state: &mut State, now: Moment, effect: Effect) {
        self.shared.observer.wanted(self.id, &effect);
        let (partition, mail) = (self.id, &self.shared.mail);
        match effect {
            Effect::PersistPromise(epoch) => self.persist_promise(state, now, epoch),
            Effect::Persist(record) => self.persist(state, now, record),
            Effect::Truncate { after } => self.truncate(state, after),
            Effect::Commit { through } => self.commit(state, through),
            Effect::Serve(epoch) => self.serve(state, epoch),
            Effect::StopServing { epoch, .. } => self.stop_serving(state, epoch),
            Effect::AdmissionChanged => self.serving.set(self.serving.get()),
            Effect::Send { to, message } => {
                mail.send(Letter { partition, to, message });
                self.shared.observer.mail_left(Left::Letter);
            }
            Effect::ReadLog(read) => {
                mail.read(partition, read);
                self.shared.observer.mail_left(Left::Read);
            }
            Effect::Alter(alteration) => self.request(Request::Alter(alteration)),
            Effect::MovePrimary { epoch, to } => self.request(Request::MovePrimary { partition, epoch, to }),
            Effect::ConfirmRow { epoch, through } => self.request(Request::ConfirmRow { partition, epoch, through }),
            Effect::Rebuild { member } => self.request(Request::Rebuild { partition, member }),
            Effect::ReadsConfirmed { through } => state.readers.confirm(through),
            Effect::ReadsRefused { through } => state.readers.refuse(through),
        }
    }

    fn request(&self, request: Request) {
        self.shared.mail.request(request);
        self.shared.observer.mail_left(Left::Request);
    }

    fn persist_promise(&self, state: &mut State, now: Moment, epoch: Epoch) {
        match self.id.lane {
            Lane::Persisted => {
                state.outgoing.promise(self.id, epoch);
                if mutation::is(Mutation::PromiseReportedBeforeSync) {
                    self.hand(state, now, Event::PromisePersisted(epoch));
                }
                self.send_outgoing(state);
            }
            // What lies in memory is as lasting there as it will ever be.
            Lane::Volatile => self.hand(state, now, Event::PromisePersisted(epoch)),
        }
    }

    fn persist(&self, state: &mut State, now: Moment, record: Arc<Record>) {
        let end = record.position;
        let is_own = state.replica.reigns_in(end.epoch);
        match &record.entry {
            Entry::Marker if is_own => self.shared.observer.observed(self.id, &Fact::MarkerAppended(end)),
            // Own updates are there since they were proposed.
            Entry::Update(update) if !is_own => state.recent.copy(end, update),
            Entry::Marker | Entry::Update(_) | Entry::Forget { .. } => {}
        }
        if !is_own {
            self.shared.observer.observed(self.id, &Fact::Copied(end));
        }
        // Shared only with messages that are on their way to other members.
        let record = Arc::unwrap_or_clone(record);
        match self.id.lane {
            Lane::Persisted => {
                // The core counts the record as appended, so it cannot be refused any more: what the log has no room
                // for now waits, in its place.
                state.outgoing.record(self.id, &record);
                state.uncommitted.push(record);
                self.send_outgoing(state);
            }
            Lane::Volatile => {
                state.uncommitted.push(record);
                self.hand(state, now, Event::Persisted(end));
            }
        }
    }

    /// Publishes what is certain now: to readers, to the outbox, to the clients that wait, and to the state store's queue.
    fn commit(&self, state: &mut State, through: Offset) {
        // The event that led to this commit has changed the role before it, if at all.
        let reign = Some(state.replica.epoch()).filter(|epoch| state.replica.reigns_in(*epoch));
        let first = state.unapplied.len();
        let (mut bytes, mut adds_effects) = (0, false);
        while let Some((record, its_bytes)) = state.uncommitted.pop_through(through) {
            if let Entry::Update(update) = &record.entry {
                state.latest = state.latest.max(update.document.updated);
                state.recent.commit(record.position, update);
                // Others send the effects of their reign; what is pending when this copy reigns is told by its store.
                if reign.is_some() {
                    update.settled.iter().for_each(|key| state.outbox.settle(key));
                    adds_effects |= !update.effects.is_empty();
                    update.effects.iter().cloned().for_each(|effect| state.outbox.add(effect));
                }
            }
            bytes += its_bytes;
            state.unapplied.push(record);
        }
        state.unapplied_bytes += bytes;
        if adds_effects {
            self.shared.observer.effects_added();
        }
        let records = &state.unapplied[first..];
        self.shared.observer.observed(self.id, &Fact::Committed { through, records, reign });
        self.shared.applying.committed(self.id, records.len(), bytes, &*self.shared.observer);
        // Last: a client that is told must find its update when it reads (I10).
        state.waiters.committed(through);
        if !mutation::is(Mutation::FenceNotLifted) {
            state.ahead.committed(through);
        }
    }

    fn serve(&self, state: &mut State, epoch: Epoch) {
        // What is pending is known once the state store has told it: before, newer effects would overtake older ones.
        state.outbox.begin(epoch);
        self.shared.served.begin(self.store.copy());
        self.serving.set(Some(epoch));
        self.shared.observer.observed(self.id, &Fact::Activated(epoch));
        tracing::debug!(partition = %self.id, %epoch, "partition active");
    }

    fn stop_serving(&self, state: &mut State, epoch: Epoch) {
        // Clients that wait go on waiting: the next reign commits what was appended, or cuts it, and this copy hears of
        // either when it follows. One that does not hear in time is told that the outcome is unknown.
        let under_way = state.waiters.len();
        // Claims end with the reign: their holders find out before their next effect goes out.
        state.outbox.end();
        self.shared.served.end(self.store.copy());
        self.serving.set(None);
        self.shared.observer.observed(self.id, &Fact::SteppedDown { epoch, under_way });
        tracing::debug!(partition = %self.id, %epoch, under_way, "partition no longer served here");
    }

    /// Hands the log what it takes. Never waits: what it has no room for is tried again when it says that it has.
    pub(super) fn send_outgoing(&self, state: &mut State) {
        while let Some((about, frame, space)) = state.outgoing.frames.front_mut() {
            let frames = std::slice::from_ref(frame);
            let appended = match space.take() {
                Some(space) => self.shared.log.append_reserved(frames, space),
                None => self.shared.log.append(frames),
            };
            let lsn = match appended {
                Ok(lsn) => lsn,
                // Nothing behind it is tried: frames of a partition go into the log in their order, or a record could
                // be durable without the promise of its reign.
                Err(append::Error::Busy { .. } | append::Error::Full { .. }) => {
                    self.shared.wants_space(self.id);
                    return;
                }
                // The host is stopping: what is not in the log is never committed, and its clients learn that the outcome is
                // unknown.
                Err(append::Error::Closed) => {
                    state.outgoing.frames.clear();
                    return;
                }
                Err(source @ (append::Error::TooLarge { .. } | append::Error::Failed)) => {
                    self.shared.fail(&Fatal::Log { partition: self.id, source });
                    return;
                }
            };
            match *about {
                About::Promise(epoch) => self.shared.completions.expect_promise(lsn, self.id, epoch),
                About::Record(position) => state.in_log.push_back((position.offset, lsn)),
            }
            state.outgoing.frames.pop_front();
        }
    }
}
