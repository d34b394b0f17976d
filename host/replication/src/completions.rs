//! Groups that the log has made durable, and that the partitions have not been told of yet.
//!
//! The log's writer only leaves a note here and goes on with the next group. It takes no lock that somebody holds while
//! a decision is made. A step turns the notes into messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use steward_model::{Epoch, Lsn, PartitionId, Position};
use steward_storage::log::{self, Listener};

use crate::observer::{Observer, unpoisoned};
use crate::partition::Message;

/// One group of the log.
#[derive(Debug)]
struct Group {
    through: Lsn,
    /// The last record of each partition in it.
    ends: Vec<(PartitionId, Position)>,
}

#[derive(Debug, Default)]
struct Notes {
    groups: VecDeque<Group>,
    /// Promises on their way, in the order of their places.
    promises: VecDeque<(Lsn, PartitionId, Epoch)>,
    /// The last place that is known to be on disk.
    through: Lsn,
}

/// Groups of the log that are on the disk, and promises that wait for theirs.
#[derive(Debug, Default)]
pub struct Completions {
    notes: Mutex<Notes>,
}

impl Completions {
    /// Takes note that the log has taken a promise at `lsn`. The writer may have been quicker than the caller: then the next
    /// step finds it.
    pub(crate) fn expect_promise(&self, lsn: Lsn, partition: PartitionId, epoch: Epoch) {
        let mut notes = unpoisoned(self.notes.lock());
        let place = notes.promises.partition_point(|(other, ..)| *other <= lsn);
        notes.promises.insert(place, (lsn, partition, epoch));
    }

    fn group(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        let mut notes = unpoisoned(self.notes.lock());
        notes.groups.push_back(Group { through, ends: ends.to_vec() });
    }

    /// Returns the messages of the next group: promises first, for a record of a reign follows its promise. Returns none if
    /// nothing has become durable.
    pub(crate) fn next(&self) -> Option<Vec<(PartitionId, Message)>> {
        let mut notes = unpoisoned(self.notes.lock());
        let group = notes.groups.pop_front();
        notes.through = group.as_ref().map_or(notes.through, |group| group.through);
        let mut messages = Vec::new();
        let through = notes.through;
        while let Some((_, partition, epoch)) = notes.promises.pop_front_if(|(lsn, ..)| *lsn <= through) {
            messages.push((partition, Message::PromisePersisted(epoch)));
        }
        let ends = group.map(|group| group.ends).unwrap_or_default();
        messages.extend(ends.into_iter().map(|(partition, end)| (partition, Message::Persisted { end, through })));
        (!messages.is_empty() || !notes.groups.is_empty()).then_some(messages)
    }
}

/// Listens to the log's writer.
pub struct DurabilityListener {
    completions: Arc<Completions>,
    observer: Arc<dyn Observer>,
}

impl DurabilityListener {
    /// Returns a listener that leaves notes in `completions` and tells `observer` that there are some.
    pub fn new(completions: Arc<Completions>, observer: Arc<dyn Observer>) -> DurabilityListener {
        DurabilityListener { completions, observer }
    }

    /// Leaves a note and tells nobody: the caller steps next.
    pub fn note(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.completions.group(through, ends);
    }
}

impl Listener for DurabilityListener {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.note(through, ends);
        self.observer.step_wanted();
    }

    fn failed(&self, error: &log::writer::Error) {
        self.observer.log_failed(error);
    }
}

#[cfg(test)]
mod tests {
    use steward_model::{Lane, Offset};

    use super::*;

    fn partition() -> PartitionId {
        PartitionId::all(Lane::Persisted).next().expect("there are partitions")
    }

    #[test]
    fn a_promise_that_is_noted_late_is_found_by_the_next_step() {
        let completions = Completions::default();
        let epoch = Epoch::ZERO.next_ownership();
        completions.group(Lsn(7), &[]);
        assert!(completions.next().is_none());
        completions.expect_promise(Lsn(7), partition(), epoch);
        let messages = completions.next().expect("it is on disk");
        assert!(matches!(messages[..], [(_, Message::PromisePersisted(found))] if found == epoch));
        assert!(completions.next().is_none());
    }

    #[test]
    fn promises_come_before_the_records_of_their_group() {
        let completions = Completions::default();
        let epoch = Epoch::ZERO.next_ownership();
        completions.expect_promise(Lsn(3), partition(), epoch);
        completions.expect_promise(Lsn(9), partition(), epoch.next_ownership());
        completions.group(Lsn(4), &[(partition(), Position { epoch, offset: Offset(0) })]);
        let messages = completions.next().expect("a group is on disk");
        assert!(matches!(messages[..], [(_, Message::PromisePersisted(_)), (_, Message::Persisted { .. })]));
        assert!(completions.next().is_none(), "the other promise is on its way");
    }
}
