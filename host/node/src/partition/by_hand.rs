//! Partitions whose log is written, and whose state store follows, only when a test says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::group::{Boot, NodeId};
use steward_model::update::{Change, Origin, RememberedReply, RequestId, Update};
use steward_model::{Document, Lane, Link, Position, Timestamp, Version};
use steward_protocol::replica::{Member, Row};
use steward_storage::documents::PartitionStore;
use steward_storage::index::EveryScalar;
use steward_storage::log::{FolderDisk, Log, Options};
use steward_storage::state::{MemoryStore, StateStore};
use tempfile::TempDir;

use super::{
    Applier, Cache, LogEvents, Partition, Proposed, Recovered, Shared, Space, Table, Turn, UNDER_WAY_BYTES_MAX,
};
use crate::clock::Clock;

/// The partitions of a node that nothing moves but the test.
pub(crate) struct ByHand {
    pub(crate) table: Arc<Table>,
    events: Arc<LogEvents>,
    _folder: TempDir,
}

impl ByHand {
    /// Returns the partitions of a new node, which serves all of them.
    pub(crate) fn serving() -> ByHand {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Arc::new(FolderDisk::new(folder.path()).expect("a folder for the log"));
        let options = Options { segment_bytes: 1 << 20, ..Options::default() };
        let opened = Log::open(disk, options, &mut |_, _| Ok(())).expect("a new log");
        let own = Member { node: NodeId(1), boot: Boot(1) };
        let events = Arc::new(LogEvents::default());
        let shared = Arc::new(Shared {
            clock: Arc::new(Clock::default()),
            log: Arc::new(opened.log),
            space: Arc::new(Space::new(folder.path().to_owned(), 0)),
            under_way: Arc::new(tokio::sync::Semaphore::new(UNDER_WAY_BYTES_MAX)),
            cache: Arc::new(Cache::new(1 << 20)),
            applier: Applier::default(),
            events: Arc::clone(&events),
            outbox_changed: tokio::sync::Notify::new(),
            own,
            queue_limit: 8,
        });
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let open = |id| {
            let store = PartitionStore::new(Arc::clone(&store), 0, id);
            Partition::open(id, Arc::clone(&shared), store, Recovered::default())
        };
        let table = Arc::new(Table::open(Arc::clone(&shared), open).expect("empty partitions"));
        events.connect(Arc::clone(&table));
        let by_hand = ByHand { table, events, _folder: folder };
        by_hand.name(1, own);
        // The promise is written first, then the marker of the reign.
        by_hand.write();
        by_hand.write();
        assert!(by_hand.table.all().all(|partition| partition.admits().is_ok()), "every partition is served");
        by_hand
    }

    /// Tells every partition who is its primary in the reign `ownership`.
    pub(crate) fn name(&self, ownership: u32, primary: Member) {
        let epoch = steward_model::Epoch { incarnation: 0, loss: 0, ownership };
        let in_sync = BTreeSet::from([primary]);
        let row = Row { epoch, primary, in_sync, write_quorum: 1, recovery_quorum: 1, version: 0 };
        self.table.all().for_each(|partition| partition.table_changed(&row));
    }

    /// Writes what waits in the log, and tells the partitions.
    pub(crate) fn write(&self) {
        self.table.shared().log.drive(&*self.events).expect("the disk works");
    }

    /// Brings the state stores up to what is committed.
    pub(crate) fn apply(&self) {
        for partition in self.table.all() {
            assert!(partition.apply(&EveryScalar), "a store in memory takes everything");
        }
    }

    /// Returns the partition of a persisted document.
    pub(crate) fn of(&self, link: &Link) -> &Arc<Partition> {
        self.table.of(link, Lane::Persisted)
    }

    /// Returns the turn on a document for which nobody waits.
    pub(crate) async fn turn(&self, link: &Link) -> Turn {
        self.of(link).turn(link).await.expect("nobody waits")
    }

    /// Puts a new version of a document into the log, with `body` as its state.
    pub(crate) fn propose(&self, link: &Link, body: &'static str) -> Proposed {
        self.propose_for(link, body, None)
    }

    /// Puts a new version of a document into the log, for a request that is remembered.
    pub(crate) fn propose_for(&self, link: &Link, body: &'static str, remembered: Option<RememberedReply>) -> Proposed {
        let partition = self.of(link);
        let newest = partition.newest(link).expect("a readable store").document;
        let version = newest.as_ref().map_or(Version(0), |document| document.version.next());
        let make = |position| Update { remembered, ..update(link, version, position, body) };
        partition.propose(newest.as_ref(), make).expect("the partition is served")
    }

    /// Returns the committed state of a document.
    pub(crate) fn state(&self, link: &Link) -> Option<String> {
        let document = self.of(link).read(link).expect("a readable store");
        document.map(|document| String::from_utf8_lossy(&document.body).into_owned())
    }
}

fn update(link: &Link, version: Version, position: Position, body: &'static str) -> Update {
    let document = Document {
        link: link.clone(),
        kind: "test".to_owned(),
        version,
        epoch: position.epoch,
        offset: position.offset,
        updated: Timestamp(1),
        action: UpdateAction::Put,
        expires: Timestamp(0),
        principal: String::new(),
        source: String::new(),
        state_version: 1,
        body: Bytes::from_static(body.as_bytes()),
    };
    let change = Change::NewVersion;
    let (request, origin) = (RequestId::default(), Origin::default());
    Update {
        change,
        request,
        origin,
        document,
        keep_versions: None,
        effects: Vec::new(),
        settled: Vec::new(),
        remembered: None,
    }
}
