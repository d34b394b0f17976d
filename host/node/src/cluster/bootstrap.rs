//! Starting the system group on a data folder: opening what is there, beginning a cluster, or being let into one.
//!
//! ```text
//!  identity ─┬─ none, no peers ──► node 1, fresh ids ─┐
//!            ├─ none, peers ──► joining.rs ───────────┼─► journal, snapshot ─► Raft ─► leader? ─► RegisterNode ─► System
//!            └─ known ────────────────────────────────┘   (replayed)
//! ```
//!
//! Each step may be repeated after a crash: ids are drawn once, and Raft and the state machine refuse to begin twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_model::node::{HostId, StoreId};
use steward_model::{Boot, Member};
use steward_protocol::cluster::command::Registration;
use steward_protocol::cluster::group::Role;
use steward_protocol::cluster::{Applied, ClusterState, Command, Refused};

use super::among::Among;
use super::control_log::{ControlLog, ProposeError};
use super::identity::Identity;
use super::opening::{Error, FOLDER, cannot, lead, open_group};
use super::raft::RaftControlLog;
use super::standing::View;
use super::system::{Peers, System};
use crate::clock::Clock;
use crate::peer::PeerThread;
use crate::shutdown::Shutdown;

/// Who this node is, and where its data is.
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
    pub clock: Arc<Clock>,
    /// Told when this process is over for the group.
    pub shutdown: Shutdown,
    /// Other nodes; none: this node neither dials nor listens to any.
    pub peers: Option<Peers>,
}

/// Opens the system group in a data folder, begins one there, or is let into one; and registers this process start.
///
/// # Errors
/// [`Error`]: the folder is damaged, belongs to another node, or its disk does not work; or the group refuses this node. Nothing is
/// left half-done that the next start would not complete.
pub(crate) async fn start(options: Bootstrap) -> Result<System, Error> {
    let Bootstrap { folder, host, store, address, location, quorum, clock, shutdown, peers } = options;
    let registration = Registration { host, store, address, role: Role::Peer, location, quorum, at: clock.timestamp() };
    let system = folder.join(FOLDER);
    let known = identity_in(&system, &registration).await?;
    let Some(peers) = peers else {
        let identity = match known {
            Some(identity) => identity,
            None => Identity::found(&system, &registration.host, registration.store)?,
        };
        return alone(folder, identity, registration).await;
    };
    // Everything that talks to other nodes is started on their thread, where nothing holds it up.
    let thread = PeerThread::start().map_err(Error::Thread)?;
    let tasks = thread.tasks().clone();
    let joining = Among { tasks: tasks.clone(), folder, system, known, registration, clock, shutdown };
    let system = tasks.run(joining.start(peers)).await??;
    Ok(System { thread: Some(Arc::new(thread)), ..system })
}

async fn identity_in(system: &Path, registration: &Registration) -> Result<Option<Identity>, Error> {
    let (system, host, store) = (system.to_owned(), registration.host.clone(), registration.store);
    Ok(tokio::task::spawn_blocking(move || Identity::open(&system, &host, store)).await??)
}

/// Starts a group of one, on a node that neither dials nor listens to others.
async fn alone(folder: PathBuf, identity: Identity, registration: Registration) -> Result<System, Error> {
    let (group, journal) = open_group(&folder, &identity, None).await?;
    let id = group.own.node;
    // Asked first: from then on the metrics tell what is in the folder.
    group.raft.is_initialized().await.map_err(cannot("be asked"))?;
    if group.metrics().membership_config.nodes().any(|(other, _)| *other != id) {
        return Err(Error::NoPeers { node: identity.node });
    }
    lead(&group.raft, id, &registration.address).await?;
    let control = RaftControlLog { group: group.clone(), journal, own: Member { node: identity.node, boot: Boot(0) } };
    let applied = register(&control, &identity, registration).await?;
    match applied {
        Applied::Registered { node, boot } if node == identity.node => {
            tracing::info!(%node, boot = boot.0, "registered with the system group");
            let control = Arc::new(RaftControlLog { own: Member { node, boot }, ..control });
            Ok(System { control, node, boot, view: View { group, beats: None }, thread: None })
        }
        assigned @ (Applied::Registered { .. } | Applied::Done | Applied::Altered(_) | Applied::Revised { .. }) => {
            Err(Error::Assigned { expected: identity.node, assigned: assigned.to_string() })
        }
    }
}

/// Registers this process start, and begins the incarnation if nothing has been decided in it yet.
async fn register(
    control: &RaftControlLog,
    identity: &Identity,
    registration: Registration,
) -> Result<Applied, ProposeError> {
    match control.propose(Command::RegisterNode(registration.clone())).await {
        Err(ProposeError::Refused(Refused::NoGenesis)) => {
            let genesis = ClusterState::founding(identity.group, identity.incarnation, 1);
            control.propose(Command::InstallGenesis(Box::new(genesis))).await?;
            control.propose(Command::RegisterNode(registration)).await
        }
        settled => settled,
    }
}
