//! The other member of a partition with three members: it copies, promises, and sometimes reigns.
//!
//! It is as simple as a member can be. Its log never fails, and begins with the first record. Two of the three members
//! commit. The third one says nothing; it counts as holding every record that the peer has committed in a reign of its
//! own. Records that the peer neither copied nor ordered are not in its log; if only this node has them, the next reign
//! of the peer puts others in their places.

use std::ops::ControlFlow;
use std::sync::Arc;

use steward_model::update::{Entry, Record, RequestKey};
use steward_model::{Document, Epoch, Link, Offset, PartitionId, Position, codec};
use steward_protocol::replica::{Append, Lineage, LogOutline, Message};
use steward_storage::log::Log;

use crate::model::Model;
use crate::oracle::Known;

#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Its whole log.
    pub(crate) log: Vec<Record>,
    promised: Epoch,
    /// The epoch of its own reign, as long as it lasts.
    reign: Option<Epoch>,
    /// What it said and nobody delivered yet.
    pub(crate) said: Vec<Message>,
}

impl Peer {
    /// Returns its last record.
    pub(crate) fn last(&self) -> Option<Position> {
        self.log.last().map(|record| record.position)
    }

    /// Copies up to `count` records that the log of this node's reign `epoch` has on disk, and acknowledges them.
    pub(crate) fn copy(&mut self, partition: PartitionId, epoch: Epoch, log: &Log, known: &Known, count: usize) {
        if self.promised > epoch {
            return;
        }
        self.reign = None;
        // What this node does not have was displaced there.
        while let Some(last) = self.last()
            && known.own_epoch_at(last.offset) != Some(last.epoch)
        {
            self.log.pop();
        }
        for _ in 0..count {
            let from = Offset(self.log.len() as u64);
            match read_one(log, partition, from).or_else(|| known.committed_at(from).cloned()) {
                Some(record) if record.previous == self.last().map_or(Epoch::ZERO, |last| last.epoch) => {
                    self.log.push(record);
                }
                Some(_) | None => break,
            }
        }
        if let Some(through) = self.last().filter(|last| known.own_epoch_at(last.offset) == Some(last.epoch)) {
            let committed = known.committed_end().map(|end| end.offset);
            let through = Some(through);
            self.said.push(Message::Acknowledgement { epoch, through, committed, low: None, start: Offset(0) });
        }
    }

    /// Promises an epoch to whoever was named for it.
    pub(crate) fn promise(&mut self, epoch: Epoch) {
        if epoch >= self.promised {
            (self.promised, self.reign) = (epoch, None);
            let log = LogOutline { lineage: self.lineage(), last: self.last(), start: Offset(0) };
            self.said.push(Message::Promise { epoch, log });
        }
    }

    /// Returns which epoch began where.
    fn lineage(&self) -> Lineage {
        let mut entries: Vec<(Epoch, Offset)> = Vec::new();
        for Record { position, .. } in &self.log {
            if entries.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
                entries.push((position.epoch, position.offset));
            }
        }
        Lineage::from_entries(entries).expect("a log of reigns that follow one another")
    }

    /// Answers a candidate that adopts its log.
    pub(crate) fn hand_out(&mut self, epoch: Epoch, after: Option<Position>, count: usize) {
        let records = self.following(after, count);
        if self.promised == epoch && !records.is_empty() {
            self.said.push(Message::Records { epoch, after, records });
        }
    }

    /// Sends what it has behind `previous`, in its own reign.
    pub(crate) fn send(&mut self, previous: Option<Position>, count: usize, known: &Known) {
        let Some(epoch) = self.reign else { return };
        let records = self.following(previous, count);
        // What it has committed in its reign the third member holds as well; this node holds what both logs share, as far
        // as it is on its disk.
        let committed = known.decreed;
        let held = previous.min(known.durable).map(|held| held.offset);
        self.said.push(Message::Append(Append { epoch, previous, records, committed, low: committed.min(held) }));
    }

    fn following(&self, after: Option<Position>, count: usize) -> Vec<Arc<Record>> {
        let first = after.map_or(0, |after| after.offset.0 as usize + 1);
        self.log.iter().skip(first).take(count).cloned().map(Arc::new).collect()
    }

    /// Begins the reign for which the table names it.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        if epoch > self.promised {
            (self.promised, self.reign) = (epoch, Some(epoch));
            self.append(epoch, Entry::Marker);
        }
    }

    fn append(&mut self, epoch: Epoch, entry: Entry) {
        let previous = self.last().map_or(Epoch::ZERO, |last| last.epoch);
        let position = Position { epoch, offset: Offset(self.log.len() as u64) };
        let entry = match entry {
            Entry::Update(update) => Entry::Update(Box::new(update.placed(position))),
            entry @ (Entry::Marker | Entry::Forget { .. }) => entry,
        };
        self.log.push(Record { position, previous, entry });
    }

    /// Orders an update in its own reign: `make` is told the reign and the newest state. A request that it has carried out is
    /// not carried out again.
    pub(crate) fn order(
        &mut self,
        link: &Link,
        key: Option<RequestKey>,
        make: impl FnOnce(Option<&Document>, Epoch) -> Option<steward_model::update::Update>,
    ) {
        let Some(epoch) = self.reign else { return };
        let mut model = Model::default();
        self.log.iter().for_each(|record| model.apply(record));
        if key.is_some_and(|key| model.replies.contains_key(&(link.clone(), key))) {
            return;
        }
        if let Some(update) = make(model.document(link), epoch) {
            self.append(epoch, Entry::Update(Box::new(update)));
        }
    }

    /// Commits everything that it holds, if it reigns.
    pub(crate) fn decree(&self, known: &mut Known) -> bool {
        if self.reign.is_none() {
            return false;
        }
        self.log.iter().skip(known.committed.len()).for_each(|record| known.commit(record));
        known.decreed = self.last().map(|last| last.offset);
        true
    }

    /// Returns the last record that this node's log has as well; none: no record.
    pub(crate) fn shared_with(&self, known: &Known, end: Option<Position>) -> Option<Position> {
        let is_shared = |record: &&Record| {
            let Position { epoch, offset } = record.position;
            end.is_some_and(|end| offset <= end.offset) && known.own_epoch_at(offset) == Some(epoch)
        };
        self.log.iter().rev().find(is_shared).map(|record| record.position)
    }
}

fn read_one(log: &Log, partition: PartitionId, from: Offset) -> Option<Record> {
    let mut found = None;
    let mut visit = |_, frame: steward_storage::log::Frame| {
        found = codec::decode::<Record>(&frame.payload).ok();
        ControlFlow::Break(())
    };
    // What was trimmed is committed, and comes from there.
    log.read_records(partition, from, &mut visit).ok()?;
    found
}
