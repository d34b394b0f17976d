//! What must be true from now on in a group: every record that was ever committed, and what each disk promised.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::update::{Change, Entry, Record, RememberedReply, RequestId};
use steward_model::{Document, Epoch, Lane, Link, Offset, PartitionId, Position};
use steward_storage::digest::Digest;

use crate::oracle::Known;
use crate::requests::Request;
use crate::tasks::place;

/// What is known about one partition.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// What was committed, what it makes, and what is wrong with it.
    pub(crate) known: Known,
    /// In which epoch each record was committed first.
    by: Vec<Epoch>,
    active: BTreeSet<Epoch>,
    /// The highest promise that each site has called durable.
    pub(crate) promised: BTreeMap<usize, Epoch>,
    /// Lineage and root of the first store that was seen to hold everything through a position.
    pub(crate) states: BTreeMap<Position, StoreState>,
}

/// Which epoch began where, as a store has it, and the root of its digest.
pub(crate) type StoreState = (Vec<(Epoch, Offset)>, Digest);

#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// By loss number: what was only in memory begins anew when all of it is gone.
    partitions: BTreeMap<(PartitionId, u16), Ledger>,
}

/// What a read must show: so many records of the partition, as it was in an epoch of this loss number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Through {
    pub(crate) epoch: Epoch,
    pub(crate) records: usize,
}

impl Oracle {
    /// Returns what is known about a partition while it has the loss number of `epoch`, to be changed.
    pub(crate) fn of(&mut self, partition: PartitionId, epoch: Epoch) -> &mut Ledger {
        self.partitions.entry((partition, epoch.loss)).or_default()
    }

    /// Returns what is known about a partition while it has the loss number of `epoch`.
    pub(crate) fn about(&self, partition: PartitionId, epoch: Epoch) -> Option<&Ledger> {
        self.partitions.get(&(partition, epoch.loss))
    }

    /// Returns what a read must show that begins now where `epoch` is known: everything that is committed by now.
    pub(crate) fn begins_to_read(&self, link: &Link, epoch: Epoch) -> Through {
        let records = self.about(place(link), epoch).map_or(0, |ledger| ledger.known.committed.len());
        Through { epoch, records }
    }

    /// Takes note that a process has ended that had promised in memory.
    pub(crate) fn forget_promises(&mut self, site: usize) {
        let volatile = self.partitions.iter_mut().filter(|((partition, _), _)| partition.lane == Lane::Volatile);
        for (_, ledger) in volatile {
            ledger.promised.remove(&site);
        }
    }

    /// I10: what was read is the state after some record, and not before the ones that were committed when it began.
    pub(crate) fn judge_read(&self, link: &Link, found: Option<&Document>, begins: Through) -> Result<(), String> {
        self.judge_state(link, found, begins, "i10_")
    }

    /// I17, and the statement `name`: what is shown is the state of a document after some committed record, and not before the first
    /// records of them.
    pub(crate) fn judge_state(
        &self,
        link: &Link,
        found: Option<&Document>,
        Through { epoch, records: through }: Through,
        name: &str,
    ) -> Result<(), String> {
        let nothing = Ledger::default();
        let ledger = self.about(place(link), epoch).unwrap_or(&nothing);
        let last = ledger.last_state(link, through, |_| true);
        let Some(document) = found else {
            // Only a tombstone that was forgotten leaves nothing.
            let forgotten = ledger.known.model.forgotten.get(link).copied();
            return match last.filter(|last| Some(last.offset) > forgotten) {
                Some(last) => Err(format!("{name} {link} is read as absent, {last} was committed before")),
                None => Ok(()),
            };
        };
        let at = Position { epoch: document.epoch, offset: document.offset };
        let removed = ledger.removed(link, through).filter(|removed| at < *removed && !document.is_tombstone());
        if let Some(removed) = removed {
            return Err(format!("i17_ {link} is read as of {at}, it was deleted at {removed}"));
        }
        let is_committed = ledger.known.committed_at(at.offset).is_some_and(|record| record.position == at);
        match is_committed && Some(at) >= last {
            true => Ok(()),
            false => Err(format!("{name} {link} is read at {at}, committed: {is_committed}, last before {last:?}")),
        }
    }

    /// I2: an answer names a committed record of that very request.
    pub(crate) fn judge_answer(&self, partition: PartitionId, at: Position, request: &Request) -> Result<(), String> {
        let record = self.about(partition, at.epoch).and_then(|ledger| ledger.known.committed_at(at.offset));
        let is_it = |entry: &Entry| matches!(entry, Entry::Update(update) if update.document.link == request.link && update.request == RequestId::of(&request.name));
        match record.is_some_and(|record| record.position == at && is_it(&record.entry)) {
            true => Ok(()),
            false => Err(format!("i02_ {request:?} was acknowledged at {at}, committed there is {record:?}")),
        }
    }

    /// I12: a repeat is told what was committed, and the first answer.
    pub(crate) fn judge_repeat(
        &self,
        partition: PartitionId,
        request: &Request,
        reply: &RememberedReply,
        first: Option<Position>,
    ) -> Result<(), String> {
        let ledger = self.about(partition, reply.at.epoch);
        let record = ledger.and_then(|ledger| ledger.known.committed_at(reply.at.offset));
        let is_it = |entry: &Entry| matches!(entry, Entry::Update(update) if update.remembered.as_ref() == Some(reply));
        if !record.is_some_and(|record| is_it(&record.entry)) {
            return Err(format!("i12_ {request:?} is told {reply:?}, committed there is {record:?}"));
        }
        // A node that was removed may still have what others have begun anew without.
        match first.is_some_and(|first| first.epoch.loss == reply.at.epoch.loss && first > reply.at) {
            true => Err(format!("i12_ {request:?} is told {}, and was told {first:?} before", reply.at)),
            false => Ok(()),
        }
    }
}

/// Returns true if a change leaves another state than there was.
fn makes_state(change: Change) -> bool {
    match change {
        Change::NewVersion | Change::Renewal => true,
        Change::None => false,
    }
}

impl Ledger {
    /// Returns the last of the first `through` records that made a state of a document of which `is_meant` holds.
    fn last_state(&self, link: &Link, through: usize, is_meant: impl Fn(&Document) -> bool) -> Option<Position> {
        let committed = &self.known.committed;
        let makes_it = |record: &&Record| match &record.entry {
            Entry::Update(update) => {
                update.document.link == *link && makes_state(update.change) && is_meant(&update.document)
            }
            Entry::Marker | Entry::Forget { .. } => false,
        };
        committed[..through.min(committed.len())].iter().rev().find(makes_it).map(|record| record.position)
    }

    /// Returns the newest reign that has become active.
    pub(crate) fn last_active(&self) -> Option<Epoch> {
        self.active.last().copied()
    }

    /// Returns the last of the first `through` records that deleted a document.
    pub(crate) fn removed(&self, link: &Link, through: usize) -> Option<Position> {
        self.last_state(link, through, Document::is_tombstone)
    }

    /// I1, I11, I12: takes note of what a site has committed, in a reign of its own or in another's.
    pub(crate) fn commit(&mut self, records: &[Record], reign: Option<Epoch>) -> Result<(), String> {
        // Whoever heard of it may be looked at before the reign that did it. That one is not below the last of the records:
        // what follows them in the log was ordered by it, or by a later one.
        let last = records.last().map(|record| record.position.epoch);
        let by = reign.or(last).unwrap_or_default();
        for record in records {
            let offset = record.position.offset.0 as usize;
            match self.known.committed.get(offset) {
                Some(first) if first == record => {}
                Some(first) => {
                    return Err(format!("i01_ {record:?} is committed in {by}, and before there was {first:?}"));
                }
                None if offset == self.known.committed.len() => {
                    self.known.commit(record);
                    self.by.push(by);
                }
                None => return Err(format!("i01_ {} is committed without those before it", record.position)),
            }
        }
        let strays = [("i11_", &self.known.stray), ("i12_", &self.known.doubled)];
        let wrong = strays.iter().find_map(|(name, stray)| stray.as_ref().map(|stray| format!("{name} {stray}")));
        wrong.map_or(Ok(()), Err)
    }

    /// I3, I2: an epoch is active once, with everything that earlier ones have committed.
    pub(crate) fn activate(&mut self, epoch: Epoch, committed: Option<Offset>) -> Result<(), String> {
        if !self.active.insert(epoch) {
            return Err(format!("i03_ epoch {epoch} is active for the second time"));
        }
        let held = committed.map_or(0, |offset| offset.0 as usize + 1);
        let missed = self.by.iter().enumerate().skip(held).find(|(_, by)| **by < epoch);
        match missed {
            Some((offset, by)) => {
                Err(format!("i02_ epoch {epoch} is active through {committed:?}, {by} has committed {offset}"))
            }
            None => Ok(()),
        }
    }

    /// I3: a start finds every promise that was called durable.
    pub(crate) fn opened(&mut self, site: usize, promised: Epoch) -> Result<(), String> {
        let given = self.promised.get(&site).copied().unwrap_or_default();
        match promised < given {
            true => Err(format!("i03_ node {} finds the promise {promised}, and gave {given}", site + 1)),
            false => Ok(()),
        }
    }
}
