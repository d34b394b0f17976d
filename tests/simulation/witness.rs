//! Writes down what the driver reports, in the order in which it happens.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_model::update::Record;
use steward_model::{Epoch, Lsn, Offset, PartitionId, Position};
use steward_protocol::replica::{Effect, Event};
use steward_replication::completions::DurabilityListener;
use steward_replication::{Fact, Fatal, Observer};
use steward_storage::log::{FaultyDisk, Listener, writer};

/// Something that happened to a copy of a partition.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// An update was taken.
    Proposed(Position),
    /// A reign began with its marker; the highest promise that every crash would leave was this one.
    MarkerAppended { position: Position, promised_on_disk: Epoch },
    /// A record of another member's reign was appended.
    Copied(Position),
    /// Records were committed, by this reign of the copy, or by another member's.
    Committed { through: Offset, records: Vec<Record>, reign: Option<Epoch> },
    /// The copy serves.
    Activated(Epoch),
    /// It serves no longer; so many waited.
    SteppedDown { under_way: usize },
    /// The end of the log was cut off.
    Truncated { after: Option<Position>, records: usize },
    /// The store took records.
    Applied { through: Option<Position> },
    /// The copy was made anew.
    MadeAnew { at: Option<Position> },
    /// The store refused them.
    Refused,
    /// The log said that records are on the disk, and they were, or not.
    Persisted { end: Position, is_synced: bool },
}

#[derive(Default)]
struct Notes {
    notes: Vec<(PartitionId, Note)>,
    trace: Option<Vec<String>>,
    fatal: Option<String>,
}

pub(crate) struct Witness {
    disk: FaultyDisk,
    notes: Mutex<Notes>,
}

impl Witness {
    /// Returns a witness of a node with this disk, who writes a trace too if `traced`.
    pub(crate) fn new(disk: FaultyDisk, traced: bool) -> Witness {
        let notes = Notes { trace: traced.then(Vec::new), ..Notes::default() };
        Witness { disk, notes: Mutex::new(notes) }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, partition: PartitionId, note: Note) {
        self.lock().notes.push((partition, note));
    }

    /// Adds what happened to `partition` to the trace, in the words of the log lines of production.
    fn say(&self, partition: PartitionId, words: &dyn Display) {
        if let Some(trace) = &mut self.lock().trace {
            trace.push(format!("    {partition} {words}"));
        }
    }

    /// Returns what was noted since the last time, and the lines of it for the trace.
    pub(crate) fn take(&self) -> (Vec<(PartitionId, Note)>, Vec<String>) {
        let mut notes = self.lock();
        let trace = notes.trace.as_mut().map(std::mem::take).unwrap_or_default();
        (std::mem::take(&mut notes.notes), trace)
    }

    /// Returns why the node must stop at once, if it must.
    pub(crate) fn fatal(&self) -> Option<String> {
        self.lock().fatal.clone()
    }
}

impl Observer for Witness {
    fn observed(&self, partition: PartitionId, fact: &Fact<'_>) {
        let end = |records: &[Record]| records.last().map(|record| record.position);
        let note = match fact {
            Fact::Proposed(position) => Note::Proposed(*position),
            Fact::MarkerAppended(position) => {
                let promised_on_disk = crate::node::promised_on(&self.disk.lasting(), partition);
                Note::MarkerAppended { position: *position, promised_on_disk }
            }
            Fact::Copied(position) => Note::Copied(*position),
            Fact::Committed { through, records, reign } => {
                Note::Committed { through: *through, records: records.to_vec(), reign: *reign }
            }
            Fact::Activated(epoch) => Note::Activated(*epoch),
            Fact::SteppedDown { under_way, .. } => Note::SteppedDown { under_way: *under_way },
            Fact::Truncated { after, records } => Note::Truncated { after: *after, records: *records },
            Fact::Applied { records } => Note::Applied { through: end(records) },
            Fact::MadeAnew { at } => Note::MadeAnew { at: *at },
            Fact::Refused(_) => Note::Refused,
        };
        self.note(partition, note);
        self.say(partition, fact);
    }

    fn told(&self, partition: PartitionId, event: &Event) {
        self.say(partition, event);
    }

    fn wanted(&self, partition: PartitionId, effect: &Effect) {
        self.say(partition, effect);
    }

    fn log_failed(&self, error: &writer::Error) {
        self.lock().fatal.get_or_insert_with(|| error.to_string());
    }

    fn failed(&self, fatal: &Fatal) {
        self.lock().fatal.get_or_insert_with(|| fatal.to_string());
    }
}

/// Listens to the log's writer beside the driver, and looks at the disk at that very moment.
pub(crate) struct Listening {
    pub(crate) listener: DurabilityListener,
    pub(crate) witness: Arc<Witness>,
}

impl Listener for Listening {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        let is_synced = self.witness.disk.is_synced();
        for (partition, end) in ends {
            self.witness.note(*partition, Note::Persisted { end: *end, is_synced });
            self.witness.say(*partition, &format_args!("wrote up to {end}, synced: {is_synced}"));
        }
        self.listener.persisted(through, ends);
    }

    fn failed(&self, error: &writer::Error) {
        self.listener.failed(error);
    }
}
