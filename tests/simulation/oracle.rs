//! What the outside knows: which updates clients were told of, and what was ever committed.
//!
//! The oracle never asks a replica what is true. It writes down what replicas decided when they did, and the invariants
//! compare later decisions with that.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::update::Record;
use steward_model::{Epoch, Lane, Offset, PartitionId};

use crate::store::Contents;

/// What is known about all partitions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    partitions: BTreeMap<PartitionId, Known>,
}

/// What is known about one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The first record that was committed at each offset.
    pub(crate) committed: BTreeMap<Offset, Record>,
    /// The last offset of which a client was told.
    pub(crate) acknowledged: Option<Offset>,
    /// The highest promise that the replica was told is durable.
    pub(crate) promised: Epoch,
    /// Reigns that have become active.
    pub(crate) activated: BTreeSet<Epoch>,
}

impl Oracle {
    pub(crate) fn known(&mut self, partition: PartitionId) -> &mut Known {
        self.partitions.entry(partition).or_default()
    }

    pub(crate) fn about(&self, partition: PartitionId) -> Option<&Known> {
        self.partitions.get(&partition)
    }

    /// Takes note of a crash: volatile partitions lose everything, as they may.
    pub(crate) fn crashed(&mut self) {
        self.partitions.retain(|partition, _| partition.lane == Lane::Persisted);
    }
}

impl Known {
    /// Notes a commit; what was committed before at the same offset stays, for comparison.
    pub(crate) fn commit(&mut self, record: &Record) {
        self.committed.entry(record.position.offset).or_insert_with(|| record.clone());
    }

    /// Returns what a state store holds that has applied everything through `offset`.
    pub(crate) fn state_at(&self, offset: Option<Offset>) -> Contents {
        let mut contents = Contents::default();
        if let Some(offset) = offset {
            self.committed.range(..=offset).for_each(|(_, record)| contents.apply(record));
        }
        contents
    }
}
