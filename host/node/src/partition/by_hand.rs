//! Partitions for tests: the log is written, and the state store follows, only when the test says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::Cause;
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::update::{Change, Origin, RememberedReply, RequestId, Update};
use steward_model::{Boot, NodeId};
use steward_model::{Document, Epoch, Lane, Link, Timestamp, Version};
use steward_protocol::replica::{Member, Row};
use steward_replication::completions::{Completions, DurabilityListener};
use steward_replication::{Message, Observer, Recovered};
use steward_storage::documents::PartitionStore;
use steward_storage::index::EveryScalar;
use steward_storage::log::{FolderDisk, Log, Options as LogOptions};
use steward_storage::state::{MemoryStore, StateStore};
use tempfile::TempDir;

use super::{Hands, Options, Partition, Partitions, ProposeError, Shared, Taken, Turn};
use crate::clock::Clock;

/// The partitions of a node that nothing moves but the test.
pub(crate) struct ByHand {
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) clock: Arc<Clock>,
    listener: DurabilityListener,
    _folder: TempDir,
}

impl ByHand {
    /// Returns the partitions of a new node, which serves all of them.
    pub(crate) fn serving() -> ByHand {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Arc::new(FolderDisk::new(folder.path()).expect("a folder for the log"));
        let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() };
        let opened = Log::open(disk, options, &mut |_, _| Ok(())).expect("a new log");
        let own = Member { node: NodeId(1), boot: Boot(1) };
        let completions = Arc::new(Completions::default());
        let observer: Arc<dyn Observer> = Arc::new(Hands::default());
        let listener = DurabilityListener::new(Arc::clone(&completions), Arc::clone(&observer));
        let bounds = Options { queue_limit: 8, ..Options::default() };
        let shared = Arc::new(Shared::new(Arc::new(opened.log), completions, observer, own, bounds));
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let open = |id| {
            let store = PartitionStore::new(Arc::clone(&store), 0, id);
            Partition::open(id, Arc::clone(&shared), store, Recovered::default())
        };
        let partitions = Partitions::open(Arc::clone(&shared), PARTITIONS_PER_LANE, open);
        let partitions = Arc::new(partitions.expect("empty partitions"));
        let by_hand = ByHand { partitions, clock: Arc::new(Clock::default()), listener, _folder: folder };
        by_hand.name(1, own);
        // The promise is written first, then the marker of the reign.
        by_hand.write();
        by_hand.write();
        assert!(by_hand.partitions.all().all(|partition| partition.admits().is_ok()), "every partition is served");
        by_hand
    }

    /// Tells every partition who is its primary in the reign `ownership`.
    pub(crate) fn name(&self, ownership: u32, primary: Member) {
        let epoch = Epoch { incarnation: 0, loss: 0, ownership };
        let in_sync = BTreeSet::from([primary]);
        let row = Row { epoch, primary, in_sync, write_quorum: 1, recovery_quorum: 1, version: 0 };
        for partition in self.partitions.all() {
            partition.post(Message::Row(Box::new(row.clone())));
            partition.step(self.clock.now());
        }
    }

    /// Writes what waits in the log, and tells the partitions.
    pub(crate) fn write(&self) {
        self.partitions.shared().log.drive(&self.listener).expect("the disk works");
        self.partitions.step(self.clock.now());
    }

    /// Brings the state stores up to what is committed.
    pub(crate) fn apply(&self) {
        assert_eq!(self.partitions.apply(&EveryScalar, || ()), 0, "a store in memory takes everything");
    }

    /// Returns the partition of a persisted document.
    pub(crate) fn of(&self, link: &Link) -> &Arc<Partition> {
        self.partitions.of(link, Lane::Persisted)
    }

    /// Returns the turn on a document for which nobody waits.
    pub(crate) async fn turn(&self, link: &Link) -> Turn {
        self.of(link).turn(link).await.expect("nobody waits")
    }

    /// Puts a new version of a document into the log, with `body` as its state.
    pub(crate) async fn propose(&self, link: &Link, body: &'static str) -> Taken {
        self.propose_for(link, body, None).await
    }

    /// Puts a new version of a document into the log, for a request that is remembered.
    pub(crate) async fn propose_for(
        &self,
        link: &Link,
        body: &'static str,
        remembered: Option<RememberedReply>,
    ) -> Taken {
        let epoch = self.of(link).admits().expect("the partition is served");
        self.propose_in(epoch, link, body, remembered).await.expect("the partition is served")
    }

    /// Puts a new version of a document into the log that was decided in the reign of `epoch`.
    pub(crate) async fn propose_in(
        &self,
        epoch: Epoch,
        link: &Link,
        body: &'static str,
        remembered: Option<RememberedReply>,
    ) -> Result<Taken, ProposeError> {
        let partition = self.of(link);
        let newest = partition.newest(link).expect("a readable store").document;
        let version = newest.as_ref().map_or(Version(0), |document| document.version.next());
        let update = Update { remembered, ..update(link, version, body) };
        let space = partition.space_for(&update).await.expect("there is space");
        let proposed = partition.propose(epoch, newest, update, space);
        partition.step(self.clock.now());
        proposed.taken().await
    }

    /// Returns the committed state of a document.
    pub(crate) fn state(&self, link: &Link) -> Option<String> {
        let document = self.of(link).read(link).expect("a readable store");
        document.map(|document| String::from_utf8_lossy(&document.body).into_owned())
    }
}

fn update(link: &Link, version: Version, body: &'static str) -> Update {
    let document = Document {
        kind: "test".to_owned(),
        version,
        action: UpdateAction::Put,
        cause: Cause::Client,
        state_version: 1,
        body: Bytes::from_static(body.as_bytes()),
        ..Document::bare(link.clone(), Timestamp(1))
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
