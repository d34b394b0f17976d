//! Carries out what a replica core asks for. Nothing else does.

use steward_model::codec;
use steward_model::update::{Change, Entry, Record};
use steward_model::{Epoch, Lane, Lsn, Offset};
use steward_protocol::replica::{Effect, Event};
use steward_storage::log::{Frame, FrameKind, append};

use super::{Partition, State};
use crate::telemetry::metrics as telemetry;

/// How long to wait for a log that is behind before trying again.
const BEHIND: std::time::Duration = std::time::Duration::from_millis(1);

impl Partition {
    /// Carries out the effects that wait in `state`, and those that they cause.
    pub(super) fn carry_out(&self, state: &mut State) {
        while !state.effects.is_empty() {
            let mut effects = std::mem::take(&mut state.effects);
            for effect in effects.drain(..) {
                self.carry_out_one(state, effect);
            }
            if state.effects.is_empty() {
                state.effects = effects;
            }
        }
    }

    fn carry_out_one(&self, state: &mut State, effect: Effect) {
        match effect {
            Effect::PersistPromise(epoch) => self.persist_promise(state, epoch),
            Effect::Persist(record) => self.persist(state, record),
            Effect::Commit { through } => self.commit(state, through),
            Effect::Activated(epoch) => self.activated(state, epoch),
            Effect::SteppedDown { .. } => self.stepped_down(state),
        }
    }

    fn persist_promise(&self, state: &mut State, epoch: Epoch) {
        state.promised = epoch;
        match self.id.lane {
            Lane::Persisted => {
                let payload = codec::encode(&epoch).into();
                let frame = Frame { partition: Some(self.id), position: None, kind: FrameKind::Promise, payload };
                self.shared.events.promise(self.id, epoch, || self.append(frame));
            }
            Lane::Volatile => {
                let now = self.shared.clock.now();
                state.replica.handle(now, Event::PromisePersisted(epoch), &mut state.effects);
            }
        }
    }

    fn persist(&self, state: &mut State, record: Record) {
        match self.id.lane {
            Lane::Persisted => {
                let frame = Frame {
                    partition: Some(self.id),
                    position: Some(record.position),
                    kind: FrameKind::Record,
                    payload: codec::encode(&record).into(),
                };
                let lsn = self.append(frame);
                state.oldest_unapplied.push_back((record.position.offset, lsn));
                state.uncommitted.push_back((record, lsn));
            }
            Lane::Volatile => {
                let end = record.position;
                state.uncommitted.push_back((record, Lsn(0)));
                let now = self.shared.clock.now();
                state.replica.handle(now, Event::Persisted(end), &mut state.effects);
            }
        }
    }

    /// Appends a frame to the commit log. What is admitted must get there, or the replica would believe in a record that
    /// is nowhere: a log that is behind is waited for, and admission keeps it from running out of space.
    fn append(&self, frame: Frame) -> Lsn {
        let frame = [frame];
        let mut told = false;
        loop {
            match self.shared.log.append(&frame) {
                Ok(lsn) => return lsn,
                // The host is stopping: the update is never committed, and its client learns that the outcome is unknown.
                Err(append::Error::Closed) => return Lsn(u64::MAX),
                Err(append::Error::Busy { .. } | append::Error::Full { .. }) => {}
                Err(error @ (append::Error::TooLarge { .. } | append::Error::Failed)) => {
                    tracing::error!(partition = %self.id, %error, "commit log refused an admitted record");
                    std::process::abort();
                }
            }
            if !told {
                tracing::warn!(partition = %self.id, "commit log is behind, updates wait for it");
                told = true;
            }
            std::thread::sleep(BEHIND);
        }
    }

    fn commit(&self, state: &mut State, through: Offset) {
        let unapplied = state.unapplied.len();
        while state.uncommitted.front().is_some_and(|(record, _)| record.position.offset <= through) {
            let Some((record, _)) = state.uncommitted.pop_front() else { break };
            if let Entry::Update(update) = &record.entry {
                state.recent.commit(record.position.offset, update);
                for key in &update.settled {
                    state.outbox.settle(key);
                }
                if update.change == Change::Purge {
                    telemetry::purged();
                }
                if !update.effects.is_empty() {
                    update.effects.iter().cloned().for_each(|effect| state.outbox.add(effect));
                    self.shared.outbox_changed.notify_one();
                }
            }
            state.unapplied.push(record);
        }
        while state.waiters.front().is_some_and(|(offset, _)| *offset <= through) {
            if let Some((_, waiter)) = state.waiters.pop_front() {
                // The operation may have given up waiting; the update is committed all the same.
                let _ = waiter.send(());
            }
        }
        self.shared.applier.committed(self.id, state.unapplied.len() - unapplied);
    }

    fn activated(&self, state: &mut State, epoch: Epoch) {
        state.outbox.clear();
        state.outbox_loaded = false;
        self.serving.send_replace(Some(epoch));
        tracing::debug!(partition = %self.id, %epoch, "partition active");
    }

    fn stepped_down(&self, state: &mut State) {
        // Whoever waits learns that the outcome is unknown; what was appended may still be committed in the next reign.
        state.waiters.clear();
        state.outbox.clear();
        self.serving.send_replace(None);
        tracing::info!(partition = %self.id, "partition no longer served here");
    }
}
