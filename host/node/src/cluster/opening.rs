//! What is in a data folder, opened; and why that, or anything after it, does not work.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openraft::{BasicNode, Raft, ServerState};
use steward_model::NodeId;
use steward_storage::lasting;

use super::call::Target;
use super::control_log::ProposeError;
use super::engine::{self, Timing};
use super::group::Group;
use super::identity::{self, Identity};
use super::joining;
use super::journal::{self, Journal};
use super::network::Network;
use super::snapshot::{self, Snapshots};
use super::state_machine::StateMachine;
use super::store::Store;
use super::types::TypeConfig;
use crate::peer::Links;

pub(super) const FOLDER: &str = "system";
pub(super) const LOG_FOLDER: &str = "log";

/// A lone voter elects itself within a few fsyncs.
const ELECTION_WAIT: Duration = Duration::from_secs(10);

/// Why the system group does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder is not for this node.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The group does not let this node in.
    #[error(transparent)]
    Joining(#[from] joining::Error),
    /// The log does not open.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The system snapshot does not open.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// The work of opening was given up.
    #[error("opening the system group was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The system gives no thread.
    #[error("cannot start the thread for peers: {0}")]
    Thread(std::io::Error),
    /// The listener cannot be used.
    #[error("cannot listen to peers: {0}")]
    Listen(std::io::Error),
    /// The folder belongs to a group that this node cannot reach.
    #[error(
        "the data folder is that of node {node} in a group of several: start it with --peer-nodes, so that the others reach it"
    )]
    NoPeers {
        /// The number of this node.
        node: NodeId,
    },
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
        assigned: String,
    },
}

pub(super) fn cannot<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Raft { what, source: Box::new(source) }
}

/// Opens what is in a data folder, and starts Raft on it.
pub(super) async fn open_group(
    data: &Path,
    identity: &Identity,
    links: Option<Links>,
) -> Result<(Group, Arc<Journal>), Error> {
    let opened = tokio::task::spawn_blocking({
        let (data, identity) = (data.to_owned(), identity.clone());
        move || open(&data, &identity)
    });
    let Opened { log, machine } = opened.await??;
    let (states, journal) = (machine.watch(), log.journal());
    let node = engine::raft_id(identity.node);
    let own = Target { group: identity.group, incarnation: identity.incarnation, node };
    let (timing, network) = match &links {
        Some(links) => (Timing::AMONG_PEERS, Network::Links { links: links.clone(), own }),
        None => (Timing::ALONE, Network::Alone),
    };
    let config = engine::config(timing).map_err(|error| cannot("be configured")(*error))?;
    let raft = Raft::new(node, Arc::new(config), network, log, machine).await.map_err(cannot("start"))?;
    Ok((Group { raft, states, own, links }, journal))
}

/// What is in a data folder.
struct Opened {
    log: Store,
    machine: StateMachine,
}

fn open(data: &Path, identity: &Identity) -> Result<Opened, Error> {
    let incarnation = data.join(FOLDER).join(identity.folder_name());
    let log_folder = incarnation.join(LOG_FOLDER);
    lasting::make_folder(&incarnation)
        .map_err(|source| journal::Error::Folder { path: incarnation.clone(), source })?;
    let snapshots = Arc::new(Snapshots::open(&incarnation)?);
    let machine = StateMachine::open(snapshots)?;
    // Any 64 of the 128 random bits tell the segments of one incarnation from those of another.
    let log = Store::open(&log_folder, identity.incarnation as u64)?;
    Ok(Opened { log, machine })
}

/// Makes this node, the only voter, the leader without waiting for an election timeout.
pub(super) async fn lead(raft: &Raft<TypeConfig>, id: u64, address: &str) -> Result<(), Error> {
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
