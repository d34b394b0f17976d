//! The copies of one node, which move only when the test says so, over a disk and a store that fail when it says so.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Action, Cause, Effect, EffectKey};
use steward_model::update::{
    Change, Entry, Origin, PendingEffect, Record, RememberedBody, RememberedReply, RequestId, RequestKey, Update,
};
use steward_model::{Boot, NodeId};
use steward_model::{Document, Epoch, Lane, Link, Moment, Offset, PartitionId, Position, Timestamp, Version};
use steward_protocol::replica::{self, Append, Member, Row};
use steward_replication::completions::{Completions, DurabilityListener};
use steward_replication::partition::{Proposed, Taken};
use steward_replication::{
    Fact, Fatal, Message, Observer, Options, Partition, Partitions, ProposeError, Shared, recovery,
};
use steward_storage::documents::PartitionStore;
use steward_storage::index::EveryScalar;
use steward_storage::log::{FaultyDisk, Options as LogOptions, writer};
use steward_storage::state::{FaultyStore, MemoryStore, StateStore};

/// What the driver said, and whether it told the node to stop.
#[derive(Default)]
pub(crate) struct Ears {
    pub(crate) facts: Mutex<Vec<String>>,
    pub(crate) failures: Mutex<Vec<String>>,
}

impl Observer for Ears {
    fn observed(&self, _: PartitionId, fact: &Fact<'_>) {
        self.facts.lock().expect("whole").push(fact.to_string());
    }

    fn log_failed(&self, error: &writer::Error) {
        self.failures.lock().expect("whole").push(error.to_string());
    }

    fn failed(&self, fatal: &Fatal) {
        self.failures.lock().expect("whole").push(fatal.to_string());
    }
}

pub(crate) struct Stage {
    pub(crate) disk: FaultyDisk,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) ears: Arc<Ears>,
    pub(crate) partitions: Partitions,
    listener: DurabilityListener,
    boot: u32,
}

pub(crate) const NOW: Moment = Moment(0);

pub(crate) fn own(boot: u32) -> Member {
    Member { node: NodeId(1), boot: Boot(boot) }
}

pub(crate) fn other() -> Member {
    Member { node: NodeId(2), boot: Boot(1) }
}

pub(crate) fn epoch(ownership: u32) -> Epoch {
    Epoch { ownership, ..Epoch::ZERO }
}

pub(crate) fn link(name: &str) -> Link {
    Link::parse(&format!("/core/notes/{name}")).expect("a valid link")
}

/// Returns what the future answers if it does so at once.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

impl Stage {
    /// Returns a new node of one partition per lane, which serves nothing yet.
    pub(crate) fn new() -> Stage {
        Stage::open(FaultyDisk::new(7), Arc::new(FaultyStore::new(7)), 1)
    }

    /// Returns a new node that serves both partitions in reign 1.
    pub(crate) fn serving() -> Stage {
        let stage = Stage::new();
        stage.serve(1);
        stage
    }

    /// Returns a new node with other bounds that serves both partitions in reign 1.
    pub(crate) fn bounded(options: Options) -> Stage {
        let stage = Stage::open_with(FaultyDisk::new(7), Arc::new(FaultyStore::new(7)), 1, options);
        stage.serve(1);
        stage
    }

    fn open(disk: FaultyDisk, store: Arc<FaultyStore>, boot: u32) -> Stage {
        Stage::open_with(disk, store, boot, Options { backlog_bytes: 0, ..Options::default() })
    }

    fn open_with(disk: FaultyDisk, store: Arc<FaultyStore>, boot: u32, bounds: Options) -> Stage {
        let stores = |id: PartitionId| -> Arc<dyn StateStore> {
            match id.lane {
                Lane::Persisted => Arc::clone(&store) as Arc<dyn StateStore>,
                Lane::Volatile => Arc::new(MemoryStore::new()),
            }
        };
        let id = PartitionId::all(Lane::Persisted).next().expect("there are partitions");
        let persisted = std::iter::once(PartitionStore::new(stores(id), 0, id));
        let options = LogOptions { segment_bytes: 64 << 10, identity: 7, ..LogOptions::default() };
        let opened = recovery::open(persisted, Arc::new(disk.clone()), options).expect("a readable log");
        let mut recovery = opened.recovery;
        let ears = Arc::new(Ears::default());
        let observer = Arc::clone(&ears) as Arc<dyn Observer>;
        let completions = Arc::new(Completions::default());
        let listener = DurabilityListener::new(Arc::clone(&completions), Arc::clone(&observer));
        let shared = Arc::new(Shared::new(Arc::new(opened.log), completions, observer, own(boot), bounds));
        let open = |id| {
            let store = PartitionStore::new(stores(id), 0, id);
            Partition::open(id, Arc::clone(&shared), store, recovery.take(id))
        };
        let partitions = Partitions::open(Arc::clone(&shared), 1, open).expect("log and store fit together");
        Stage { disk, store, ears, partitions, listener, boot }
    }

    /// Cuts the power and starts anew; the new process serves nothing yet.
    pub(crate) fn crash(self) -> Stage {
        let Stage { disk, store, boot, partitions, .. } = self;
        drop(partitions);
        disk.crash();
        store.crash();
        Stage::open(disk, store, boot + 1)
    }

    /// Names this node for a reign, and lets it become active.
    pub(crate) fn serve(&self, ownership: u32) {
        self.name(ownership, own(self.boot));
        // The promise is written first, then the marker.
        self.write();
        self.write();
        self.partitions.all().for_each(|partition| assert_eq!(partition.admits(), Ok(epoch(ownership))));
    }

    /// Tells all partitions who is primary in a reign.
    pub(crate) fn name(&self, ownership: u32, primary: Member) {
        let in_sync = BTreeSet::from([own(self.boot), primary]);
        let row = Row { epoch: epoch(ownership), primary, in_sync, write_quorum: 1, recovery_quorum: 1, version: 0 };
        for partition in self.partitions.all() {
            partition.post(Message::Row(Box::new(row.clone())));
            partition.step(NOW);
        }
    }

    /// Has the other member, whose reign this is, order its marker behind `previous`: what stands there otherwise is cut.
    pub(crate) fn overrule(&self, partition: &Partition, ownership: u32, previous: Option<Position>) {
        let offset = previous.map_or(Offset(0), |previous| previous.offset.next());
        let position = Position { epoch: epoch(ownership), offset };
        let before = previous.map_or(Epoch::ZERO, |previous| previous.epoch);
        let record = Arc::new(Record { position, previous: before, entry: Entry::Marker });
        let append = Append { epoch: epoch(ownership), previous, records: vec![record], committed: None, low: None };
        let message = replica::Message::Append(append);
        self.partitions.receive(NOW, partition.id(), other(), message);
    }

    /// Writes what waits in the log, and takes what has become durable.
    pub(crate) fn write(&self) {
        self.drive();
        self.partitions.step(NOW);
    }

    /// Writes what waits in the log, and tells nobody.
    pub(crate) fn drive(&self) {
        self.partitions.shared().log.drive(&self.listener).expect("the disk works");
    }

    pub(crate) fn try_drive(&self) -> Result<usize, writer::Error> {
        self.partitions.shared().log.drive(&self.listener)
    }

    pub(crate) fn apply(&self) -> usize {
        self.partitions.apply(&EveryScalar, || ())
    }

    pub(crate) fn persisted(&self) -> &Arc<Partition> {
        &self.partitions.lane(Lane::Persisted)[0]
    }

    pub(crate) fn volatile(&self) -> &Arc<Partition> {
        &self.partitions.lane(Lane::Volatile)[0]
    }

    /// Leaves an update of a document and takes it.
    pub(crate) fn propose(&self, partition: &Partition, update: Update) -> Result<Taken, ProposeError> {
        let proposed = self.post(partition, partition.admits().unwrap_or_default(), update);
        partition.step(NOW);
        proposed.try_taken().expect("the step has taken it")
    }

    /// Leaves an update that was decided in a reign.
    pub(crate) fn post(&self, partition: &Partition, decided: Epoch, update: Update) -> Proposed {
        let newest = partition.newest(&update.document.link).expect("a readable store").document;
        let space = now(partition.space_for(&update)).expect("the log has space").expect("it is not too large");
        partition.propose(decided, newest, update, space)
    }

    /// Returns the committed state of a document.
    pub(crate) fn state(&self, partition: &Partition, name: &str) -> Option<String> {
        let document = partition.read(&link(name)).expect("a readable store");
        document.map(|document| String::from_utf8_lossy(&document.body).into_owned())
    }
}

/// Returns a version of a document.
pub(crate) fn put(name: &str, version: u64, body: &str) -> Update {
    let document = Document {
        kind: "note".to_owned(),
        version: Version(version),
        action: UpdateAction::Put,
        cause: Cause::Client,
        state_version: 1,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Document::bare(link(name), Timestamp(1))
    };
    Update {
        change: Change::NewVersion,
        request: RequestId::default(),
        origin: Origin::default(),
        document,
        keep_versions: None,
        effects: Vec::new(),
        settled: Vec::new(),
        remembered: None,
    }
}

/// Returns a version of a document that answers a request.
pub(crate) fn answering(name: &str, version: u64, key: &str) -> Update {
    let reply = RememberedReply {
        key: RequestKey::of(key),
        request_digest: [0; 16],
        status: 200,
        version: Version(version),
        made: Position::default(),
        at: Position::default(),
        answered: Timestamp(1),
        headers: Vec::new(),
        body: RememberedBody::State,
    };
    Update { remembered: Some(reply), ..put(name, version, "{}") }
}

/// Returns a version of a document that issues an effect.
pub(crate) fn sending(name: &str, version: u64) -> Update {
    let effect = Effect {
        to: "/core/notes/other".into(),
        action: Action::Patch,
        headers: Vec::new(),
        body: None,
        delay_millis: 0,
        reply_tag: String::new(),
    };
    let key = EffectKey { link: link(name), at: Position::default(), number: 0 };
    let pending = PendingEffect { key, due: Timestamp(0), issued: Timestamp(0), request: "r-1".to_owned(), effect };
    Update { effects: vec![pending], ..put(name, version, "{}") }
}
