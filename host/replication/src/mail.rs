//! What the copies of a node want from others: messages to members, proposals and questions to the system group, records that
//! are read from the log on somebody's behalf.
//!
//! Steps only leave them here. Whoever drives the copies takes them: production sends them over the links between nodes and to
//! the system group, a simulation delivers them when it likes, or not at all. Messages may be lost, so what nobody takes is
//! dropped beyond a bound of number and bytes, the oldest first. Of requests and reads the newest takes the place of an older one
//! that asks for the same, so each copy has a few of them only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Mutex;

use steward_model::{Epoch, Moment, PartitionId};
use steward_protocol::replica::{Alteration, LogRead, Member, Message};

use crate::observer::unpoisoned;

/// Messages that wait to be taken, at most: a second of a busy node.
const LETTERS_MAX: usize = 1 << 16;

/// Bytes of records in messages that wait to be taken, at most. A larger message waits alone.
const LETTER_BYTES_MAX: usize = 64 << 20;

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

impl Request {
    /// Returns true if `self`, which nobody has taken yet, need not be asked once `newer` is.
    fn asks_for_the_same(&self, newer: &Request) -> bool {
        match (self, newer) {
            (Request::Alter(known), Request::Alter(newer)) => known.partition == newer.partition,
            (Request::MovePrimary { partition, .. }, Request::MovePrimary { partition: newer, .. }) => {
                partition == newer
            }
            // The answer for later reads of the same reign is one for all before them.
            (
                Request::ConfirmRow { partition, epoch, .. },
                Request::ConfirmRow { partition: newer, epoch: later, .. },
            ) => (partition, epoch) == (newer, later),
            (Request::Rebuild { .. }, Request::Rebuild { .. }) => self == newer,
            (
                Request::Alter(_) | Request::MovePrimary { .. } | Request::ConfirmRow { .. } | Request::Rebuild { .. },
                _,
            ) => false,
        }
    }
}

#[derive(Debug, Default)]
struct Boxes {
    letters: VecDeque<Letter>,
    /// Bytes of records in them.
    letter_bytes: usize,
    requests: VecDeque<Request>,
    reads: VecDeque<(PartitionId, LogRead)>,
    /// When which copy wants to be told that time has passed.
    deadlines: BTreeMap<PartitionId, Moment>,
    due: BTreeSet<(Moment, PartitionId)>,
}

impl Boxes {
    fn drop_letter(&mut self, at: usize) {
        if let Some(dropped) = self.letters.remove(at) {
            self.letter_bytes -= dropped.message.record_bytes();
        }
    }
}

/// The mail of a node: letters, requests and reads of all its copies.
#[derive(Debug, Default)]
pub struct Mail(Mutex<Boxes>);

impl Mail {
    pub(crate) fn send(&self, letter: Letter) {
        let bytes = letter.message.record_bytes();
        let mut boxes = unpoisoned(self.0.lock());
        let has_records = |letter: &Letter| letter.message.record_bytes() > 0;
        // Promises and confirmations need no room for records, and make none.
        while bytes > 0 && boxes.letter_bytes + bytes > LETTER_BYTES_MAX {
            let Some(oldest) = boxes.letters.iter().position(has_records) else { break };
            boxes.drop_letter(oldest);
        }
        if boxes.letters.len() >= LETTERS_MAX {
            boxes.drop_letter(0);
        }
        boxes.letter_bytes += bytes;
        boxes.letters.push_back(letter);
    }

    pub(crate) fn request(&self, request: Request) {
        let mut boxes = unpoisoned(self.0.lock());
        match boxes.requests.iter_mut().find(|known| known.asks_for_the_same(&request)) {
            Some(known) => *known = request,
            None => boxes.requests.push_back(request),
        }
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
        let mut boxes = unpoisoned(self.0.lock());
        boxes.letter_bytes = 0;
        boxes.letters.drain(..).collect()
    }

    /// Returns what is wanted of the system group, and takes it.
    pub fn take_requests(&self) -> Vec<Request> {
        unpoisoned(self.0.lock()).requests.drain(..).collect()
    }

    /// Returns when [`Partitions::tick`](crate::Partitions::tick) has something to do next.
    pub fn next_tick(&self) -> Option<Moment> {
        unpoisoned(self.0.lock()).due.first().map(|(at, _)| *at)
    }
}

impl std::fmt::Display for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}: {}", self.partition, self.to, self.message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use steward_model::update::{Entry, Record};
    use steward_model::{Boot, Lane, NodeId, Offset, Position};
    use steward_protocol::replica::Purpose;

    use super::*;

    fn read(after: u64, purpose: Purpose) -> LogRead {
        let epoch = Epoch { ownership: 1, ..Epoch::ZERO };
        let to = member(2);
        let after = Some(Position { epoch, offset: Offset(after) });
        LogRead { to, epoch, purpose, after, records_max: 3, bytes_max: 1 << 10 }
    }

    fn member(node: u32) -> Member {
        Member { node: NodeId(node), boot: Boot(1) }
    }

    fn partitions() -> impl Iterator<Item = PartitionId> {
        PartitionId::all(Lane::Persisted)
    }

    /// Returns a letter with so many records.
    fn letter(to: u32, records: usize) -> Letter {
        let position = Position { epoch: Epoch::ZERO, offset: Offset(0) };
        let marker = Arc::new(Record { position, previous: Epoch::ZERO, entry: Entry::Marker });
        let records = vec![marker; records];
        let message = Message::Records { epoch: Epoch::ZERO, after: None, records };
        Letter { partition: partitions().next().expect("there are partitions"), to: member(to), message }
    }

    #[test]
    fn letters_that_nobody_takes_are_bounded_in_bytes_and_the_oldest_goes_first() {
        let mail = Mail::default();
        let bytes = letter(0, 1).message.record_bytes();
        let half = LETTER_BYTES_MAX / 2 / bytes;
        let to = |mail: &Mail| mail.take_letters().iter().map(|letter| letter.to.node.0).collect::<Vec<_>>();
        (1..=4).for_each(|number| mail.send(letter(number, half)));
        assert_eq!(to(&mail), [3, 4]);
        (1..=2).for_each(|number| mail.send(letter(number, half)));
        assert_eq!(to(&mail), [1, 2], "what was taken counts no more");
        mail.send(letter(1, half));
        mail.send(letter(2, 4 * half));
        assert_eq!(to(&mail), [2], "a large one waits alone");
        mail.send(letter(1, half));
        mail.send(letter(2, 0));
        assert_eq!(to(&mail), [1, 2], "one without records needs no room");
        mail.send(letter(1, 0));
        (2..=4).for_each(|number| mail.send(letter(number, half)));
        assert_eq!(to(&mail), [1, 3, 4], "nor does it make any");
    }

    #[test]
    fn a_newer_request_for_the_same_takes_the_place_of_one_that_nobody_has_taken() {
        let mail = Mail::default();
        let [one, other] = [0, 1].map(|number| partitions().nth(number).expect("there are partitions"));
        let epoch = Epoch { ownership: 1, ..Epoch::ZERO };
        let confirm = |partition, through| Request::ConfirmRow { partition, epoch, through };
        let rebuild = |node| Request::Rebuild { partition: one, member: member(node) };
        let asked = [confirm(one, 1), rebuild(1), confirm(other, 1), rebuild(2), confirm(one, 2), rebuild(1)];
        asked.into_iter().for_each(|request| mail.request(request));
        assert_eq!(mail.take_requests(), [confirm(one, 2), rebuild(1), confirm(other, 1), rebuild(2)]);
        let later = Request::ConfirmRow { partition: one, epoch: epoch.next_ownership(), through: 3 };
        mail.request(confirm(one, 2));
        mail.request(later.clone());
        assert_eq!(mail.take_requests(), [confirm(one, 2), later], "each reign is asked about");
    }

    #[test]
    fn what_is_wanted_of_the_log_again_is_read_once() {
        let mail = Mail::default();
        let partition = partitions().next().expect("there are partitions");
        mail.read(partition, read(1, Purpose::Feed));
        mail.read(partition, read(7, Purpose::Adoption));
        mail.read(partition, read(4, Purpose::Feed));
        assert_eq!(mail.next_read(), Some((partition, read(4, Purpose::Feed))));
        assert_eq!(mail.next_read(), Some((partition, read(7, Purpose::Adoption))));
        assert_eq!(mail.next_read(), None);
    }
}
