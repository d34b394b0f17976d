//! Starting the system group on a data folder: opening what is there, or beginning a cluster of one.
//!
//! ```text
//!  identity ──► journal, snapshot ──► Raft ──► leader? ──► RegisterNode ──► System
//!  (node 1,      (replayed)            │  no: initialize        │ no state yet: InstallGenesis first
//!   fresh ids)                         └──── or elect at once ◄─┘
//! ```
//!
//! Each step may be repeated after a crash: ids are drawn once, and Raft and the state machine refuse to begin twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openraft::{BasicNode, Raft, ServerState};
use steward_model::node::{HostId, StoreId};
use steward_model::{Boot, NodeId, Timestamp};
use steward_protocol::cluster::command::Registration;
use steward_protocol::cluster::group::Role;
use steward_protocol::cluster::{Applied, ClusterState, Command, Refused};
use steward_storage::lasting;

use super::control_log::{ControlLog, ProposeError};
use super::identity::{self, Identity};
use super::journal;
use super::network::NoPeers;
use super::raft::{self, RaftControlLog};
use super::snapshot::{self, Snapshots};
use super::state_machine::StateMachine;
use super::store::Store;
use super::types::TypeConfig;

pub(super) const FOLDER: &str = "system";
pub(super) const LOG_FOLDER: &str = "log";

/// A lone voter elects itself within a few fsyncs.
const ELECTION_WAIT: Duration = Duration::from_secs(10);

/// Who this node is, and where its data is.
#[derive(Debug, Clone)]
pub(crate) struct Bootstrap {
    /// The data folder; the system group keeps to `system/` in it.
    pub folder: PathBuf,
    /// The name its operator gave it.
    pub host: HostId,
    /// Names the data folder.
    pub store: StoreId,
    /// The URI under which others reach it.
    pub address: String,
    /// Where it stands, in the operator's words; empty: not said.
    pub location: String,
    /// The quorum its operator asks for; none: whatever the group has.
    pub quorum: Option<u32>,
    /// The time of day.
    pub now: Timestamp,
}

/// A node that takes part in its system group.
#[derive(Clone)]
pub(crate) struct System {
    /// Agreement with the group.
    pub control: Arc<dyn ControlLog>,
    /// The number of this node.
    pub node: NodeId,
    /// This process start.
    pub boot: Boot,
}

/// Why the system group does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder is not for this node.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The log does not open.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The system snapshot does not open.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// The work of opening was given up.
    #[error("opening the system group was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// Raft does not start, begin, or come to lead.
    #[error("system group cannot {what}: {source}")]
    Raft {
        /// What it was to do.
        what: &'static str,
        /// What Raft says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The group does not let this node in.
    #[error("cannot register with the system group: {0}")]
    Register(#[from] ProposeError),
    /// The group knows this node under another number.
    #[error(
        "the system group answered the registration with \"{assigned}\", and the data folder is that of node {expected}"
    )]
    Assigned {
        /// The number in the data folder.
        expected: NodeId,
        /// What the group answered.
        assigned: Applied,
    },
}

fn cannot<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Raft { what, source: Box::new(source) }
}

/// Opens the system group in a data folder, or begins one there, and registers this process start.
///
/// # Errors
/// [`Error`]: the folder is damaged, belongs to another node, or its disk does not work. Nothing is left half-done that
/// the next start would not complete.
pub(crate) async fn start(options: Bootstrap) -> Result<System, Error> {
    let Bootstrap { folder, host, store, address, location, quorum, now } = options;
    let opened = tokio::task::spawn_blocking({
        let host = host.clone();
        move || open(&folder, &host, store)
    });
    let Opened { identity, log, machine } = opened.await??;
    let states = machine.watch();
    let journal = log.journal();
    let id = raft::raft_id(identity.node);
    let config = raft::config().map_err(|error| cannot("be configured")(*error))?;
    let raft = Raft::new(id, Arc::new(config), NoPeers, log, machine).await.map_err(cannot("start"))?;
    let control = RaftControlLog { raft, states, journal };
    lead(&control.raft, id, &address).await?;
    let role = Role::Peer;
    let registration = Registration { host, store, address, role, location, quorum, at: now };
    let applied = register(&control, &identity, registration).await?;
    match applied {
        Applied::Registered { node, boot } if node == identity.node => {
            tracing::info!(%node, boot = boot.0, "registered with the system group");
            Ok(System { control: Arc::new(control), node, boot })
        }
        assigned @ (Applied::Registered { .. } | Applied::Done | Applied::Altered(_) | Applied::Revised { .. }) => {
            Err(Error::Assigned { expected: identity.node, assigned })
        }
    }
}

/// What is in a data folder.
struct Opened {
    identity: Identity,
    log: Store,
    machine: StateMachine,
}

fn open(data: &Path, host: &HostId, store: StoreId) -> Result<Opened, Error> {
    let system = data.join(FOLDER);
    let identity = Identity::open(&system, host, store)?;
    let incarnation = system.join(identity.folder_name());
    let log_folder = incarnation.join(LOG_FOLDER);
    lasting::make_folder(&incarnation)
        .map_err(|source| journal::Error::Folder { path: incarnation.clone(), source })?;
    let snapshots = Arc::new(Snapshots::open(&incarnation)?);
    let machine = StateMachine::open(snapshots)?;
    // Any 64 of the 128 random bits tell the segments of one incarnation from those of another.
    let log = Store::open(&log_folder, identity.incarnation as u64)?;
    Ok(Opened { identity, log, machine })
}

/// Makes this node, the only voter, the leader without waiting for an election timeout.
async fn lead(raft: &Raft<TypeConfig>, id: u64, address: &str) -> Result<(), Error> {
    if !raft.is_initialized().await.map_err(cannot("be asked"))? {
        let voters = BTreeMap::from([(id, BasicNode::new(address))]);
        raft.initialize(voters).await.map_err(cannot("begin"))?;
    } else if !raft.with_raft_state(|state| state.vote_ref().is_committed()).await.map_err(cannot("be asked"))? {
        raft.trigger().elect().await.map_err(cannot("hold an election"))?;
    }
    let wait = raft.wait(Some(ELECTION_WAIT));
    wait.state(ServerState::Leader, "a lone voter leads").await.map_err(cannot("elect this node"))?;
    Ok(())
}

/// Registers this process start, and begins the incarnation if nothing has been decided in it yet.
async fn register(
    control: &RaftControlLog,
    identity: &Identity,
    registration: Registration,
) -> Result<Applied, ProposeError> {
    match control.propose(Command::RegisterNode(registration.clone())).await {
        Err(ProposeError::Refused(Refused::NoGenesis)) => {
            let genesis = ClusterState::founding(identity.group, identity.incarnation);
            control.propose(Command::InstallGenesis(Box::new(genesis))).await?;
            control.propose(Command::RegisterNode(registration)).await
        }
        settled => settled,
    }
}
