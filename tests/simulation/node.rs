//! A running node: replicas, and the hands that carry out their effects.
//!
//! The hands of the real node have threads and a clock; these are as short as a driver can be, and a mutation makes one
//! of them break a rule, to show that the invariants notice.

use std::collections::{BTreeMap, VecDeque};

use steward_model::update::{Entry, Record};
use steward_model::{Document, Epoch, Lane, Link, Moment, Offset, PartitionId, Position};
use steward_protocol::replica::{Effect, Event, Member, OpenError, Replica};

use crate::log::{Durable, Found, Log, Report};
use crate::oracle::Oracle;
use crate::store::Store;

/// A rule that is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// The client is told before the commit.
    AcknowledgedBeforeCommit,
    /// The replica is told that a record is durable before it is.
    ReportedBeforeSync,
    /// The replica is told that a promise is durable before it is.
    PromiseReportedBeforeSync,
    /// The state store gets records that are not committed.
    AppliedBeforeCommit,
    /// A restart does not find the last promise.
    PromiseForgotten,
    /// A checkpoint releases promises that it does not repeat.
    PromiseTrimmed,
    /// A restart drops a durable record, as if its tail were torn.
    TailDropped,
    /// A restart finds a state store whose documents are ahead of its mark.
    UnequalBatches,
    /// A restarted node is named for the reign it had.
    BootResumesRole,
}

/// Something that invariants look at, besides the state of the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// A replica was opened.
    Opened { partition: PartitionId, found: Found, durable: Durable, has_tail: bool },
    /// A reign began with a marker, while this promise was on disk.
    MarkerAppended { partition: PartitionId, epoch: Epoch, promised_on_disk: Epoch },
    /// Records were committed in a reign, while the log was on disk up to there.
    Committed { partition: PartitionId, through: Offset, records: Vec<Record>, end_on_disk: Option<Position> },
    /// A reign became active.
    Activated { partition: PartitionId, epoch: Epoch, committed: Option<Offset>, is_first: bool },
    /// A reign ended, while so many updates were under way.
    SteppedDown { partition: PartitionId, under_way: usize },
    /// The state store took records.
    Applied { partition: PartitionId },
}

/// The parts of a world that a replica's effects reach.
pub(crate) struct Surroundings<'a> {
    pub(crate) log: &'a mut Log,
    pub(crate) oracle: &'a mut Oracle,
    pub(crate) facts: &'a mut Vec<Fact>,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) now: Moment,
}

/// One replica and what its driver keeps for it.
pub(crate) struct Copy {
    pub(crate) replica: Replica,
    /// Appended, not committed.
    uncommitted: VecDeque<Record>,
    /// Committed, not applied.
    pub(crate) unapplied: VecDeque<Record>,
    /// The newest version of each document that was changed, committed or not.
    newest: BTreeMap<Link, Document>,
    /// Updates whose clients wait.
    waiting: VecDeque<Offset>,
}

/// The replicas of one process start.
pub(crate) struct Node {
    pub(crate) copies: BTreeMap<PartitionId, Copy>,
    /// What is durable and was not told yet.
    pub(crate) reports: VecDeque<Report>,
}

impl Copy {
    /// Opens the copy from what log and state store have.
    pub(crate) fn open(own: Member, partition: PartitionId, found: &Found, store: &Store) -> Result<Copy, OpenError> {
        let applied = store.now.applied;
        let is_unapplied = |record: &&Record| Some(record.position.offset) > applied.map(|applied| applied.offset);
        let tail: VecDeque<Record> = found.records.iter().filter(is_unapplied).cloned().collect();
        let mut newest = store.now.documents.clone();
        for record in &tail {
            remember(&mut newest, record);
        }
        let replica = Replica::open(own, partition, found.recovered(applied))?;
        Ok(Copy { replica, uncommitted: tail, unapplied: VecDeque::new(), newest, waiting: VecDeque::new() })
    }

    /// Returns the newest version of a document, if it exists.
    pub(crate) fn newest(&self, link: &Link) -> Option<&Document> {
        self.newest.get(link)
    }

    /// Returns true if records wait for a commit.
    pub(crate) fn has_tail(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    /// Returns how many clients wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Lets a client wait for the update at `offset`.
    pub(crate) fn wait_for(&mut self, offset: Offset, around: &mut Surroundings<'_>) {
        if around.mutation == Some(Mutation::AcknowledgedBeforeCommit) {
            let known = around.oracle.known(self.replica.partition());
            known.acknowledged = known.acknowledged.max(Some(offset));
        }
        self.waiting.push_back(offset);
    }

    /// Tells the replica of an event and carries out everything that follows from it.
    pub(crate) fn handle(&mut self, event: Event, around: &mut Surroundings<'_>) {
        let mut effects = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.replica.handle(around.now, event, &mut effects);
            for effect in effects.drain(..) {
                events.extend(self.carry_out(effect, around));
            }
        }
    }

    /// Carries out one effect and returns what the replica has to be told at once.
    fn carry_out(&mut self, effect: Effect, around: &mut Surroundings<'_>) -> Option<Event> {
        match effect {
            Effect::PersistPromise(epoch) => self.persist_promise(epoch, around),
            Effect::Persist(record) => self.persist(record, around),
            Effect::Commit { through } => {
                self.commit(through, around);
                None
            }
            Effect::Activated(epoch) => {
                let (partition, committed) = (self.replica.partition(), self.replica.committed());
                let is_first = around.oracle.known(partition).activated.insert(epoch);
                around.facts.push(Fact::Activated { partition, epoch, committed, is_first });
                None
            }
            // Clients of updates under way go on waiting: a later reign commits what they wait for, or nobody does.
            Effect::SteppedDown { .. } => {
                let (partition, under_way) = (self.replica.partition(), self.waiting.len());
                around.facts.push(Fact::SteppedDown { partition, under_way });
                None
            }
        }
    }

    fn persist_promise(&mut self, epoch: Epoch, around: &mut Surroundings<'_>) -> Option<Event> {
        let partition = self.replica.partition();
        if partition.lane == Lane::Volatile {
            return Some(Event::PromisePersisted(epoch));
        }
        around.log.append_promise(partition, epoch).expect("the log takes a promise");
        (around.mutation == Some(Mutation::PromiseReportedBeforeSync)).then_some(Event::PromisePersisted(epoch))
    }

    fn persist(&mut self, record: Record, around: &mut Surroundings<'_>) -> Option<Event> {
        let (partition, position) = (self.replica.partition(), record.position);
        let is_volatile = partition.lane == Lane::Volatile;
        if let Entry::Marker = record.entry {
            let on_disk = if is_volatile { position.epoch } else { around.log.durable(partition).promised };
            around.facts.push(Fact::MarkerAppended { partition, epoch: position.epoch, promised_on_disk: on_disk });
        }
        remember(&mut self.newest, &record);
        if !is_volatile {
            around.log.append_record(partition, &record).expect("the log takes a record");
        }
        self.uncommitted.push_back(record);
        let is_reported = is_volatile || around.mutation == Some(Mutation::ReportedBeforeSync);
        is_reported.then_some(Event::Persisted(position))
    }

    fn commit(&mut self, through: Offset, around: &mut Surroundings<'_>) {
        let partition = self.replica.partition();
        let count = self.uncommitted.iter().take_while(|record| record.position.offset <= through).count();
        let records: Vec<Record> = self.uncommitted.drain(..count).collect();
        let end_on_disk = match partition.lane {
            Lane::Persisted => around.log.durable(partition).end,
            Lane::Volatile => self.replica.end(),
        };
        let known = around.oracle.known(partition);
        records.iter().for_each(|record| known.commit(record));
        while self.waiting.front().is_some_and(|offset| *offset <= through) {
            known.acknowledged = known.acknowledged.max(self.waiting.pop_front());
        }
        self.unapplied.extend(records.iter().cloned());
        if around.mutation == Some(Mutation::AppliedBeforeCommit) {
            self.unapplied.extend(self.uncommitted.iter().cloned());
        }
        around.facts.push(Fact::Committed { partition, through, records, end_on_disk });
    }
}

fn remember(newest: &mut BTreeMap<Link, Document>, record: &Record) {
    if let Entry::Update(update) = &record.entry {
        newest.insert(update.document.link.clone(), update.document.clone());
    }
}
