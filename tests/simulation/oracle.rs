//! The oracle: every committed record, and every answer that somebody got. What it has seen must stay true.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::update::{Entry, Record, RequestKey};
use steward_model::{Epoch, Lane, Link, Offset, PartitionId, Position};

use crate::invariants::{i11_records_stay_in_their_reign, i12_requests_take_effect_once};
use crate::model::Model;

/// What is known about all partitions.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    partitions: BTreeMap<PartitionId, Known>,
    /// The names of all effects that were committed.
    names: BTreeSet<String>,
    /// An effect that has the name of another.
    pub(crate) reused_name: Option<String>,
}

/// What is known about one partition.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The record that was committed first at each offset.
    pub(crate) committed: Vec<Record>,
    /// What they make.
    pub(crate) model: Model,
    /// The last offset of which somebody was told.
    pub(crate) acknowledged: Option<Position>,
    /// The highest promise that the replica was told is durable.
    pub(crate) promised: Epoch,
    /// Reigns that have become active.
    pub(crate) activated: BTreeSet<Epoch>,
    /// Where each request took effect, by document.
    pub(crate) effective: BTreeMap<(Link, RequestKey), Vec<Offset>>,
    /// Which epoch began where in the log of this node, as far as the world was told.
    pub(crate) lineage: Vec<(Epoch, Offset)>,
    /// The last record that was on this node's disk when its log said so.
    pub(crate) durable: Option<Position>,
    /// The log was cut here by this process: what is reported behind was cut.
    pub(crate) was_cut: Option<Option<Offset>>,
    /// The last record that the other member has committed.
    pub(crate) decreed: Option<Offset>,
    /// What is wrong with a record by where it was decided, if anything is.
    pub(crate) stray: Option<String>,
    /// A request that took effect twice.
    pub(crate) doubled: Option<String>,
}

impl Oracle {
    /// Returns what is known about a partition, to be changed.
    pub(crate) fn known(&mut self, partition: PartitionId) -> &mut Known {
        self.partitions.entry(partition).or_default()
    }

    /// Returns what is known about a partition.
    pub(crate) fn about(&self, partition: PartitionId) -> Option<&Known> {
        self.partitions.get(&partition)
    }

    /// Takes note of the effects of records that are committed for the first time.
    pub(crate) fn name_effects(&mut self, partition: PartitionId, records: &[Record]) {
        let known = self.about(partition).map_or(0, |known| known.committed.len() as u64);
        for record in records.iter().filter(|record| record.position.offset.0 >= known) {
            let Entry::Update(update) = &record.entry else { continue };
            for effect in &update.effects {
                let name = effect.key.to_string();
                if !self.names.insert(name.clone()) {
                    self.reused_name.get_or_insert(format!("effect {name} of {} is not the first", record.position));
                }
            }
        }
    }

    /// Takes note of a crash: volatile partitions lose everything, as they may.
    pub(crate) fn crashed(&mut self) {
        self.partitions.retain(|partition, _| partition.lane == Lane::Persisted);
    }
}

impl Known {
    /// Notes a commit; what was committed before at the same offset stays, for comparison.
    pub(crate) fn commit(&mut self, record: &Record) {
        if record.position.offset.0 != self.committed.len() as u64 {
            return;
        }
        self.stray = self.stray.take().or_else(|| i11_records_stay_in_their_reign::stray(&self.model, record));
        self.doubled = self.doubled.take().or_else(|| i12_requests_take_effect_once::doubled(&self.model, record));
        self.committed.push(record.clone());
        self.model.apply(record);
        let Entry::Update(update) = &record.entry else { return };
        if let Some(reply) = &update.remembered {
            let place = (update.document.link.clone(), reply.key);
            self.effective.entry(place).or_default().push(record.position.offset);
        }
    }

    /// Returns the record that was committed at an offset.
    pub(crate) fn committed_at(&self, offset: Offset) -> Option<&Record> {
        self.committed.get(offset.0 as usize)
    }

    /// Returns the last committed record's place.
    pub(crate) fn committed_end(&self) -> Option<Position> {
        self.committed.last().map(|record| record.position)
    }

    /// Returns what a store holds that has applied everything through `applied`.
    pub(crate) fn model_at(&self, applied: Option<Position>) -> Model {
        let mut model = Model::default();
        let count = applied.map_or(0, |applied| applied.offset.0 as usize + 1);
        self.committed.iter().take(count).for_each(|record| model.apply(record));
        model
    }

    /// Notes that an answer named this record.
    pub(crate) fn acknowledge(&mut self, position: Position) {
        self.acknowledged = self.acknowledged.max(Some(position));
    }

    /// Returns the epoch of this node's record at `offset`, if its log reaches so far.
    pub(crate) fn own_epoch_at(&self, offset: Offset) -> Option<Epoch> {
        self.lineage.iter().rev().find(|(_, first)| *first <= offset).map(|(epoch, _)| *epoch)
    }

    /// Notes that this node's log has a record of a reign, perhaps its first.
    pub(crate) fn appended(&mut self, position: Position) {
        // What stands behind the cut from now on counts again.
        self.was_cut = self.was_cut.filter(|last| Some(position.offset) <= *last);
        if self.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            self.lineage.push((position.epoch, position.offset));
        }
    }

    /// Notes that the log says of a record that it is on the disk.
    pub(crate) fn persisted(&mut self, end: Position) {
        let is_cut = self.was_cut.is_some_and(|last| Some(end.offset) > last);
        if !is_cut && self.own_epoch_at(end.offset) == Some(end.epoch) {
            self.durable = self.durable.max(Some(end));
        }
    }

    /// Notes that this node's log ends with `after` now.
    pub(crate) fn cut(&mut self, after: Option<Position>) {
        let last = after.map(|after| after.offset);
        self.was_cut = Some(last);
        self.lineage.retain(|(_, first)| last.is_some_and(|last| *first <= last));
        self.durable = self.durable.filter(|durable| Some(durable.offset) <= last).or(after);
    }
}
