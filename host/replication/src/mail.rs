//! What the copies of a node want from others: messages to members, proposals and questions to the system group, records that
//! are read from the log on somebody's behalf.
//!
//! Steps only leave them here. Whoever drives the copies takes them: production sends them over the links between nodes and to
//! the system group, a simulation delivers them when it likes, or not at all. Messages may be lost, so what nobody takes is
//! dropped beyond a bound, the oldest first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use steward_model::{Epoch, Moment, PartitionId};
use steward_protocol::replica::{Alteration, LogRead, Member, Message};

use crate::observer::unpoisoned;

/// Messages that wait to be taken, at most: a second of a busy node.
const LETTERS_MAX: usize = 1 << 16;

/// A message of one copy of a partition to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The partition that both are copies of.
    pub partition: PartitionId,
    /// Who shall have it; another boot of the node must not.
    pub to: Member,
    /// The message.
    pub message: Message,
}

/// Something for the system group, or for whoever makes copies anew.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Propose a change of a row.
    Alter(Alteration),
    /// Propose another primary, if the row still has this epoch.
    MovePrimary {
        /// The partition that is handed on.
        partition: PartitionId,
        /// The reign that gives up.
        epoch: Epoch,
        /// Who shall reign next.
        to: Member,
    },
    /// Ask by a linearizable read whether the row still has this epoch, and tell the partition if it has.
    ConfirmRow {
        /// The partition of the row.
        partition: PartitionId,
        /// The epoch that it had.
        epoch: Epoch,
        /// The last read that came before the question.
        through: u64,
    },
    /// A copy lacks more than the log has: it has to be made anew.
    Rebuild {
        /// The partition of the copy.
        partition: PartitionId,
        /// Whose copy it is.
        member: Member,
    },
}

#[derive(Debug, Default)]
struct Boxes {
    letters: VecDeque<Letter>,
    requests: VecDeque<Request>,
    reads: VecDeque<(PartitionId, LogRead)>,
    /// When which copy wants to be told that time has passed.
    deadlines: BTreeMap<PartitionId, Moment>,
    due: BTreeSet<(Moment, PartitionId)>,
}

/// See the head of this module.
#[derive(Debug, Default)]
pub struct Mail(Mutex<Boxes>);

impl Mail {
    pub(crate) fn send(&self, letter: Letter) {
        let mut boxes = unpoisoned(self.0.lock());
        if boxes.letters.len() >= LETTERS_MAX {
            boxes.letters.pop_front();
        }
        boxes.letters.push_back(letter);
    }

    pub(crate) fn request(&self, request: Request) {
        unpoisoned(self.0.lock()).requests.push_back(request);
    }

    pub(crate) fn read(&self, partition: PartitionId, read: LogRead) {
        let mut boxes = unpoisoned(self.0.lock());
        // Asked again, it takes the place of the question before: whoever is slow to read must not read everything twice.
        let same = |(of, known): &mut (PartitionId, LogRead)| {
            *of == partition && known.to.node == read.to.node && known.purpose == read.purpose
        };
        match boxes.reads.iter_mut().find_map(|known| same(known).then_some(&mut known.1)) {
            Some(known) => *known = read,
            None => boxes.reads.push_back((partition, read)),
        }
    }

    pub(crate) fn next_read(&self) -> Option<(PartitionId, LogRead)> {
        unpoisoned(self.0.lock()).reads.pop_front()
    }

    pub(crate) fn wake_at(&self, partition: PartitionId, deadline: Option<Moment>) {
        let mut boxes = unpoisoned(self.0.lock());
        let before = match deadline {
            Some(at) => boxes.deadlines.insert(partition, at),
            None => boxes.deadlines.remove(&partition),
        };
        if let Some(before) = before {
            boxes.due.remove(&(before, partition));
        }
        boxes.due.extend(deadline.map(|at| (at, partition)));
    }

    /// Returns the copies that want to be told by `now` that time has passed; each is returned once.
    pub(crate) fn take_due(&self, now: Moment) -> Vec<PartitionId> {
        let mut boxes = unpoisoned(self.0.lock());
        let mut due = Vec::new();
        while let Some(first) = boxes.due.first().copied().filter(|(at, _)| *at <= now) {
            boxes.due.remove(&first);
            boxes.deadlines.remove(&first.1);
            due.push(first.1);
        }
        due
    }

    /// Returns the messages to other members, in the order in which they were left, and takes them.
    pub fn take_letters(&self) -> Vec<Letter> {
        unpoisoned(self.0.lock()).letters.drain(..).collect()
    }

    /// Returns what is wanted of the system group, and takes it.
    pub fn take_requests(&self) -> Vec<Request> {
        unpoisoned(self.0.lock()).requests.drain(..).collect()
    }

    /// Returns when [`Partitions::tick`](crate::Partitions::tick) has something to do next.
    pub fn next_tick(&self) -> Option<Moment> {
        unpoisoned(self.0.lock()).due.first().map(|(at, _)| *at)
    }

    /// Returns true if records wait to be read from the log.
    pub fn has_reads(&self) -> bool {
        !unpoisoned(self.0.lock()).reads.is_empty()
    }
}

impl std::fmt::Display for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}: {}", self.partition, self.to, self.message)
    }
}

#[cfg(test)]
mod tests {
    use steward_model::{Boot, Lane, NodeId, Offset, Position};
    use steward_protocol::replica::Purpose;

    use super::*;

    fn read(after: u64, purpose: Purpose) -> LogRead {
        let epoch = Epoch { ownership: 1, ..Epoch::ZERO };
        let to = Member { node: NodeId(2), boot: Boot(1) };
        let after = Some(Position { epoch, offset: Offset(after) });
        LogRead { to, epoch, purpose, after, records_max: 3, bytes_max: 1 << 10 }
    }

    #[test]
    fn what_is_wanted_of_the_log_again_is_read_once() {
        let mail = Mail::default();
        let partition = PartitionId::all(Lane::Persisted).next().expect("there are partitions");
        mail.read(partition, read(1, Purpose::Feed));
        mail.read(partition, read(7, Purpose::Adoption));
        mail.read(partition, read(4, Purpose::Feed));
        assert_eq!(mail.next_read(), Some((partition, read(4, Purpose::Feed))));
        assert_eq!(mail.next_read(), Some((partition, read(7, Purpose::Adoption))));
        assert_eq!(mail.next_read(), None);
    }
}
